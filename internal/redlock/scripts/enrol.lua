-- enrol.lua: change what a node remembers of its group, if it is what was seen: founding, operators' changes, and what
-- makes a node whole again.
--
--   KEYS[1]  marker
--   KEYS[2]  memory
--   KEYS[3]  fence
--   KEYS[4]  claim
--   KEYS[5]  layout
--   KEYS[6]  prefix
--   ARGV[1]  nonce, echoed
--   ARGV[2]  claimant: who has to have the claim; '': nobody may
--   ARGV[3]  run that the server has to be of
--   ARGV[4]  marker that is there, '': none
--   ARGV[5]  memory that is there, '': none
--   ARGV[6]  marker to be
--   ARGV[7]  memory to be
--   ARGV[8]  least fence to be; '': it stays, and has to be a number
--   ARGV[9]  layout to be
--   ARGV[10] prefix to be
--   ARGV[11] milliseconds for which the claim stands from now on; 0: it is given up
--
-- LOST in the memory to be stands for this node's TIME in microseconds.
--
-- Returns {nonce, TIME in microseconds, {DONE}} or {nonce, TIME, {NOT, why}}: nothing was written.
--
-- The marker is written last: a node without one votes for nobody, whatever else is there.
local NONCE, CLAIMANT, RUN, MARKER_WAS, MEMORY_WAS, MARKER, MEMORY, LEAST, LAYOUT, PREFIX, CLAIM_FOR = unpack(ARGV)
local t = redis.call('TIME')
local now = string.format('%.0f', tonumber(t[1]) * 1000000 + tonumber(t[2]))
local function answer(...) return {NONCE, now, {...}} end

local stored = redis.call('MGET', unpack(KEYS))
local fence, claim = stored[3], stored[4]
if (claim or '') ~= CLAIMANT then
  return answer('NOT', claim and 'somebody else is changing the group' or 'it took too long')
end
if string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') ~= RUN then return answer('NOT', 'the server was started again') end
if (stored[1] or '') ~= MARKER_WAS or (stored[2] or '') ~= MEMORY_WAS then return answer('NOT', 'its marker or its memory has changed') end
local is_number = fence and string.match(fence, '^%d+$') and #fence <= 16
if LEAST == '' and not is_number then return answer('NOT', 'its fence is gone or no number') end

if LEAST ~= '' and not (is_number and tonumber(fence) >= tonumber(LEAST)) then redis.call('SET', KEYS[3], LEAST) end
redis.call('SET', KEYS[2], (string.gsub(MEMORY, 'LOST', now)))
redis.call('SET', KEYS[5], LAYOUT)
redis.call('SET', KEYS[6], PREFIX)
redis.call('SET', KEYS[1], MARKER)
if CLAIMANT ~= '' and CLAIM_FOR == '0' then
  redis.call('DEL', KEYS[4])
elseif CLAIMANT ~= '' then
  redis.call('SET', KEYS[4], CLAIMANT, 'PX', CLAIM_FOR)
end
return answer('DONE')
