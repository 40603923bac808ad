-- release.lua: free names whose leases the callers still hold and in which nobody stands in line. Never
-- touches another's.
--
--   KEYS[1]     watched  there while anybody watches
--   KEYS[2i]    lock of operation i; each name at most once
--   KEYS[1+2i]  line of operation i
--   ARGV[1]     nonce, echoed
--   ARGV[2]     channel of events
--   then for each operation: name, lease id
--
-- Returns {nonce, '', reply of each operation}, a reply being one of
--   {HELD, attempt, exec}   was held by this lease id, with this tag, and is free now
--   {GONE}                  the name was free
--   {OTHER}                 the name is another's
--   {LINE}                  nothing was done: the name has a line, see free.lua
--
-- It must work when Redis is out of memory: no shebang, and DEL is the only write.
local stored = redis.call('MGET', unpack(KEYS))
local replies, mine = {}, {}
for i = 1, (#KEYS - 1) / 2 do
  local value, line = stored[2 * i], stored[1 + 2 * i]
  local lock = value and parse(value)
  local is_mine = lock and lock.id == ARGV[2 + 2 * i]
  if line and (is_mine or not value) then
    replies[i] = {'LINE'}
  elseif is_mine then
    mine[#mine + 1] = KEYS[2 * i]
    replies[i] = {'HELD', lock.attempt, lock.exec}
    if stored[1] then note_released(ARGV[1 + 2 * i], now_us(), lock) end
  elseif value then
    replies[i] = {'OTHER'}
  else
    replies[i] = {'GONE'}
  end
end
if #mine > 0 then redis.call('DEL', unpack(mine)) end
publish(ARGV[2])
return {ARGV[1], '', replies}
