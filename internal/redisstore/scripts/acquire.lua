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
--   ARGV[5]       not_after, microseconds of this Redis's TIME: later than this nothing is written
--   ARGV[6]       channel of events
--   then for each operation: name, lease id, attempt, exec, told (token, or 0), ttl ms, px ms, payload
--
-- Returns {nonce, TIME in microseconds, reply of each operation}, a reply being one of
--   {GRANTED, value, ttl ms, expires in ms}   granted, or held by this lease id already
--   {HELD, value, expires in ms}              another lease is in force
--   {LINE}                                    nothing was done: the name has a line, see queue.lua
--   {SUPERSEDED} {LOST} {LATE} {REFUSED}      nothing was written
--   {SKEW, difference in microseconds}        nothing was written
--   {ERROR, text}                             nothing was written, but perhaps the fence
--
-- The last writes are pcalls, so that one name's failure does not hide the grants of the others.
local NONCE, CLOCK, MAX_SKEW, MAY_GRANT, NOT_AFTER, CHANNEL = unpack(ARGV, 1, 6)
local HEAD, FIELDS = 6, 8

local stored = redis.call('MGET', unpack(KEYS))
local now = now_us()
local late = now > tonumber(NOT_AFTER)
local refused = refusal(now, CLOCK, MAX_SKEW, MAY_GRANT)

local function operation(i)
  local name, id, attempt, exec, told, ttl, px, payload = unpack(ARGV, HEAD + (i - 1) * FIELDS + 1, HEAD + i * FIELDS)
  return {
    key = KEYS[1 + 2 * i], name = name, id = id, attempt = tonumber(attempt), exec = exec,
    told = told, ttl = tonumber(ttl), px = tonumber(px), payload = payload,
  }
end

-- Sort the operations: what cannot be granted is answered here, the rest waits for its token.
local replies, grants = {}, {}
for i = 1, (#KEYS - 2) / 2 do
  local op, value, line = operation(i), stored[1 + 2 * i], stored[2 + 2 * i]
  local lock = value and parse(value)
  if late then replies[i] = {'LATE'}
  elseif lock and lock.id == op.id then replies[i] = again(op.key, value, lock, op)
  elseif op.told ~= '0' then replies[i] = {'LOST'} -- once told, never granted anew
  elseif line then replies[i] = {'LINE'}
  elseif lock then replies[i] = {'HELD', value, redis.call('PTTL', op.key)}
  elseif value then replies[i] = {'ERROR', 'the lock key holds something that lockd did not write'}
  elseif refused then replies[i] = refused
  else grants[#grants + 1] = {i, op} end
end

if #grants > 0 then
  local first, problem = raise_fence(KEYS[1], stored[1], #grants, now) -- once for all
  for n, grant in ipairs(grants) do
    local i, op = grant[1], grant[2]
    if not first then
      replies[i] = {'ERROR', problem}
    else
      local value = format({
        id = op.id, attempt = op.attempt, exec = op.exec, token = string.format('%.0f', first + n - 1),
        ttl = op.ttl, px = op.px, since = string.format('%.0f', now), payload = op.payload,
      })
      local failure = set(op.key, value, 'NX', 'PX', string.format('%.0f', op.px))
      replies[i] = failure or {'GRANTED', value, op.ttl, op.px}
      if stored[2] and not failure then note_acquired(op.name, now, parse(value), op.px) end
    end
  end
end
publish(CHANNEL)
return {NONCE, string.format('%.0f', now), replies}
