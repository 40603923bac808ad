-- promote.lua: hand a name that is free to the first in line; otherwise say who holds it. As often as one
-- likes.
--
--   KEYS, ARGV[1..8]  see line.lua
--
-- Reply: {HELD, value, expires in ms, 1 if there is a line}, {FREE}, or {ERROR, text}. The hand-over says what became of FREE.
if lock then return answer({'HELD', value, redis.call('PTTL', LOCK), line and 1 or 0}) end
if value then return answer({'ERROR', 'the lock key holds something that lockd did not write'}) end
local handed = hand_over()
if line then purge() end
return answer({'FREE'}, handed)
