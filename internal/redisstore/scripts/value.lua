-- value.lua: the value of a lock key. Every script begins with it. Functions that several scripts share are
-- in files that those scripts begin with, see script.go.
--
--   <lease id>|<attempt>|<exec>|<token>|<ttl>|<px>|<since>|<payload>
--
--   attempt, exec  the tag: which execution of which sending granted or last answered the lease
--   token          fencing token
--   ttl            milliseconds, the largest that was ever set
--   px             milliseconds, ttl and grace: what the key's expiry is set to. With a lock-delay <px>+<delay>: the expiry is later by that,
--                  and when no more than the delay is left of it the lease is over and nobody's, and the name closed. Until what was
--                  handed over is taken up <px>~<delay>: it runs out without the delay
--   since          microseconds of this Redis's TIME at the grant
--   payload        the rest; the scripts never look into it
--
-- Numbers up to 2^53 lose digits through "..", tostring and cjson: they stay strings, or go
-- through string.format('%.0f').

local function parse(value)
  local id, attempt, exec, token, ttl, px, delay, since, payload =
    string.match(value, '^(%x+)|(%d+)|([%x*]+)|(%d+)|(%d+)|(%d+)([+~]?%d*)|(%d+)|(.*)$')
  if not id then return nil end
  return {
    id = id, attempt = tonumber(attempt), exec = exec, token = token,
    ttl = tonumber(ttl), px = tonumber(px), since = since, payload = payload,
    delay = tonumber(string.sub(delay, 2)) or 0, untaken = string.sub(delay, 1, 1) == '~',
  }
end

-- spell_px is the opposite of split_px.
local function spell_px(px, delay, untaken)
  if delay == 0 then return string.format('%.0f', px) end
  return string.format(untaken and '%.0f~%.0f' or '%.0f+%.0f', px, delay)
end

-- split_px answers what <px> or <px>+<delay> says, as numbers.
local function split_px(text)
  local px, delay = string.match(text, '^(%d+)%+?(%d*)$')
  return tonumber(px), tonumber(delay) or 0
end

local function format(lock)
  return string.format('%s|%.0f|%s|%s|%.0f|%s|%s|%s', lock.id, lock.attempt, lock.exec, lock.token, lock.ttl,
    spell_px(lock.px, lock.delay, lock.untaken), lock.since, lock.payload)
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

local NOBODY = '-' -- is no lease id

-- standing answers the lock whose value stands at the key; nil if that is none. The id of one that is over, its name being
-- closed, is NOBODY, and was whose it was. A key that somebody made permanent is not over.
local function standing(key, value)
  local lock = parse(value)
  if not lock or lock.delay == 0 or lock.untaken then return lock end
  local left = px_left(key)
  if left >= 0 and left <= lock.delay then lock.id, lock.was = NOBODY, lock.id end
  return lock
end
