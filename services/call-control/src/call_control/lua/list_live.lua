-- list_live.lua: a page of a partition's live calls, newest first, after a place in the list.
--
-- KEYS  live          zset    call_id -> admitted_ms; calls of one millisecond are in the order of their ids
-- ARGV  after_ms      int     '' = from the newest on
--       after_id      text    the page begins behind this call, which may have ended meanwhile
--       count         int     how many at most
-- RETURNS {status, ...}
--       LISTED {call_id, admitted_ms, ...}
-- Idempotent: it only reads.

-- include _arguments.lua

-- By bytes, as the list is ordered: Lua's own order is that of the server's locale.
local function before(one, other)
  for at = 1, math.min(#one, #other) do
    local a, b = string.byte(one, at), string.byte(other, at)
    if a ~= b then return a < b end
  end
  return #one < #other
end

local live, id = KEYS[1], ARGV[2]
local after, count = optional(ARGV[1], 'after_ms'), natural(ARGV[3], 'count')
local from = 0
if after then
  local listed = redis.call('ZSCORE', live, id)
  if listed and tonumber(listed) == after then
    from = redis.call('ZREVRANK', live, id) + 1
  else
    -- Where it was: bisection among the calls of its millisecond, of which there may be 100,000.
    from = redis.call('ZCOUNT', live, '(' .. digits(after), '+inf')
    local to = from + redis.call('ZCOUNT', live, digits(after), digits(after))
    while from < to do
      local middle = math.floor((from + to) / 2)
      local there = redis.call('ZREVRANGE', live, digits(middle), digits(middle))[1]
      if before(there, id) then to = middle else from = middle + 1 end
    end
  end
end
if count == 0 then return { 'LISTED' } end
return { 'LISTED', unpack(redis.call('ZREVRANGE', live, digits(from), digits(from + count - 1), 'WITHSCORES')) }
