-- plant.lua: take in a lease that a quorum has and this node has not, in two calls with a confirmed renewal between
-- them. Whatever was granted here meanwhile, on whatever name, has raised the fence, and a restart has changed the
-- run: then nothing is planted, since another may have had the name here.
--
--   KEYS[1]  marker
--   KEYS[2]  fence
--   KEYS[3]  lock of the name
--   ARGV[1]  nonce, echoed
--   ARGV[2]  what the marker has to be
--   ARGV[3]  PEEK or PLANT
-- and for PLANT
--   ARGV[4]  the fence that PEEK answered
--   ARGV[5]  the run that PEEK answered
--   ARGV[6]  not_after, microseconds of this node's TIME
--   ARGV[7]  the caller's clock, microseconds since 1970
--   ARGV[8]  largest tolerated difference between the two clocks, microseconds
--   ARGV[9]  px, milliseconds
--   ARGV[10] value, committed
--
-- Returns {nonce, TIME in microseconds, reply}, the reply of PEEK being {FREE, fence, run}, of PLANT {PLANTED}, and of
-- both {NONE, why}.
local NONCE, MARK, WHAT, FENCE, RUN, NOT_AFTER, CLOCK, MAX_SKEW, PX, VALUE = unpack(ARGV)
local now = now_us()
local function answer(...) return {NONCE, whole(now), {...}} end

local stored = redis.call('MGET', unpack(KEYS))
local fence = stored[2]
if stored[1] ~= MARK or not fence or not string.match(fence, '^%d+$') then return answer('NONE', 'it has no memory') end
if stored[3] then return answer('NONE', 'the name is held here') end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if WHAT == 'PEEK' then return answer('FREE', fence, run) end

if fence ~= FENCE or run ~= RUN then return answer('NONE', 'something was granted here, or it was started again') end
if now > tonumber(NOT_AFTER) then return answer('NONE', 'late') end
if skewed(now, CLOCK, MAX_SKEW) then return answer('NONE', 'the clocks differ') end
local token = parse(VALUE).token
if tonumber(token) > tonumber(fence) then
  local raised = redis.pcall('SET', KEYS[2], token, 'GET')
  if failed(raised) then return answer('NONE', raised.err) end
end
local planted = redis.pcall('SET', KEYS[3], VALUE, 'NX', 'PX', PX)
if failed(planted) or not planted then return answer('NONE', failed(planted) or FOREIGN) end
return answer('PLANTED')
