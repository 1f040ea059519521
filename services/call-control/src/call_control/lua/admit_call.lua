-- admit_call.lua: create the call if every limit still has room, or refuse and count nothing.
--
-- KEYS  call          hash    {p<k>}:landline:call:<call_id>, must not exist
--       client        hash    active, held_micros, settled_micros, unposted_micros
--       brand         hash    active
--       day           hash    of the client's local day: spend_micros, held_micros, begun_micros, crossed:<pct>
--       attempt       string  "call:<call_id>" or "deny:<denial JSON>"
--       live          zset    call_id -> admitted_ms
--       due           zset    call_id -> when the keeper must look
--       edge          zset    call_id -> last touch
--       calls         stream
-- ARGV  now_ms        int
--       call_id       text
--       attempt_id    text
--       brand_max     int     0 = unlimited
--       client_max    int     0 = unlimited
--       hold_micros   int     price of the first lease
--       floor_micros  int     the least hold worth taking; below hold_micros: SHORT tells what there is
--       rule          none | prepaid | pseudoprepaid | postpaid
--       credit_micros int     of a postpaid client, '' = no limit
--       limit_micros  int     of the day, '' = no limit
--       day_short     0 | 1   the hold was shortened because of the day
--       day           text    ISO date
--       day_ttl_ms    int     the day key's life, set once
--       attempt_ttl_ms int
--       due_ms        int
--       covered_s     int     seconds that the hold pays
--       facts         text    CallFacts JSON
--       terms         text    Terms JSON
--       answer        text    opaque
--       event         text    sealed call.admitted.v1
--       threshold...  percent, at_micros, event template
-- RETURNS {status, ...}
--       ADMITTED {payable_micros incl. this hold or '', crossed percents...}
--       DUPLICATE {value of the attempt key}
--       MAX_CALLS_BRAND {limit, active} | MAX_CALLS_CLIENT {limit, active}
--       DAILY_LIMIT {limit, spend, held, room, crossed percents...}   marks 100 % (domain 6), counts nothing
--       NO_CREDIT {available, hold}
--       SHORT {available or '', room or ''}                           nothing done: ask again for less
-- Idempotent: a second run of the same attempt finds the attempt key and returns what it names.

-- include _arguments.lua
-- include _money.lua

local call, client, brand, day, attempt = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now, call_id = natural(ARGV[1], 'now_ms'), ARGV[2]
local brand_max, client_max = natural(ARGV[4], 'brand_max'), natural(ARGV[5], 'client_max')
local hold, floor = natural(ARGV[6], 'hold_micros'), natural(ARGV[7], 'floor_micros')
local rule, credit, limit = ARGV[8], optional(ARGV[9], 'credit_micros'), optional(ARGV[10], 'limit_micros')
local short, day_ttl = ARGV[11] == '1', natural(ARGV[13], 'day_ttl_ms')
local attempt_ttl, due = natural(ARGV[14], 'attempt_ttl_ms'), natural(ARGV[15], 'due_ms')
local covered = natural(ARGV[16], 'covered_s')
local THRESHOLDS = 21
check_thresholds(THRESHOLDS)

local known = redis.call('GET', attempt)
if known then return { 'DUPLICATE', known } end
if redis.call('EXISTS', call) == 1 then return { 'DUPLICATE', 'call:' .. call_id } end

local busy = numbers(brand, 'active')
if brand_max > 0 and busy >= brand_max then return { 'MAX_CALLS_BRAND', digits(brand_max), digits(busy) } end
local active, settled, unposted, reserved =
  numbers(client, 'active', 'settled_micros', 'unposted_micros', 'held_micros')
if client_max > 0 and active >= client_max then
  return { 'MAX_CALLS_CLIENT', digits(client_max), digits(active) }
end

local free = free_of(rule, credit, settled, unposted, reserved)
local left, spend, held
if limit then
  spend, held = numbers(day, 'spend_micros', 'held_micros')
  left = limit - spend - held
end
if not fits(floor, left) then
  local crossed = mark_crossed(day, KEYS[9], THRESHOLDS, true, {})
  if #crossed > 0 then redis.call('PEXPIRE', day, digits(day_ttl), 'NX') end
  return { 'DAILY_LIMIT', digits(limit), digits(spend), digits(held), digits(left), unpack(crossed) }
end
if not fits(floor, free) then return { 'NO_CREDIT', digits(free), digits(hold) } end
if not fits(hold, left) or not fits(hold, free) then return { 'SHORT', shown(free), shown(left) } end

local payable = free
if left and (not payable or left < payable) then payable = left end
redis.call('HSET', client, 'active', digits(active + 1), 'held_micros', digits(reserved + hold))
redis.call('HINCRBY', brand, 'active', 1)
-- The last pair is the hold's day, or, without a hold, one of the others again.
local hold_field, hold_value = 'rev', '1'
if hold > 0 then
  hold_field, hold_value = 'hold:' .. ARGV[12], digits(hold)
  redis.call('HINCRBY', day, 'held_micros', hold_value)
end
redis.call('HSET', call, 'state', 'admitted', 'rev', '1', 'facts', ARGV[17], 'terms', ARGV[18], 'answer', ARGV[19],
  'attempt', ARGV[3], 'held', digits(hold), 'lease_no', '0', 'covered_s', digits(covered),
  'confirmed_s', '0', 'payable', shown(payable), 'touched_ms', digits(now), 'due_ms', digits(due),
  hold_field, hold_value)
redis.call('ZADD', KEYS[6], digits(now), call_id)
redis.call('ZADD', KEYS[7], digits(due), call_id)
redis.call('ZADD', KEYS[8], digits(now), call_id)
redis.call('SET', attempt, 'call:' .. call_id, 'PX', digits(attempt_ttl))
redis.call('XADD', KEYS[9], '*', 'event', ARGV[20])
local crossed = mark_crossed(day, KEYS[9], THRESHOLDS, short, {})
if hold > 0 or #crossed > 0 then redis.call('PEXPIRE', day, digits(day_ttl), 'NX') end
return { 'ADMITTED', shown(payable), unpack(crossed) }
