-- answer_call.lua: conversation begins, and with it the first lease.
--
-- KEYS  call          hash
--       client        hash
--       first_day     hash    the day that carries the hold of the admission
--       day           hash    the day on which delta_micros counts
--       due           zset
--       edge          zset
--       calls         stream
-- ARGV  now_ms        int
--       call_id       text
--       rev           int     as read
--       answered_ms   int
--       delta_micros  int     what the hold must change by: the price at the answer may not be that at admission
--       covered_s     int     seconds paid from answered_ms on
--       due_ms        int
--       cut_at_ms     int     '' = not known to end
--       cut_cause     text
--       server_id     text
--       rule          none | prepaid | pseudoprepaid | postpaid
--       credit_micros int     '' = no limit
--       limit_micros  int     of the day, '' = no limit
--       day_short     0 | 1   the lease was shortened because of the day
--       first_day     text    ISO date
--       day           text    ISO date
--       day_ttl_ms    int
--       event         text    sealed call.answered.v1
--       threshold...  event template, then percent, at_micros of each
-- RETURNS {status, ...}
--       ANSWERED {rev, crossed percents...}
--       SHORT {available or '', room or ''}      nothing done: ask again with a smaller delta
--       ALREADY {state}                          answered or over
--       CONFLICT {rev, state}
--       UNKNOWN
-- Idempotent: only an admitted or ringing call of that revision is answered.

-- include _arguments.lua
-- include _money.lua
-- include _guard.lua

local call, client, first_day, day = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, rev, answered = natural(ARGV[1], 'now_ms'), natural(ARGV[3], 'rev'), natural(ARGV[4], 'answered_ms')
local delta, covered = whole(ARGV[5], 'delta_micros'), natural(ARGV[6], 'covered_s')
local due, cut_at = natural(ARGV[7], 'due_ms'), optional(ARGV[8], 'cut_at_ms')
local rule, credit, limit = ARGV[11], optional(ARGV[12], 'credit_micros'), optional(ARGV[13], 'limit_micros')
local day_ttl = natural(ARGV[17], 'day_ttl_ms')
local THRESHOLDS = 19
check_thresholds(THRESHOLDS)

local state, trouble = guard(call, rev)
if state == 'answered' or state == 'ended' then return { 'ALREADY', state } end
if trouble then return trouble end
local held, on_day = numbers(call, 'held', 'hold:' .. ARGV[16])
if delta < -on_day then error('BAD_ARGUMENT delta_micros') end
local free, left = available(client, rule, credit), room(day, limit)
if delta > 0 and not (fits(delta, free) and fits(delta, left)) then return { 'SHORT', shown(free), shown(left) } end

redis.call('HSET', call, 'state', 'answered', 'rev', digits(rev + 1), 'answered_ms', digits(answered),
  'held', digits(held + delta), 'lease_no', '1', 'covered_s', digits(covered), 'confirmed_s', digits(covered),
  'due_ms', digits(due), 'touched_ms', digits(now), 'cut_at_ms', shown(cut_at), 'cut_cause', ARGV[9],
  'server_id', ARGV[10])
add(first_day, 'begun_micros', held)
add(call, 'hold:' .. ARGV[16], delta)
add(client, 'held_micros', delta)
add(day, 'held_micros', delta)
add(day, 'begun_micros', delta)
redis.call('ZADD', KEYS[5], 'XX', digits(due), ARGV[2])
redis.call('ZADD', KEYS[6], 'XX', 'GT', digits(now), ARGV[2])
redis.call('XADD', KEYS[7], '*', 'event', ARGV[18])
local crossed = mark_crossed(day, KEYS[7], THRESHOLDS, ARGV[14] == '1', {})
if delta ~= 0 or #crossed > 0 then redis.call('PEXPIRE', day, digits(day_ttl), 'NX') end
return { 'ANSWERED', digits(rev + 1), unpack(crossed) }
