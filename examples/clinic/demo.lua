-- SPDX-License-Identifier: MIT
--
-- demo - the whole example in sequence: schema, data, import, report, five,
-- and two clinics that are kept apart.
--
--   make demo                      10,000 generated patients
--   make demo DATA=DIR             CSV files of the Synthea shape
--
--   lunate run examples/clinic/demo.lua [--data DIR] [--patients N]
--                                       [--work DIR]
--
-- It begins with an empty schema `healthcare`: one that an earlier demo made is
-- dropped, one that holds anything else is left alone and the demo refuses.
-- The last line is `demo ok` only if all counts came out as they had to.
--
-- It runs isolated: clinics are served as the role clinic_app, which the demo
-- makes, by the rules of policies/.  Schema, import and the report over all
-- clinics are the system's, each with its reason.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
if not package.loaded["clinic.cli"] then
  package.path = here .. "/../?.lua;" .. package.path
end

local lunate = require "lunate"
local apart = require "clinic.apart"
local cli = require "clinic.cli"
local csv = require "clinic.csv"
local five = require "clinic.five"
local generate = require "clinic.generate"
local import = require "clinic.import"
local open = require "clinic.open"
local report = require "clinic.report"
local shape = require "clinic.shape"

local demo = {}

local MARK = "the clinic example: made by the demo, which may drop it"

local WORK = "demo-work"

local function say(...)
  io.stdout:write(string.format(...), "\n")
  io.stdout:flush()
end

local function prepare(db)
  local found = assert(db:query([[
select coalesce(obj_description(n.oid, 'pg_namespace'), '') as mark,
       exists (select from pg_class c where c.relnamespace = n.oid) as used
  from pg_namespace n
 where n.nspname = 'healthcare']]))[1]
  if found and found.mark == MARK then
    assert(db:exec("drop schema healthcare cascade"))
  elseif found and found.used then
    error("this database has a schema healthcare that the demo did not make."
      .. " Let DATABASE_URL name another database, or unset it to use the"
      .. " development server.", 0)
  end
  import.schema(db)
  assert(db:exec(("comment on schema healthcare is '%s'"):format(MARK)))
end

local function expect(what, wanted, got)
  if wanted ~= got then
    error(("%s: %d expected, %d found"):format(what, wanted, got), 0)
  end
end

local function count_rows(db, name)
  return assert(db:one("select count(*) as n from " .. name)).n
end

local function count_records(path)
  local reader = csv.open(path)
  if not reader then
    return nil
  end
  local n = -1 -- the header is none
  for _ in reader:records() do
    n = n + 1
  end
  reader:close()
  return n
end

-- Every row of every file was loaded or rejected, and what was loaded is there.
local function verify(db, dir, result)
  for _, spec in ipairs(shape.files) do
    local records = count_records(dir .. "/" .. spec.file)
    if records then
      local got = result.files[spec.file]
      expect("rows of " .. spec.file, records, got.loaded + got.rejected)
    end
  end
  for _, name in ipairs(import.tables) do
    expect("rows in " .. name, result.tables[name].loaded,
      count_rows(db, name))
  end
end

local function verify_made(made, result)
  for _, name in ipairs(import.tables) do
    expect("rows made for " .. name, made.tables[name],
      result.tables[name].loaded)
  end
  expect("rows broken on purpose", made.rejected, result.rejected)
end

local function data(opts, work)
  if opts.data then
    return opts.data
  end
  local dir = work .. "/csv"
  cli.make_dir(dir)
  local began = lunate.now()
  local made = generate.run(dir, { patients = opts.patients })
  say("generated %d patients with %d encounters in %.1f s, in %s",
    made.tables.patients, made.tables.encounters, lunate.now() - began, dir)
  return dir, made
end

local function fill(system, opts, work)
  say("schema")
  prepare(system)
  open.grant(system)
  local dir, made = data(opts, work)
  local began = lunate.now()
  local result = import.run(system, dir, { rejects = work .. "/rejects.csv" })
  import.tell(result, io.stdout)
  say("imported in %.1f s", lunate.now() - began)
  verify(system, dir, result)
  if made then
    verify_made(made, result)
  end
  return dir, result
end

local function tell(line)
  say("%s", line)
end

--- Runs the demo.  Raises when anything does not hold.
---@param db table  of open.db
---@param opts { data?: string, patients?: integer, work?: string }
function demo.run(db, opts)
  local work = opts.work or WORK
  cli.make_dir(work)
  local dir, result = db:as_system("demo: schema and import",
    function(system)
      return fill(system, opts, work)
    end)
  assert(dir, result)
  say("")
  local sections, day = report.run(db)
  report.tell(sections, day, io.stdout)
  say("")
  apart.run(db, tell)
  say("")
  five.run(db, tell)
  db:as_system("demo: is everything still there?", function(system)
    verify(system, dir, result)
  end)
  say("demo ok")
end

if cli.is_main("demo") then
  local opts, rest = cli.parse(arg,
    { data = "text", patients = "number", work = "text" })
  if #rest ~= 0 then
    error("usage: demo.lua [--data DIR] [--patients N] [--work DIR]", 0)
  end
  local login = { password = open.secret() }
  open.role(login)
  opts.work = opts.work or WORK
  cli.make_dir(opts.work)
  login.break_glass_journal = opts.work .. "/break_glass.jsonl"
  local db = open.db(login)
  demo.run(db, opts)
  db:close()
end

return demo
