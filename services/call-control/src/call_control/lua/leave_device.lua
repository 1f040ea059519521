-- leave_device.lua: a received call no longer rings at its device: it goes on somewhere else.
--
-- KEYS  call          hash
--       client        hash    device:<device id>
-- ARGV  state         text    only a call that is not yet answered leaves: admitted | ringing
-- RETURNS {status}
--       LEFT
--       ALREADY {state}       it has left, has no device, or is not in that state
--       UNKNOWN
-- Idempotent: the call forgets its device when it leaves it.

-- include _device.lua

local state = redis.call('HGET', KEYS[1], 'state')
if not state then return { 'UNKNOWN' } end
if state ~= ARGV[1] or not free_device(KEYS[1], KEYS[2]) then return { 'ALREADY', state } end
return { 'LEFT' }
