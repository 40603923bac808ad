-- alive.lua: which instances live, for the scripts that ask or tell. beats is a HASH, instance ->
--   <last>|<since>
-- both in microseconds of TIME: its last beat, and since when it has beaten with no gap in which others
-- may have taken it for dead and passed over who waits there. That it was passed over stands here
-- for as long as it lives, since an answer that tells it once can be lost.

-- An instance that did not take up what it was handed is suspected: its since is 0, and its last beat long ago,
-- until it beats again.

local function suspicion(now) return string.format('%.0f|0', now - ALIVE - 1) end

local function is_suspected(text) return type(text) == 'string' and string.match(text, '|0$') ~= nil end

local function last_beat(text) return tonumber(string.match(text or '', '^%d+') or '0') end

-- beat says that an instance lives, and answers since when, or raises. After the HDEL Redis refuses nothing
-- for want of memory.
local function beat(key, instance, now)
  local last, since = string.match(redis.call('HGET', key, instance) or '', '^(%d+)|(%d+)$')
  local at = string.format('%.0f', now)
  if not last or now - tonumber(last) > ALIVE then since = at end
  redis.call('HDEL', key, instance)
  redis.call('HSET', key, instance, at .. '|' .. since)
  redis.call('PEXPIRE', key, '60000') -- all who beat may die
  return since
end
