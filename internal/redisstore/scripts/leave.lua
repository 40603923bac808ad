-- leave.lua: take back an execution of acquire that nobody was told of: out of the lock, and then the
-- name is handed to the next in line, and out of the line.
--
--   KEYS, ARGV[1..8]  see line.lua
--   ARGV[9]           lease id
--   ARGV[10], [11]    attempt, exec: the tag, compared
--   ARGV[12]          1 if a place in line is to be kept for when the lease id is asked for again
--   ARGV[13]          a token that the client was told, or 0: the lease that has it is left alone
--
-- Reply: {LEFT} if anything carried exactly this tag, or {NONE}: never granted, over, or taken over by
-- a retry, which must not be hurt. TIME tells the caller whether the execution could still arrive after
-- this (its not_after).
local ID, ATTEMPT, EXEC, KEEP, TOLD = unpack(ARGV, HEAD + 1, HEAD + 5)

local function matches(x) -- '*' matches nobody
  return x.attempt == tonumber(ATTEMPT) and x.exec == EXEC and EXEC ~= '*'
end

local text = line and redis.call('HGET', WAITERS, ID)
local e = text and parse_entry(ID, text)
if e and not matches(e) then e = nil end
local score = e and redis.call('ZSCORE', QUEUE, ID)
local present = score and tonumber(score) >= 0

-- Nobody was told of the lease, so its end is clean, whenever that comes.
local held = lock and (lock.was or lock.id) == ID and matches(lock) and lock.token ~= TOLD
if held then
  redis.call('DEL', LOCK)
  if watched and not lock.was then note_released(NAME, now, lock) end
end
if e and KEEP ~= '1' then
  forget(ID)
  if present then note_place('left', e) end
elseif present then
  aside(e)
elseif e and held then
  keep(ID, now + KEEP_PLACE)
end
local reply = {(held or e) and 'LEFT' or 'NONE'}
if e then purge() end
if held or not value then return answer(reply, hand_over()) end
if e then settle() end
return answer(reply)
