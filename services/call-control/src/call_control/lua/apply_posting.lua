-- apply_posting.lua: follow one line of the ledger (architecture section 3).
--
-- KEYS  client        hash    settled_micros, applied_seq, unposted_micros
--       unposted      hash    call_id or correction_id -> micros
--       settled       string  mark of that id
-- ARGV  sequence      int
--       balance_micros int    after the posting, may be negative
--       charged       text    the id whose unposted charge this posting is; '' = none
--       mark_ttl_ms   int
-- RETURNS {status, ...}
--       APPLIED {1 if the charge was waiting, else 0}
--       STALE {applied_seq}       known already
--       GAP {applied_seq}         postings between are missing: fetch them first
-- Idempotent: a sequence is applied once.

-- include _arguments.lua

local sequence, balance = natural(ARGV[1], 'sequence'), whole(ARGV[2], 'balance_micros')
local ttl = natural(ARGV[4], 'mark_ttl_ms')
local applied = numbers(KEYS[1], 'applied_seq')
if sequence <= applied then return { 'STALE', digits(applied) } end
if sequence > applied + 1 then return { 'GAP', digits(applied) } end
redis.call('HSET', KEYS[1], 'settled_micros', digits(balance), 'applied_seq', digits(sequence))
if ARGV[3] == '' then return { 'APPLIED', '0' } end
local waiting = redis.call('HGET', KEYS[2], ARGV[3])
if waiting then
  redis.call('HDEL', KEYS[2], ARGV[3])
  add(KEYS[1], 'unposted_micros', -tonumber(waiting))
  return { 'APPLIED', '1' }
end
-- Posted before we settled it (we lost it, or it is still live): its end must not count it again.
redis.call('SET', KEYS[3], '1', 'PX', digits(ttl))
return { 'APPLIED', '0' }
