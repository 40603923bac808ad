-- beat.lua: an instance with waiters says that it lives, once a second, and hears what it missed.
--
--   KEYS[1]  beats  HASH, instance -> its last beat, microseconds of TIME
--   KEYS[2]  given  HASH, see line.lua
--   ARGV[1]  nonce, echoed
--   ARGV[2]  instance
--
-- Returns {nonce, TIME in microseconds, {{kind}, dead, given}}, kind being BEAT, or BACK if the last beat
-- was gone or so old that others may have taken this instance for dead, and passed its waiters over;
-- dead the instances that are silent for longer than they may be; and given, for each lease handed to
-- this one and not taken up,
-- what was told of it.
--
-- It must work when Redis is out of memory, or all waiters were passed over: after the HDEL Redis
-- refuses nothing for want of memory.
local BEATS, GIVEN = unpack(KEYS)
local NONCE, CALLER = unpack(ARGV)
local FORGOTTEN = 30000000 -- us: a field without a beat for so long is removed
local TAKEN_UP = 5000000   -- us: older notes are of hand-overs that ran out

local now = now_us()
local before = tonumber(redis.call('HGET', BEATS, CALLER))
redis.call('HDEL', BEATS, CALLER)
redis.call('HSET', BEATS, CALLER, string.format('%.0f', now))
redis.call('PEXPIRE', BEATS, '60000')
local kind = before and now - before <= ALIVE and 'BEAT' or 'BACK'

local dead = {}
local all = redis.call('HGETALL', BEATS)
for i = 1, #all, 2 do
  local age = now - (tonumber(all[i + 1]) or 0)
  if age > FORGOTTEN then redis.call('HDEL', BEATS, all[i])
  elseif age > ALIVE then dead[#dead + 1] = all[i] end
end

local given = {}
all = redis.call('HGETALL', GIVEN)
for i = 1, #all, 2 do
  local instance, time, rest = string.match(all[i + 1], '^(%x+)|(%d+)|(.*)$')
  if not time or now - tonumber(time) > TAKEN_UP then redis.call('HDEL', GIVEN, all[i])
  elseif instance == CALLER then given[#given + 1] = rest end
end
return {NONCE, string.format('%.0f', now), {{kind}, dead, given}}
