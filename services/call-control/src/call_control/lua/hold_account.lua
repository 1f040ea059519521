-- hold_account.lua: an edge wants to register an account at a DDI provider, or still does and says how it went.
--
-- KEYS  account       hash    holder, and what it told last
-- ARGV  holder        text    edge id and instance
--       told          text    JSON, kept as it is; empty: it did not have the account yet
--       life_ms       int     after such a silence somebody else may have it
-- RETURNS {status}
--       HELD
--       TAKEN         by another one, which is still heard of
-- Idempotent: who holds it holds it for longer.

-- include _arguments.lua

local life = natural(ARGV[3], 'life_ms')
local holder = redis.call('HGET', KEYS[1], 'holder')
if holder and holder ~= ARGV[1] then return { 'TAKEN' } end
redis.call('HSET', KEYS[1], 'holder', ARGV[1])
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'told', ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], digits(life))
return { 'HELD' }
