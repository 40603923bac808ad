-- acquire.lua: grant free names, and answer again for what a lease id already holds.
--
--   KEYS[1]     fence  STRING, the last token granted in the shard; never expires
--   KEYS[1+i]   lock of operation i; each name at most once
--   ARGV[1]     nonce, echoed
--   ARGV[2]     the caller's clock, microseconds since 1970
--   ARGV[3]     not_after, microseconds of this Redis's TIME: later than this nothing is written
--   ARGV[4]     largest tolerated difference between the two clocks, microseconds
--   ARGV[5]     1 if new leases may be granted
--   then for each operation: lease id, attempt, exec, told (token, or 0), ttl ms, px ms, payload
--
-- Returns {nonce, TIME in microseconds, reply of each operation}, a reply being one of
--   {GRANTED, value, ttl ms, expires in ms}   granted, or held by this lease id already
--   {HELD, value, expires in ms}              another lease is in force
--   {SUPERSEDED} {LOST} {LATE} {REFUSED}      nothing was written
--   {SKEW, difference in microseconds}        nothing was written
--   {ERROR, text}                             nothing was written, but perhaps the fence
--
-- Redis does not roll a script back: everything is checked, then the fence is raised, then the
-- locks are set. A failure in between costs tokens, of which there are enough; the other order
-- could leave a lock whose token the fence does not know. The last writes are pcalls, so that one
-- name's failure does not hide the grants of the others.
local NONCE, CALLER, NOT_AFTER, MAX_SKEW, MAY_GRANT = 1, 2, 3, 4, 5
local FIELDS = 7
local MAX_TOKEN = 9007199254740992 -- 2^53: beyond it max(n + 1, ...) repeats itself

local stored = redis.call('MGET', unpack(KEYS))
local now = now_us()
local late = now > tonumber(ARGV[NOT_AFTER])
local skew = now - tonumber(ARGV[CALLER])

local function operation(i)
  local at = MAY_GRANT + (i - 1) * FIELDS
  return {
    key = KEYS[1 + i], id = ARGV[at + 1], attempt = tonumber(ARGV[at + 2]), exec = ARGV[at + 3],
    told = ARGV[at + 4], ttl = tonumber(ARGV[at + 5]), px = tonumber(ARGV[at + 6]), payload = ARGV[at + 7],
  }
end

local function set(key, lock, ...)
  local reply = redis.pcall('SET', key, format(lock), ...)
  if type(reply) == 'table' and reply.err then return {'ERROR', reply.err} end
  if not reply then return {'ERROR', 'WRONGTYPE the lock key holds something that lockd did not write'} end
end

-- The same lease id again: the same lease, its ttl restarted, never shortened.
local function again(op, lock)
  if op.told ~= '0' and op.told ~= lock.token then return {'LOST'} end
  if op.attempt < lock.attempt then return {'SUPERSEDED'} end
  if op.attempt > lock.attempt then
    lock.attempt, lock.exec = op.attempt, op.exec
  elseif op.exec ~= lock.exec then
    lock.exec = '*' -- replayed: no undo can tell the executions apart, so none may match
  end
  local left, failure = op.px, nil
  if op.ttl >= lock.ttl then
    lock.ttl, lock.px = op.ttl, op.px
    failure = set(op.key, lock, 'PX', string.format('%.0f', op.px))
  else
    local px = op.ttl + (lock.px - lock.ttl) -- the grace is the lease's
    left = redis.call('PTTL', op.key)
    if left >= px then
      failure = set(op.key, lock, 'KEEPTTL')
    else
      left = px
      failure = set(op.key, lock, 'PX', string.format('%.0f', px))
    end
  end
  return failure or {'GRANTED', format(lock), op.ttl, left}
end

-- Sort the operations: what cannot be granted is answered here, the rest waits for its token.
local replies, grants = {}, {}
for i = 1, #KEYS - 1 do
  local op, value = operation(i), stored[1 + i]
  local lock = value and parse(value)
  if late then replies[i] = {'LATE'}
  elseif lock and lock.id == op.id then replies[i] = again(op, lock)
  elseif op.told ~= '0' then replies[i] = {'LOST'} -- once told, never granted anew
  elseif lock then replies[i] = {'HELD', value, redis.call('PTTL', op.key)}
  elseif value then replies[i] = {'ERROR', 'the lock key holds something that lockd did not write'}
  elseif math.abs(skew) > tonumber(ARGV[MAX_SKEW]) then replies[i] = {'SKEW', string.format('%.0f', skew)}
  elseif ARGV[MAY_GRANT] ~= '1' then replies[i] = {'REFUSED'}
  else grants[#grants + 1] = {i, op} end
end

-- Raise the fence once for all grants. SET ... GET refuses a key that is no string, which MGET
-- reads as absent.
local function raise_fence(n)
  local fence = stored[1] or '0'
  if not string.match(fence, '^%d+$') then return nil, 'the fence is no number' end
  local first = math.max(tonumber(fence) + 1, now)
  if first > MAX_TOKEN - n then return nil, 'the fence has reached 2^53' end -- not first + n: it is not exact
  local reply = redis.pcall('SET', KEYS[1], string.format('%.0f', first + n - 1), 'GET')
  if type(reply) == 'table' and reply.err then return nil, reply.err end
  return first
end

if #grants > 0 then
  local first, problem = raise_fence(#grants)
  for n, grant in ipairs(grants) do
    local i, op = grant[1], grant[2]
    if not first then
      replies[i] = {'ERROR', problem}
    else
      local lock = {
        id = op.id, attempt = op.attempt, exec = op.exec, token = string.format('%.0f', first + n - 1),
        ttl = op.ttl, px = op.px, since = string.format('%.0f', now), payload = op.payload,
      }
      replies[i] = set(op.key, lock, 'NX', 'PX', string.format('%.0f', op.px))
        or {'GRANTED', format(lock), op.ttl, op.px}
    end
  end
end
return {ARGV[NONCE], string.format('%.0f', now), replies}
