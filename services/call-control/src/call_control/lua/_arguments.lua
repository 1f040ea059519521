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
