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
--       device        text    12 characters
--       device_rate   int     calls of the device in any minute, 0 = unlimited
--       client_rate   int     calls of the client in any minute, 0 = unlimited
--       hour_micros   int     spend of the hour, '' = no limit
--       threshold...  percent, at_micros, event template
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
local now, call_id = natural(ARGV[1], 'now_ms'), ARGV[2]
local brand_max, client_max = natural(ARGV[4], 'brand_max'), natural(ARGV[5], 'client_max')
local hold, floor = natural(ARGV[6], 'hold_micros'), natural(ARGV[7], 'floor_micros')
local rule, credit, limit = ARGV[8], optional(ARGV[9], 'credit_micros'), optional(ARGV[10], 'limit_micros')
local short, day_ttl = ARGV[11] == '1', natural(ARGV[13], 'day_ttl_ms')
local attempt_ttl, due = natural(ARGV[14], 'attempt_ttl_ms'), natural(ARGV[15], 'due_ms')
local covered = natural(ARGV[16], 'covered_s')
local device, device_rate = ARGV[21], natural(ARGV[22], 'device_rate')
local client_rate, hour_limit = natural(ARGV[23], 'client_rate'), optional(ARGV[24], 'hour_micros')
local THRESHOLDS = 25
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

local busy = numbers(brand, 'active')
if brand_max > 0 and busy >= brand_max then return { 'MAX_CALLS_BRAND', digits(brand_max), digits(busy) } end
if client_max > 0 and active >= client_max then
  return { 'MAX_CALLS_CLIENT', digits(client_max), digits(active) }
end

if hour_limit then
  local spent = found[6] == digits(math.floor(now / 3600000)) and tonumber(found[7]) or 0
  if spent + reserved + floor > hour_limit then
    return { 'HOUR_LIMIT', digits(hour_limit), digits(spent), digits(reserved) }
  end
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
if recent then
  redis.call('HSET', client, 'active', digits(active + 1), 'held_micros', digits(reserved + hold), 'recent', recent)
else
  redis.call('HSET', client, 'active', digits(active + 1), 'held_micros', digits(reserved + hold))
end
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
