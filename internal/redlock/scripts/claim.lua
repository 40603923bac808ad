-- claim.lua: be the only one to change a node's group for a while, or no longer.
--
--   KEYS[1]  claim
--   ARGV[1]  nonce, echoed
--   ARGV[2]  claimant
--   ARGV[3]  milliseconds; 0: give it up
--
-- Returns {nonce, TIME in microseconds, {DONE}} or {nonce, TIME, {NOT, who has it}}.
local t = redis.call('TIME')
local now = string.format('%.0f', tonumber(t[1]) * 1000000 + tonumber(t[2]))
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[2] then return {ARGV[1], now, {'NOT', holder}} end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return {ARGV[1], now, {'DONE'}}
