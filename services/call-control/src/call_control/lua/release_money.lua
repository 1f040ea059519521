-- release_money.lua: the operation is posted, given up, or its time is over.
--
-- KEYS  client        hash    held_micros
--       reserved      hash    operation_id -> micros
--       due           zset
-- ARGV  client_id     text
--       operation_id  text
-- RETURNS {status, ...}
--       RELEASED {micros}
--       UNKNOWN               nothing is reserved under this id (any more)
-- Idempotent: what was released is gone.

-- include _arguments.lua

redis.call('ZREM', KEYS[3], ARGV[1] .. ' ' .. ARGV[2])
local micros = redis.call('HGET', KEYS[2], ARGV[2])
if not micros then return { 'UNKNOWN' } end
redis.call('HDEL', KEYS[2], ARGV[2])
add(KEYS[1], 'held_micros', -tonumber(micros))
return { 'RELEASED', micros }
