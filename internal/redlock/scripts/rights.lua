-- rights.lua: tries the commands that our scripts use; redisconn's try.lua comes before it. Nothing is left of KEY.
--
--   KEYS[1]  a key that nobody writes
--   ARGV[2]  channel of events
try('TIME')
for _, command in ipairs({'GET', 'MGET', 'DEL', 'PTTL'}) do try(command, KEY) end
try('SET', KEY, '', 'XX')
try('PEXPIRE', KEY, '1000')
try('PUBLISH', ARGV[2], '')
try_right('pubsub|numsub', 'PUBSUB', 'NUMSUB', ARGV[2])
try('INFO', 'server')
