-- sweep_tombstone.lua: forget a deleted entity once no late event of it can come any more.
--
-- KEYS  model       hash  where the entity lived
--       tombstones  zset  "<key>\n<field>" -> when it may be swept (ms)
-- ARGV  field       text  `device:<id>`
-- RETURNS {status}
--   SWEPT     the tombstone is gone
--   ALIVE     it was written again since: only the reminder is gone
-- Idempotent: what is gone is ALIVE or nothing.

local raw = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], KEYS[1] .. "\n" .. ARGV[1])
if raw and type(cjson.decode(raw).d) == 'table' then
  return { 'ALIVE' }
end
redis.call('HDEL', KEYS[1], ARGV[1])
return { 'SWEPT' }
