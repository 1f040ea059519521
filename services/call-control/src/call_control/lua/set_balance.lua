-- set_balance.lua: take a client's balance from a snapshot of billing, forward only unless told otherwise.
--
-- Where Redis knows no balance (a new client, or a lost disk) the snapshot also brings back the spend of the
-- last days, and marks what is posted: the end of such a call, told again, must not be charged again.
--
-- KEYS  client        hash
--       unposted      hash
--       key...        hash of each local day, oldest first; then string, the settled mark of each posted id
-- ARGV  sequence      int
--       balance_micros int
--       mark_ttl_ms   int
--       backwards     int     1: the ledger was restored from a backup, what it says counts
--       days          int     how many of the next rows are days
--       row...        spend_micros, ttl_ms of each day; then the ids that the ledger has posted by then
-- RETURNS {status, ...}
--       APPLIED {number of unposted charges dropped}
--       STALE {applied_seq}
-- Idempotent: only a higher sequence, or the first, acts; backwards, the same again changes nothing.

-- include _arguments.lua

local sequence, balance = natural(ARGV[1], 'sequence'), whole(ARGV[2], 'balance_micros')
local ttl, backwards = natural(ARGV[3], 'mark_ttl_ms'), natural(ARGV[4], 'backwards') == 1
local days = natural(ARGV[5], 'days')
local DAYS, FIRST_DAY = 6, 3
local POSTED, FIRST_MARK = DAYS + 2 * days, FIRST_DAY + days
if #ARGV - POSTED ~= #KEYS - FIRST_MARK then error('BAD_ARGUMENT posted') end
for i = 0, 2 * days - 1 do natural(ARGV[DAYS + i], 'day') end

local known = redis.call('HGET', KEYS[1], 'applied_seq')
if known and tonumber(known) >= sequence and not backwards then return { 'STALE', known } end
local dropped, released = 0, 0
for i = 0, #ARGV - POSTED do
  local id = ARGV[POSTED + i]
  local waiting = redis.call('HGET', KEYS[2], id)
  if waiting then
    redis.call('HDEL', KEYS[2], id)
    add(KEYS[1], 'unposted_micros', -tonumber(waiting))
    dropped, released = dropped + 1, released + tonumber(waiting)
  elseif not known then
    redis.call('SET', KEYS[FIRST_MARK + i], '1', 'PX', digits(ttl))
  end
end
for i = 0, known and -1 or days - 1 do
  local spend, key = tonumber(ARGV[DAYS + 2 * i]), KEYS[FIRST_DAY + i]
  -- Charges that still waited were counted when their calls ended, that is on the newest day.
  if i == days - 1 then spend = math.max(0, spend - released) end
  add(key, 'spend_micros', spend)
  redis.call('PEXPIRE', key, ARGV[DAYS + 2 * i + 1], 'NX')
end
redis.call('HSET', KEYS[1], 'settled_micros', digits(balance), 'applied_seq', digits(sequence))
return { 'APPLIED', digits(dropped) }
