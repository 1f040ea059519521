-- extend_lease.lua: hold more of the money of an answered call, so that it may go on.
--
-- KEYS  call          hash
--       client        hash
--       day           hash    the local day of now, on which the lease counts
--       due           zset
--       calls         stream
-- ARGV  call_id       text
--       rev           int     as read
--       lease_no      int     as read
--       add_micros    int     difference of the two prices; a free lease advances too
--       covered_s     int     seconds paid from answered_ms on
--       due_ms        int
--       cut_at_ms     int     '' = goes on; else the second at which the call must be hung up
--       cut_cause     text
--       rule          none | prepaid | pseudoprepaid | postpaid
--       credit_micros int     '' = no limit
--       limit_micros  int     of the day, '' = no limit
--       day_short     0 | 1   shortened or refused because of the day: 100 % is reached
--       day           text    ISO date
--       day_ttl_ms    int
--       threshold...  event template, then percent, at_micros of each
-- RETURNS {status, ...}
--       EXTENDED {rev, crossed percents...}
--       SHORT {available or '', room or ''}      nothing done: ask again for less, or cut
--       ALREADY {state}                          not answered
--       CONFLICT {rev, state}                    another keeper was faster
--       UNKNOWN
-- Idempotent: guarded by revision and lease number, two keepers are harmless.

-- include _arguments.lua
-- include _money.lua
-- include _guard.lua

local call, client, day = KEYS[1], KEYS[2], KEYS[3]
local rev, lease_no = natural(ARGV[2], 'rev'), natural(ARGV[3], 'lease_no')
local more, covered = natural(ARGV[4], 'add_micros'), natural(ARGV[5], 'covered_s')
local due, cut_at = natural(ARGV[6], 'due_ms'), optional(ARGV[7], 'cut_at_ms')
local rule, credit, limit = ARGV[9], optional(ARGV[10], 'credit_micros'), optional(ARGV[11], 'limit_micros')
local day_ttl = natural(ARGV[14], 'day_ttl_ms')
local THRESHOLDS = 15
check_thresholds(THRESHOLDS)

local state, trouble = guard(call, rev)
if state and state ~= 'answered' then return { 'ALREADY', state } end
if trouble then return trouble end
local lease, held, paid = numbers(call, 'lease_no', 'held', 'covered_s')
if lease ~= lease_no or covered < paid then return { 'CONFLICT', digits(rev), state } end
local free, left = available(client, rule, credit), room(day, limit)
if more > 0 and not (fits(more, free) and fits(more, left)) then return { 'SHORT', shown(free), shown(left) } end

redis.call('HSET', call, 'rev', digits(rev + 1), 'lease_no', digits(lease_no + 1), 'held', digits(held + more),
  'covered_s', digits(covered), 'due_ms', digits(due), 'cut_at_ms', shown(cut_at), 'cut_cause', ARGV[8])
add(call, 'hold:' .. ARGV[13], more)
add(client, 'held_micros', more)
add(day, 'held_micros', more)
add(day, 'begun_micros', more)
redis.call('ZADD', KEYS[4], 'XX', digits(due), ARGV[1])
local crossed = mark_crossed(day, KEYS[5], THRESHOLDS, ARGV[12] == '1', {})
if more > 0 or #crossed > 0 then redis.call('PEXPIRE', day, digits(day_ttl), 'NX') end
return { 'EXTENDED', digits(rev + 1), unpack(crossed) }
