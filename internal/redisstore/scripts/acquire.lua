-- acquire.lua: grant free names in which nobody stands in line, and answer again for what a lease id
-- already holds.
--
--   KEYS[1]       fence    STRING, the last token granted in the shard; never expires
--   KEYS[2]       watched  there while anybody watches
--   KEYS[1+2i]    lock of operation i; each name at most once
--   KEYS[2+2i]    line of operation i
--   ARGV[1]       nonce, echoed
--   ARGV[2]       the caller's clock, microseconds since 1970
--   ARGV[3]       largest tolerated difference between the two clocks, microseconds
--   ARGV[4]       1 if new leases may be granted
--   ARGV[5]       channel of events
--   ARGV[6]       how many bytes of a lock's key come before the name
--   then for each operation:
--     tag         <lease id>|<attempt>|<exec>
--     told        token, or 0
--     times       <ttl>|<px>, milliseconds
--     px          again
--     not_after   microseconds of this Redis's TIME: later than this nothing is written
--     payload
--
-- Returns {nonce, TIME in microseconds, reply of each operation}, a reply being one of
--   token                                     granted, as asked for, at TIME
--   {GRANTED, value, ttl ms, expires in ms}   held by this lease id already
--   {HELD, value, expires in ms}              another lease is in force
--   {LINE}                                    nothing was done: the name has a line, see queue.lua
--   {SUPERSEDED} {LOST} {LATE} {REFUSED}      nothing was written
--   {SKEW, difference in microseconds}        nothing was written
--   {ERROR, text}                             nothing was written, but perhaps the fence
--
-- The operations share what can be shared: one MGET, one step of the fence. The last writes are pcalls, so
-- that one name's failure does not hide the grants of the others.
local NONCE, CLOCK, MAX_SKEW, MAY_GRANT, CHANNEL, BEFORE_NAME = unpack(ARGV, 1, 6)
local HEAD, FIELDS = 6, 6

local stored = redis.call('MGET', unpack(KEYS))
local now = now_us()
local refused = refusal(now, CLOCK, MAX_SKEW, MAY_GRANT)

-- answered answers what may not be granted anew.
local function answered(key, value, line, tag, told, times, px)
  local id, attempt, exec = string.match(tag, '^(%x+)|(%d+)|([%x*]+)$')
  local lock = value and parse(value)
  if lock and lock.id == id then
    local ttl = tonumber(string.match(times, '^%d+'))
    return again(key, value, lock, {attempt = tonumber(attempt), exec = exec, told = told, ttl = ttl, px = tonumber(px)})
  end
  if told ~= '0' then return {'LOST'} end -- once told, never granted anew
  if line then return {'LINE'} end
  if lock then return {'HELD', value, redis.call('PTTL', key)} end
  if value then return {'ERROR', 'the lock key holds something that lockd did not write'} end
  return refused
end

local replies, grants = {}, {}
for i = 1, (#KEYS - 2) / 2 do
  local tag, told, times, px, not_after = unpack(ARGV, HEAD + (i - 1) * FIELDS + 1, HEAD + i * FIELDS - 1)
  local value, line = stored[1 + 2 * i], stored[2 + 2 * i]
  if now > tonumber(not_after) then
    replies[i] = {'LATE'}
  elseif value or line or refused or told ~= '0' then
    replies[i] = answered(KEYS[1 + 2 * i], value, line, tag, told, times, px)
  else
    grants[#grants + 1] = i
  end
end

if #grants > 0 then
  local first, problem = raise_fence(KEYS[1], stored[1], #grants, now) -- once for all
  local since = string.format('%.0f', now)
  for n, i in ipairs(grants) do
    local tag, _, times, px, _, payload = unpack(ARGV, HEAD + (i - 1) * FIELDS + 1, HEAD + i * FIELDS)
    if not first then
      replies[i] = {'ERROR', problem}
    else
      local token, key = string.format('%.0f', first + n - 1), KEYS[1 + 2 * i]
      local value = tag .. '|' .. token .. '|' .. times .. '|' .. since .. '|' .. payload
      local failure = set(key, value, 'NX', 'PX', px)
      replies[i] = failure or first + n - 1 -- a number is answered with all its digits
      if stored[2] and not failure then
        note_acquired(string.sub(key, BEFORE_NAME + 1), now, parse(value), tonumber(px))
      end
    end
  end
end
publish(CHANNEL)
return {NONCE, string.format('%.0f', now), replies}
