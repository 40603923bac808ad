-- grant.lua: what the scripts that grant share.
--
-- Redis does not roll a script back: everything is checked, then the fence is raised, then the lock
-- is set. A failure in between costs tokens, of which there are enough; the other order could leave
-- a lock whose token the fence does not know.

local MAX_TOKEN = 9007199254740992 -- 2^53: beyond it max(n + 1, ...) repeats itself

-- raise_fence answers the first of n new tokens, or nil and why there are none. stored is what MGET
-- said. SET ... GET refuses a key that is no string, which MGET reads as absent.
local function raise_fence(key, stored, n, now)
  local fence = stored or '0'
  if not string.match(fence, '^%d+$') then return nil, 'the fence is no number' end
  local first = math.max(tonumber(fence) + 1, now)
  if first > MAX_TOKEN - n then return nil, 'the fence has reached 2^53' end -- not first + n: it is not exact
  local reply = redis.pcall('SET', key, string.format('%.0f', first + n - 1), 'GET')
  if failed(reply) then return nil, reply.err end
  return first
end

-- refusal says why a caller with this clock may be granted nothing new, as a reply, or nil.
local function refusal(now, clock, max_skew, may_grant)
  local skew = now - tonumber(clock)
  if math.abs(skew) > tonumber(max_skew) then return {'SKEW', string.format('%.0f', skew)} end
  if may_grant ~= '1' then return {'REFUSED'} end
end

local function set(key, value, ...)
  local reply = redis.pcall('SET', key, value, ...)
  if failed(reply) then return {'ERROR', reply.err} end
  if not reply then return {'ERROR', 'WRONGTYPE the lock key holds something that lockd did not write'} end
end

-- again answers an acquire of what its lease id holds already: the same lease, its ttl restarted, within what is left
-- of its hold at op.now if op.hold is given; never shortened. The lock-delay is that of the grant.
local function again(key, value, lock, op)
  if op.told ~= '0' and op.told ~= lock.token then return {'LOST'} end
  if op.attempt < lock.attempt then return {'SUPERSEDED'} end
  if op.attempt > lock.attempt then
    lock.attempt, lock.exec = op.attempt, op.exec
  elseif op.exec ~= lock.exec then
    lock.exec = '*' -- replayed: no undo can tell the executions apart, so none may match
  end
  local ttl, px, failure = op.ttl, op.px, nil
  local most = op.hold and rest_of_hold(lock.since, op.hold, op.now)
  if most and most < ttl then ttl, px = most, most + (px - ttl) end
  local left
  if ttl >= lock.ttl then
    lock.ttl, lock.px = ttl, px
    px = px + lock.delay
    left = px
  else
    px = ttl + (lock.px - lock.ttl) + lock.delay -- the grace is the lease's
    left = math.max(px, px_left(key))
  end
  if lock.untaken then
    lock.untaken = false
    redis.pcall('PEXPIRE', key, string.format('%.0f', lock.px)) -- a write that is never refused: nor is what follows it
  end
  local restarts = left == px and px >= 1 -- it is less when a hold has been over for long
  local changed = format(lock)
  if changed == value then
    -- Not refused when Redis is full: a hand-over can be taken up then.
    local reply = restarts and redis.pcall('PEXPIRE', key, string.format('%.0f', px))
    if type(reply) == 'table' then failure = {'ERROR', reply.err} end
  elseif restarts then
    failure = set(key, changed, 'PX', string.format('%.0f', px))
  else
    failure = set(key, changed, 'KEEPTTL')
  end
  return failure or {'GRANTED', changed, math.max(ttl, 0), left}
end
