-- standing.lua: read who holds a name and who is present in its line. Writes nothing.
--
--   KEYS, ARGV[1..8]  see line.lua
--   ARGV[9]           at most this many waiters are answered
--
-- Reply: {HELD, value, expires in ms}, {FREE} or {ERROR, text}. In place of the hand-over:
--   {how many are present, then for each of the first: ticket, since, payload}
-- Who has gone counts until somebody had to step over it, unless it is among those looked at.
local most = tonumber(ARGV[HEAD + 1])

local function holder()
  if lock then return {'HELD', value, redis.call('PTTL', LOCK)} end
  -- MGET reads a key of another type as absent.
  if value or failed(redis.pcall('GET', LOCK)) then return {'ERROR', 'the lock key holds something that lockd did not write'} end
  return {'FREE'}
end

if not line then return answer(holder(), {0}) end

local CHUNK = 1000 -- no more fit on Lua's stack by far
local present, waiters, looked = redis.call('ZCOUNT', QUEUE, '0', '+inf'), {}, 0
while #waiters < 3 * most and looked < most + MAX_ASIDE do
  local ids = redis.call('ZRANGEBYSCORE', QUEUE, '0', '+inf', 'LIMIT', whole(looked), whole(math.min(CHUNK, most + MAX_ASIDE - looked)))
  if not ids[1] then break end
  looked = looked + #ids
  local entries = redis.call('HMGET', WAITERS, unpack(ids))
  for i, id in ipairs(ids) do
    local e = entries[i] and parse_entry(id, entries[i])
    if not e or not is_present(e) then
      present = present - 1
    elseif #waiters < 3 * most then
      for _, field in ipairs({e.ticket, e.since, e.payload}) do waiters[#waiters + 1] = field end
    end
  end
end
table.insert(waiters, 1, present)
return answer(holder(), waiters)
