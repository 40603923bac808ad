-- rights.lua: which of the commands that our scripts use Redis denies its user. Each is tried on a key of its own,
-- of which nothing is left.
--
--   KEYS[1]  a key that nobody writes
--   ARGV[1]  nonce, echoed
--   ARGV[2]  channel of events
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

try('TIME')
for _, command in ipairs({'GET', 'MGET', 'DEL', 'PTTL', 'HGETALL', 'HLEN'}) do try(command, KEY) end
try('SET', KEY, '', 'XX')
for _, command in ipairs({'HGET', 'HMGET', 'ZREM', 'ZSCORE'}) do try(command, KEY, 'none') end
try('HSET', KEY, 'none', '')
try('PEXPIRE', KEY, '1000') -- should it stay, HDEL being denied
try('HDEL', KEY, 'none')
try('ZADD', KEY, 'XX', '0', 'none')
for _, command in ipairs({'ZRANGE', 'ZRANGEBYSCORE', 'ZCOUNT'}) do try(command, KEY, '0', '0') end
try('PUBLISH', ARGV[2], '')
try_right('pubsub|numsub', 'PUBSUB', 'NUMSUB', ARGV[2])
try('INFO', 'server')
return {ARGV[1], '', denied}
