-- Arguments are read and checked here, all of them before the first write: a script that fails halfway
-- keeps its writes. Numbers are doubles: whole, within 2^53, and printed with %d (never -0 or 1e+15).
local MOST = 9007199254740991
local function whole(text, name)
  local n = tonumber(text)
  if not n or n ~= math.floor(n) or n > MOST or n < -MOST then error('BAD_ARGUMENT ' .. name) end
  return n
end
local function natural(text, name)
  local n = whole(text, name)
  if n < 0 then error('BAD_ARGUMENT ' .. name) end
  return n
end
local function optional(text, name)
  if text == '' then return nil end
  return natural(text, name)
end
-- Figures come as one MessagePack array: reading a dozen arguments one by one takes as long as three commands.
-- The first `naturals` of them must be there, the `optionals` after them may be false: "none", given back as nil.
local function figures(packed, naturals, optionals)
  local found = cmsgpack.unpack(packed)
  if type(found) ~= 'table' then error('BAD_ARGUMENT figures') end
  for i = 1, naturals + optionals do
    local n = found[i]
    if i > naturals and n == false then
      found[i] = nil
    elseif type(n) ~= 'number' or n < 0 or n > MOST or n % 1 ~= 0 then
      error('BAD_ARGUMENT figure ' .. i)
    end
  end
  return unpack(found, 1, naturals + optionals)
end
local function digits(n) return string.format('%d', n) end
local function shown(n) return n and digits(n) or '' end
local function numbers(key, ...)
  local found = redis.call('HMGET', key, ...)
  for i = 1, #found do found[i] = tonumber(found[i] or '0') end
  return unpack(found)
end
local function add(key, field, n)
  if n ~= 0 then redis.call('HINCRBY', key, field, digits(n)) end
end
