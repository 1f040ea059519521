-- apply_entity.lua: write one configured entity to the read model, unless something newer is there.
--
-- KEYS  model       hash  where the entity lives now
--       former      hash  where it lived until now; the same key when it did not move
--       owners      hash  field -> where it lives and its version, of entities that can move
--       names       hash  of the brand: device name -> client id, or number -> client id or `pool`
--       tombstones  zset  "<key>\n<field>" -> when a tombstone may be swept (ms)
-- ARGV  field       text  `device:<id>`
--       version     int   entity_version
--       position    text  stream id of the event, or of the snapshot
--       source      text  event | snapshot: a snapshot also replaces what is older than its position
--       data        text  JSON of the row; empty: it was deleted
--       owner       text  what `owners` keeps (the client's id or `pool`); empty: this entity never moves
--       expected    text  the owner that the caller found, to choose `former`
--       name        text  what `names` finds it by; empty: nothing, or deleted
--       holder      text  what `names` tells; empty: it has no name there
--       sweep_ms    int   when its tombstone may be swept; 0: it leaves none, for what follows another row
--       name_field  text  the field of the row that holds the name
-- RETURNS {status}
--   APPLIED   written
--   SAME      this version is there: nothing changed
--   STALE     a newer version is there: nothing changed
--   ABSENT    it was to leave without a trace, and is not there
--   MOVED     the owner is no longer `expected`: ask again with the right `former`
-- Idempotent: a repeated version is SAME.

local function newer_than(position, other)
  local ms, seq = string.match(position, '^(%d+)%-(%d+)$')
  local other_ms, other_seq = string.match(other or '0-0', '^(%d+)%-(%d+)$')
  ms, seq, other_ms, other_seq = tonumber(ms), tonumber(seq), tonumber(other_ms), tonumber(other_seq)
  return ms > other_ms or (ms == other_ms and seq > other_seq)
end

local field, version, position, source, data = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local owner, expected, name, holder = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local sweep_ms, name_field = tonumber(ARGV[10]), ARGV[11]
assert(version and sweep_ms and string.match(position, '^%d+%-%d+$'), 'bad arguments')

local known_raw = owner ~= '' and redis.call('HGET', KEYS[3], field) or redis.call('HGET', KEYS[1], field)
local known = known_raw and cjson.decode(known_raw) or nil
if owner ~= '' and known and known.o ~= expected then
  return { 'MOVED' }
end
if known and known.v >= version then
  -- A snapshot is the truth as of its position, also where a restored database counts from a lower version.
  if known.v == version then
    return { 'SAME' }
  end
  if source ~= 'snapshot' or newer_than(known.i, position) then
    return { 'STALE' }
  end
end
if data == '' and sweep_ms == 0 then
  if not known then
    return { 'ABSENT' }
  end
  redis.call('HDEL', KEYS[1], field)
  return { 'APPLIED' }
end

local old_raw = redis.call('HGET', KEYS[2], field)
local old = old_raw and cjson.decode(old_raw) or nil
local old_name = old and type(old.d) == 'table' and old.d[name_field] or nil
if holder ~= '' and old_name and old_name ~= name then
  local held_by = redis.call('HGET', KEYS[4], old_name)
  if held_by and (held_by == holder or held_by == expected) then redis.call('HDEL', KEYS[4], old_name) end
end
if owner ~= '' then
  redis.call('HSET', KEYS[3], field, cjson.encode({ v = version, i = position, o = owner }))
  if KEYS[2] ~= KEYS[1] then
    redis.call('HDEL', KEYS[2], field)
  end
end
-- The version is text here: cjson would write a large one as 1e+15.
local head = string.format('{"v":%d,"i":"%s","d":', version, position)
if data == '' then
  redis.call('HSET', KEYS[1], field, head .. 'null}')
  redis.call('ZADD', KEYS[5], sweep_ms, KEYS[1] .. "\n" .. field)
else
  redis.call('HSET', KEYS[1], field, head .. data .. '}')
  if name ~= '' then
    redis.call('HSET', KEYS[4], name, holder)
  end
end
return { 'APPLIED' }
