-- keep_contact.lua: a device registers a contact; all places are counted here, so that REGISTERs in parallel
-- can't take more of them than there are.
--
-- KEYS  contacts      hash    uri -> KeptContact as JSON
-- ARGV  uri           text
--       contact       text    KeptContact as JSON
--       expires_ms    int     when it expires
--       now_ms        int
--       most          int     how many places there are; 0: one, and it replaces whatever was there
-- RETURNS {status}
--       KEPT
--       FULL          all places are taken by other contacts; nothing was written
-- Idempotent: the same contact again has its place already.

-- include _arguments.lua

local expires, now, most = natural(ARGV[3], 'expires_ms'), natural(ARGV[4], 'now_ms'), natural(ARGV[5], 'most')
local gone, others, renews, longest = {}, 0, false, expires
local found = redis.call('HGETALL', KEYS[1])
for i = 1, #found, 2 do
  local until_ms = tonumber(cjson.decode(found[i + 1]).expires_at_ms)
  if found[i] == ARGV[1] then
    renews = until_ms > now
  elseif most == 0 or until_ms <= now then
    gone[#gone + 1] = found[i]
  else
    others, longest = others + 1, math.max(longest, until_ms)
  end
end
if most > 0 and others >= most and not renews then return { 'FULL' } end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIREAT', KEYS[1], digits(longest))
return { 'KEPT' }
