-- repair_counter.lua: put a counter right that `reconcile` has found wrong, unless it has moved since.
--
-- KEYS  counters      hash
-- ARGV  field         text
--       seen          int     what reconcile read
--       right         int     what the live calls add up to
-- RETURNS {status, ...}
--       REPAIRED
--       CHANGED {value}       a call began or ended meanwhile: look again
-- Idempotent: compare and set.

-- include _arguments.lua

local seen, right = whole(ARGV[2], 'seen'), whole(ARGV[3], 'right')
local value = numbers(KEYS[1], ARGV[1])
if value ~= seen then return { 'CHANGED', digits(value) } end
redis.call('HSET', KEYS[1], ARGV[1], digits(right))
return { 'REPAIRED' }
