-- ring_call.lua: the called side rings.
--
-- KEYS  call          hash
--       due           zset
--       edge          zset
--       calls         stream
-- ARGV  now_ms        int
--       call_id       text
--       rev           int     as read
--       ringing_ms    int
--       due_ms        int     when the keeper must look
--       event         text    sealed call.ringing.v1, '' = nobody is told
-- RETURNS {status, ...}
--       RINGING {rev}
--       ALREADY {state}       it rings, talks or is over
--       CONFLICT {rev, state}
--       UNKNOWN
-- Idempotent: only an admitted call of that revision begins to ring.

-- include _arguments.lua
-- include _guard.lua

local now, rev = natural(ARGV[1], 'now_ms'), natural(ARGV[3], 'rev')
local ringing, due = natural(ARGV[4], 'ringing_ms'), natural(ARGV[5], 'due_ms')
local state, trouble = guard(KEYS[1], rev)
if state and state ~= 'admitted' then return { 'ALREADY', state } end
if trouble then return trouble end
redis.call('HSET', KEYS[1], 'state', 'ringing', 'rev', digits(rev + 1), 'ringing_ms', digits(ringing),
  'touched_ms', digits(now), 'due_ms', digits(due))
redis.call('ZADD', KEYS[2], 'XX', digits(due), ARGV[2])
redis.call('ZADD', KEYS[3], 'XX', 'GT', digits(now), ARGV[2])
if ARGV[6] ~= '' then redis.call('XADD', KEYS[4], '*', 'event', ARGV[6]) end
return { 'RINGING', digits(rev + 1) }
