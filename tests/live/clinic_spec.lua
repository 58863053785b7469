-- The clinic example on a live server: what an import keeps, what it rejects,
-- that it can be done again, and that clinics are kept apart.
package.path = "examples/?.lua;" .. package.path

local apart = require "clinic.apart"
local csv = require "clinic.csv"
local demo = require "clinic.demo"
local five = require "clinic.five"
local generate = require "clinic.generate"
local import = require "clinic.import"
local live = require "support.live"
local lunate = require "lunate"
local open_clinic = require "clinic.open"
local pg = require "support.pg"
local report = require "clinic.report"
local sh = require "support.sh"

local PATIENTS = 150
local QUIET = { quiet = true }

local DATA = (os.getenv("LUNATE_TEST_DATA") or "../shared/data") .. "/synthea"

local function open(name)
  return assert(lunate.open { url = pg.database(name), pool_max = 8 })
end

local function fresh(name)
  local db = open(name)
  import.schema(db)
  return db
end

-- As the scripts open it: isolated, with tables, roles and row policies.
local function isolated(url)
  open_clinic.role { url = url }
  local db = open_clinic.db { url = url, pool_max = 8, log_level = "error",
    break_glass_journal = sh.tmpdir() .. "/break_glass.jsonl" }
  assert(db:as_system("tables of a test", function(system)
    import.schema(system)
    open_clinic.grant(system)
    return true
  end))
  return db
end

local function run_import(db, dir, rejects)
  return import.run(db, dir,
    { quiet = true, rejects = rejects or sh.tmpdir() .. "/rejects.csv" })
end

local function count(db, name)
  return assert(db:one("select count(*) as n from " .. name)).n
end

-- One text for all that the tables hold.
local function contents(db)
  local out = {}
  for i, name in ipairs(import.tables) do
    out[i] = name .. " " .. assert(db:one((
      "select md5(coalesce(string_agg(t::text, ';' order by t::text), ''))"
      .. " as sum from %s t"):format(name))).sum
  end
  return table.concat(out, "\n")
end

local function folder()
  local dir = sh.tmpdir()
  return dir, generate.run(dir, { patients = PATIENTS, seed = 3 })
end

local function reject_rows(path)
  local reader = assert(csv.open(path))
  local out = {}
  assert.same({ "why", "row" }, { unpack(reader:read(), 1, 2) })
  for record in reader:records() do
    out[#out + 1] = { why = record[1], row = record[2] }
  end
  reader:close()
  return out
end

-- The text at `line` of a file, as many lines of it as `like` has.
local function line_at(path, line, like)
  local lines, n = {}, select(2, like:gsub("\n", ""))
  local i = 0
  for text in (sh.read(path)):gmatch("([^\n]*)\n") do
    i = i + 1
    if i >= line and i <= line + n then
      lines[#lines + 1] = text
    end
  end
  return table.concat(lines, "\n")
end

local function edit(path, change)
  sh.write(path, change(sh.read(path)))
end

describe("the schema", function()
  it("can be run again and changes nothing", function()
    local db = fresh("clinic_schema")
    assert(db:exec("insert into clinics (id, name) values ($1, 'x')",
      "00000000-0000-4000-8000-000000000001"))
    import.schema(db)
    assert.equal(1, count(db, "clinics"))
    db:close()
  end)

  it("lets no prescription drift to another clinic or patient", function()
    local db = fresh("clinic_drift")
    local id = "00000000-0000-4000-8000-00000000000"
    assert(db:script(([[
insert into clinics (id, name) values ('%s1', 'a'), ('%s2', 'b');
insert into patients (id, birth_date, first_name, last_name, gender)
values ('%s3', '2000-01-01', 'A', 'B', 'F');
insert into encounters (id, clinic_id, patient_id, class, code, description,
                        started_at)
values ('%s4', '%s1', '%s3', 'wellness', '1', 'x', now())]])
      :format(id, id, id, id, id, id)))
    local sql = [[
insert into prescriptions (id, clinic_id, patient_id, encounter_id, code, drug,
                           prescribed_at)
values (gen_random_uuid(), $1, $2, $3, '1', 'x', now())]]
    local done, err = db:exec(sql, id .. "2", id .. "3", id .. "4")
    assert.is_nil(done)
    assert.equal("23503", err.sqlstate)
    assert.equal(1, assert(db:exec(sql, id .. "1", id .. "3", id .. "4")))
    db:close()
  end)
end)

describe("an import of generated files", function()
  local db, dir, made, result, rejects

  setup(function()
    db = fresh("clinic_import")
    dir, made = folder()
    rejects = sh.tmpdir() .. "/rejects.csv"
    result = run_import(db, dir, rejects)
  end)

  teardown(function()
    db:close()
  end)

  it("loads exactly the good rows, and derives the other tables", function()
    for _, name in ipairs(import.tables) do
      assert.equal(made.tables[name], count(db, name), name)
      assert.equal(made.tables[name], result.tables[name].loaded, name)
    end
  end)

  it("rejects exactly the broken rows", function()
    assert.equal(made.rejected, result.rejected)
    assert.equal(made.rejected, #reject_rows(rejects))
  end)

  it("gives of each rejected row its file, line, reason and text", function()
    for _, reject in ipairs(reject_rows(rejects)) do
      local file, line, reason =
        reject.why:match("^(%w+%.csv):(%d+): (.+)$")
      assert.is_string(reason)
      assert.equal(line_at(dir .. "/" .. file, tonumber(line), reject.row),
        reject.row)
    end
  end)

  it("tells every kind of fault apart", function()
    local all = {}
    for i, reject in ipairs(reject_rows(rejects)) do
      all[i] = reject.why
    end
    local text = table.concat(all, "\n")
    for _, reason in ipairs { "duplicate key, the same as line",
      "BIRTHDATE is not a day of the calendar", "LAST is missing",
      "a quote inside a field that is not quoted",
      "PATIENT is not among the patients", "3 fields where the header has 15",
      "BASE_COST is not a number", "ENCOUNTER is not among the encounters" } do
      assert.matches(reason, text, 1, true)
    end
  end)

  it("rejects what only the server can judge, with its reason", function()
    local text = sh.read(rejects)
    assert.matches("UTF8", text, 1, true)
    assert.matches("encounter_ends_after_start", text, 1, true)
    assert.matches("numeric field overflow", text, 1, true)
  end)

  it("keeps quotes, commas and line breaks of a field", function()
    local row = assert(db:query("select address from patients"
      .. " where address like '%Garden%' limit 1"))[1]
    assert.matches('^%d+ [%a ]+,\n"Garden" House, Apt %d+$', row.address)
  end)

  it("changes nothing when it is done again", function()
    local before = contents(db)
    local again = run_import(db, dir)
    assert.equal(before, contents(db))
    assert.equal(made.rejected, again.rejected)
    for _, name in ipairs(import.tables) do
      assert.equal(0, again.tables[name].loaded, name)
    end
    assert.equal(PATIENTS, again.tables.patients.already)
  end)

  it("adds what was broken before, once it is mended", function()
    edit(dir .. "/patients.csv", function(text)
      return (text:gsub("1987%-02%-31", "1987-02-28"))
    end)
    local again = run_import(db, dir)
    assert.equal(1, again.tables.patients.loaded)
    assert.equal(made.rejected - 1, again.rejected)
  end)
end)

describe("an import", function()
  it("finds each of several rows the server refuses in one chunk", function()
    local db, dir = fresh("clinic_bisect"), (folder())
    local spoiled = { [3] = true, [4] = true, [11] = true, [30] = true }
    local line = 0
    edit(dir .. "/patients.csv", function(text)
      return (text:gsub("[^\n]*\n", function(row)
        line = line + 1
        return spoiled[line] and row:gsub("Massachusetts", "\252") or row
      end))
    end)
    local result = run_import(db, dir)
    local found = {}
    for _, reject in ipairs(reject_rows(result.rejects)) do
      local at = reject.why:match("^patients.csv:(%d+): .*UTF8")
      if at then
        found[#found + 1] = tonumber(at)
      end
    end
    assert.same({ 3, 4, 11, 30 }, { unpack(found, 1, 4) })
    assert.equal(5, #found, "and the one that the generator broke")
    assert.equal(PATIENTS - 4, count(db, "patients"))
    assert.matches("encounters.csv:%d+: PATIENT is not among the patients",
      sh.read(result.rejects))
    db:close()
  end)

  it("that lacks a file says which, and loads nothing", function()
    local db, dir = fresh("clinic_lacks"), (folder())
    os.remove(dir .. "/encounters.csv")
    local ok, err = pcall(import.run, db, dir, QUIET)
    assert.is_false(ok)
    assert.matches("lacks encounters.csv", tostring(err), 1, true)
    assert.equal(0, count(db, "clinics"))
    db:close()
  end)

  it("of a file without a column it needs says which", function()
    local db, dir = fresh("clinic_column"), (folder())
    edit(dir .. "/patients.csv", function(text)
      return (text:gsub("BIRTHDATE", "BORN", 1))
    end)
    local ok, err = pcall(run_import, db, dir)
    assert.is_false(ok)
    assert.matches("patients.csv: has no column BIRTHDATE", tostring(err), 1,
      true)
    assert.equal(0, count(db, "patients"))
    db:close()
  end)

  it("takes columns by name, in any order, with others between", function()
    local db, dir = fresh("clinic_order"), (folder())
    local before = sh.read(dir .. "/payers.csv")
    edit(dir .. "/payers.csv", function(text)
      return (text:gsub("([^,\n]*),([^,\n]*),([^\n]*)\n", "%2,more,%3,%1\n"))
    end)
    assert.not_equal(before, sh.read(dir .. "/payers.csv"))
    local result = run_import(db, dir)
    assert.equal(9, result.tables.payers.loaded)
    assert.equal(1, assert(db:one("select count(*) as n from payers"
      .. " where name = 'Aetna'")).n)
    db:close()
  end)

  it("that fails for another reason than a row ends, and keeps no part of"
    .. " the file", function()
    local db, dir = fresh("clinic_fails"), (folder())
    assert(db:script("alter table healthcare.prescriptions"
      .. " rename column drug to medicine"))
    local ok, err = pcall(run_import, db, dir)
    assert.is_false(ok)
    assert.equal("42703", err.sqlstate)
    assert.equal(0, count(db, "prescriptions"))
    assert.equal(PATIENTS, count(db, "patients"))
    db:close()
  end)

  it("of a folder without faults leaves no reject file behind", function()
    local db, dir = fresh("clinic_clean"), (folder())
    local rejects = dir .. "/rejects.csv"
    sh.write(rejects, "of an earlier import\n")
    for _, name in ipairs { "patients", "encounters", "medications",
      "conditions", "procedures", "claims" } do
      edit(dir .. "/" .. name .. ".csv", function(text)
        return (text:match("^[^\n]*\n"))
      end)
    end
    os.remove(dir .. "/appointments.csv")
    local result = import.run(db, dir, { quiet = true })
    assert.equal(0, result.rejected)
    assert.is_nil(io.open(rejects))
    db:close()
  end)
end)

describe("Synthea's own files", function()
  it("load without a fault: 27 patients, 604 encounters, 63 clinics",
    function()
      local file = io.open(DATA .. "/patients.csv")
      if not file then
        pending("no Synthea data in " .. DATA
          .. ": set LUNATE_TEST_DATA to the folder that holds synthea/")
        return
      end
      file:close()
      local db = fresh("clinic_synthea")
      local result = run_import(db, DATA)
      assert.equal(0, result.rejected)
      local wanted = { patients = 27, encounters = 604, clinics = 63,
        doctors = 166, payers = 10, prescriptions = 663, billing = 1267,
        patient_clinics = 57, appointments = 574, emergencies = 17,
        medical_history = 438 + 40 + 249 + 29 }
      for name, n in pairs(wanted) do
        assert.equal(n, result.tables[name].loaded, name)
        assert.equal(n, count(db, name), name)
      end
      local before = contents(db)
      run_import(db, DATA)
      assert.equal(before, contents(db))
      db:close()
    end)
end)

describe("on imported data", function()
  local db, url, made

  local function system(fn)
    local function call(client)
      return fn(client) or true
    end
    return (assert(db:as_system("a look of a test", call)))
  end

  setup(function()
    local dir
    url = pg.database("clinic_report")
    db = isolated(url)
    dir, made = folder()
    system(function(client)
      run_import(client, dir)
    end)
  end)

  teardown(function()
    db:close()
  end)

  local function sum(section, column)
    local total = 0
    for _, row in ipairs(section.rows) do
      total = total + row[column]
    end
    return total
  end

  local function row_of(sql, ...)
    local values, n = { ... }, select("#", ...)
    return system(function(client)
      return assert(client:one(sql, unpack(values, 1, n)))
    end)
  end

  it("the report counts every visit, appointment and claim once", function()
    local sections = report.run(db, { ["as-of"] = "2030-01-01" })
    assert.equal(made.tables.encounters, sum(sections[1], "visits"))
    local planned = row_of("select count(*) as n from appointments"
      .. " where status <> 'booked'").n
    assert.equal(planned, sum(sections[3], "kept")
      + sum(sections[3], "no_show") + sum(sections[3], "cancelled"))
    assert.equal(made.tables.prescriptions, sum(sections[4], "times"))
    assert.equal(made.tables.billing, sum(sections[6], "claims"))
  end)

  it("the report of one clinic holds that clinic only", function()
    local clinic = row_of("select id, name from clinics order by name limit 1")
    local sections = report.run(db, { clinic = clinic.id })
    assert.equal(1, #sections[1].rows)
    assert.equal(clinic.name, sections[1].rows[1].name)
    assert.equal(row_of("select count(*) as n from encounters"
      .. " where clinic_id = $1", clinic.id).n, sections[1].rows[1].visits)
  end)

  it("the reports of the clinics add up to that over all", function()
    local all = report.run(db)
    local clinics = system(function(client)
      return assert(client:query("select id from clinics"))
    end)
    assert.is_true(#clinics > 1)
    local claims, emergencies = 0, 0
    for _, clinic in ipairs(clinics) do
      local own = report.run(db, { clinic = clinic.id })
      assert.equal(#all - 1, #own)
      emergencies = emergencies + sum(own[5], "emergencies")
      claims = claims + sum(own[6], "claims")
    end
    assert.equal(sum(all[5], "emergencies"), emergencies)
    assert.equal(made.tables.billing, claims)
  end)

  it("the report ends on its day", function()
    local sections, day = report.run(db, { ["as-of"] = "2010-01-01" })
    assert.equal("2010-01-01", day)
    assert.equal(0, #sections[1].rows)
    assert.equal(12, #sections[2].rows)
    assert.equal("2010-01", sections[2].rows[12].month)
  end)

  it("the five examples hold, and leave the data as it was", function()
    local before = system(contents)
    local lines = {}
    five.run(db, function(line)
      lines[#lines + 1] = line
    end)
    assert.equal(5, #lines)
    assert.equal(before, system(contents))
  end)

  it("two clinics are told of different patients, and nobody of all",
    function()
      local before = system(contents)
      local lines = {}
      apart.run(db, function(line)
        lines[#lines + 1] = line
      end)
      local text = table.concat(lines, "\n")
      live.says(text, "refused (move)", "refused (tenant)",
        "refused (unknown-table)",
        "refused (no-tenant)", "refused (access)", "yearly report of the group",
        "she breaks the glass: the history of one patient",
        "policies/isolation.lua:")
      assert.equal(before, system(contents))
    end)

  it("the database itself shows the clinics' login no row without a clinic",
    function()
      local bare = live.open(url .. "&user=clinic_app", { policies = false,
        schema = "healthcare" })
      for _, name in ipairs { "patients", "encounters", "billing", "users" } do
        assert.equal(0, count(bare, name), name)
      end
      local clinic = row_of("select id from clinics order by name limit 1")
      bare:with_tenant(clinic.id, function(client)
        assert.equal(1, count(client, "clinics"))
        assert.equal(row_of("select count(*) as n from encounters"
          .. " where clinic_id = $1", clinic.id).n, count(client, "encounters"))
      end)
      live.close()
    end)

  it("the clinics of a user and of a location are found, as the system's work",
    function()
      local user = row_of("select id, primary_clinic_id as clinic from users"
        .. " order by login limit 1")
      assert.same({ user.clinic }, db:resolve_clinic { user = user.id })
      local place = row_of("select id, clinic_id as clinic from locations"
        .. " order by id limit 1")
      assert.equal(place.clinic, db:resolve_clinic { location = place.id })
    end)

  it("every table has a rule, or none on purpose", function()
    local clinic = row_of("select id from clinics order by name limit 1")
    local opened, closed = {}, {}
    local who = { clinic = clinic.id,
      roles = { "doctor", "biller", "admin" } }
    open_clinic.as(db, who, function(client)
      for _, name in ipairs { "audit_log", unpack(import.tables) } do
        local list = client:query("select * from " .. name) and opened
          or closed
        list[#list + 1] = name
      end
    end)
    assert.same({ "audit_log" }, closed)
    assert.same(import.tables, opened)
  end)

  it("the demo refuses a schema that it did not make", function()
    local before = system(contents)
    local ok, err = pcall(demo.run, db, { work = sh.tmpdir() })
    assert.is_false(ok)
    assert.matches("the demo did not make", tostring(err), 1, true)
    assert.equal(before, system(contents))
  end)
end)

describe("as a command", function()
  local lunate_run = sh.build .. "/lunate"

  it("the demo ends with `demo ok`, and can be run again", function()
    local url, work = pg.database("clinic_demo"), sh.tmpdir()
    for _ = 1, 2 do
      local out = sh.ok { lunate_run, "run", "examples/clinic/demo.lua",
        "--patients", "60", "--work", work, env = { DATABASE_URL = url },
        timeout = 120 }
      assert.matches("\nloaded 60 patients\n", out, 1, true)
      assert.matches("\ndemo ok\n$", out)
    end
  end)

  it("a wrong option is an error that names it", function()
    local result = sh.run { lunate_run, "run", "examples/clinic/import.lua",
      "--what", env = { DATABASE_URL = pg.database("clinic_option") } }
    assert.not_equal(0, result.code)
    assert.matches("no option is called --what", result.err, 1, true)
  end)
end)
