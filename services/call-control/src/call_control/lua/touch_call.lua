-- touch_call.lua: an edge has named this call among its live ones; the lease in force is confirmed by that.
--
-- KEYS  call          hash
--       edge          zset    call_id -> last touch
-- ARGV  call_id       text
--       taken_ms      int     when the edge made its list
-- RETURNS {status, ...}
--       LIVE {state, answered_ms or '', cut_at_ms or '', rev, payable_micros or ''}
--       ENDED
--       UNKNOWN           nobody's, or another edge's
-- Idempotent: the latest touch wins; the revision stays, so that no report is turned away by a heartbeat.

-- include _arguments.lua

local taken = natural(ARGV[2], 'taken_ms')
local found = redis.call('HMGET', KEYS[1], 'state', 'touched_ms', 'covered_s', 'answered_ms', 'cut_at_ms', 'rev',
  'payable')
if not found[1] then return { 'UNKNOWN' } end
if found[1] == 'ended' then return { 'ENDED' } end
-- Another edge's call: to this edge it does not exist, or its lists would keep and lose what is not its own.
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return { 'UNKNOWN' } end
if taken > tonumber(found[2]) then
  redis.call('HSET', KEYS[1], 'touched_ms', digits(taken))
  if found[1] == 'answered' then redis.call('HSET', KEYS[1], 'confirmed_s', found[3]) end
end
redis.call('ZADD', KEYS[2], 'GT', digits(taken), ARGV[1])
return { 'LIVE', found[1], found[4] or '', found[5] or '', found[6], found[7] or '' }
