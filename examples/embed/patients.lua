-- patients - the data script of script.c: functions that C calls by name.
--
-- The file is loaded once into every worker and returns a table of functions.
-- lunate.open() without options is the runtime of the host that loaded it.
-- Each call runs as a task: what waits here lets other calls go on.
local lunate = require "lunate"

local M = {}

local function database()
  return assert(lunate.open())
end

--- The table, empty.
function M.setup()
  local db = database()
  assert(db:exec "drop table if exists embed_patients")
  assert(db:exec [[
    create table embed_patients (
      id int generated always as identity primary key,
      name text not null check (name <> ''),
      born date,
      facts jsonb not null default '{}')]])
end

function M.teardown()
  assert(database():exec "drop table embed_patients")
end

--- Adds one. `facts` comes as a JSON text and arrives as a table.
---@param name string
---@param born string? "1950-01-31"
---@param facts table
---@return integer id
function M.add(name, born, facts)
  facts.added_by = "patients.lua"
  return assert(database():one([[
    insert into embed_patients (name, born, facts) values ($1, $2, $3)
    returning id]], name, born, lunate.json(facts))).id
end

--- All that is known of one, or nil and an error.
---@param id integer
---@return string name, boolean adult, table facts
function M.find(id)
  local row, err = database():one([[
    select name, facts,
      coalesce(born < current_date - interval '18 years', true) as adult
    from embed_patients where id = $1]], id)
  if err then return nil, err end
  if not row then error("no patient " .. id, 0) end
  return row.name, row.adult, row.facts
end

--- Several questions at once.
---@return integer patients, number share of them that is adult
function M.figures()
  local db = database()
  return lunate.all(
    function()
      return assert(db:one "select count(*) as n from embed_patients").n
    end,
    function()
      return assert(db:one({ numeric = "number" }, [[
        select avg((born < current_date - interval '18 years')::int) as share
        from embed_patients]])).share
    end)
end

--- Takes longer than anybody waits. A wait that the deadline of the call ends
--- gives nil and an error.
function M.ponder()
  return lunate.sleep(60)
end

return M
