-- look.lua: read who holds names.
--
--   KEYS[i]  lock of operation i
--   ARGV[1]  nonce, echoed
--
-- Returns {nonce, '', reply of each operation}, a reply being one of
--   {HELD, value, expires in ms}
--   {FREE}
--   {ERROR, text}
local replies = {}
for i, key in ipairs(KEYS) do
  local value = redis.pcall('GET', key)
  if not value then replies[i] = {'FREE'}
  elseif type(value) == 'table' then replies[i] = {'ERROR', value.err}
  else replies[i] = {'HELD', value, redis.call('PTTL', key)} end
end
return {ARGV[1], '', replies}
