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
--   ACQUIRE  lock, line  tag (<lease id>|<attempt>|<exec>), told (token, or 0), <ttl>|<px>, px, not_after, payload
--   RENEW    lock        lease id, ttl (0: the lease's own), px
--   RELEASE  lock, line  lease id
-- Times are milliseconds, but for not_after, which is microseconds of this Redis's TIME: later than this an
-- ACQUIRE writes nothing.
--
-- Returns {nonce, TIME in microseconds or '' if it was not needed, reply of each operation}. A reply of ACQUIRE is one of
--   token                                     granted, as asked for, at TIME
--   {GRANTED, value, ttl ms, expires in ms}   held by this lease id already
--   {HELD, value, expires in ms}              another lease is in force
--   {LINE}                                    nothing was done: the name has a line, see queue.lua
--   {SUPERSEDED} {LOST} {LATE} {REFUSED}      nothing was written
--   {SKEW, difference in microseconds}        nothing was written
--   {ERROR, text}                             nothing was written, but perhaps the fence
-- of RENEW, which never creates and never shortens
--   value                                     its own ttl and grace were set again: nearly always
--   {RENEWED, value, ttl ms that was set, expires in ms}
--   {LOST}                                    the name is free or another's
-- of RELEASE, which never touches another's
--   1                                         was held by this lease id, granted to its first attempt and no other
--   {HELD, attempt, exec}                     was held by this lease id, with this tag
--   {GONE}                                    the name was free
--   {OTHER}                                   the name is another's
--   {LINE}                                    nothing was done: the name has a line, see free.lua
--
-- One name's failure must not hide what was done to the others, so from the first write on everything is a
-- pcall. And all but new grants must work when Redis is out of memory: there is no shebang, which would
-- refuse the script as a whole, and new grants are the first writes, since after any write Redis would refuse
-- none of them.
local NONCE, CLOCK, MAX_SKEW, MAY_GRANT, CHANNEL, BEFORE_NAME = unpack(ARGV, 1, 6)

local stored = redis.call('MGET', unpack(KEYS))
local now, refused -- why nothing new may be granted; both known after read_time
local watched = stored[2]
local replies, grants = {}, {}
local mine, freeing = {}, {} -- keys that are to be freed, and {operation, value} of each

-- read_time is called before the first write, since TIME is no pcall, and only for what needs it.
local function read_time()
  if now then return end
  now = now_us()
  refused = refusal(now, CLOCK, MAX_SKEW, MAY_GRANT)
end

local function name_of(key) return string.sub(key, BEFORE_NAME + 1) end

-- answered answers an ACQUIRE that is not granted anew.
local function answered(key, value, line, tag, told, times, px)
  local id, attempt, exec = string.match(tag, '^(%x+)|(%d+)|([%x*]+)$')
  local lock = value and parse(value)
  if lock and lock.id == id then
    local ttl = tonumber(string.match(times, '^%d+'))
    return again(key, value, lock, {attempt = tonumber(attempt), exec = exec, told = told, ttl = ttl, px = tonumber(px)})
  end
  if told ~= '0' then return {'LOST'} end -- once told, never granted anew
  if line then return {'LINE'} end
  if lock then return {'HELD', value, px_left(key)} end
  if value then return {'ERROR', 'the lock key holds something that lockd did not write'} end
  return refused
end

-- Only a ttl larger than ever before writes the value. Where that is refused the lease's own ttl is set, and
-- answered instead.
local function renew(key, value, id, ttl, px)
  local holder, own_ttl, own_px
  if value then holder, own_ttl, own_px = string.match(value, '^(%x+)|%d+|[%x*]+|%d+|(%d+)|(%d+)|%d+|') end
  if holder ~= id then return {'LOST'} end
  if ttl == '0' or ttl == own_ttl then
    local reply = redis.pcall('PEXPIRE', key, own_px)
    return failed(reply) and {'ERROR', reply.err} or value
  end
  local lock = parse(value)
  ttl, px = tonumber(ttl), tonumber(px)
  if ttl > lock.ttl then
    lock.ttl, lock.px = ttl, px
    local longer = format(lock)
    local reply = redis.pcall('SET', key, longer, 'PX', string.format('%.0f', px))
    if not failed(reply) then return {'RENEWED', longer, ttl, px} end
    ttl, px = tonumber(own_ttl), tonumber(own_px)
  else
    px = ttl + (lock.px - lock.ttl) -- the grace is the lease's
    local left = px_left(key)
    if left >= px then return {'RENEWED', value, ttl, left} end
  end
  local reply = redis.pcall('PEXPIRE', key, string.format('%.0f', px))
  return failed(reply) and {'ERROR', reply.err} or {'RENEWED', value, ttl, px}
end

-- release answers a RELEASE, and notes the key of what is to be freed.
local function release(n, key, value, line, who)
  local id, attempt, exec
  if value then id, attempt, exec = string.match(value, '^(%x+)|(%d+)|([%x*]+)|%d+|') end
  local is_mine = id == who
  if line and (is_mine or not value) then return {'LINE'} end
  if not value then return {'GONE'} end
  if not is_mine then return {'OTHER'} end
  if watched then read_time() end -- the event says when
  mine[#mine + 1] = key
  freeing[#mine] = {n, value}
  return attempt == '1' and exec ~= '*' and 1 or {'HELD', tonumber(attempt), exec}
end

-- The operations, each with what it brings. Nothing is written yet.
local granting, later = {}, {} -- lock keys of grants; what is done after the grants
local k, a, n = 3, 7, 0
while a <= #ARGV do
  local kind, key, value, line = ARGV[a], KEYS[k], stored[k], stored[k + 1]
  n = n + 1
  if kind == 'ACQUIRE' then
    local tag, told, times, px, not_after, payload = unpack(ARGV, a + 1, a + 6)
    read_time()
    if now > tonumber(not_after) then
      replies[n] = {'LATE'}
    elseif value or line or refused or told ~= '0' or granting[key] then
      later[#later + 1] = {n, key, value, line, tag, told, times, px}
    else
      granting[key] = true
      grants[#grants + 1] = {n, key, tag, times, px, payload}
    end
    k, a = k + 2, a + 7
  elseif kind == 'RENEW' then
    later[#later + 1] = {n, key, value, nil, nil, ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]}
    k, a = k + 1, a + 4
  else
    replies[n] = release(n, key, value, line, ARGV[a + 1])
    k, a = k + 2, a + 2
  end
end

-- New grants.
local current, failures = {}, {} -- lock key -> its value as written here, or why it could not be
if #grants > 0 then
  local first, problem = raise_fence(KEYS[1], stored[1], #grants, now)
  local since = string.format('%.0f', now)
  for i, grant in ipairs(grants) do
    local n, key, tag, times, px, payload = unpack(grant)
    local value, failure
    if first then
      value = tag .. '|' .. string.format('%.0f', first + i - 1) .. '|' .. times .. '|' .. since .. '|' .. payload
      failure = set(key, value, 'NX', 'PX', px)
    else
      failure = {'ERROR', problem}
    end
    if failure then
      replies[n], failures[key] = failure, failure
    else
      replies[n], current[key] = first + i - 1, value -- a number is answered with all its digits
      if watched then note_acquired(name_of(key), now, parse(value), tonumber(px)) end
    end
  end
end

-- What finds a lease in force, perhaps one of those; and what is refused.
for _, op in ipairs(later) do
  local n, key, value, line, tag, told, times, px = unpack(op, 1, 8)
  value = current[key] or value
  if not tag then
    replies[n] = renew(key, value, told, times, px) -- lease id, ttl, px
  else
    replies[n] = failures[key] or answered(key, value, line, tag, told, times, px)
    if replies[n][1] == 'GRANTED' then current[key] = replies[n][2] end
  end
end

local freed = #mine > 0 and redis.pcall('DEL', unpack(mine))
for i, key in ipairs(mine) do
  local n, value = unpack(freeing[i])
  local lock = watched and parse(value)
  if failed(freed) then
    replies[n] = {'ERROR', freed.err}
  elseif lock then
    note_released(name_of(key), now, lock)
  end
end
publish(CHANNEL)
return {NONCE, now and string.format('%.0f', now) or '', replies}
