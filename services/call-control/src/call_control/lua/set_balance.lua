-- set_balance.lua: take a client's balance from a snapshot of billing, forward only.
--
-- KEYS  client        hash
--       unposted      hash
-- ARGV  sequence      int
--       balance_micros int
--       posted...     ids among unposted that the ledger has posted up to that sequence
-- RETURNS {status, ...}
--       APPLIED {number of unposted charges dropped}
--       STALE {applied_seq}
-- Idempotent: only a higher sequence, or the first, acts.

-- include _arguments.lua

local sequence, balance = natural(ARGV[1], 'sequence'), whole(ARGV[2], 'balance_micros')
local known = redis.call('HGET', KEYS[1], 'applied_seq')
if known and tonumber(known) >= sequence then return { 'STALE', known } end
local dropped = 0
for i = 3, #ARGV do
  local waiting = redis.call('HGET', KEYS[2], ARGV[i])
  if waiting then
    redis.call('HDEL', KEYS[2], ARGV[i])
    add(KEYS[1], 'unposted_micros', -tonumber(waiting))
    dropped = dropped + 1
  end
end
redis.call('HSET', KEYS[1], 'settled_micros', digits(balance), 'applied_seq', digits(sequence))
return { 'APPLIED', digits(dropped) }
