-- try.lua: which of the commands that a store's scripts use Redis denies its user. What tries them comes after it, then
-- the answer.
--
--   KEYS[1]  a key that nobody writes
--   ARGV[1]  nonce, echoed
--
-- Returns {nonce, '', the names of what is denied}
local KEY = KEYS[1]
local denied = {}

local function try_right(right, command, ...)
  local reply = redis.pcall(command, ...)
  local text = type(reply) == 'table' and reply.err or ''
  -- As Redis 7 says it, and as Redis 6 does.
  if string.find(text, 'ACL failure', 1, true) or string.find(text, 'The user executing the script', 1, true) then
    denied[#denied + 1] = right
  end
end

local function try(command, ...) try_right(string.lower(command), command, ...) end

