-- standing.lua: read who holds a name and who is present in its line. Writes nothing.
--
--   KEYS, ARGV[1..7]  see line.lua
--   ARGV[8]           at most this many waiters are answered
--
-- Reply: {HELD, value, expires in ms}, {FREE} or {ERROR, text}. In place of the hand-over:
--   {how many are present, then for each of the first: ticket, since, payload}
-- Who has gone counts until somebody had to step over it, unless it is among those looked at.
local most = tonumber(ARGV[HEAD + 1])
local reply = {'FREE'}
if lock then reply = {'HELD', value, redis.call('PTTL', LOCK)}
elseif value then reply = {'ERROR', 'the lock key holds something that lockd did not write'} end
if not line then return answer(reply, {0}) end

local waiters = {redis.call('ZCOUNT', QUEUE, '0', '+inf')}
local ids = most > 0 and redis.call('ZRANGEBYSCORE', QUEUE, '0', '+inf', 'LIMIT', '0', whole(most + MAX_ASIDE)) or {}
local entries = ids[1] and redis.call('HMGET', WAITERS, unpack(ids)) or {}
for i, id in ipairs(ids) do
  local e = entries[i] and parse_entry(id, entries[i])
  if not e or not is_present(e) then
    waiters[1] = waiters[1] - 1
  elseif #waiters < 1 + 3 * most then
    for _, field in ipairs({e.ticket, e.since, e.payload}) do waiters[#waiters + 1] = field end
  end
end
return answer(reply, waiters)
