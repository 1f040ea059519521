-- admit_call.lua: create the call if every limit still has room, or refuse and count nothing.
--
-- KEYS  call          hash    {p<k>}:landline:call:<call_id>, must not exist
--       client        hash    active, held_micros, settled_micros, unposted_micros, hour, hour_micros;
--                             "recent": rows of 13 digits of ms and the device's 12, last minute, oldest first
--       brand         hash    active
--       day           hash    of the client's local day: spend_micros, held_micros, begun_micros, crossed:<pct>
--       attempt       string  "call:<call_id>" or "deny:<denial JSON>"
--       live          zset    call_id -> admitted_ms
--       due           zset    call_id -> when the keeper must look
--       edge          zset    call_id -> last touch
--       calls         stream
-- ARGV  figures       MessagePack array of whole numbers:
--       | now_ms, brand_max, client_max (0 = unlimited), hold_micros (price of the first lease),
--       | floor_micros (the least hold worth taking; below hold_micros: SHORT tells what there is),
--       | covered_s (what the hold pays), due_ms, day_ttl_ms (set once), attempt_ttl_ms,
--       | device_rate and client_rate (their calls in any minute, 0 = unlimited),
--       | credit_micros (of a postpaid client), limit_micros (of the day), hour_micros (spend of the hour):
--       | each of these three false = no limit
--       call_id       text
--       attempt_id    text
--       rule          none | prepaid | pseudoprepaid | postpaid
--       day_short     0 | 1   the hold was shortened because of the day
--       day           text    ISO date
--       facts         text    CallFacts JSON
--       terms         text    Terms JSON
--       answer        text    opaque
--       event         text    sealed call.admitted.v1
--       device        text    12 characters
--       threshold...  event template, then percent, at_micros of each
-- RETURNS {status, ...}
--       ADMITTED {payable_micros incl. this hold or '', crossed percents...}
--       DUPLICATE {value of the attempt key}
--       TOO_FAST {device | client, limit, count, ms until the next}
--       HOUR_LIMIT {limit, spend, held}
--       MAX_CALLS_BRAND {limit, active} | MAX_CALLS_CLIENT {limit, active}
--       DAILY_LIMIT {limit, spend, held, room, crossed percents...}   marks 100 % (domain 6), counts nothing
--       NO_CREDIT {available, hold}
--       SHORT {available or '', room or ''}                           nothing done: ask again for less
-- Idempotent: a second run of the same attempt finds the attempt key and returns what it names.

-- include _arguments.lua
-- include _money.lua

local call, client, brand, day, attempt = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now, brand_max, client_max, hold, floor, covered, due, day_ttl, attempt_ttl, device_rate, client_rate, credit,
  limit, hour_limit = figures(ARGV[1], 11, 3)
local call_id, rule, short, device = ARGV[2], ARGV[4], ARGV[5] == '1', ARGV[11]
local THRESHOLDS = 12
if #device ~= 12 then error('BAD_ARGUMENT device') end
check_thresholds(THRESHOLDS)

local known = redis.call('GET', attempt)
if known then return { 'DUPLICATE', known } end
if redis.call('EXISTS', call) == 1 then return { 'DUPLICATE', 'call:' .. call_id } end

local found = redis.call('HMGET', client, 'active', 'settled_micros', 'unposted_micros', 'held_micros', 'recent', 'hour',
  'hour_micros')
local active, settled = tonumber(found[1] or '0'), tonumber(found[2] or '0')
local unposted, reserved = tonumber(found[3] or '0'), tonumber(found[4] or '0')
local recent
if client_rate > 0 or device_rate > 0 then
  local ROW, MINUTE = 25, 60000
  recent = found[5] or ''
  local first = 1
  while first < #recent and tonumber(string.sub(recent, first, first + 12)) <= now - MINUTE do first = first + ROW end
  recent = string.sub(recent, first)
  local function fast(whose, limit, times)
    local free_at = times(limit) + MINUTE
    return { 'TOO_FAST', whose, digits(limit), digits(times(0)), digits(math.max(1, free_at - now)) }
  end
  local count = #recent / ROW
  if client_rate > 0 and count >= client_rate then
    return fast('client', client_rate, function(n)
      return n == 0 and count or tonumber(string.sub(recent, -n * ROW, -n * ROW + 12))
    end)
  end
  if device_rate > 0 and count >= device_rate then
    local mine = {}
    for at = 1, #recent, ROW do
      if string.sub(recent, at + 13, at + 24) == device then mine[#mine + 1] = tonumber(string.sub(recent, at, at + 12)) end
    end
    if #mine >= device_rate then
      return fast('device', device_rate, function(n) return n == 0 and #mine or mine[#mine - n + 1] end)
    end
  end
  recent = recent .. string.format('%013d', now) .. device
end

if hour_limit then
  local spent = found[6] == digits(math.floor(now / 3600000)) and tonumber(found[7]) or 0
  if spent + reserved + floor > hour_limit then
    return { 'HOUR_LIMIT', digits(hour_limit), digits(spent), digits(reserved) }
  end
end
local busy = numbers(brand, 'active')
if brand_max > 0 and busy >= brand_max then return { 'MAX_CALLS_BRAND', digits(brand_max), digits(busy) } end
if client_max > 0 and active >= client_max then
  return { 'MAX_CALLS_CLIENT', digits(client_max), digits(active) }
end
local free = free_of(rule, credit, settled, unposted, reserved)
local left, spend, held, begun
if limit then
  spend, held, begun = numbers(day, 'spend_micros', 'held_micros', 'begun_micros')
  left = limit - spend - held
end
if not fits(floor, left) then
  local crossed = mark_crossed_at(spend, held, begun, day, KEYS[9], THRESHOLDS, true, {})
  if #crossed > 0 then redis.call('PEXPIRE', day, digits(day_ttl), 'NX') end
  return { 'DAILY_LIMIT', digits(limit), digits(spend), digits(held), digits(left), unpack(crossed) }
end
if not fits(floor, free) then return { 'NO_CREDIT', digits(free), digits(hold) } end
if not fits(hold, left) or not fits(hold, free) then return { 'SHORT', shown(free), shown(left) } end

local payable = free
if left and (not payable or left < payable) then payable = left end
if recent then
  redis.call('HSET', client, 'active', digits(active + 1), 'held_micros', digits(reserved + hold), 'recent', recent)
else
  redis.call('HSET', client, 'active', digits(active + 1), 'held_micros', digits(reserved + hold))
end
redis.call('HINCRBY', brand, 'active', 1)
-- The last pair is the hold's day, or, without a hold, one of the others again.
local hold_field, hold_value, first_of_day = 'rev', '1', false
if hold > 0 then
  hold_field, hold_value = 'hold:' .. ARGV[6], digits(hold)
  first_of_day = redis.call('HINCRBY', day, 'held_micros', hold_value) == hold
end
redis.call('HSET', call, 'state', 'admitted', 'rev', '1', 'facts', ARGV[7], 'terms', ARGV[8], 'answer', ARGV[9],
  'attempt', ARGV[3], 'held', digits(hold), 'covered_s', digits(covered), 'payable', shown(payable),
  'touched_ms', digits(now), 'due_ms', digits(due), hold_field, hold_value)
redis.call('ZADD', KEYS[6], digits(now), call_id)
redis.call('ZADD', KEYS[7], digits(due), call_id)
redis.call('ZADD', KEYS[8], digits(now), call_id)
redis.call('SET', attempt, 'call:' .. call_id, 'PX', digits(attempt_ttl))
redis.call('XADD', KEYS[9], '*', 'event', ARGV[10])
local crossed = limit and mark_crossed_at(spend, held + hold, begun, day, KEYS[9], THRESHOLDS, short, {})
  or mark_crossed(day, KEYS[9], THRESHOLDS, short, {})
if first_of_day or #crossed > 0 then redis.call('PEXPIRE', day, digits(day_ttl), 'NX') end
return { 'ADMITTED', shown(payable), unpack(crossed) }
