-- reserve_money.lua: hold money for an operation on a balance, so that calls cannot spend it meanwhile.
--
-- KEYS  client        hash    settled_micros, unposted_micros, held_micros
--       reserved      hash    operation_id -> micros
--       due           zset    "<client_id> <operation_id>" -> when it ends by itself (ms)
-- ARGV  client_id     text
--       operation_id  text
--       amount_micros int
--       until_ms      int
-- RETURNS {status, ...}
--       RESERVED {available afterwards}      also when it was reserved before
--       SHORT {available}                    not reserved
-- Idempotent: an operation is reserved once; asked again, only its time begins anew.

-- include _arguments.lua
-- include _money.lua

local amount, until_ms = natural(ARGV[3], 'amount_micros'), natural(ARGV[4], 'until_ms')
local free = available(KEYS[1], 'prepaid', nil)
if not redis.call('HGET', KEYS[2], ARGV[2]) then
  if amount > free then return { 'SHORT', digits(free) } end
  redis.call('HSET', KEYS[2], ARGV[2], digits(amount))
  add(KEYS[1], 'held_micros', amount)
  free = free - amount
end
redis.call('ZADD', KEYS[3], digits(until_ms), ARGV[1] .. ' ' .. ARGV[2])
return { 'RESERVED', digits(free) }
