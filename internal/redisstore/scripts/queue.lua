-- queue.lua: acquire a name that has a line, or get one: after whoever is in line, or a place in it. It
-- also takes up what was handed over.
--
--   KEYS, ARGV[1..8]  see line.lua
--   ARGV[9]           lease id
--   ARGV[10], [11]    attempt, exec: the tag
--   ARGV[12]          told: token, or 0
--   ARGV[13], [14]    ttl, px, milliseconds; <px>+<delay> with a lock-delay
--   ARGV[15]          payload
--   ARGV[16]          not_after, microseconds of TIME: later than this nothing is written
--   ARGV[17]          ends, microseconds of TIME: when the wait is over; 0 asks for no place and gives up one that was had,
--                     unless another execution of the same attempt waits there
--   ARGV[18]          hold, milliseconds: for how long the lease may be renewed in all since its grant; 0: for ever
--   ARGV[19]          1 if the caller has not beaten for a while: who stands in line is alive
--
-- Reply, as batch.lua's of ACQUIRE:
--   {GRANTED, value, ttl ms, expires in ms}
--   {HELD, value, expires in ms, place, ticket}   another lease is in force, or the name is closed after one; place and ticket that the lease id has, or had; or 0
--   {SUPERSEDED} {LOST} {LATE} {REFUSED} {SKEW, difference in microseconds} {FULL}
--   {AGAIN}                                       ask again: see line.lua
--   {ERROR, text}
local ENDING = 500000 -- us: what the caller's reckoning of TIME may be off by; a wait that ends so soon may be over for it
local LINE_SLACK = 5000000 -- us: the keys of a line are let live for so much longer than needed, to be touched less often
local id, attempt, exec, told, ttl, px, payload, not_after, ends, hold, beat_due = unpack(ARGV, HEAD + 1, HEAD + 11)
local op = {
  id = id, attempt = tonumber(attempt), exec = exec, told = told, instance = CALLER, ttl = tonumber(ttl),
  ends = tonumber(ends), since = whole(now), payload = payload,
  hold = hold ~= '0' and tonumber(hold) or nil, now = now,
}
op.px, op.delay = split_px(px)
local waits = op.ends > 0

if now > tonumber(not_after) then return answer({'LATE'}) end
if lock and lock.id == op.id then
  local reply = again(LOCK, value, lock, op)
  redis.pcall('HDEL', GIVEN, op.id)
  return answer(reply)
end
if op.told ~= '0' then return answer({'LOST'}) end -- once told, never granted anew
if value and not lock then return answer({'ERROR', 'the lock key holds something that lockd did not write'}) end

-- The place that the lease id has, if it has not ended.
local function own_place()
  local text = redis.call('HGET', WAITERS, op.id)
  local score = text and tonumber(redis.call('ZSCORE', QUEUE, op.id))
  local e = score and parse_entry(op.id, text)
  if not e or score < 0 and -score < now then return nil end
  return e, score >= 0
end

local e, present, replayed
if line then e, present = own_place() end
if e then
  if op.attempt < e.attempt then return answer({'SUPERSEDED'}) end
  replayed = op.attempt == e.attempt and op.exec ~= e.exec
  if replayed then op.exec = '*' end -- as in again
  op.ticket, op.since, op.payload = e.ticket, e.since, e.payload
end

-- A name found free goes to whoever is first in line, and that may be the one who asks.
local handed
if not lock then
  local refused = refusal(now, CLOCK, MAX_SKEW, MAY_GRANT)
  if refused then return answer(refused) end
  local head, last
  if line then
    head, last = first()
    purge()
  end
  if not head and last and last[1] ~= 'NOBODY' then
    return answer(last[1] == 'AGAIN' and last or {'ERROR', last[2]})
  end
  if not head or e and tonumber(e.ticket) <= tonumber(head.ticket) then
    local granted, expires = grant(op)
    if not granted then return answer({'ERROR', expires}) end
    if e then
      forget(op.id)
      if not head or head.id == op.id and last then settle() end
    end
    return answer({'GRANTED', granted, op.ttl, expires})
  end
  present = present and not set_aside[op.id]
  handed = give(head, last)
  if handed[1] == 'STANDS' then return answer({'ERROR', handed[2]}, handed) end
end
local left = handed and handed[3] or redis.call('PTTL', LOCK)

-- Another holds the name, or it is closed.
if not e and not waits then return answer({'HELD', value, left, 0, '0'}, handed) end

local place
if e then place = redis.call('ZCOUNT', QUEUE, '0', '(' .. e.ticket) + 1
else
  place = redis.call('ZCOUNT', QUEUE, '0', '+inf') + 1
  if place > MAX_LINE then return answer({'FULL'}, handed) end
  op.ticket = whole(math.max(now, last_ticket + 1))
end

-- A wait of another execution, which goes on, is not this one's to end.
if not waits and replayed and present and e.ends - now > ENDING then
  return answer({'HELD', value, left, place, op.ticket}, handed)
end

if not waits then
  op.ends, op.instance = e.ends, e.instance
  redis.pcall('HSET', WAITERS, op.id, format_entry(op)) -- the new tag
  if present then aside(op) end
  purge()
  return answer({'HELD', value, left, place, op.ticket}, handed)
end

-- Take the place. The first write is the one that Redis refuses when it is full.
local till = line_end
if op.ends + KEEP_PLACE > line_end then till = op.ends + KEEP_PLACE + LINE_SLACK end
local longer = till > line_end
local problem = mark(math.max(last_ticket, tonumber(op.ticket)), till)
  or failed(redis.pcall('HSET', WAITERS, op.id, format_entry(op)))
  or failed(redis.pcall('ZADD', QUEUE, op.ticket, op.id))
if problem then return answer({'ERROR', problem}, handed) end
if longer then expire_line(till) end
if e and not present then redis.pcall('HDEL', GIVEN, op.id) end -- what it was handed has run out, and it is here
if beat_due == '1' then pcall(beat, BEATS, CHANNELS, CALLER, now) end
if not present then note_place('queued', op) end
return answer({'HELD', value, left, place, op.ticket}, handed)
