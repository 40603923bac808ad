-- batch.lua: acquire, renew and release several names at once: names in which nobody stands in line. What
-- all of them need is done once: one MGET, one step of the fence, one DEL.
--
--   KEYS[1]  fence    STRING, the last token granted in the shard; never expires
--   KEYS[2]  watched  there while anybody watches
--   ARGV[1]  nonce, echoed
--   ARGV[2]  the caller's clock, microseconds since 1970
--   ARGV[3]  largest tolerated difference between the two clocks, microseconds
--   ARGV[4]  1 if new leases may be granted
--   ARGV[5]  channel of events
--   ARGV[6]  how many bytes of a lock's key come before the name
--
-- Then each operation brings its keys and arguments. For one name there are either ACQUIREs, which are done in
-- their order, or one of the others:
--   ACQUIRE  lock, line  tag (<lease id>|<attempt>|<exec>), told (token, or 0), <ttl>|<px>, in how many ms the key
--                        expires: px and the lock-delay; not_after, payload. Of <px> with a lock-delay see value.lua
--   RENEW    lock        lease id, ttl (0: the lease's own), px
--   RELEASE  lock, line  lease id
-- Before an ACQUIRE or a RENEW there may be, without keys,
--   HOLD     for how long the lease may be renewed in all since its grant: no ttl that is set reaches beyond that
-- Times are milliseconds, but for not_after, which is microseconds of this Redis's TIME: later than this an
-- ACQUIRE writes nothing.
--
-- Returns {nonce, TIME in microseconds or '' if it was not needed, reply of each operation}. A reply of ACQUIRE is one of
--   token                                     granted, as asked for, at TIME
--   {GRANTED, value, ttl ms, expires in ms}   held by this lease id already
--   {HELD, value, expires in ms}              another lease is in force, or the name is closed after one
--   {LINE}                                    nothing was done: the name has a line, see queue.lua
--   {SUPERSEDED} {LOST} {LATE} {REFUSED}      nothing was written
--   {SKEW, difference in microseconds}        nothing was written
--   {ERROR, text}                             nothing was written, but perhaps the fence
-- of RENEW, which never creates and never shortens
--   value                                     its own ttl and grace were set again: nearly always
--   {RENEWED, value, ttl ms that was set, expires in ms}
--   {LOST}                                    the name is free, closed or another's
-- of RELEASE, which never touches another's
--   1                                         was held by this lease id, granted to its first attempt and no other
--   {HELD, attempt, exec}                     was held by this lease id, with this tag
--   {GONE}                                    the name was free or closed
--   {OTHER}                                   the name is another's
--   {LINE}                                    nothing was done: the name has a line, see free.lua
--
-- One name's failure must not hide what was done to the others, so from the first write on everything is a
-- pcall. And all but new grants must work when Redis is out of memory: there is no shebang, which would
-- refuse the script as a whole, and new grants are the first writes, since after any write Redis would refuse
-- none of them.
local BAR, STAR = string.byte('|*', 1, 2)
local find, byte, match = string.find, string.byte, string.match
local NONCE, CLOCK, MAX_SKEW, MAY_GRANT, CHANNEL, BEFORE_NAME = unpack(ARGV, 1, 6)

local stored = redis.call('MGET', unpack(KEYS))
local now, refused -- why nothing new may be granted; both known after read_time
local watched = stored[2]
local replies, grants = {}, {}
local mine, freeing, holding = {}, {}, {} -- keys that are to be freed; of each the operation and the value

-- read_time is called before the first write, since TIME is no pcall, and only for what needs it.
local function read_time()
  if now then return end
  now = now_us()
  refused = refusal(now, CLOCK, MAX_SKEW, MAY_GRANT)
end

local function name_of(key) return string.sub(key, BEFORE_NAME + 1) end

-- answered answers an ACQUIRE that is not granted anew.
local function answered(key, value, line, hold, tag, told, times)
  local id, attempt, exec = string.match(tag, '^(%x+)|(%d+)|([%x*]+)$')
  local lock = value and standing(key, value)
  if lock and lock.id == id then
    local ttl, px = string.match(times, '^(%d+)|(%d+)')
    return again(key, value, lock, {
      attempt = tonumber(attempt), exec = exec, told = told, ttl = tonumber(ttl), px = tonumber(px), hold = hold, now = now,
    })
  end
  if told ~= '0' then return {'LOST'} end -- once told, never granted anew
  if line then return {'LINE'} end
  if lock then return {'HELD', value, px_left(key)} end
  if value then return {'ERROR', 'the lock key holds something that lockd did not write'} end
  return refused
end

-- is_of reports whether value is a lease's of that id. The field that matters is found by the bars before it: matching
-- the whole value with a pattern would be a fifth of what a renewal or a release costs.
local function is_of(id, value)
  return value and find(value, id, 1, true) == 1 and byte(value, #id + 1) == BAR
end

-- has_delay reports whether value may be a lease's with a lock-delay. Else, which is nearly always, it need not be parsed.
local function has_delay(value) return find(value, '+', 1, true) or find(value, '~', 1, true) end

-- Only a ttl larger than ever before writes the value. Where that is refused the lease's own ttl is set, and
-- answered instead.
local function renew(key, value, hold, id, ttl, px)
  local at, own_ttl, own_px = is_of(id, value) and #id + 1, nil, nil -- at: of the bar behind id, attempt, exec, token
  for _ = 1, 3 do at = at and find(value, '|', at + 1, true) end
  if at and not hold then own_ttl, own_px = match(value, '^|(%d+)|(%d+)|%d+|', at) end -- none if it has a lock-delay
  if own_ttl and (ttl == '0' or ttl == own_ttl) then
    local reply = redis.pcall('PEXPIRE', key, own_px)
    return failed(reply) and {'ERROR', reply.err} or value
  end
  local lock = at and standing(key, value)
  if not lock or lock.id ~= id then return {'LOST'} end
  local delay = lock.untaken and 0 or lock.delay
  own_ttl, own_px = lock.ttl, lock.px + delay
  if ttl == '0' then ttl, px = lock.ttl, lock.px else ttl, px = tonumber(ttl), tonumber(px) end
  local most = hold and rest_of_hold(lock.since, hold, now)
  if most and most < ttl then ttl, px = most, most + (px - ttl) end
  if ttl > own_ttl then
    lock.ttl, lock.px = ttl, px
    px = px + delay
    local longer = format(lock)
    local reply = redis.pcall('SET', key, longer, 'PX', string.format('%.0f', px))
    if not failed(reply) then return {'RENEWED', longer, ttl, px} end
    ttl, px = own_ttl, own_px
  else
    px = own_px - (own_ttl - ttl) -- the grace is the lease's
    local left = ttl < own_ttl and px_left(key) or 0
    if left >= px or px < 1 then return {'RENEWED', value, math.max(ttl, 0), left} end
  end
  local reply = redis.pcall('PEXPIRE', key, string.format('%.0f', px))
  return failed(reply) and {'ERROR', reply.err} or {'RENEWED', value, math.max(ttl, 0), px}
end

-- release answers a RELEASE, and notes the key of what is to be freed.
local function release(n, k, who)
  local key, value, line = KEYS[k], stored[k], stored[k + 1]
  local is_mine = is_of(who, value)
  if line and (is_mine or not value) then return {'LINE'} end
  if not value then return {'GONE'} end
  if has_delay(value) then
    local lock = standing(key, value)
    if lock and lock.id == NOBODY then return {'GONE'} end
  end
  if not is_mine then return {'OTHER'} end
  local reply, tag = 1, #who + 1
  if find(value, '|1|', tag, true) ~= tag or byte(value, tag + 3) == STAR then
    local attempt, exec = match(value, '^|(%d+)|([%x*]+)|%d+|', tag)
    if not attempt then return {'OTHER'} end
    reply = {'HELD', tonumber(attempt), exec}
  end
  if watched then read_time() end -- the event says when
  mine[#mine + 1] = key
  freeing[#mine], holding[#mine] = n, value
  return reply
end

-- The operations. Nothing is written yet. What is noted of one is its number and where its keys and arguments begin, flat: a
-- table for each would be a good part of what it costs.
local granting, later, renewals = {}, {}, {} -- lock keys of grants; what is done after the grants
local holds = {} -- by the number of the operation
local k, a, n = 3, 7, 0
while a <= #ARGV do
  local kind, key = ARGV[a], KEYS[k]
  n = n + 1
  if kind == 'HOLD' then
    read_time()
    holds[n] = tonumber(ARGV[a + 1])
    a = a + 2
    kind = ARGV[a]
  end
  if kind == 'ACQUIRE' then
    read_time()
    if now > tonumber(ARGV[a + 5]) then
      replies[n] = {'LATE'}
    else
      local list = grants
      if stored[k] or stored[k + 1] or refused or ARGV[a + 2] ~= '0' or granting[key] then list = later end
      if list == grants then granting[key] = true end
      local i = #list
      list[i + 1], list[i + 2], list[i + 3] = n, k, a
    end
    k, a = k + 2, a + 7
  elseif kind == 'RENEW' then
    local i = #renewals
    renewals[i + 1], renewals[i + 2], renewals[i + 3] = n, k, a
    k, a = k + 1, a + 4
  else
    replies[n] = release(n, k, ARGV[a + 1])
    k, a = k + 2, a + 2
  end
end

-- New grants.
local current, failures = {}, {} -- lock key -> its value as written here, or why it could not be
if #grants > 0 then
  local first, problem = raise_fence(KEYS[1], stored[1], #grants / 3, now)
  local since = '|' .. string.format('%.0f', now) .. '|'
  for i = 1, #grants, 3 do
    local n, key, a = grants[i], KEYS[grants[i + 1]], grants[i + 2]
    local tag, times, px, payload = ARGV[a + 1], ARGV[a + 3], ARGV[a + 4], ARGV[a + 6]
    local token, value, failure
    if first then
      token = first + (i - 1) / 3
      value = tag .. '|' .. string.format('%.0f', token) .. '|' .. times .. since .. payload
      failure = set(key, value, 'NX', 'PX', px)
    else
      failure = {'ERROR', problem}
    end
    if failure then
      replies[n], failures[key] = failure, failure
    else
      replies[n], current[key] = token, value -- a number is answered with all its digits
      if watched then
        local lock = parse(value)
        note_acquired(name_of(key), now, lock, lock.px)
      end
    end
  end
end

-- What finds a lease in force, perhaps one of those; and what is refused.
for i = 1, #later, 3 do
  local n, k, a = later[i], later[i + 1], later[i + 2]
  local key = KEYS[k]
  local value = current[key] or stored[k]
  replies[n] = failures[key] or answered(key, value, stored[k + 1], holds[n], unpack(ARGV, a + 1, a + 3)) -- tag, told, times
  if replies[n][1] == 'GRANTED' then current[key] = replies[n][2] end
end

for i = 1, #renewals, 3 do
  local n, k, a = renewals[i], renewals[i + 1], renewals[i + 2]
  replies[n] = renew(KEYS[k], stored[k], holds[n], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3])
end

local freed = #mine > 0 and redis.pcall('DEL', unpack(mine))
for i, key in ipairs(mine) do
  local lock = watched and parse(holding[i])
  if failed(freed) then
    replies[freeing[i]] = {'ERROR', freed.err}
  elseif lock then
    note_released(name_of(key), now, lock)
  end
end
publish(CHANNEL)
return {NONCE, now and string.format('%.0f', now) or '', replies}
