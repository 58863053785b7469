-- SPDX-License-Identifier: MIT
--
-- five - the five ways to work with the data: a read, an audited write, a
-- transaction, one clinic's view, and a batch.
--
--   lunate run examples/clinic/five.lua
--
-- Each checks what came of it and prints one line; the rows they add are taken
-- away again at the end.  Wants the tables of schema.sql with some patients.
--
-- No statement here filters by clinic: what is asked for somebody is limited to
-- the rows of the clinic, and to what their roles may do.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
if not package.loaded["clinic.cli"] then
  package.path = here .. "/../?.lua;" .. package.path
end

local cli = require "clinic.cli"
local open = require "clinic.open"

local five = {}

local MARK = "added by five.lua"

-- 1. Reading: what is asked for is named, and how much of it.
local function read(db)
  local got = assert(db:read(function(client)
    local patient = assert(client:one([[
select p.id, p.birth_date
  from patients p
  join patient_clinics m on m.patient_id = p.id
 order by m.last_seen desc, p.id
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
  assert(done == nil and err.code == "read_only", "a reader does not write")
  return got, ("a patient with %d recent visits; a write was refused")
    :format(#got.visits)
end

-- 2. Writing: who does what, and to what, travels with the statement.  Whose
-- the new row is, the context says.
local function write(db, patient, user)
  local id = assert(db:write(function(client)
    local row = assert(client:one([[
insert into appointments (patient_id, starts_at, ends_at, reason)
values ($1, now() + interval '1 day', now() + interval '1 day 30 minutes', $2)
returning id]], patient.id, MARK))
    return row.id
  end, { user_id = user, action = "CREATE", resource_type = "APPOINTMENT",
    metadata = { source = "five.lua" } }))

  local row = assert(db:one("select status from appointments where id = $1",
    id))
  assert(row.status == "booked")
  return "an appointment was booked"
end

-- Who is registered becomes a patient of the clinic by the same statement.
local function register(tx, id)
  return assert(tx:exec([[
insert into patients (id, birth_date, first_name, last_name, gender, suffix)
values ($1, '2024-01-01', 'Nova', 'Example', 'F', $2)]], id, MARK))
end

local function newcomers(db)
  return assert(db:one([[
select count(*) as n
  from patients p
  join patient_clinics m on m.patient_id = p.id
 where p.suffix = $1]], MARK)).n
end

local function new_id(db)
  return assert(db:one("select gen_random_uuid() as id")).id
end

-- 3. A transaction: all of it, or nothing.
local function transaction(db)
  local one, other = new_id(db), new_id(db)
  assert(db:transaction(function(tx)
    register(tx, one)
    return true
  end))
  assert(newcomers(db) == 1)

  local done, err = db:transaction(function(tx)
    register(tx, other)
    register(tx, one)
    return true
  end)
  assert(done == nil and err.code == "constraint", "registered twice")
  assert(newcomers(db) == 1, "what failed left nothing behind")
  return "one patient was registered; a failed one left nothing"
end

-- 4. One clinic: the same words, other rows.
local function clinics(db, who)
  local function count(clinic)
    return assert(db:with_clinic(clinic, function(client)
      return client:one([[
select (select count(*) from patients) as patients,
       (select count(*) from appointments where starts_at > now()) as ahead]])
    end))
  end
  local own, other = count(who.clinic), count(who.other)
  local both = count { who.clinic, who.other }
  assert(own.patients >= 2 and own.ahead >= 1 and other.patients >= 1)
  assert(both.ahead == own.ahead + other.ahead)
  return ("one clinic has %d patients and %d appointments ahead, another %d "
    .. "and %d"):format(own.patients, own.ahead, other.patients, other.ahead)
end

local PRIORITIES = { "critical", "high", "normal", "low" }
local NOBODY = "00000000-0000-4000-8000-000000000000"

local function booking(patient, days, priority)
  return {
    priority = priority,
    operation = function(client)
      return assert(client:exec([[
insert into appointments (patient_id, starts_at, ends_at, reason)
values ($1, now() + make_interval(days => $2::int),
        now() + make_interval(days => $2::int, mins => 30), $3)]],
        patient.id, days, MARK))
    end,
  }
end

-- 5. A batch: many operations, a few at a time; one that fails stops no other.
local function batch(db, patient)
  local ops = {}
  for i = 1, 40 do
    ops[i] = booking(patient, i, PRIORITIES[i % 4 + 1])
  end
  ops[20] = booking({ id = NOBODY }, 1, "high")

  local result = assert(db:batch(ops, { concurrency = 10, retries = 3 }))
  assert(result.total_count == 40 and result.success_count == 39)
  assert(result.failure_count == 1 and result.failed[1].index == 20)
  assert(result.failed[1].error.code == "constraint")
  local row = assert(db:one(
    "select count(*) as n from appointments where reason = $1", MARK))
  assert(row.n == 40, "39 of the batch and the one of the write")
  return "39 of 40 operations succeeded, the wrong one failed alone"
end

-- The two clinics with most patients, and somebody who works at the first.
local function find(system)
  local most = assert(system:query([[
select m.clinic_id as id, count(*) as patients
  from patient_clinics m
 group by m.clinic_id
 order by patients desc, id
 limit 2]]))
  local user = assert(system:one([[
select u.id
  from users u
  join user_clinics m on m.user_id = u.id
 where m.clinic_id = $1
 order by u.login
 limit 1]], most[1].id))
  return { clinic = most[1].id, other = most[2].id, user = user.id }
end

-- A clinic deletes no patient: that is the system's.
local function clean(system)
  assert(system:transaction(function(tx)
    assert(tx:exec("delete from appointments where reason = $1", MARK))
    assert(tx:exec([[
delete from patient_clinics
 where patient_id in (select id from patients where suffix = $1)]], MARK))
    assert(tx:exec("delete from patients where suffix = $1", MARK))
    return true
  end))
  return true
end

--- Runs the five; calls `tell` with each line.  Raises when one does not hold.
---@param db table  of open.db
---@param tell fun(line: string)
function five.run(db, tell)
  local function clean_up()
    assert(db:as_system("five.lua takes away what it added", clean))
  end
  clean_up()
  local who = assert(db:as_system("five.lua looks for a clinic", find))
  who.roles = { "doctor" }
  open.as(db, who, function()
    local patient, line = read(db)
    tell("read: " .. line)
    tell("write: " .. write(db, patient, who.user))
    tell("transaction: " .. transaction(db))
    tell("with_clinic: " .. clinics(db, who))
    tell("batch: " .. batch(db, patient))
  end)
  clean_up()
end

if cli.is_main("five") then
  local db = open.db()
  five.run(db, print)
  db:close()
end

return five
