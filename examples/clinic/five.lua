-- SPDX-License-Identifier: MIT
--
-- five - the five ways to work with the data: a read, an audited write, a
-- transaction, one clinic's view, and a batch.
--
--   lunate run examples/clinic/five.lua
--
-- Each checks what came of it and prints one line; the rows they add are taken
-- away again at the end.  Wants the tables of schema.sql with some patients.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
if not package.loaded["clinic.cli"] then
  package.path = here .. "/../?.lua;" .. package.path
end

local lunate = require "lunate"
local cli = require "clinic.cli"

local five = {}

local MARK = "added by five.lua"

-- 1. Reading: what is asked for is named, and how much of it.
local function read(db)
  local got = assert(db:read(function(client)
    local patient = assert(client:one([[
select p.id, p.birth_date, m.clinic_id
  from patients p
  join patient_clinics m on m.patient_id = p.id
 order by m.last_seen desc, p.id, m.clinic_id
 limit 1]]))
    patient.visits = assert(client:query([[
select started_at, description
  from encounters
 where patient_id = $1
 order by started_at desc
 limit 10]], patient.id))
    return patient
  end))
  assert(#got.visits >= 1, "a member was seen at least once")

  local done, err = db:read(function(client)
    return client:exec("update patients set suffix = $1", MARK)
  end)
  assert(done == nil and err, "a reader does not write")
  return got, ("a patient with %d recent visits; a write was refused")
    :format(#got.visits)
end

-- 2. Writing: who does what, and to what, travels with the statement.
local function write(db, patient, user)
  local id = assert(db:write(function(client)
    local row = assert(client:one([[
insert into appointments (clinic_id, patient_id, starts_at, ends_at, reason)
values ($1, $2, now() + interval '1 day',
        now() + interval '1 day 30 minutes', $3)
returning id]], patient.clinic_id, patient.id, MARK))
    return row.id
  end, { user_id = user, action = "CREATE", resource_type = "APPOINTMENT",
    metadata = { source = "five.lua" } }))

  local row = assert(db:one("select status from appointments where id = $1",
    id))
  assert(row.status == "booked")
  return "an appointment was booked"
end

local function register(tx, clinic)
  local patient = assert(tx:one([[
insert into patients (id, birth_date, first_name, last_name, gender, suffix)
values (gen_random_uuid(), '2024-01-01', 'Nova', 'Example', 'F', $1)
returning id]], MARK))
  assert(tx:exec("insert into patient_clinics (patient_id, clinic_id)"
    .. " values ($1, $2)", patient.id, clinic))
  return patient.id
end

local function newcomers(db)
  return assert(db:one("select count(*) as n from patients where suffix = $1",
    MARK)).n
end

-- 3. A transaction: all of it, or nothing.
local function transaction(db, patient)
  local id = assert(db:transaction(function(tx)
    return register(tx, patient.clinic_id)
  end))
  assert(type(id) == "string" and newcomers(db) == 1)

  local done, err = db:transaction(function(tx)
    register(tx, patient.clinic_id)
    assert(tx:exec("insert into patient_clinics (patient_id, clinic_id)"
      .. " values ($1, $2)", id, patient.clinic_id))
  end)
  assert(done == nil and err.sqlstate == "23505", "registered twice")
  assert(newcomers(db) == 1, "what failed left nothing behind")
  return "one patient was registered; a failed one left nothing"
end

-- 4. One clinic: the context goes with every statement inside.
local function clinic(db, patient)
  local got = assert(db:with_clinic(patient.clinic_id, function(client)
    local members = assert(client:one([[
select count(*) as n
  from patients p
 where exists (select from patient_clinics m
                where m.patient_id = p.id and m.clinic_id = $1)]],
      patient.clinic_id))
    local planned = assert(client:query([[
select id
  from appointments
 where clinic_id = $1 and starts_at > now()
 order by starts_at
 limit 50]], patient.clinic_id))
    return { members = members.n, planned = #planned }
  end))
  assert(got.members >= 2 and got.planned >= 1)
  return ("a clinic has %d patients, %d of its appointments are ahead")
    :format(got.members, got.planned)
end

local PRIORITIES = { "critical", "high", "normal", "low" }
local NOBODY = "00000000-0000-4000-8000-000000000000"

local function booking(patient, days, priority)
  return {
    priority = priority,
    operation = function(client)
      return assert(client:exec([[
insert into appointments (clinic_id, patient_id, starts_at, ends_at, reason)
values ($1, $2, now() + make_interval(days => $3::int),
        now() + make_interval(days => $3::int, mins => 30), $4)]],
        patient.clinic_id, patient.id, days, MARK))
    end,
  }
end

-- 5. A batch: many operations, a few at a time; one that fails stops no other.
local function batch(db, patient)
  local ops = {}
  for i = 1, 40 do
    ops[i] = booking(patient, i, PRIORITIES[i % 4 + 1])
  end
  ops[20] = booking({ id = NOBODY, clinic_id = patient.clinic_id }, 1, "high")

  local result = assert(db:batch(ops, { concurrency = 10, retries = 3 }))
  assert(result.total_count == 40 and result.success_count == 39)
  assert(result.failure_count == 1 and result.failed[1].index == 20)
  assert(result.failed[1].error.sqlstate == "23503")
  local row = assert(db:one(
    "select count(*) as n from appointments where reason = $1", MARK))
  assert(row.n == 40, "39 of the batch and the one of the write")
  return "39 of 40 operations succeeded, the wrong one failed alone"
end

local function clean(db)
  assert(db:transaction(function(tx)
    assert(tx:exec("delete from appointments where reason = $1", MARK))
    assert(tx:exec([[
delete from patient_clinics
 where patient_id in (select id from patients where suffix = $1)]], MARK))
    assert(tx:exec("delete from patients where suffix = $1", MARK))
    return true
  end))
end

--- Runs the five; calls `tell` with each line.  Raises when one does not hold.
---@param db table
---@param tell fun(line: string)
function five.run(db, tell)
  clean(db)
  local user = assert(db:one("select id from users order by login limit 1"))
  local patient, line = read(db)
  tell("read: " .. line)
  tell("write: " .. write(db, patient, user.id))
  tell("transaction: " .. transaction(db, patient))
  tell("with_clinic: " .. clinic(db, patient))
  tell("batch: " .. batch(db, patient))
  clean(db)
end

if cli.is_main("five") then
  local db = assert(lunate.open())
  five.run(db, print)
  db:close()
end

return five
