-- free.lua: free a name that is held by a lease id, or with a token, and hand it to the next in line.
-- A name that is free already is handed over, too.
--
--   KEYS, ARGV[1..8]  see line.lua
--   ARGV[9]           RELEASE or FORCE
--   ARGV[10]          lease id of RELEASE, token of FORCE
--   ARGV[11]          by, of FORCE
--   ARGV[12]          reason, of FORCE
--
-- Reply of RELEASE:
--   {HELD, attempt, exec}            was held by this lease id, with this tag, and is its no more
--   {GONE}                           the name was free, or closed
--   {OTHER}                          the name is another's
-- Reply of FORCE:
--   {FORCED, value, expired in ms}   the lease as it was
--   {STALE, value, expires in ms}    another token is in force
--   {STALE}                          nobody holds the name
--
-- Freeing comes first: it works when Redis is out of memory, and after the DEL Redis refuses nothing
-- for want of memory any more. A forced lease with a lock-delay is over as if it had run out: only the delay is left of
-- the key's expiry. Then nobody is handed the name before that is over.
local WHAT, WHO, BY, REASON = unpack(ARGV, HEAD + 1, HEAD + 4)

local function release()
  if not value then return answer({'GONE'}, hand_over()) end
  if lock and lock.id == NOBODY then return answer({'GONE'}) end
  if not lock or lock.id ~= WHO then return answer({'OTHER'}) end
  redis.call('DEL', LOCK)
  if line then forget(WHO) end
  if watched then note_released(NAME, now, lock) end
  local reply = {'HELD', lock.attempt, lock.exec}
  return answer(reply, hand_over())
end

-- A force uses a token up that is newer than the forced one, also if the clock stands still and nobody
-- waits, so that what is protected can be told of it.
local function use_a_token_up()
  local token = raise_fence(FENCE, fence or lock.token, 1, now)
  if token then fence = whole(token) end
end

local function force()
  if not value then return answer({'STALE'}, hand_over()) end
  if lock and lock.id == NOBODY then return answer({'STALE'}) end
  local was, left = value, redis.call('PTTL', LOCK)
  if not lock or lock.token ~= WHO then return answer({'STALE', was, left}) end
  local closes = lock.delay > 0 and not lock.untaken
  if closes then
    redis.call('PEXPIRE', LOCK, whole(lock.delay))
  else
    redis.call('DEL', LOCK)
  end
  if line then forget(lock.id) end
  use_a_token_up()
  note('forced', NAME, now, {token = lock.token, payload = lock.payload, by = BY, reason = REASON, px = closes and whole(lock.delay) or nil})
  return answer({'FORCED', was, left}, closes and {'CLOSED', lock.delay} or hand_over())
end

if WHAT == 'FORCE' then return force() end
return release()
