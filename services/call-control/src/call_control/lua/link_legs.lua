-- link_legs.lua: tell a call which calls share its SIP dialog, and what its edge was answered.
--
-- KEYS  call          hash    legs = ids of the calls that were admitted with it, in their order, by blanks
-- ARGV  legs          text    ids to add, by blanks
--       answer        text    opaque, '' = leave it as it is
-- RETURNS {status}
--       LINKED
--       UNKNOWN
-- Idempotent: an id that is there is not added again. `rev` stays: no money and no state depends on it.

local known = redis.call('HMGET', KEYS[1], 'state', 'legs')
if not known[1] then return { 'UNKNOWN' } end
local legs = known[2] or ''
for id in string.gmatch(ARGV[1], '%S+') do
  if not string.find(' ' .. legs .. ' ', ' ' .. id .. ' ', 1, true) then
    legs = legs == '' and id or legs .. ' ' .. id
  end
end
redis.call('HSET', KEYS[1], 'legs', legs)
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'answer', ARGV[2]) end
return { 'LINKED' }
