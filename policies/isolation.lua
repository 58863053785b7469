-- Which rows belong to whom, for the tables of examples/clinic/schema.sql.
--
-- A clinic is a tenant.  What is asked for a clinic is limited to its rows
-- before it reaches the database, and a table that is not named here is closed
-- to it.  What is of no clinic (imports, retention, reports over all of them)
-- runs in db:as_system, which wants a reason, and passes this file by.
--
-- `lunate policy check` tells what a save would do; see policies/README.md.

tenant { type = "uuid" }

-- Held twice: by the scoped texts, and by row policies of the database, which
-- `lunate policy rls` writes from this file.  A table without them is closed.
database { mode = "both" }

-- What was done at a clinic is that clinic's, also when the patient goes to
-- another one as well.  Every row names its clinic, and keys of the schema hold
-- what came out of a visit to the visit's clinic.
rows "encounters"      { by = "clinic_id" }
rows "appointments"    { by = "clinic_id" }
rows "emergencies"     { by = "clinic_id" }
rows "medical_history" { by = "clinic_id" }
rows "prescriptions"   { by = "clinic_id" }
rows "billing"         { by = "clinic_id" }
rows "devices"         { by = "clinic_id" }

-- A person is no clinic's property: the record is seen, and may be brought up
-- to date, wherever the person is a patient.  Who registers somebody becomes a
-- clinic of theirs in the same statement.  A patient of another clinic is taken
-- in by as_system: who could add a row to patient_clinics could read any chart.
rows "patients"        { through = "patient_clinics",
                         on = { id = "patient_id" } }
rows "patient_clinics" { by = "clinic_id" }

-- Colleagues are known where they work.  Who signs in, who treats and who
-- belongs where is the group's register: clinics read it, as_system writes it.
-- Roles are each clinic's own to give and to take.
rows "users"           { through = "user_clinics", on = { id = "user_id" },
                         write = "never" }
rows "profiles"        { parent = "users", on = { user_id = "id" },
                         write = "never" }
rows "user_clinics"    { by = "clinic_id", write = "never" }
rows "user_roles"      { by = "clinic_id" }
rows "doctors"         { through = "doctor_clinics", on = { id = "doctor_id" },
                         write = "never" }
rows "doctor_clinics"  { by = "clinic_id" }

-- A clinic sees itself and its houses; no clinic opens, closes or renames one.
rows "clinics"         { by = "id", write = "never" }
rows "locations"       { by = "clinic_id" }

-- Insurers are the same for all.
rows "payers"          { shared = "read" }

-- audit_log has no rule on purpose.  It says who did what, for those who
-- examine it, and is read as_system; no clinic reads or mends it.

-- ---- what has to hold before this file is in force --------------------------

local A = { tenant = "0b5e0000-0000-4000-8000-00000000000a" }
local A_AND_B = { tenant = { "0b5e0000-0000-4000-8000-00000000000a",
                             "0b5e0000-0000-4000-8000-00000000000b" } }

test "a clinic reads its own visits" {
  as = A, gives = "scoped",
  sql = "select started_at from encounters where patient_id = $1" }

test "a doctor of two clinics reads both at once" {
  as = A_AND_B, gives = "scoped",
  sql = "select description from medical_history where patient_id = $1" }

test "a person is found only where they are a patient" {
  as = A, gives = "scoped",
  sql = "select p.last_name from patients p where p.birth_date = $1" }

test "to join a table is to be limited in it" {
  as = A, gives = "scoped",
  sql = [[select p.last_name, d.full_name, u.login
            from encounters e
            join patients p on p.id = e.patient_id
            left join doctors d on d.id = e.doctor_id
            left join users u on u.id = d.user_id]] }

test "insurers are everybody's to read" {
  as = A, gives = "open", sql = "select name from payers" }

test "an appointment is booked as one's own" {
  as = A, gives = "scoped",
  sql = [[insert into appointments (patient_id, starts_at, ends_at)
          values ($1, $2, $3)]] }

test "who is registered becomes a patient of the clinic" {
  as = A, gives = "scoped",
  sql = [[insert into patients (id, birth_date, first_name, last_name, gender)
          values ($1, $2, $3, $4, $5)]] }

test "somebody without a clinic reads no visits" {
  because = "no-tenant", sql = "select count(*) from encounters" }

test "two clinics at once are read, and not written for" {
  as = A_AND_B, because = "tenant",
  sql = "update appointments set status = 'cancelled' where id = $1" }

test "no clinic takes in somebody who is not its patient" {
  as = A, because = "tenant",
  sql = [[insert into patient_clinics (patient_id, clinic_id)
          values ($1, $2)]] }

test "a visit does not move to another clinic" {
  as = A, because = "move",
  sql = "update encounters set clinic_id = $1 where id = $2" }

test "the register of those who work is read, and not written" {
  as = A, because = "shared", sql = "update profiles set phone = $1" }

test "no clinic closes another one, or itself" {
  as = A, because = "shared", sql = "update clinics set is_active = false" }

test "no clinic changes an insurer" {
  as = A, because = "shared", sql = "delete from payers" }

test "the audit log is not for clinics" {
  as = A, because = "unknown-table", sql = "select * from audit_log" }

test "the server's own tables are not for clinics" {
  as = A, because = "catalog", sql = "select usename from pg_user" }

test "nothing runs a text as SQL" {
  as = A, because = "function",
  sql = "select query_to_xml('select 1 from patients', true, true, '')" }

test "a report over all clinics is the system's" {
  as = { system = "yearly report of the group" }, gives = "open",
  sql = "select clinic_id, count(*) from encounters group by clinic_id" }
