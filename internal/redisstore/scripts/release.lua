-- release.lua: free names whose leases the callers still hold. Never touches another's.
--
--   KEYS[i]    lock of operation i; each name at most once
--   ARGV[1]    nonce, echoed
--   ARGV[1+i]  lease id of operation i
--
-- Returns {nonce, '', reply of each operation}, a reply being one of
--   {HELD, attempt, exec}   was held by this lease id, with this tag, and is free now
--   {GONE}                  the name was free
--   {OTHER}                 the name is another's
--
-- It must work when Redis is out of memory: no shebang, and DEL is the only write.
local stored = redis.call('MGET', unpack(KEYS))
local replies, mine = {}, {}
for i, key in ipairs(KEYS) do
  local lock = stored[i] and parse(stored[i])
  if lock and lock.id == ARGV[1 + i] then
    mine[#mine + 1] = key
    replies[i] = {'HELD', lock.attempt, lock.exec}
  elseif stored[i] then
    replies[i] = {'OTHER'}
  else
    replies[i] = {'GONE'}
  end
end
if #mine > 0 then redis.call('DEL', unpack(mine)) end
return {ARGV[1], '', replies}
