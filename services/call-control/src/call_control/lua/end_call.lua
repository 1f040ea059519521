-- end_call.lua: settle a call: slots and hold are given back, the charge waits to be posted, the event leaves.
--
-- KEYS  call          hash
--       client        hash    and device:<device id>, where the call was received by one
--       brand         hash
--       unposted      hash    call_id -> micros
--       settled       string  exists: the ledger has this call's charge already
--       attempt       string
--       live          zset
--       due           zset
--       edge          zset
--       calls         stream
--       today         hash    the local day of now: what the hold does not cover is reserved here
--       day...        hash    today, and every day that carries a hold or a part of the charge, as in ARGV
-- ARGV  now_ms        int
--       call_id       text
--       rev           int     as read; ignored for a forgotten call
--       charge_micros int
--       lost          0 | 1   nobody reported it: one correction stays possible
--       keep_ms       int     life of call and attempt from here on
--       outcome       text    CallEnded JSON
--       event         text    sealed call.ended.v1
--       forgotten     text    CallFacts JSON of a call known from its ticket only, else ''
--       rule          none | prepaid | pseudoprepaid | postpaid    for the part above the hold
--       credit_micros int     '' = no limit
--       limit_micros  int     of the day, '' = no limit
--       day_short     0 | 1   not all was charged because of the day
--       hour          text    hour whose spend the charge adds to, '' = no hourly limit
--       days          int     how many of the next
--       share...      ISO date, spend_micros, ttl_ms for each day of KEYS; then thresholds of today:
--                     event template, then percent, at_micros of each
-- RETURNS {status, ...}
--       ENDED {rev, crossed percents...}
--       SHORT {available or '', room or ''}      the part above the hold can't be paid: charge less
--       ALREADY_ENDED {outcome, lost, rev}
--       CONFLICT {rev, state}
--       UNKNOWN
-- Idempotent: an ended call answers with its stored outcome and changes nothing.

-- include _arguments.lua
-- include _money.lua
-- include _guard.lua
-- include _device.lua

local call, client, brand, today = KEYS[1], KEYS[2], KEYS[3], KEYS[11]
local now, call_id, rev = natural(ARGV[1], 'now_ms'), ARGV[2], natural(ARGV[3], 'rev')
local charge, keep = natural(ARGV[4], 'charge_micros'), natural(ARGV[6], 'keep_ms')
local forgotten = ARGV[9] ~= ''
local rule, credit, limit = ARGV[10], optional(ARGV[11], 'credit_micros'), optional(ARGV[12], 'limit_micros')
local hour, days = ARGV[14], natural(ARGV[15], 'days')
local DAYS, FIRST_DAY = 16, 12
local THRESHOLDS = DAYS + 3 * days
if #KEYS ~= FIRST_DAY - 1 + days then error('BAD_ARGUMENT days') end
check_thresholds(THRESHOLDS)

local state, trouble = guard(call, rev)
if state == 'ended' then
  local kept = redis.call('HMGET', call, 'outcome', 'lost', 'rev')
  return { 'ALREADY_ENDED', kept[1], kept[2], kept[3] }
end
if forgotten and state then return { 'CONFLICT', redis.call('HGET', call, 'rev'), state } end
if not forgotten and trouble then return trouble end

local held = numbers(call, 'held')
local shares, spent, released = {}, 0, 0
for i = 0, days - 1 do
  local name = ARGV[DAYS + 3 * i]
  local share = {
    key = KEYS[FIRST_DAY + i],
    name = name,
    spend = natural(ARGV[DAYS + 3 * i + 1], 'spend_micros'),
    ttl = natural(ARGV[DAYS + 3 * i + 2], 'ttl_ms'),
    held = numbers(call, 'hold:' .. name),
  }
  spent, released = spent + share.spend, released + share.held
  shares[#shares + 1] = share
end
if spent ~= charge or released ~= held then error('BAD_ARGUMENT shares') end
-- Forgotten and posted: its spend came back with the days of the ledger (set_balance.lua).
local counted = forgotten and redis.call('EXISTS', KEYS[5]) == 1
local beyond = charge - held
if beyond > 0 and not counted then
  local free, left = available(client, rule, credit), room(today, limit)
  if not (fits(beyond, free) and fits(beyond, left)) then return { 'SHORT', shown(free), shown(left) } end
end

if forgotten then
  redis.call('HSET', call, 'facts', ARGV[9], 'held', '0', 'lease_no', '0', 'covered_s', '0', 'confirmed_s', '0',
    'touched_ms', digits(now), 'due_ms', digits(now))
  rev = 0
else
  redis.call('HINCRBY', client, 'active', -1)
  redis.call('HINCRBY', brand, 'active', -1)
  free_device(call, client)
  add(client, 'held_micros', -held)
end
redis.call('HSET', call, 'state', 'ended', 'rev', digits(rev + 1), 'held', '0', 'ended_ms', digits(now),
  'charge', digits(charge), 'lost', ARGV[5], 'outcome', ARGV[7])
for _, share in ipairs(shares) do
  add(share.key, 'held_micros', -share.held)
  if state == 'answered' then add(share.key, 'begun_micros', -share.held) end
  if share.held > 0 then redis.call('HDEL', call, 'hold:' .. share.name) end
  if not counted then add(share.key, 'spend_micros', share.spend) end
end
if hour ~= '' and charge > 0 and not counted then
  if redis.call('HGET', client, 'hour') == hour then
    add(client, 'hour_micros', charge)
  else
    redis.call('HSET', client, 'hour', hour, 'hour_micros', digits(charge))
  end
end
if charge > 0 and redis.call('EXISTS', KEYS[5]) == 0 and redis.call('HSETNX', KEYS[4], call_id, digits(charge)) == 1 then
  add(client, 'unposted_micros', charge)
end
redis.call('ZREM', KEYS[7], call_id)
redis.call('ZREM', KEYS[8], call_id)
redis.call('ZREM', KEYS[9], call_id)
redis.call('PEXPIRE', call, digits(keep))
redis.call('PEXPIRE', KEYS[6], digits(keep))
redis.call('XADD', KEYS[10], '*', 'event', ARGV[8])
local crossed = mark_crossed(today, KEYS[10], THRESHOLDS, ARGV[13] == '1', {})
for _, share in ipairs(shares) do redis.call('PEXPIRE', share.key, digits(share.ttl), 'NX') end
return { 'ENDED', digits(rev + 1), unpack(crossed) }
