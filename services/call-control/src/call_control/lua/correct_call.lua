-- correct_call.lua: a call closed as lost was reported after all: charge what it really was, once.
--
-- KEYS  call          hash
--       client        hash
--       unposted      hash    correction_id -> micros (may be negative)
--       settled       string  exists: the ledger has this correction already
--       calls         stream
--       today         hash    the local day of now: a higher charge is reserved here
--       day...        hash    today, and every day whose spend changes, in the order of ARGV
-- ARGV  rev           int     as read
--       correction_id text
--       diff_micros   int     new charge minus old, may be negative
--       keep_ms       int
--       outcome       text    CallEnded JSON, new totals
--       event         text    sealed call.corrected.v1
--       rule          none | prepaid | pseudoprepaid | postpaid    for a higher charge
--       credit_micros int     '' = no limit
--       limit_micros  int     of the day, '' = no limit
--       day_short     0 | 1
--       days          int
--       share...      diff_micros, ttl_ms for each day of KEYS; then thresholds of today
-- RETURNS {status, ...}
--       CORRECTED {rev, crossed percents...}
--       SHORT {available or '', room or ''}
--       NOT_LOST {outcome}     ended by a report, or corrected already
--       CONFLICT {rev, state}
--       UNKNOWN
-- Idempotent: the first correction clears the lost mark.

-- include _arguments.lua
-- include _money.lua
-- include _guard.lua

local call, client, today = KEYS[1], KEYS[2], KEYS[6]
local rev, diff = natural(ARGV[1], 'rev'), whole(ARGV[3], 'diff_micros')
local keep = natural(ARGV[4], 'keep_ms')
local rule, credit, limit = ARGV[7], optional(ARGV[8], 'credit_micros'), optional(ARGV[9], 'limit_micros')
local days = natural(ARGV[11], 'days')
local DAYS, FIRST_DAY = 12, 7
local THRESHOLDS = DAYS + 2 * days
if #KEYS ~= FIRST_DAY - 1 + days then error('BAD_ARGUMENT days') end
check_thresholds(THRESHOLDS)
local sum = 0
for i = 0, days - 1 do
  sum = sum + whole(ARGV[DAYS + 2 * i], 'diff_micros')
  natural(ARGV[DAYS + 2 * i + 1], 'ttl_ms')
end
if sum ~= diff then error('BAD_ARGUMENT shares') end

local state, trouble = guard(call, rev)
if state == 'ended' then
  local kept = redis.call('HMGET', call, 'lost', 'outcome')
  if kept[1] ~= '1' then return { 'NOT_LOST', kept[2] } end
elseif state and not trouble then
  trouble = { 'CONFLICT', digits(rev), state }
end
if trouble then return trouble end
if diff > 0 then
  local free, left = available(client, rule, credit), room(today, limit)
  if not (fits(diff, free) and fits(diff, left)) then return { 'SHORT', shown(free), shown(left) } end
end

local charge = numbers(call, 'charge')
redis.call('HSET', call, 'rev', digits(rev + 1), 'lost', '0', 'charge', digits(charge + diff), 'outcome', ARGV[5])
redis.call('PEXPIRE', call, digits(keep))
for i = 0, days - 1 do
  local key = KEYS[FIRST_DAY + i]
  add(key, 'spend_micros', tonumber(ARGV[DAYS + 2 * i]))
end
if diff ~= 0 and redis.call('EXISTS', KEYS[4]) == 0
    and redis.call('HSETNX', KEYS[3], ARGV[2], digits(diff)) == 1 then
  add(client, 'unposted_micros', diff)
end
redis.call('XADD', KEYS[5], '*', 'event', ARGV[6])
local crossed = mark_crossed(today, KEYS[5], THRESHOLDS, ARGV[10] == '1', {})
for i = 0, days - 1 do redis.call('PEXPIRE', KEYS[FIRST_DAY + i], ARGV[DAYS + 2 * i + 1], 'NX') end
return { 'CORRECTED', digits(rev + 1), unpack(crossed) }
