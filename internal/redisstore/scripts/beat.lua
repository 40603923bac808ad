-- beat.lua: an instance with waiters says that it lives, and hears what it missed.
--
--   KEYS[1]  beats  HASH, see alive.lua
--   KEYS[2]  given  HASH, see line.lua
--   ARGV[1]  nonce, echoed
--   ARGV[2]  instance
--
-- Returns {nonce, TIME in microseconds, {{BEAT, since}, dead, given}}, since being the moment before which
-- others may have taken this instance for dead, and passed its waiters over, or Redis lost them; dead the
-- instances that are silent for longer than they may be; and given, for each lease handed to this one
-- and not taken up, what was told of it.
--
-- It must work when Redis is out of memory, or all waiters were passed over.
local BEATS, GIVEN = unpack(KEYS)
local NONCE, CALLER = unpack(ARGV)
local FORGOTTEN = 30000000 -- us: a field without a beat for so long is removed
local TAKEN_UP = 5000000   -- us: older notes are of hand-overs that ran out

local now = now_us()
local since = beat(BEATS, CALLER, now)

local dead = {}
local all = redis.call('HGETALL', BEATS)
for i = 1, #all, 2 do
  local age = now - last_beat(all[i + 1])
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
return {NONCE, string.format('%.0f', now), {{'BEAT', since}, dead, given}}
