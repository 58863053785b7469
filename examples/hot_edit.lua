-- SPDX-License-Identifier: MIT
--
-- hot_edit - a policy file is edited while clinics are served.
--
--   lunate run examples/hot_edit.lua [--tasks N]
--
-- Works on a copy of policies/ that is thrown away.  Tasks read and write for
-- the staff of each clinic; meanwhile access.lua is saved three times: with a
-- change, with a mistake in it, and mended.  Printed is what was in force when,
-- and that no operation failed or saw two sets of rules at once.
--
-- Uses the tables of the clinic example, and fills them when they are empty.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local lunate = require "lunate"
local cli = require "clinic.cli"
local generate = require "clinic.generate"
local import = require "clinic.import"
local open = require "clinic.open"

local hot_edit = {}

local FILES = { "isolation", "access", "cache", "retention", "routing",
  "resilience", "optimizer", "alerts" }
local PATIENTS = 100 -- made when there are none
local PATIENCE = 10  -- seconds

-- ---- files ----------------------------------------------------------------

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text
end

-- As editors do: nobody ever finds half of it.
local function save(path, text)
  local file = assert(io.open(path .. "~", "wb"))
  assert(file:write(text))
  assert(file:close())
  assert(os.rename(path .. "~", path))
end

-- A new folder of ours alone.
local function scratch()
  local command = assert(io.popen("mktemp -d"))
  local path = command:read("*l")
  command:close()
  return (assert(path, "mktemp gave no folder"))
end

local function copy_policies()
  local folder = scratch()
  for _, name in ipairs(FILES) do
    local text = read(("%s/%s.lua"):format(open.POLICIES, name))
    if text then
      save(("%s/%s.lua"):format(folder, name), text)
    end
  end
  return folder
end

local function remove(folder)
  for _, name in ipairs(FILES) do
    os.remove(("%s/%s.lua"):format(folder, name))
  end
  os.remove(folder)
end

-- ---- the load -------------------------------------------------------------

-- One patient each of some clinics.
local CLINICS = [[
select m.clinic_id as id, count(*) as patients,
       (array_agg(m.patient_id order by m.patient_id))[1] as patient
  from patient_clinics m
 group by m.clinic_id
 order by patients desc, id
 limit 8]]

local function fill(system)
  import.schema(system)
  open.grant(system)
  local found = assert(system:query(CLINICS))
  if #found > 0 then
    return found
  end
  local folder = scratch()
  generate.run(folder, { patients = PATIENTS })
  import.run(system, folder, { quiet = true })
  os.execute("rm -r '" .. folder .. "'")
  return assert(system:query(CLINICS))
end

-- Does a page of patients show addresses?  Rules hold for a whole statement:
-- all rows of it, or none.
local function look(client, load)
  local rows, err = client:query("select id, address from patients limit 20")
  if not rows then
    return nil, err
  end
  local shown = 0
  for _, row in ipairs(rows) do
    shown = shown + (row.address and 1 or 0)
  end
  if shown ~= 0 and shown ~= #rows then
    load.mixed = load.mixed + 1
  end
  load.shown = shown > 0
  return true
end

local function touch(client, patient)
  return client:exec("update patients set city = city where id = $1", patient)
end

local function serve(db, clinic, load)
  open.as(db, { clinic = clinic.id, roles = { "staff" } }, function(client)
    while not load.over do
      local ok, err = look(client, load)
      if ok then
        ok, err = touch(client, clinic.patient)
      end
      load.operations = load.operations + 2
      if not ok then
        load.failed, load.why = load.failed + 1, tostring(err)
        lunate.sleep(0.01)
      end
    end
  end)
end

local function start(db, clinics, tasks)
  local load = { operations = 0, failed = 0, mixed = 0, tasks = {} }
  for i = 1, tasks do
    local clinic = clinics[(i - 1) % #clinics + 1]
    load.tasks[i] = lunate.spawn(serve, db, clinic, load)
  end
  return load
end

local function stop(load)
  load.over = true
  for _, task in ipairs(load.tasks) do
    task:join()
  end
end

-- ---- edits ----------------------------------------------------------------

-- plain text, once
local function replace(text, from, to)
  local first, last = text:find(from, 1, true)
  assert(first, "policies/access.lua has no " .. from)
  return text:sub(1, first - 1) .. to .. text:sub(last + 1)
end

local ADDRESS = 'columns = { "address", "city",'

-- What is saved, in order, and what the load sees once it is in force.
local function edits()
  local text = assert(read(open.POLICIES .. "/access.lua"))
  local hidden = replace(text, ADDRESS, 'columns = { "city",')
  return {
    { what = "staff no longer sees addresses", text = hidden, shown = false },
    { what = "the same with a mistake in it",
      text = replace(hidden, 'permit "staff knows', 'permitt "staff knows'),
      refused = true, shown = false },
    { what = "mended, and addresses are back", text = text, shown = true },
  }
end

local function until_(fn, what)
  local limit = lunate.now() + PATIENCE
  while not fn() do
    if lunate.now() > limit then
      error(("not within %d s: %s"):format(PATIENCE, what), 0)
    end
    lunate.sleep(0.002)
  end
end

local function after(saved)
  return ("%.0f ms after the save"):format((lunate.now() - saved) * 1000)
end

-- run = { load, news, path, tell }
local function apply(run, edit)
  local load, news = run.load, run.news
  local before = load.operations
  news.loaded, news.refused = nil, nil
  run.tell("saved access.lua: " .. edit.what)
  save(run.path, edit.text)
  local saved = lunate.now()
  if edit.refused then
    until_(function() return news.refused end, "the refusal")
    run.tell(("  refused %s: %s"):format(after(saved), news.refused.message))
    run.tell(("  generation %d stays in force"):format(
      news.refused.generation))
  else
    until_(function() return load.shown == edit.shown end, edit.what)
    local ended = after(saved)
    until_(function() return news.loaded end, "the news")
    run.tell(("  generation %d in force %s"):format(news.loaded.generation,
      ended))
  end
  run.tell(("  addresses are %s; %d operations meanwhile, %d failed"):format(
    load.shown and "shown" or "hidden", load.operations - before,
    load.failed))
end

local function listen(db)
  local news = {}
  db:on("policy.loaded", function(event) news.loaded = event.payload end)
  db:on("policy.refused", function(event) news.refused = event.payload end)
  return news
end

local function edit_under_load(db, folder, opts)
  local clinics = assert(db:as_system("hot_edit.lua looks for clinics", fill))
  local load = start(db, clinics, opts.tasks or 8)
  local run = { load = load, news = listen(db),
    path = folder .. "/access.lua", tell = opts.tell }
  until_(function() return load.shown ~= nil end, "the first answer")
  run.tell(("%d tasks work for the staff of %d clinics; addresses are shown")
    :format(#load.tasks, #clinics))
  local ok, err = pcall(function()
    for _, edit in ipairs(edits()) do
      apply(run, edit)
    end
  end)
  stop(load)
  if not ok then
    error(err, 0)
  end
  return load
end

--- Runs it; calls `tell` with each line.  Raises when an operation failed, or
--- saw rules of two generations.
---@param opts { url?: string, tasks?: integer, tell: fun(line: string) }
---@return integer operations
function hot_edit.run(opts)
  local login = { url = opts.url, password = not opts.url and open.secret()
    or nil }
  open.role(login)
  local folder = copy_policies()
  login.policies, login.log_level = folder, "error"
  local db = open.db(login)
  local ok, load = pcall(edit_under_load, db, folder, opts)
  db:close()
  remove(folder)
  if not ok then
    error(load, 0)
  end
  opts.tell(("%d operations, %d failed, %d saw two generations"):format(
    load.operations, load.failed, load.mixed))
  assert(load.failed == 0 and load.mixed == 0, load.why)
  return load.operations
end

if cli.is_main("hot_edit") then
  local opts, rest = cli.parse(arg, { tasks = "number" })
  if #rest ~= 0 then
    error("usage: hot_edit.lua [--tasks N]", 0)
  end
  opts.tell = print
  hot_edit.run(opts)
end

return hot_edit
