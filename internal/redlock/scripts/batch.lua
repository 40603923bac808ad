-- batch.lua: what one node does for several operations, in their order. Nothing is decided here: that takes a
-- quorum of nodes.
--
--   KEYS[1]  marker   STRING, there as long as this node remembers what it promised
--   KEYS[2]  fence    STRING, the last token that this node gave; never expires
--   ARGV[1]  nonce, echoed
--   ARGV[2]  the caller's clock, microseconds since 1970
--   ARGV[3]  largest tolerated difference between the two clocks, microseconds
--   ARGV[4]  what the marker has to be
--   ARGV[5]  channel of notices
--   ARGV[6]  channel of events
--   ARGV[7]  how many bytes of a lock's key come before the name
--
-- Then each operation brings two keys, lock and want, and its arguments:
--   ACQUIRE  tag (<lease id>|<attempt>|<exec>), flags, proposal, not_after, wanter, next, px, rest
--            flags: G the name may be granted, I also if another instance is next; rest: of the value, behind the token
--   COMMIT   lease id, token that was reported, token of the lease, 1 if its client was told of it, else 0
--   RENEW    lease id, ttl (0: the lease's own), px
--   RELEASE  lease id
--   FOLLOW   lease id: RELEASE of a lease that other nodes have released in time, also where it is over by now
--   UNDO     lease id, attempt, exec: the tag, compared. An exec has 16 digits, and more for one of its executions alone
--   FORCE    lease id, proposal, notice
--   LOOK
-- Before an ACQUIRE or a RENEW there may be, without keys,
--   HOLD     for how long the lease may be renewed in all since its grant: no ttl that is set reaches beyond that
-- px of ACQUIRE is in how many ms the key expires, the lock-delay included; that of RENEW is without.
-- Times are milliseconds, but for not_after, microseconds of this node's TIME, and since. Later than not_after an
-- ACQUIRE does nothing.
--
-- want says which instances wait for the name, as far as this node was told, and since when the first of each does:
-- <instance>|<since>, with commas between, the oldest first. It is a courtesy between instances and no claim: who insists
-- is granted a free name.
--
-- Returns {nonce, TIME in microseconds, {AMNESIA, why}} from a node that does not remember what it promised, and else
-- {nonce, TIME, {fence, how many listen to events, reply of each operation}}. A reply of ACQUIRE is one of
--   token                                granted: what this node gave
--   {STANDS, value, ttl ms, left ms}     the lease id had it already; its ttl was restarted, and never shortened
--   {HELD, value, left ms}               another lease stands here, or the name is closed after one, perhaps the same
--   {FREE} {WANTED}                      free, and not granted: it may not be; another instance is next
--   {SUPERSEDED} {LATE} {SKEW, µs}       nothing was written
-- of COMMIT    {STANDS, value, ttl ms, left ms} {NONE}: what was reported does not stand any more, or is over
-- of RENEW     value: its own ttl was set, nearly always; {STANDS, value, ttl ms that was set, left ms} {NONE, FREE or HELD}
-- of RELEASE and FOLLOW
--              1: held, by its first attempt, nobody wants it nor watches; {HELD, attempt, exec, want, value} {GONE} {OTHER}
-- of UNDO      {UNDONE, want, value; '' if it was over} {NONE}
-- of FORCE     {FORCED} {NONE}
-- of LOOK      {HELD, value, left ms} {FREE}
-- and of each  {ERROR, text}: nothing was written, but perhaps the fence.
--
-- Everything is decided on what was read, then written: the fence before any lock, since a lock must not have a token
-- that the fence does not know; what is freed last, since after any write Redis refuses nothing for want of memory.
-- From the first write on everything is a pcall: one name's failure must not hide what was done to the others.
local BAR, STAR = string.byte('|*', 1, 2)
local find, byte, match, unpack, pcall = string.find, string.byte, string.match, unpack, redis.pcall
local NONCE, CLOCK, MAX_SKEW, MARK, NOTICES, EVENTS, BEFORE_NAME = unpack(ARGV, 1, 7)
local MAX_TOKEN = 9007199254740992 -- 2^53: beyond it max(n + 1, ...) repeats itself
local EXEC = 16 -- digits by which a caller knows its execution
local MAX_WANTS = 16
local WANT_LONGER = 2000 -- ms that a want outlives the lease that it waits for

local stored = redis.call('MGET', unpack(KEYS))
local now = now_us()
local function answer(body) return {NONCE, whole(now), body} end

if stored[1] ~= MARK then return answer({'AMNESIA', 'its marker is gone'}) end
local fence = stored[2]
if not fence or not match(fence, '^%d+$') then return answer({'AMNESIA', 'its fence is gone'}) end
fence = tonumber(fence)

local listening = pcall('PUBSUB', 'NUMSUB', EVENTS)
listening = failed(listening) and 1 or listening[2]
local raised = false
local skew = skewed(now, CLOCK, MAX_SKEW)
local hold                  -- of the operation that is done, nil: none
local names, order = {}, {} -- what is known of each name, by lock key; and in the order of their coming

-- raise makes the fence no less than token.
local function raise(token)
  if token > fence then fence, raised = token, true end
end

-- at answers what stands at KEYS[k], as the operations before have left it, and notes that operation n is about it.
local function at(k, n)
  local key = KEYS[k]
  local name = names[key]
  if name then
    name.more = name.more or {}
    name.more[#name.more + 1] = n
    return name
  end
  name = {key = key, was = stored[k], value = stored[k], want = stored[k + 1], k = k, n = n}
  names[key] = name
  order[#order + 1] = name
  return name
end

-- holder is the lock that stands, as a table; nil if none does, or what stands is no lock.
local function holder(name)
  if name.value and not name.lock then name.lock = parse(name.value) end
  return name.lock
end

-- has reports whether the lease id has it. Most want to know no more: matching a whole value with a pattern is dear.
local function has(name, id)
  local value = name.value
  return value and find(value, id, 1, true) == 1 and byte(value, #id + 1) == BAR
end

-- left is in how many ms it expires; 0 if that cannot be known.
local function left(name)
  if name.px then return tonumber(name.px) end
  local ms = pcall('PTTL', name.key)
  return failed(ms) and 0 or math.max(ms, 0)
end

-- put has lock stand, for px if that is given, else for as long as it did.
local function put(name, lock, px)
  name.lock, name.value, name.write, name.px = lock, format(lock), 'SET', px or name.px
end

local function free(name)
  name.lock, name.value, name.write, name.px = nil, false, 'DEL', nil
  name.freed = true
end

-- over reports whether the lease that stands there, a lock, is over, and the name closed. Undoing what nobody was told of is
-- the only thing that finds it still.
local function over(name)
  local lock = holder(name)
  return lock and lock.delay > 0 and left(name) <= lock.delay
end

-- foreign answers an error if what stands there is no lock.
local function foreign(name) return name.value and not holder(name) and {'ERROR', FOREIGN} end

-- wants are who waits for it, who has waited the longest first.
local function wants(name)
  if not name.wants then
    name.wants = {}
    for instance, since in string.gmatch(name.want or '', '(%x+)|(%d+)') do
      name.wants[#name.wants + 1] = {instance = instance, since = tonumber(since), text = instance .. '|' .. since}
    end
  end
  return name.wants
end

-- next_of is who has waited the longest, as it is told, or ''.
local function next_of(name)
  local first = name.want and wants(name)[1]
  return first and first.text or ''
end

-- note_want has wanter stand among those who want the name, px being for how long it is taken, in the place of its
-- instance before; and passed, if that is true, those who have waited longer not any more: they did not come.
local function note_want(name, me, wanter, px, passed)
  local rest, mine, last = {}, nil, nil
  local instance, since = match(wanter, '^(%x+)|(%d+)$')
  if instance then mine = {instance = instance, since = tonumber(since), text = wanter} end
  for _, one in ipairs(wants(name)) do
    if one.instance == me then last = one end
  end
  for _, one in ipairs(wants(name)) do
    if mine and one.since > mine.since then
      rest[#rest + 1] = mine
      mine = nil
    end
    if one ~= last and not (passed and last and one.since < last.since) then rest[#rest + 1] = one end
  end
  rest[#rest + 1] = mine
  if #rest > MAX_WANTS then table.remove(rest) end
  name.wants, name.want_px = rest, #rest > 0 and px + WANT_LONGER or 0
end

-- later reports whether exec is no earlier than stored, both executions of one acquisition, which its caller numbers. Once
-- they came out of order neither number stands, none is later, and only undoing all of them finds the lease.
local function later(exec, stored)
  local n, m = tonumber(string.sub(exec, EXEC + 1), 16), tonumber(string.sub(stored, EXEC + 1), 16)
  return n and m and n >= m
end

-- within answers no more of a ttl than is left of the hold, perhaps less than 0, and the px that goes with it.
local function within(lock, ttl, px)
  local most = hold and rest_of_hold(lock.since, hold, now)
  if most and most < ttl then return most, most + (px - ttl) end
  return ttl, px
end

-- again restarts the ttl of a lease that the asking lease id has, and never shortens it. The lock-delay is that of the grant.
local function again(name, lock, attempt, exec, ttl, px)
  if attempt < lock.attempt then return {'SUPERSEDED'} end
  if attempt > lock.attempt then
    lock.attempt, lock.exec = attempt, exec
  elseif string.sub(exec, 1, EXEC) == string.sub(lock.exec, 1, EXEC) then
    -- Undoing an execution that failed must not free, where its copy came late, what the next one was granted.
    lock.exec = later(exec, lock.exec) and exec or string.sub(exec, 1, EXEC)
  else
    lock.exec = '*' -- replayed: no undo can tell the executions apart, so none may match
  end
  ttl, px = within(lock, ttl, px)
  local stands
  if ttl >= lock.ttl then
    lock.ttl, lock.px = ttl, px
    px = px + lock.delay
    stands = px
  else
    px = ttl + (lock.px - lock.ttl) + lock.delay -- the grace is the lease's
    stands = math.max(px, left(name))
  end
  put(name, lock, stands == px and px >= 1 and px or nil)
  return {'STANDS', name.value, math.max(ttl, 0), stands}
end

local do_ = {}

function do_.ACQUIRE(name, tag, flags, proposal, not_after, wanter, next_wanter, px, rest)
  if now > tonumber(not_after) then return {'LATE'} end
  if name.value then
    local problem = foreign(name)
    if problem then return problem end
    local id, attempt, exec = match(tag, '^(%x+)|(%d+)|([%x*]+)$')
    if name.lock.id == id and not over(name) then
      local ttl, own_px = match(rest, '^0|(%d+)|(%d+)')
      return again(name, name.lock, tonumber(attempt), exec, tonumber(ttl), tonumber(own_px))
    end
    local ms = left(name)
    if wanter ~= '' then note_want(name, match(wanter, '^%x+'), wanter, ms) end
    return {'HELD', name.value, ms}
  end
  if not find(flags, 'G', 1, true) then return {'FREE'} end
  if skew then return skew end
  local me, mine, insists
  if name.want or wanter ~= '' then
    me, mine = match(wanter, '^(%x+)|(%d+)$')
    insists = find(flags, 'I', 1, true)
    local first = name.want and wants(name)[1]
    local since = mine or match(rest, '^0|%d+|%d+%+?%d*|(%d+)|')
    if first and not insists and first.instance ~= me and first.since < tonumber(since) then return {'WANTED'} end
  end
  local proposed = tonumber(proposal)
  local token = math.max(fence + 1, proposed)
  if token >= MAX_TOKEN then return {'ERROR', 'the fence has reached 2^53'} end
  raise(token)
  name.lock, name.write, name.px = nil, 'SET', px
  name.value = tag .. '|' .. (token == proposed and proposal or whole(token)) .. '|' .. rest
  if name.want or next_wanter ~= '' then note_want(name, me, next_wanter, tonumber(px), insists) end
  return token -- a number is answered with all its digits
end

function do_.COMMIT(name, id, reported, token, told)
  local lock = holder(name)
  if not lock or lock.id ~= id or lock.token ~= reported or over(name) then return foreign(name) or {'NONE'} end
  if tonumber(reported) > tonumber(token) then return {'NONE'} end -- something was granted or forced here since
  raise(tonumber(token))
  lock.token, lock.committed = token, '1'
  if told == '1' then lock.exec = '*' end -- this node counts from now on, and what executed here may be undone yet
  put(name, lock)
  return {'STANDS', name.value, lock.ttl, left(name)}
end

function do_.RENEW(name, id, ttl, px)
  local lock = holder(name)
  if not lock or lock.id ~= id or over(name) then return foreign(name) or {'NONE', lock and 'HELD' or 'FREE'} end
  ttl, px = tonumber(ttl), tonumber(px)
  if ttl == 0 then ttl, px = lock.ttl, lock.px end
  ttl, px = within(lock, ttl, px)
  if ttl == lock.ttl then
    name.px, name.write = lock.px + lock.delay, name.write or 'EXPIRE'
    return name.value
  end
  if ttl > lock.ttl then
    lock.ttl, lock.px = ttl, px
    px = px + lock.delay
    put(name, lock, px)
    return {'STANDS', name.value, ttl, px}
  end
  px = ttl + (lock.px - lock.ttl) + lock.delay -- the grace is the lease's
  local ms = left(name)
  if ms < px then -- so it is no less than 1
    name.px, name.write = px, name.write or 'EXPIRE'
    ms = px
  end
  return {'STANDS', name.value, math.max(ttl, 0), ms}
end

function do_.FOLLOW(name, id)
  if not name.value then return {'GONE'} end
  if not has(name, id) then return foreign(name) or {'OTHER'} end
  local value, tag = name.value, #id + 1
  local once = find(value, '|1|', tag, true) == tag and byte(value, tag + 3) ~= STAR
  free(name)
  if once and not name.want and listening == 0 then return 1 end
  local attempt, exec = match(value, '^|(%d+)|([%x*]+)|', tag)
  return {'HELD', tonumber(attempt), exec, next_of(name), value}
end

function do_.UNDO(name, id, attempt, exec)
  local lock = holder(name) -- '*' matches nobody
  if not lock or lock.id ~= id or lock.attempt ~= tonumber(attempt) or exec == '*' then return {'NONE'} end
  local known = #exec > EXEC and lock.exec or string.sub(lock.exec, 1, EXEC)
  if known ~= exec then return {'NONE'} end
  local value = over(name) and '' or name.value
  free(name)
  return {'UNDONE', next_of(name), value}
end

function do_.RELEASE(name, id)
  local delayed = name.value and find(name.value, '+', 1, true) -- nearly always not, and then nothing need be parsed
  if delayed and over(name) then return {'GONE'} end
  return do_.FOLLOW(name, id)
end

-- A force uses a token up that is newer than the forced one, so that what is protected can be told of it; and so that
-- what is under way to this node, a repair or a round 1, does not bring the lease back. So also where it is not.
function do_.FORCE(name, id, proposal, notice)
  local token = math.max(fence + 1, tonumber(proposal))
  if token < MAX_TOKEN then raise(token) end
  if not has(name, id) or over(name) then return foreign(name) or {'NONE'} end
  name.notice = notice
  local lock = holder(name)
  if lock and lock.delay > 0 then
    name.px, name.write = lock.delay, name.write or 'EXPIRE' -- as if it had run out
  else
    free(name)
  end
  return {'FORCED'}
end

function do_.LOOK(name)
  if name.value then return foreign(name) or {'HELD', name.value, left(name)} end
  return {'FREE'}
end

local arguments = {ACQUIRE = 8, COMMIT = 4, RENEW = 3, RELEASE = 1, FOLLOW = 1, UNDO = 3, FORCE = 3, LOOK = 0}
local replies = {}
local k, a, n = 3, 8, 0
while a <= #ARGV do
  local kind = ARGV[a]
  hold = nil
  if kind == 'HOLD' then
    hold = tonumber(ARGV[a + 1])
    a = a + 2
    kind = ARGV[a]
  end
  local last = a + arguments[kind]
  n = n + 1
  replies[n] = do_[kind](at(k, n), unpack(ARGV, a + 1, last))
  k, a = k + 2, last + 1
end

-- spoil answers an error to all that was to be done to a name.
local function spoil(name, text)
  replies[name.n] = {'ERROR', text}
  for _, n in ipairs(name.more or {}) do replies[n] = {'ERROR', text} end
  name.spoilt = true
end

-- SET ... GET refuses a key that is no string any more.
local unraised = raised and failed(pcall('SET', KEYS[2], whole(fence), 'GET'))

-- ms spells a number of ms that is a number, or is spelled already.
local function ms(px) return type(px) == 'number' and whole(px) or px end

local function write(name)
  if name.write == 'SET' and unraised then return unraised end
  if name.write == 'EXPIRE' then return failed(pcall('PEXPIRE', name.key, ms(name.px))) end
  if not name.was then
    local reply = pcall('SET', name.key, name.value, 'NX', 'PX', ms(name.px))
    return failed(reply) or not reply and FOREIGN
  end
  if name.px then return failed(pcall('SET', name.key, name.value, 'PX', ms(name.px))) end
  return failed(pcall('SET', name.key, name.value, 'KEEPTTL'))
end

local freed = {}
for _, name in ipairs(order) do
  if name.write == 'DEL' then
    if name.was then freed[#freed + 1] = name.key end
  elseif name.write then
    local problem = write(name)
    if problem then spoil(name, problem) end
  end
end
if #freed > 0 then
  local problem = failed(pcall('DEL', unpack(freed)))
  for _, name in ipairs(problem and order or {}) do
    if name.write == 'DEL' then spoil(name, problem) end
  end
end

for _, name in ipairs(order) do
  if name.want_px == 0 then
    if name.want then pcall('DEL', KEYS[name.k + 1]) end
  elseif name.want_px then
    local texts = {}
    for i, one in ipairs(name.wants) do texts[i] = one.text end
    pcall('SET', KEYS[name.k + 1], table.concat(texts, ','), 'PX', whole(name.want_px))
  end
  if name.notice and not name.spoilt then pcall('PUBLISH', NOTICES, name.notice) end
  local first = name.freed and not name.value and name.want and not name.spoilt and wants(name)[1]
  if first then
    pcall('PUBLISH', NOTICES, cjson.encode({kind = 'freed', name = string.sub(name.key, BEFORE_NAME + 1), next = first.instance}))
  end
end
return answer({whole(fence), listening, replies})
