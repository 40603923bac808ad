-- event.lua: tell those who watch. A script notes what it does, and publishes it when it is done.
--
-- A message is a JSON object: kind, name, at (µs of this Redis's TIME), and what else belongs to the
-- kind. Numbers are decimal strings, and no message carries a lease id.

local notes = {}

local function note(kind, name, at, event)
  event.kind, event.name, event.at = kind, name, string.format('%.0f', at)
  notes[#notes + 1] = event
end

-- The effects are had, so nothing here may raise.
local function publish(channel)
  for _, event in ipairs(notes) do redis.pcall('PUBLISH', channel, cjson.encode(event)) end
end

local function note_acquired(name, at, lock, px, ticket)
  note('acquired', name, at, {token = lock.token, payload = lock.payload, px = string.format('%.0f', px), ticket = ticket})
end

local function note_released(name, at, lock)
  note('released', name, at, {token = lock.token, payload = lock.payload})
end
