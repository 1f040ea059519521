-- A report acts on the call it has read: another revision means CONFLICT, and the caller reads again.
local function guard(call, rev)
  local found = redis.call('HMGET', call, 'state', 'rev')
  if not found[1] then return nil, { 'UNKNOWN' } end
  if tonumber(found[2]) ~= rev then return found[1], { 'CONFLICT', found[2], found[1] } end
  return found[1], nil
end
