-- The line that a received call takes of its device (receive_call.lua): given back once, whoever does it.
local function free_device(call, client)
  local device = redis.call('HGET', call, 'received_by')
  if not device or device == '' then return false end
  redis.call('HDEL', call, 'received_by')
  if redis.call('HINCRBY', client, 'device:' .. device, -1) <= 0 then
    redis.call('HDEL', client, 'device:' .. device)
  end
  return true
end
