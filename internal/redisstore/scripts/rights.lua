-- rights.lua: tries the commands that our scripts use; redisconn's try.lua comes before it. Nothing is left of KEY.
--
--   KEYS[1]  a key that nobody writes
--   ARGV[2]  channel of events
try('TIME')
for _, command in ipairs({'GET', 'MGET', 'DEL', 'PTTL', 'HGETALL', 'HLEN'}) do try(command, KEY) end
try('SET', KEY, '', 'XX')
for _, command in ipairs({'HGET', 'HMGET', 'ZREM', 'ZSCORE'}) do try(command, KEY, 'none') end
try('HSET', KEY, 'none', '')
try('PEXPIRE', KEY, '1000') -- should it stay, HDEL being denied
try('HDEL', KEY, 'none')
try('ZADD', KEY, 'XX', '0', 'none')
for _, command in ipairs({'ZRANGE', 'ZRANGEBYSCORE', 'ZCOUNT'}) do try(command, KEY, '0', '0') end
try('PUBLISH', ARGV[2], '')
try_right('pubsub|numsub', 'PUBSUB', 'NUMSUB', ARGV[2])
try('INFO', 'server')
