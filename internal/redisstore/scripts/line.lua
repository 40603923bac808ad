-- line.lua: who waits for a name, and how the name comes to the first of them. The scripts for a name
-- with a line begin with it. They share their keys, and their first arguments:
--
--   KEYS     lock, line, queue, waiters, fence, beats, given, watched; see keys.go
--   ARGV[1]  nonce, echoed
--   ARGV[2]  the caller's clock, microseconds since 1970
--   ARGV[3]  largest tolerated difference between the two clocks, microseconds
--   ARGV[4]  1 if new leases may be granted
--   ARGV[5]  name
--   ARGV[6]  instance, of the caller
--   ARGV[7]  channels: what the name of each begins with
--   ARGV[8]  when Redis last failed to answer the caller, microseconds of TIME; 0: never. Others may not have been
--            answered either, so what they did not do before that says nothing of them
--
-- They return {nonce, TIME in microseconds, {reply, hand-over}}; the reply is the script's own, and
-- the hand-over what became of a name that was found or made free:
--   {MINE, value, expires in ms}     granted to a waiter of the caller
--   {THEIRS, value, expires in ms}   granted to a waiter of another instance, which has been told
--   {CLOSED, for how many ms}        the name is closed since just now
--   {NOBODY}                         nobody is present in line
--   {AGAIN}                          many who have gone were set aside, and who is next is not known yet
--   {STANDS, text}                   the line stands, and nobody could be granted
--   {}                               the name is held, or closed
--
-- A waiter has an entry in waiters, and a place in queue. The score of a place is its ticket while the
-- waiter is present; minus the end of the place, in microseconds, while it is away. An entry is
--   <attempt>|<exec>|<instance>|<ttl>|<px>|<ends>|<ticket>|<since>|<payload>
-- px being <px>+<delay> where there is to be a lock-delay, and ends when the wait is over, in microseconds of TIME. A waiter that is handed the lease is away,
-- so that it has its old place if it never hears of that.
--
-- What another instance is handed is told in its channel, as <lease id>|<attempt>|<exec>|<name>, and
-- noted in given, the same after <instance>|<time>|.
--
-- Redis does not roll a script back. The first calls may raise, as may all that read before the first
-- write. From the first write on, and above all from the DEL of a lock on, everything is a pcall: the
-- name is free, whatever else fails, and a name that cannot be granted keeps its line.
local LOCK, LINE, QUEUE, WAITERS, FENCE, BEATS, GIVEN, WATCHED = unpack(KEYS)
local NONCE, CLOCK, MAX_SKEW, MAY_GRANT, NAME, CALLER, CHANNELS, FAILED_AT = unpack(ARGV, 1, 8)
local HEAD = 8

local MAX_ASIDE = 32   -- at most so many who have gone are set aside in one call
local MAX_GIVEN = 1000 -- given is a hint, and no longer than this

local value, line, fence, watched = unpack(redis.call('MGET', LOCK, LINE, FENCE, WATCHED))
local now = now_us()
local lock = value and standing(LOCK, value)

-- The marker of a line: <last ticket>|<end>, end being a moment, in microseconds, at which no wait and
-- no place kept after it is left. The keys of the line expire then, and the marker a second later, so
-- that no line is ever taken for none.
local last_ticket, line_end = 0, 0
if line then
  local ticket, till = string.match(line, '^(%d+)|(%d+)$')
  last_ticket, line_end = tonumber(ticket or '0'), tonumber(till or '0')
end

local function whole(n) return string.format('%.0f', n) end

local function px_until(till) return math.max(1, math.ceil((till - now) / 1000)) end

-- mark writes the marker, or answers why it could not.
local function mark(ticket, till)
  local marker, reply = whole(ticket) .. '|' .. whole(till), nil
  if till == line_end then
    reply = redis.pcall('SET', LINE, marker, 'KEEPTTL')
  else
    reply = redis.pcall('SET', LINE, marker, 'PX', whole(px_until(till) + 1000))
  end
  if failed(reply) then return reply.err end
  last_ticket, line_end = ticket, till
end

local function expire_line(till)
  for _, key in ipairs({QUEUE, WAITERS}) do redis.pcall('PEXPIRE', key, whole(px_until(till))) end
end

local function parse_entry(id, text)
  local attempt, exec, instance, ttl, times, ends, ticket, since, payload =
    string.match(text, '^(%d+)|([%x*]+)|(%x+)|(%d+)|(%d+%+?%d*)|(%d+)|(%d+)|(%d+)|(.*)$')
  if not attempt then return nil end
  local px, delay = split_px(times)
  return {
    id = id, attempt = tonumber(attempt), exec = exec, instance = instance, ttl = tonumber(ttl), px = px, delay = delay,
    ends = tonumber(ends), ticket = ticket, since = since, payload = payload,
  }
end

local function format_entry(e)
  return string.format('%.0f|%s|%s|%.0f|%s|%.0f|%s|%s|%s',
    e.attempt, e.exec, e.instance, e.ttl, spell_px(e.px, e.delay), e.ends, e.ticket, e.since, e.payload)
end

-- Whether a client lives is its instance's business; whether an instance does, its beat and its channel say.
-- Where that cannot be read everybody lives: a hand-over to the dead costs a moment, a place set aside its turn.
-- Silence counts only when Redis has been there for as long; a hand-over that was not taken up, see
-- suspect, when it was made after that.
local failed_at = tonumber(FAILED_AT)
local living = {[CALLER] = true}
local unmarked = {}  -- instances that have gone, which others do not know yet
local come_back = {} -- instance -> microseconds left to it

local function judge(instance)
  local text = redis.pcall('HGET', BEATS, instance)
  if failed(text) then return true end
  if is_suspected(text) or now - failed_at > ALIVE and now - last_beat(text) > ALIVE then return false end
  local here, left = presence(BEATS, text, listeners(CHANNELS, {instance})[instance], now)
  unmarked[instance], come_back[instance] = not here, left
  return here
end

local function alive(instance)
  if living[instance] == nil then living[instance] = judge(instance) end
  return living[instance]
end

local function is_present(e) return e.ends > now and alive(e.instance) end

local function note_place(kind, e)
  if watched then note(kind, NAME, now, {ticket = e.ticket, payload = e.payload}) end
end

-- keep makes a place one that is kept for a while, until then; without memory it is lost.
local function keep(id, till)
  if failed(redis.pcall('ZADD', QUEUE, whole(-till), id)) then redis.pcall('ZREM', QUEUE, id) end
end

local set_aside = {}

-- aside makes who is present away: passed over, the place kept.
local function aside(e)
  keep(e.id, math.min(now, e.ends) + KEEP_PLACE)
  set_aside[e.id] = true
  note_place('left', e)
end

-- forget ends a place. Whoever was granted the name must not be granted it again.
local function forget(id)
  if failed(redis.pcall('ZREM', QUEUE, id)) then redis.pcall('ZADD', QUEUE, '-1', id) end
  redis.pcall('HDEL', WAITERS, id)
end

-- purge forgets places that are kept no longer, a few at a time. Scripts that may set places aside call
-- it, and purge as many as that.
local function purge()
  local over = redis.pcall('ZRANGEBYSCORE', QUEUE, '(' .. whole(-now), '(0', 'LIMIT', '0', '32')
  if failed(over) or not over[1] then return end
  redis.pcall('ZREM', QUEUE, unpack(over))
  redis.pcall('HDEL', WAITERS, unpack(over))
end

-- settle lets the keys of a line go with the last place that is kept, if nobody is present.
local function settle()
  local present = redis.pcall('ZRANGEBYSCORE', QUEUE, '0', '+inf', 'LIMIT', '0', '1')
  if failed(present) or present[1] then return end
  purge()
  local last = redis.pcall('ZRANGE', QUEUE, '0', '0', 'WITHSCORES')
  if failed(last) then return end
  if not last[1] then
    redis.pcall('DEL', LINE, QUEUE, WAITERS)
    line_end = 0
    return
  end
  local till = -tonumber(last[2])
  if not mark(last_ticket, till) then expire_line(till) end -- where that fails they stay for longer
end

-- suspect takes instances for dead until their next beat that have not taken this name up when it was
-- handed to them: whoever has died costs a line one such moment, not one for each of its waiters.
local function suspect()
  local all = redis.pcall('HGETALL', GIVEN)
  for i = 1, failed(all) and 0 or #all, 2 do
    local instance, time, name = string.match(all[i + 1], '^(%x+)|(%d+)|%x+|%d+|[%x*]+|(.*)$')
    if name == NAME and instance ~= CALLER and tonumber(time) > failed_at and now - tonumber(time) >= UNCLAIMED * 1000 then
      take_for_dead(BEATS, instance, now)
      redis.pcall('HDEL', GIVEN, all[i])
      living[instance] = false
    end
  end
end

-- first answers who is next and whether that is the last one present; or nil and the hand-over that
-- says why there is none. Those before it who have gone are set aside.
local function first()
  if not value then suspect() end -- it ran out, and perhaps as a hand-over
  for n = 0, MAX_ASIDE do
    local ids = redis.pcall('ZRANGEBYSCORE', QUEUE, '0', '+inf', 'LIMIT', '0', '2')
    if failed(ids) then return nil, {'STANDS', ids.err} end
    local id = ids[1]
    if not id then return nil, {'NOBODY'} end
    local text = redis.pcall('HGET', WAITERS, id)
    if failed(text) then return nil, {'STANDS', text.err} end
    local e = text and parse_entry(id, text)
    if e and is_present(e) then return e, not ids[2] end
    if n == MAX_ASIDE then break end
    if e and unmarked[e.instance] then -- it may live, and must hear of this
      take_for_dead(BEATS, e.instance, now)
      unmarked[e.instance] = nil
    end
    if e then aside(e) else forget(id) end
  end
  return nil, {'AGAIN'}
end

-- grant sets the lock for e, or answers why not. px is for how long it is to stand until it is taken up; nil: it is.
-- It answers in how many ms the key expires, too.
local function grant(e, px)
  local token, problem = raise_fence(FENCE, fence, 1, now)
  if not token then return nil, problem end
  fence = whole(token)
  local granted = {
    id = e.id, attempt = e.attempt, exec = e.exec, token = fence, ttl = e.ttl, px = e.px, delay = e.delay,
    untaken = px ~= nil, since = whole(now), payload = e.payload,
  }
  local expires = px or e.px + e.delay
  local failure = set(LOCK, format(granted), 'NX', 'PX', whole(expires))
  if failure then return nil, failure[2] end
  lock, value = granted, format(granted)
  if watched then note_acquired(NAME, now, lock, px or e.px, e.ticket) end
  return value, expires
end

-- give grants the free name to e, who is present. To a waiter of another instance for a moment only:
-- that instance makes it a whole ttl when it takes it up.
local function give(e, last)
  local mine = e.instance == CALLER
  local px = not mine and UNCLAIMED or nil
  if come_back[e.instance] then
    px = math.min(px or e.px, math.ceil(come_back[e.instance] / 1000))
    note_up(BEATS, now)
  end
  local granted, expires = grant(e, px)
  if not granted then return {'STANDS', expires} end
  keep(e.id, now + KEEP_PLACE)
  if last then settle() end
  if mine then return {'MINE', value, expires} end
  local told = string.format('%s|%.0f|%s|%s', e.id, e.attempt, e.exec, NAME)
  local count = redis.pcall('HLEN', GIVEN)
  if type(count) == 'number' and count < MAX_GIVEN then
    redis.pcall('HSET', GIVEN, e.id, e.instance .. '|' .. whole(now) .. '|' .. told)
    redis.pcall('PEXPIRE', GIVEN, whole(KEEP_PLACE / 1000))
  end
  redis.pcall('PUBLISH', CHANNELS .. e.instance, told)
  return {'THEIRS', value, expires}
end

-- hand_over grants the free name to the first in line.
local function hand_over()
  if not line then return {'NOBODY'} end
  local refused = refusal(now, CLOCK, MAX_SKEW, MAY_GRANT)
  if refused then return {'STANDS', refused[1]} end
  local e, last = first()
  if e then return give(e, last) end
  if last[1] == 'NOBODY' then settle() end
  return last
end

-- answer ends a script.
local function answer(reply, handed)
  publish(CHANNELS .. 'events')
  return {NONCE, whole(now), {reply, handed or {}}}
end
