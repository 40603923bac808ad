-- force.lua: end the lease that holds a name with exactly this token.
--
--   KEYS[1]  fence
--   KEYS[2]  lock
--   ARGV[1]  nonce, echoed
--   ARGV[2]  token
--
-- Returns {nonce, '', {reply}}, the reply being one of
--   {FORCED, value, expired in ms}   the lease as it was
--   {STALE, value, expires in ms}    another token is in force
--   {STALE}                          nobody holds the name
--
-- Freeing comes first: after the DEL Redis refuses nothing for want of memory, and what follows
-- is a pcall. The fence is at least the forced token anyway; raising it uses a newer one up, so
-- that what is protected can be told of it.
local value = redis.call('GET', KEYS[2])
local lock = value and parse(value)
if not value then return {ARGV[1], '', {{'STALE'}}} end
local left = redis.call('PTTL', KEYS[2])
if not lock or lock.token ~= ARGV[2] then return {ARGV[1], '', {{'STALE', value, left}}} end
local now = now_us()
redis.call('DEL', KEYS[2])

local fence = redis.pcall('GET', KEYS[1])
if type(fence) == 'string' and string.match(fence, '^%d+$') then
  redis.pcall('SET', KEYS[1], string.format('%.0f', math.max(tonumber(fence) + 1, now)))
elseif not fence then
  redis.pcall('SET', KEYS[1], string.format('%.0f', math.max(tonumber(lock.token) + 1, now)))
end
return {ARGV[1], '', {{'FORCED', value, left}}}
