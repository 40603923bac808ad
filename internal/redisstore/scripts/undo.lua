-- undo.lua: take back executions of acquire that nobody was told of.
--
--   KEYS[i]  lock of operation i; each name at most once
--   ARGV[1]  nonce, echoed
--   then for each operation: lease id, attempt, exec
--
-- Returns {nonce, TIME in microseconds, reply of each operation}, a reply being one of
--   {UNDONE}  the lock carried exactly this tag and is free now
--   {NONE}    it did not: never granted, over, or taken over by a retry, which must not be hurt
--
-- TIME tells the caller whether the execution could still arrive after this (its not_after).
local FIELDS = 3

local stored = redis.call('MGET', unpack(KEYS))
local now = now_us()
local replies, mine = {}, {}
for i, key in ipairs(KEYS) do
  local at = 1 + (i - 1) * FIELDS
  local lock = stored[i] and parse(stored[i])
  if lock and lock.id == ARGV[at + 1] and lock.attempt == tonumber(ARGV[at + 2])
    and lock.exec == ARGV[at + 3] and lock.exec ~= '*' then -- '*' matches nobody
    mine[#mine + 1] = key
    replies[i] = {'UNDONE'}
  else
    replies[i] = {'NONE'}
  end
end
if #mine > 0 then redis.call('DEL', unpack(mine)) end
return {ARGV[1], string.format('%.0f', now), replies}
