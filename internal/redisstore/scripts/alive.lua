-- alive.lua: which instances live, for the scripts that ask or tell. beats is a HASH, instance ->
--   <last>|<since>|<heard in>
-- last and since in microseconds of TIME: its last beat, and since when it has beaten with no gap in which
-- others may have taken it for dead and passed over who waits there. That it was passed over stands here
-- for as long as it lives, since an answer that tells it once can be lost. Heard in is the run id of the Redis
-- in which it listened to its channel when it beat, or '-' if it did not listen: perhaps it may not.

-- Beside the instances stands since when the Redis that runs now has been heard of: <since>|<run id>.
local REDIS = 'redis'

local MAX_LISTENERS = 1000 -- so many channels are asked for at once; unpack has a limit

-- An instance that did not take up what it was handed, or has gone, is suspected: its since is 0, and its last
-- beat long ago, until it beats again.
local function suspicion(now) return string.format('%.0f|0', now - ALIVE - 1) end

local function is_suspected(text) return type(text) == 'string' and string.match(text, '^%d+|0$') ~= nil end

local function last_beat(text) return tonumber(string.match(text or '', '^%d+') or '0') end

-- take_for_dead marks an instance for other scripts.
local function take_for_dead(key, instance, now)
  if failed(redis.pcall('HSET', key, instance, suspicion(now))) then redis.pcall('HDEL', key, instance) end
end

-- listeners answers how many listen to the channel of each instance, by its name; nothing if that is not told.
local function listeners(channels, instances)
  local asked, found = {}, {}
  for i = 1, math.min(#instances, MAX_LISTENERS) do asked[i] = channels .. instances[i] end
  local reply = asked[1] and redis.pcall('PUBSUB', 'NUMSUB', unpack(asked)) or {}
  for i = 1, failed(reply) and 0 or #asked do found[instances[i]] = reply[2 * i] end
  return found
end

local run_id

-- process answers the run id of this Redis, another one after each start; '-' if it is not told.
local function process()
  if not run_id then
    local info = redis.pcall('INFO', 'server')
    run_id = not failed(info) and string.match(info, 'run_id:(%x+)') or '-'
  end
  return run_id
end

-- up_since answers since when this Redis has been heard of; nil if it has not been.
local function up_since(key)
  local text = redis.pcall('HGET', key, REDIS)
  local since, id = string.match(not failed(text) and text or '', '^(%d+)|(%x+)$')
  return id == process() and tonumber(since) or nil
end

local function note_up(key, now)
  if up_since(key) or process() == '-' then return end
  redis.pcall('HSET', key, REDIS, string.format('%.0f|%s', now, process()))
end

-- presence judges an instance that has beaten, heard being how many listen to its channel. It answers
--   true          it listens, or it never did, and that says nothing
--   false         it listened to this Redis, and does not any more, or not within COME_BACK of others to a Redis
--                 that was started again: its process or its connection has ended
--   true, left    it has not come back yet, and has so many microseconds left
local function presence(key, text, heard, now)
  local heard_in = heard == 0 and string.match(text or '', '^%d+|%d+|(%x+)$')
  if not heard_in then return true end
  if heard_in == process() then return false end
  local left = (up_since(key) or now) + COME_BACK - now
  if left <= 0 then return false end
  return true, left
end

-- beat says that an instance lives, and answers since when, or raises. After the HDEL Redis refuses nothing
-- for want of memory.
local function beat(key, channels, instance, now)
  local last, since = string.match(redis.call('HGET', key, instance) or '', '^(%d+)|(%d+)')
  local at = string.format('%.0f', now)
  if not last or now - tonumber(last) > ALIVE then since = at end
  local heard_in = (listeners(channels, {instance})[instance] or 0) > 0 and process() or '-'
  redis.call('HDEL', key, instance)
  redis.call('HSET', key, instance, at .. '|' .. since .. '|' .. heard_in)
  redis.call('PEXPIRE', key, '60000') -- all who beat may die
  note_up(key, now)
  return since
end
