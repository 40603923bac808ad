-- value.lua: the value of a lock key. Every script begins with it. Functions that several scripts share are
-- in files that those scripts begin with, see script.go.
--
--   <lease id>|<attempt>|<exec>|<token>|<ttl>|<px>|<since>|<payload>
--
--   attempt, exec  the tag: which execution of which sending granted or last answered the lease
--   token          fencing token
--   ttl            milliseconds, the largest that was ever set
--   px             milliseconds, ttl and grace: what the key's expiry is set to
--   since          microseconds of this Redis's TIME at the grant
--   payload        the rest; the scripts never look into it
--
-- Numbers up to 2^53 lose digits through "..", tostring and cjson: they stay strings, or go
-- through string.format('%.0f').

local function parse(value)
  local id, attempt, exec, token, ttl, px, since, payload =
    string.match(value, '^(%x+)|(%d+)|([%x*]+)|(%d+)|(%d+)|(%d+)|(%d+)|(.*)$')
  if not id then return nil end
  return {
    id = id, attempt = tonumber(attempt), exec = exec, token = token,
    ttl = tonumber(ttl), px = tonumber(px), since = since, payload = payload,
  }
end

local function format(lock)
  return string.format('%s|%.0f|%s|%s|%.0f|%.0f|%s|%s',
    lock.id, lock.attempt, lock.exec, lock.token, lock.ttl, lock.px, lock.since, lock.payload)
end

-- TIME in microseconds: exact in a Lua number until the year 2255.
local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- rest_of_hold answers how many ms are left of a hold, in ms, since the grant; less than 0 when it is over.
local function rest_of_hold(since, hold, now) return math.floor((tonumber(since) - now) / 1000) + hold end

-- failed answers what a pcall failed with, if it did.
local function failed(reply) return type(reply) == 'table' and reply.err end

-- px_left answers in how many ms a key expires; 0 if that cannot be known.
local function px_left(key)
  local left = redis.pcall('PTTL', key)
  return failed(left) and 0 or left
end
