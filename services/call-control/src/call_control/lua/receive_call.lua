-- receive_call.lua: create a call from outside if brand, client and device have a line left. No money is asked.
--
-- KEYS  call          hash    {p<k>}:landline:call:<call_id>, must not exist
--       client        hash    active; device:<device id> = calls that this device has received now
--       brand         hash    active
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
--       device        text    id of the device that rings; '' = none does
--       device_max    int     0 = unlimited
--       attempt_ttl_ms int
--       due_ms        int
--       facts         text    CallFacts JSON
--       terms         text    Terms JSON
--       answer        text    opaque
--       event         text    sealed call.admitted.v1
-- RETURNS {status, ...}
--       ADMITTED {''}                          in the form of admit_call.lua
--       DUPLICATE {value of the attempt key}
--       MAX_CALLS_BRAND {limit, active} | MAX_CALLS_CLIENT {limit, active} | MAX_CALLS_DEVICE {limit, active}
-- Idempotent: a second run of the same attempt finds the attempt key and returns what it names.

-- include _arguments.lua

local call, client, brand, attempt = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, call_id, device = natural(ARGV[1], 'now_ms'), ARGV[2], ARGV[6]
local brand_max, client_max = natural(ARGV[4], 'brand_max'), natural(ARGV[5], 'client_max')
local device_max, attempt_ttl = natural(ARGV[7], 'device_max'), natural(ARGV[8], 'attempt_ttl_ms')
local due = natural(ARGV[9], 'due_ms')

local known = redis.call('GET', attempt)
if known then return { 'DUPLICATE', known } end
if redis.call('EXISTS', call) == 1 then return { 'DUPLICATE', 'call:' .. call_id } end

local busy = numbers(brand, 'active')
if brand_max > 0 and busy >= brand_max then return { 'MAX_CALLS_BRAND', digits(brand_max), digits(busy) } end
local active = numbers(client, 'active')
if client_max > 0 and active >= client_max then
  return { 'MAX_CALLS_CLIENT', digits(client_max), digits(active) }
end
local slot = 'device:' .. device
local ringing = device ~= '' and numbers(client, slot) or 0
if device ~= '' and device_max > 0 and ringing >= device_max then
  return { 'MAX_CALLS_DEVICE', digits(device_max), digits(ringing) }
end

redis.call('HINCRBY', client, 'active', 1)
redis.call('HINCRBY', brand, 'active', 1)
if device ~= '' then redis.call('HINCRBY', client, slot, 1) end
redis.call('HSET', call, 'state', 'admitted', 'rev', '1', 'facts', ARGV[10], 'terms', ARGV[11], 'answer', ARGV[12],
  'attempt', ARGV[3], 'held', '0', 'lease_no', '0', 'covered_s', '0', 'confirmed_s', '0', 'payable', '',
  'touched_ms', digits(now), 'due_ms', digits(due), 'received_by', device)
redis.call('ZADD', KEYS[5], digits(now), call_id)
redis.call('ZADD', KEYS[6], digits(due), call_id)
redis.call('ZADD', KEYS[7], digits(now), call_id)
redis.call('SET', attempt, 'call:' .. call_id, 'PX', digits(attempt_ttl))
redis.call('XADD', KEYS[8], '*', 'event', ARGV[13])
return { 'ADMITTED', '' }
