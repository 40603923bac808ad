-- renew.lua: restart the clock of leases that their holders still have. Never creates, never shortens.
--
--   KEYS[i]  lock of operation i; each name at most once
--   ARGV[1]  nonce, echoed
--   then for each operation: lease id, ttl ms (0: the lease's own), px ms
--
-- Returns {nonce, '', reply of each operation}, a reply being one of
--   value                                      its own ttl and grace were set again: nearly always
--   {RENEWED, value, ttl ms that was set, expires in ms}
--   {LOST}                                     the name is free or another's
--
-- It must work when Redis is out of memory, so there is no shebang (which would refuse the script
-- as a whole), and only a ttl larger than ever before writes the value. Where that is refused the
-- lease's own ttl is set and answered instead.
local FIELDS = 3

local function renew(key, value, id, ttl, px)
  local holder, own_ttl, own_px
  if value then holder, own_ttl, own_px = string.match(value, '^(%x+)|%d+|[%x*]+|%d+|(%d+)|(%d+)|%d+|') end
  if holder ~= id then return {'LOST'} end
  if ttl == '0' or ttl == own_ttl then
    redis.call('PEXPIRE', key, own_px)
    return value
  end
  local lock = parse(value)
  ttl, px = tonumber(ttl), tonumber(px)
  if ttl > lock.ttl then
    lock.ttl, lock.px = ttl, px
    local reply = redis.pcall('SET', key, format(lock), 'PX', string.format('%.0f', px))
    if not reply.err then return {'RENEWED', format(lock), ttl, px} end
    ttl, px = tonumber(own_ttl), tonumber(own_px)
  elseif ttl < lock.ttl then
    px = ttl + (lock.px - lock.ttl) -- the grace is the lease's
    local left = redis.call('PTTL', key)
    if left >= px then return {'RENEWED', value, ttl, left} end
  end
  redis.call('PEXPIRE', key, string.format('%.0f', px))
  return {'RENEWED', value, ttl, px}
end

local stored = redis.call('MGET', unpack(KEYS))
local replies = {}
for i, key in ipairs(KEYS) do
  local at = 1 + (i - 1) * FIELDS
  replies[i] = renew(key, stored[i], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return {ARGV[1], '', replies}
