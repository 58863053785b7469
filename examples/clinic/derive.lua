-- SPDX-License-Identifier: MIT
--
-- derive - the tables that no file holds, made from those that were loaded.
--
-- Two rounds of db:batch, the second of which builds on the first.  What grows
-- with the number of visits is one operation per clinic, so that no statement
-- is long and several run at once.  Each statement can run again: it adds what
-- is missing and changes nothing else.

local derive = {}

---@class clinic.Step
---@field table string
---@field sql string
---@field each_clinic? boolean  $1 is a clinic
---@field priority? string

---@type clinic.Step[][]
local ROUNDS = {
  {
    { table = "locations", priority = "high", sql = [[
insert into locations (id, clinic_id, name, address, city, state, zip)
select md5('location|' || id)::uuid, id, name, address, city, state, zip
  from clinics
    on conflict do nothing]] },
    { table = "users", priority = "high", sql = [[
insert into users (id, login, primary_clinic_id)
select md5('doctor|' || id)::uuid, 'doctor.' || id, primary_clinic_id
  from doctors
 union all
select md5('admin|' || id)::uuid, 'admin.' || id, id
  from clinics
    on conflict do nothing]] },
    { table = "patient_clinics", each_clinic = true, sql = [[
insert into patient_clinics as m
       (patient_id, clinic_id, first_seen, last_seen)
select patient_id, clinic_id, min(started_at), max(started_at)
  from encounters
 where clinic_id = $1
 group by patient_id, clinic_id
    on conflict (patient_id, clinic_id) do update
   set first_seen = least(m.first_seen, excluded.first_seen),
       last_seen = greatest(m.last_seen, excluded.last_seen)
 where excluded.first_seen < m.first_seen
    or excluded.last_seen > m.last_seen]] },
    { table = "emergencies", each_clinic = true, priority = "critical",
      sql = [[
insert into emergencies (id, clinic_id, patient_id, encounter_id,
                         occurred_at, resolved_at, code, description)
select id, clinic_id, patient_id, id, started_at, ended_at, code, description
  from encounters
 where clinic_id = $1 and class = 'emergency'
    on conflict do nothing]] },
  },
  {
    { table = "profiles", sql = [[
insert into profiles (user_id, full_name, gender, phone)
select md5('doctor|' || id)::uuid, full_name, gender, null
  from doctors
 union all
select md5('admin|' || id)::uuid, 'Administration of ' || name, null, phone
  from clinics
    on conflict do nothing]] },
    { table = "user_clinics", sql = [[
insert into user_clinics (user_id, clinic_id)
select id, primary_clinic_id
  from users
 where primary_clinic_id is not null
    on conflict do nothing]] },
    { table = "user_roles", sql = [[
insert into user_roles (user_id, clinic_id, role)
select md5('doctor|' || id)::uuid, primary_clinic_id, 'doctor'
  from doctors
 union all
select md5('admin|' || id)::uuid, id, 'admin'
  from clinics
    on conflict do nothing]] },
    { table = "doctor_clinics", sql = [[
insert into doctor_clinics (doctor_id, clinic_id, location_id)
select id, primary_clinic_id, md5('location|' || primary_clinic_id)::uuid
  from doctors
    on conflict do nothing]] },
    { table = "doctors", sql = [[
update doctors
   set user_id = md5('doctor|' || id)::uuid
 where user_id is null]] },
    { table = "appointments", each_clinic = true, priority = "low", sql = [[
insert into appointments (id, clinic_id, location_id, patient_id, doctor_id,
                          encounter_id, starts_at, ends_at, status, reason)
select id, clinic_id, md5('location|' || clinic_id)::uuid, patient_id,
       doctor_id, id, started_at, coalesce(ended_at, started_at),
       'completed', description
  from encounters
 where clinic_id = $1 and class in ('wellness', 'ambulatory', 'outpatient')
    on conflict do nothing]] },
  },
}

-- A parameter that is nil is still a parameter: a statement without any gets
-- none.
local function operation(step, note, ...)
  local args, n = { ... }, select("#", ...)
  return {
    priority = step.priority or "normal",
    operation = function(client)
      local count = assert(client:exec(step.sql, unpack(args, 1, n)))
      note(step.table, count)
      return count
    end,
  }
end

local function operations(round, note, clinics)
  local ops = {}
  for _, step in ipairs(round) do
    if step.each_clinic then
      for _, clinic in ipairs(clinics) do
        ops[#ops + 1] = operation(step, note, clinic.id)
      end
    else
      ops[#ops + 1] = operation(step, note)
    end
  end
  return ops
end

--- Fills the derived tables.  Raises when an operation failed for good.
---@param db table
---@param progress clinic.Progress
---@return table<string, integer> counts  rows added or brought up to date
function derive.run(db, progress)
  local counts, done = {}, 0
  local function note(name, count)
    counts[name] = (counts[name] or 0) + count
    done = done + 1
    progress:at(done)
  end
  local clinics = assert(db:query("select id from clinics order by id"))
  for i, round in ipairs(ROUNDS) do
    local ops = operations(round, note, clinics)
    done = 0
    progress:start(("derived tables %d/%d"):format(i, #ROUNDS), #ops)
    local result = assert(db:batch(ops, { concurrency = 8, retries = 2 }))
    if result.failure_count > 0 then
      error(result.failed[1].error, 0)
    end
    progress:done(("%d operations"):format(result.success_count))
  end
  return counts
end

return derive
