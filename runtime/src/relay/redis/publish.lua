-- Adds events to the stream KEYS[1], each with its position as the entry's id: ARGV holds the most entries to keep ("" for all), and
-- for each event its entry id, its event id and its JSON. Stops at the first that cannot be added, so that none is skipped.
-- Returns nil, or the entry id that stands in the way and why.
for i = 2, #ARGV, 3 do
  local at, id, event = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local added
  if ARGV[1] == '' then
    added = redis.pcall('XADD', KEYS[1], at, 'id', id, 'event', event)
  else
    added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], at, 'id', id, 'event', event)
  end
  if type(added) == 'table' and added.err then
    if not string.find(added.err, 'equal or smaller', 1, true) then
      return added
    end
    local there = redis.call('XRANGE', KEYS[1], at, at)[1]
    if not there then
      return {at, 'absent'}
    end
    if there[2][1] ~= 'id' or there[2][2] ~= id then
      return {at, 'foreign'}
    end
  end
end
return false
