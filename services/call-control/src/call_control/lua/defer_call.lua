-- defer_call.lua: nothing to do for this call now; the keeper looks again at due_ms.
--
-- KEYS  call          hash
--       due           zset
-- ARGV  call_id       text
--       rev           int     as read
--       due_ms        int
-- RETURNS {status, ...}
--       DEFERRED
--       CONFLICT {rev, state}    someone acted meanwhile and set the moment itself
--       UNKNOWN                  gone: its entry in due is removed
-- Idempotent: sets a value; guarded by revision so that it never postpones what another has just set.

-- include _arguments.lua
-- include _guard.lua

local rev, due = natural(ARGV[2], 'rev'), natural(ARGV[3], 'due_ms')
local state, trouble = guard(KEYS[1], rev)
if not state or state == 'ended' then redis.call('ZREM', KEYS[2], ARGV[1]) end
if trouble then return trouble end
redis.call('HSET', KEYS[1], 'due_ms', digits(due))
redis.call('ZADD', KEYS[2], 'XX', digits(due), ARGV[1])
return { 'DEFERRED' }
