-- beat.lua: an instance with waiters says that it lives, and hears what it missed.
--
--   KEYS[1]  beats  HASH, see alive.lua
--   KEYS[2]  given  HASH, see line.lua
--   ARGV[1]  nonce, echoed
--   ARGV[2]  instance
--   ARGV[3]  channels: what the name of each begins with
--
-- Returns {nonce, TIME in microseconds, {{BEAT, since}, dead, given}}, since being the moment before which
-- others may have taken this instance for dead, and passed its waiters over, or Redis lost them; dead the
-- instances that are silent for longer than they may be, or have gone; and given, for each lease handed to this one
-- and not taken up, what was told of it.
--
-- It must work when Redis is out of memory, or all waiters were passed over.
local BEATS, GIVEN = unpack(KEYS)
local NONCE, CALLER, CHANNELS = unpack(ARGV)
local FORGOTTEN = 30000000 -- us: a field without a beat for so long is removed
local TAKEN_UP = 5000000   -- us: older notes are of hand-overs that ran out

local now = now_us()
local since = beat(BEATS, CHANNELS, CALLER, now)

local dead, beating, texts = {}, {}, {}
local all = redis.call('HGETALL', BEATS)
for i = 1, #all, 2 do
  local instance, text = all[i], all[i + 1]
  local age = now - last_beat(text)
  if instance == REDIS or instance == CALLER then -- neither is judged
  elseif age > FORGOTTEN then redis.call('HDEL', BEATS, instance)
  elseif age > ALIVE then dead[#dead + 1] = instance
  else
    beating[#beating + 1] = instance
    texts[instance] = text
  end
end

-- Who has gone is marked now: should Redis be started again before something is handed to it, nobody could
-- tell.
local heard = listeners(CHANNELS, beating)
for _, instance in ipairs(beating) do
  if not presence(BEATS, texts[instance], heard[instance], now) then
    take_for_dead(BEATS, instance, now)
    dead[#dead + 1] = instance
  end
end

local given = {}
all = redis.call('HGETALL', GIVEN)
for i = 1, #all, 2 do
  local instance, time, rest = string.match(all[i + 1], '^(%x+)|(%d+)|(.*)$')
  if not time or now - tonumber(time) > TAKEN_UP then redis.call('HDEL', GIVEN, all[i])
  elseif instance == CALLER then given[#given + 1] = rest end
end
return {NONCE, string.format('%.0f', now), {{'BEAT', since}, dead, given}}
