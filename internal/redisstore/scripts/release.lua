-- release.lua: free names whose leases the callers still hold and in which nobody stands in line. Never
-- touches another's.
--
--   KEYS[1]     watched  there while anybody watches
--   KEYS[2i]    lock of operation i; each name at most once
--   KEYS[1+2i]  line of operation i
--   ARGV[1]     nonce, echoed
--   ARGV[2]     channel of events
--   ARGV[3]     how many bytes of a lock's key come before the name
--   then the lease id of each operation
--
-- Returns {nonce, '', reply of each operation}, a reply being one of
--   1                       was held by this lease id, granted to its first attempt and no other; is free now
--   {HELD, attempt, exec}   was held by this lease id, with this tag, and is free now
--   {GONE}                  the name was free
--   {OTHER}                 the name is another's
--   {LINE}                  nothing was done: the name has a line, see free.lua
--
-- It must work when Redis is out of memory: no shebang, and DEL is the only write.
local CHANNEL, BEFORE_NAME = ARGV[2], ARGV[3]
local HEAD = 3

local stored = redis.call('MGET', unpack(KEYS))
local replies, mine = {}, {}
for i = 1, (#KEYS - 1) / 2 do
  local key, value, line = KEYS[2 * i], stored[2 * i], stored[1 + 2 * i]
  local id, attempt, exec
  if value then id, attempt, exec = string.match(value, '^(%x+)|(%d+)|([%x*]+)|%d+|') end
  local is_mine = id == ARGV[HEAD + i]
  if line and (is_mine or not value) then
    replies[i] = {'LINE'}
  elseif is_mine then
    mine[#mine + 1] = key
    replies[i] = attempt == '1' and exec ~= '*' and 1 or {'HELD', tonumber(attempt), exec}
    local lock = stored[1] and parse(value)
    if lock then note_released(string.sub(key, BEFORE_NAME + 1), now_us(), lock) end
  elseif value then
    replies[i] = {'OTHER'}
  else
    replies[i] = {'GONE'}
  end
end
if #mine > 0 then redis.call('DEL', unpack(mine)) end
publish(CHANNEL)
return {ARGV[1], '', replies}
