-- SPDX-License-Identifier: MIT
--
-- import - loads a folder of CSV files of the Synthea shape.
--
--   lunate run examples/clinic/import.lua DIR [--rejects FILE] [--quiet]
--
-- Rows that cannot be loaded go to a reject file with their file, line and
-- reason; all others are kept.  Importing the same folder again changes
-- nothing.  The tables are those of schema.sql, which is run first.  An import
-- is of no clinic: it runs as_system, which is told to the log.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
if not package.loaded["clinic.cli"] then
  package.path = here .. "/../?.lua;" .. package.path
end

local cli = require "clinic.cli"
local derive = require "clinic.derive"
local load = require "clinic.load"
local open = require "clinic.open"
local progress = require "clinic.progress"
local rejects = require "clinic.rejects"
local shape = require "clinic.shape"

local import = {}

--- The order in which tables are spoken of.
import.tables = {
  "clinics", "locations", "payers", "users", "profiles", "user_clinics",
  "user_roles", "doctors", "doctor_clinics", "patients", "patient_clinics",
  "encounters", "appointments", "emergencies", "medical_history",
  "prescriptions", "billing", "devices",
}

-- Those that other rows name.
local REFERRED = { "clinics", "payers", "doctors", "patients", "encounters" }

local function read_all(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

--- Makes the tables that are missing.  For a client of as_system, as all here.
---@param db table
function import.schema(db)
  return assert(db:script(read_all(here .. "/schema.sql")))
end

local function size_of(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local size = file:seek("end")
  file:close()
  return size
end

-- Is every file there that has to be?  Asked before anything is loaded.
local function sizes_of(dir)
  local sizes, missing = {}, {}
  for _, spec in ipairs(shape.files) do
    sizes[spec.file] = size_of(dir .. "/" .. spec.file)
    if not sizes[spec.file] and not spec.optional then
      missing[#missing + 1] = spec.file
    end
  end
  if #missing > 0 then
    error(("%s lacks %s: is it a folder of Synthea CSV files?")
      :format(dir, table.concat(missing, ", ")), 0)
  end
  return sizes
end

local function known_ids(db)
  local known = {}
  for _, name in ipairs(REFERRED) do
    local ids = {}
    for row in db:rows("select id from " .. name) do
      ids[row.id] = true
    end
    known[name] = ids
  end
  return known
end

local function writable(path)
  local file = io.open(path, "ab")
  if file then
    file:close()
  end
  return file ~= nil
end

local function reject_path(dir, path)
  if path then
    return path
  end
  local beside = dir .. "/rejects.csv"
  return writable(beside) and beside or "rejects.csv"
end

local function load_files(db, dir, env)
  local tally, files = {}, {}
  for _, name in ipairs(import.tables) do
    tally[name] = { loaded = 0, already = 0 }
  end
  local sizes = sizes_of(dir)
  for _, spec in ipairs(shape.files) do
    env.bytes = sizes[spec.file]
    if env.bytes then
      local got = load.file(db, dir .. "/" .. spec.file, spec, env)
      files[spec.file] = got
      local sum = tally[spec.table]
      sum.loaded = sum.loaded + got.loaded
      sum.already = sum.already + got.already
    end
  end
  return { tables = tally, files = files }
end

local ANALYZE = {}
for i, name in ipairs(import.tables) do
  ANALYZE[i] = "analyze " .. name
end

--- Imports the files of `dir` into the tables of schema.sql.  What it gives has
--- the counts by table and by file: loaded, already there, rejected.
---@param db table
---@param dir string
---@param opts? { rejects?: string, quiet?: boolean }
---@return { tables: table, files: table, rejected: integer,
---          rejects: string }
function import.run(db, dir, opts)
  opts = opts or {}
  sizes_of(dir)
  local bar = progress.new({ quiet = opts.quiet })
  local bad = rejects.new(reject_path(dir, opts.rejects))
  local ok, result = pcall(load_files, db, dir,
    { known = known_ids(db), rejects = bad, progress = bar })
  bad:close()
  if not ok then
    error(result, 0)
  end
  for name, count in pairs(derive.run(db, bar)) do
    if name ~= "doctors" then
      local sum = result.tables[name]
      sum.loaded = sum.loaded + count
    end
  end
  assert(db:script(table.concat(ANALYZE, ";\n")))
  result.rejected, result.rejects = bad.count, bad.path
  return result
end

--- Says what an import did, one line for each table that got or had rows.
---@param result table  what import.run gave
---@param out file*
function import.tell(result, out)
  for _, name in ipairs(import.tables) do
    local sum = result.tables[name]
    local already = sum.already > 0
      and (" (%d already there)"):format(sum.already) or ""
    out:write(("loaded %d %s%s\n"):format(sum.loaded, name, already))
  end
  if result.rejected == 0 then
    out:write("rejected 0 rows\n")
    return
  end
  out:write(("rejected %d rows, see %s\n"):format(result.rejected,
    result.rejects))
end

local function main(argv)
  local opts, rest = cli.parse(argv, { rejects = "text", quiet = "flag" })
  if #rest ~= 1 then
    error("usage: import.lua DIR [--rejects FILE] [--quiet]", 0)
  end
  open.role()
  local db = open.db()
  local result = assert(db:as_system("import of CSV files", function(system)
    import.schema(system)
    open.grant(system)
    return import.run(system, rest[1], opts)
  end))
  import.tell(result, io.stdout)
  db:close()
end

if cli.is_main("import") then
  main(arg)
end

return import
