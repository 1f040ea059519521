-- What balance and day can still give. rule: none | prepaid | pseudoprepaid | postpaid; nil means unlimited.
local RULES = { none = true, prepaid = true, pseudoprepaid = true, postpaid = true }
local function free_of(rule, credit, settled, unposted, held)
  if not RULES[rule] then error('BAD_ARGUMENT rule') end
  if rule == 'none' or (rule == 'postpaid' and not credit) then return nil end
  return settled - unposted - held + (rule == 'postpaid' and credit or 0)
end
local function available(client, rule, credit)
  return free_of(rule, credit, numbers(client, 'settled_micros', 'unposted_micros', 'held_micros'))
end
local function room(day, limit)
  if not limit then return nil end
  local spend, held = numbers(day, 'spend_micros', 'held_micros')
  return limit - spend - held
end
local function fits(amount, free) return not free or amount <= free end

-- Thresholds of the day: ARGV[first] is the event's template, then come pairs of (percent, at_micros).
-- Below 100 %: spend + begun leases; 100 %: spend + all holds, or something was refused or shortened for it.
-- The event leaves in the script that crosses, so that no crash can lose its mail. The template's id ends in 000,
-- where the percent is put: two events of one script differ. Its day's spend is 2^53 - 1, a number that no checked
-- amount reaches.
local PLACEHOLDER = '9007199254740991'
local function check_thresholds(first)
  if #ARGV >= first and (#ARGV - first) % 2 ~= 0 then error('BAD_ARGUMENT thresholds') end
  for i = first + 1, #ARGV, 2 do
    natural(ARGV[i], 'percent')
    natural(ARGV[i + 1], 'at_micros')
  end
end
local function crossing(template, percent, total)
  local event = string.gsub(template, '000"', string.format('%03d"', percent), 1)
  event = string.gsub(event, '"threshold":0', '"threshold":' .. percent, 1)
  return (string.gsub(event, PLACEHOLDER, digits(total), 1))
end
local function mark_crossed_at(spend, held, begun, day, calls, first, forced, crossed)
  for i = first + 1, #ARGV, 2 do
    local full = tonumber(ARGV[i]) >= 100
    local total = spend + (full and held or begun)
    if (total >= tonumber(ARGV[i + 1]) or (full and forced))
        and redis.call('HSETNX', day, 'crossed:' .. ARGV[i], digits(total)) == 1 then
      redis.call('XADD', calls, '*', 'event', crossing(ARGV[first], ARGV[i], total))
      crossed[#crossed + 1] = ARGV[i]
    end
  end
  return crossed
end
local function mark_crossed(day, calls, first, forced, crossed)
  if #ARGV < first then return crossed end
  local spend, held, begun = numbers(day, 'spend_micros', 'held_micros', 'begun_micros')
  return mark_crossed_at(spend, held, begun, day, calls, first, forced, crossed)
end
