-- SPDX-License-Identifier: MIT
--
-- apart - two clinics that share patients, and what each of them is told.
--
--   lunate run examples/clinic/apart.lua
--
-- Each line is checked against the database before it is printed.  Wants the
-- tables of schema.sql with some patients.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
if not package.loaded["clinic.cli"] then
  package.path = here .. "/../?.lua;" .. package.path
end

local cli = require "clinic.cli"
local open = require "clinic.open"

local apart = {}

-- Two clinics with most patients, at best some of them in common.
local PAIR = [[
with size as (
  select clinic_id, count(*) as patients
    from patient_clinics
   group by clinic_id
), common as (
  select a.clinic_id as a, b.clinic_id as b, count(*) as n
    from patient_clinics a
    join patient_clinics b
      on b.patient_id = a.patient_id and b.clinic_id <> a.clinic_id
   group by a.clinic_id, b.clinic_id
)
select x.clinic_id as a, y.clinic_id as b, x.patients as of_a,
       y.patients as of_b, coalesce(c.n, 0) as common
  from size x
  join size y on y.clinic_id <> x.clinic_id
  left join common c on c.a = x.clinic_id and c.b = y.clinic_id
 order by common desc, of_a desc, of_b desc, a, b
 limit 1]]

local function doctor(clinic)
  return { clinic = clinic, roles = { "doctor" } }
end

local function patients(db, clinic)
  return assert(open.as(db, doctor(clinic), function(client)
    return client:one("select count(*) as n from patients")
  end)).n
end

local function refused(reason, done, err)
  assert(done == nil, "it was not refused")
  assert(err.reason == reason, tostring(err))
  return err.message
end

-- The same statement for each: other patients.
local function reads(db, pair, tell)
  assert(patients(db, pair.a) == pair.of_a)
  assert(patients(db, pair.b) == pair.of_b)
  assert(patients(db, { pair.a, pair.b })
    == pair.of_a + pair.of_b - pair.common)
  tell(("clinic A sees %d patients, clinic B %d; %d are patients of both")
    :format(pair.of_a, pair.of_b, pair.common))
end

-- To name the other one in a statement does not help.
local function names_the_other(db, pair, tell)
  local got = assert(open.as(db, doctor(pair.a), function(client)
    return client:one("select count(*) as n from encounters"
      .. " where clinic_id = $1", pair.b)
  end))
  assert(got.n == 0)
  tell("clinic A asks for the visits of clinic B: 0 rows")
end

local function reaches_out(db, pair, tell)
  open.as(db, doctor(pair.a), function(client)
    tell("clinic A gives a visit away: " .. refused("move",
      client:exec("update encounters set clinic_id = $1", pair.b)))
    tell("clinic A books for clinic B: " .. refused("tenant",
      client:exec([[
insert into appointments (clinic_id, patient_id, starts_at, ends_at)
select $1, id, now(), now() from patients limit 1]], pair.b)))
    tell("clinic A reads who did what: " .. refused("unknown-table",
      client:query("select * from audit_log")))
  end)
end

-- Inside of a clinic not everybody sees everything.
local function roles(db, pair, tell)
  local history = "select description from medical_history"
  open.as(db, { clinic = pair.a, roles = { "biller" } }, function(client)
    tell("a biller asks for diagnoses: " .. refused("access",
      client:query(history)))
    local row = assert(client:one(
      "select last_name, ssn from patients order by id limit 1"))
    assert(row.last_name ~= nil and row.ssn == nil)
    tell("a biller reads a patient: the name, and no SSN")
  end)
  db:with_context({ tenant = pair.a, roles = { "doctor" }, ip = "192.0.2.1",
    device = "laptop" }, function(client)
    assert(client:query(history .. " limit 1"))
    tell("a doctor at home reads, and writes: " .. refused("access",
      client:exec("update medical_history set resolved_on = $1",
        "2024-01-31")))
  end)
end

-- A zone in which it is two in the morning now: a nurse has no office hours.
local function night()
  local ahead = (2 - tonumber(os.date("!%H"))) % 24
  if ahead > 12 then
    ahead = ahead - 24
  end
  return ("Etc/GMT%+d"):format(-ahead)
end

local SICK = [[
select patient_id as id
  from medical_history
 where clinic_id = $1
 order by patient_id
 limit 1]]

-- One patient, a written reason, half an hour; it stands in a journal before
-- anything opens.
local function emergency(db, pair, tell)
  local patient = assert(db:as_system("apart.lua looks for a patient",
    function(system)
      return system:one(SICK, pair.a)
    end)).id
  db:with_context({ tenant = pair.a, user = "nurse.example",
    roles = { "nurse" }, ip = "10.20.3.7", device = "ward-2",
    clinic_tz = night() }, function(client)
    local sql = "select distinct patient_id from medical_history"
    tell("a nurse at night asks for histories: " .. refused("access",
      client:query(sql)))
    local rows = assert(db:break_glass({ rule = "emergency",
      patient = patient, reason = "unconscious, allergies unknown" },
      function(opened)
        return opened:query(sql)
      end))
    assert(#rows == 1 and rows[1].patient_id == patient)
    tell("she breaks the glass: the history of one patient")
  end)
end

-- What is of all clinics has to say why it is asked.
local function asks_of_all(db, tell)
  local sql = "select count(*) as n from patients"
  tell("a report over all, for a doctor: " .. refused("no-tenant",
    open.as(db, doctor(nil), function(client)
      return client:one(sql)
    end)))
  local ok = pcall(db.as_system, db, "", function() end)
  assert(not ok, "as_system without a reason")
  local reason = "yearly report of the group"
  local got = assert(db:as_system(reason, function(system)
    return system:one(sql)
  end))
  tell(("the same as system, %q: %d patients"):format(reason, got.n))
end

--- Calls `tell` with each line.  Raises when one does not hold.
---@param db table  of open.db
---@param tell fun(line: string)
function apart.run(db, tell)
  local pair = assert(db:as_system("apart.lua looks for two clinics",
    function(system)
      return system:one(PAIR)
    end))
  reads(db, pair, tell)
  names_the_other(db, pair, tell)
  reaches_out(db, pair, tell)
  roles(db, pair, tell)
  emergency(db, pair, tell)
  asks_of_all(db, tell)
end

if cli.is_main("apart") then
  local db = open.db()
  apart.run(db, print)
  db:close()
end

return apart
