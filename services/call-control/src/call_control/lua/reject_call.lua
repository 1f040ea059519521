-- reject_call.lua: remember a denial for its attempt, count it, and tell of it while it is not a flood.
--
-- KEYS  attempt       string  "deny:<denial JSON>"
--       rejected      string  counter of the client or source, for the UTC day
--       strangers     string  counter of all that are no client's, for the UTC day
--       calls         stream
-- ARGV  denial        text    JSON, the answer given
--       event         text    sealed call.rejected.v1, '' = nobody is told
--       attempt_ttl_ms int
--       counter_ttl_ms int
--       most          int     events per day; above it rejections are only counted
--       strangers_most int    of all strangers, above it not even their sources are counted; 0 = a client's
-- RETURNS {status, ...}
--       REJECTED {count}
--       DUPLICATE {value of the attempt key}     another run answered first: its answer stands
-- Idempotent: the attempt key is set once; a second run counts and tells nothing.

-- include _arguments.lua

local attempt_ttl, counter_ttl = natural(ARGV[3], 'attempt_ttl_ms'), natural(ARGV[4], 'counter_ttl_ms')
local most, strangers_most = natural(ARGV[5], 'most'), natural(ARGV[6], 'strangers_most')
local known = redis.call('GET', KEYS[1])
if known then return { 'DUPLICATE', known } end
redis.call('SET', KEYS[1], 'deny:' .. ARGV[1], 'PX', digits(attempt_ttl))
if strangers_most > 0 then
  local all = redis.call('INCR', KEYS[3])
  redis.call('PEXPIRE', KEYS[3], digits(counter_ttl), 'NX')
  if all > strangers_most then return { 'REJECTED', digits(all) } end
end
local count = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], digits(counter_ttl), 'NX')
if count <= most and ARGV[2] ~= '' then redis.call('XADD', KEYS[4], '*', 'event', ARGV[2]) end
return { 'REJECTED', digits(count) }
