-- value.lua: the value of a lock key on one node. Every script begins with it.
--
--   <lease id>|<attempt>|<exec>|<token>|<committed>|<ttl>|<px>|<since>|<payload>
--
--   attempt, exec  the tag: which execution of which sending granted or last answered the lease
--   token          what this node gave, or what was committed
--   committed      1 if a second round has written the token of the lease here, else 0
--   ttl            milliseconds, the largest that was ever set
--   px             milliseconds, ttl and grace: what the key's expiry is set to. With a lock-delay <px>+<delay>: the expiry is later by that,
--                  and when no more than the delay is left of it the lease is over and nobody's at this node, and the name closed
--   since          microseconds of the granting lockd's clock, the same on all nodes
--   payload        the rest; the scripts never look into it
--
-- Numbers up to 2^53 lose digits through "..", tostring and cjson: they stay strings, or go
-- through string.format('%.0f').

local FOREIGN = 'the lock key holds something that lockd did not write'

local function parse(value)
  local id, attempt, exec, token, committed, ttl, px, delay, since, payload =
    string.match(value, '^(%x+)|(%d+)|([%x*]+)|(%d+)|([01])|(%d+)|(%d+)%+?(%d*)|(%d+)|(.*)$')
  if not id then return nil end
  return {
    id = id, attempt = tonumber(attempt), exec = exec, token = token, committed = committed,
    ttl = tonumber(ttl), px = tonumber(px), delay = tonumber(delay) or 0, since = since, payload = payload,
  }
end

local function format(lock)
  local delay = lock.delay > 0 and string.format('+%.0f', lock.delay) or ''
  return string.format('%s|%.0f|%s|%s|%s|%.0f|%.0f%s|%s|%s',
    lock.id, lock.attempt, lock.exec, lock.token, lock.committed, lock.ttl, lock.px, delay, lock.since, lock.payload)
end

local function whole(n) return string.format('%.0f', n) end

-- TIME in microseconds: exact in a Lua number until the year 2255.
local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- rest_of_hold answers how many ms are left of a hold, in ms, since the grant; less than 0 when it is over.
local function rest_of_hold(since, hold, now) return math.floor((tonumber(since) - now) / 1000) + hold end

-- failed answers what a pcall failed with, if it did.
local function failed(reply) return type(reply) == 'table' and reply.err end

-- skewed answers by how much this node's clock differs from the caller's, if that is too much to grant anything.
local function skewed(now, clock, max_skew)
  local skew = now - tonumber(clock)
  if math.abs(skew) > tonumber(max_skew) then return {'SKEW', whole(skew)} end
end
