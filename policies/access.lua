-- Who may do what, when, and from where, for the tables of
-- examples/clinic/schema.sql.
--
-- What no permit covers is refused; a forbid wins over every permit; the order
-- of rules means nothing.  It all happens inside of the clinic that
-- isolation.lua leaves: no role sees another clinic's rows.
--
-- The host says who asks, db:with_context { tenant =, user =, roles = { ... },
-- ip =, device =, locations = { ... }, clinic_tz = "Europe/Berlin" }.  What it
-- does not say is not known, and what is not known permits nothing.

-- ---- who -------------------------------------------------------------------

-- `is`: has every permit of that role, too.
role "staff"  {}
role "nurse"  { is = "staff" }
role "doctor" { is = "staff" }
role "biller" { is = "staff" }
role "admin"  { is = "staff" }

local office = hours("Mon-Fri 07:00-19:00, Sat 08:00-13:00", ctx.clinic_tz)
local inside = ip("10.20.0.0/16", "2001:db8:44::/48")
local own_location = row.location_id:one_of(ctx.locations)

-- ---- everybody who works here ----------------------------------------------

permit "staff knows the house" {
  role = "staff", action = "read",
  on = { "clinics", "locations", "doctors", "doctor_clinics", "users",
         "profiles", "user_clinics", "payers", "patient_clinics" } }

-- To find somebody at the desk, and no more of a chart than that.
permit "staff tells patients apart" {
  role = "staff", action = "read", on = "patients",
  columns = { "id", "first_name", "last_name", "prefix", "suffix",
              "birth_date", "death_date", "gender" } }

permit "staff registers patients" {
  role = "staff", action = "insert", on = "patients" }

permit "staff keeps addresses up to date" {
  role = "staff", action = { "read", "update" }, on = "patients",
  columns = { "address", "city", "state", "county", "zip" } }

permit "staff makes appointments" {
  role = "staff", action = { "read", "insert", "update" },
  on = "appointments" }

-- ---- treatment -------------------------------------------------------------

permit "doctor works with charts" {
  role = "doctor", action = { "read", "insert", "update" },
  on = { "patients", "encounters", "medical_history", "prescriptions",
         "devices", "emergencies" } }

-- Outside of office hours a nurse opens a chart by breaking the glass.
permit "nurse reads charts in office hours" {
  role = "nurse", action = "read",
  on = { "patients", "encounters", "medical_history", "prescriptions",
         "devices" },
  when = office }

-- An emergency has no office hours.
permit "nurse sees and writes emergencies" {
  role = "nurse", action = { "read", "insert", "update" },
  on = "emergencies" }

-- ---- money -----------------------------------------------------------------

permit "biller keeps the bills" {
  role = "biller", action = { "read", "insert", "update" }, on = "billing" }

-- What was charged, and not what for: other columns are read as NULL.
permit "biller sees what a visit cost" {
  role = "biller", action = "read", on = "encounters",
  columns = { "id", "clinic_id", "patient_id", "doctor_id", "payer_id",
              "class", "started_at", "ended_at", "base_cost", "total_cost",
              "payer_coverage" } }

-- ---- the house -------------------------------------------------------------

permit "admin gives and takes roles" {
  role = "admin", action = "any", on = "user_roles" }

permit "admin keeps houses and office hours of doctors" {
  role = "admin", action = { "read", "insert", "update" },
  on = { "locations", "doctor_clinics" } }

-- ---- whatever is permitted --------------------------------------------------

-- A chart is history: nothing of it is deleted, by nobody.
forbid "charts are kept" {
  action = "delete",
  on = { "patients", "encounters", "medical_history", "prescriptions",
         "devices", "emergencies", "billing" } }

-- From home a chart may be read; nothing is written.
forbid "nothing is written from outside" {
  action = { "insert", "update", "delete" }, on = "any", unless = inside }

forbid "no chart on a device that nobody knows" {
  action = "any",
  on = { "medical_history", "prescriptions" },
  unless = ctx.device:known() }

-- An appointment is changed where it is; one without a place, by a doctor.
forbid "appointments of another location stay as they are" {
  action = "update", on = "appointments",
  unless = any { own_location, has_role "doctor" } }

-- ---- emergencies ------------------------------------------------------------

-- One patient, a written reason, half an hour; somebody reads it afterwards.
break_glass "emergency" {
  role = { "doctor", "nurse" },
  opens = { "patients", "encounters", "medical_history", "prescriptions",
            "devices" },
  patient = { patients = "id", encounters = "patient_id",
              medical_history = "patient_id", prescriptions = "patient_id",
              devices = "patient_id" },
  never = { "delete", "insert" },
  lasts = minutes(30), review_within = hours(72) }

-- ---- how much ---------------------------------------------------------------

-- A script that runs wild at one clinic does not slow the others down.
limit "no clinic asks without end" { rate = 60000, window = minutes(1) }

-- ---- what has to hold before this file is in force --------------------------

local function who(role, more)
  local all = { tenant = "0b5e0000-0000-4000-8000-00000000000a",
    roles = { role }, ip = "10.20.3.7", device = "desk-7",
    locations = { "l1" }, clinic_tz = "Europe/Berlin" }
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  return all
end

test "a doctor reads a history" {
  as = who "doctor", can = "read", on = "medical_history" }
test "a doctor at home reads a history, on a device that is known" {
  as = who("doctor", { ip = "192.0.2.1", device = "laptop-12" }),
  can = "read", on = "medical_history" }
test "a doctor at home writes none" {
  as = who("doctor", { ip = "192.0.2.1" }),
  cannot = "update", on = "medical_history",
  because = "nothing is written from outside" }
test "who says no address writes nothing" {
  as = { roles = "doctor", device = "desk-7" },
  cannot = "insert", on = "prescriptions",
  because = "nothing is written from outside" }
test "a device that nobody knows opens no chart" {
  as = { roles = "doctor", ip = "10.20.3.7" },
  cannot = "read", on = "prescriptions",
  because = "no chart on a device that nobody knows" }
test "not even a doctor deletes a chart" {
  as = who "doctor", cannot = "delete", on = "encounters",
  because = "charts are kept" }

-- Summer in Berlin: 08:00Z is ten o'clock, 20:00Z is ten in the evening.
test "a nurse reads charts by day" {
  as = who "nurse", can = "read", on = "medical_history",
  at = "2026-06-15T08:00Z" }
test "a nurse does not read them at night" {
  as = who "nurse", cannot = "read", on = "medical_history",
  at = "2026-06-15T20:00Z", because = "no permit" }
test "half past five UTC is day in Berlin in summer" {
  as = who "nurse", can = "read", on = "medical_history",
  at = "2026-06-15T05:30Z" }
test "and not yet in winter" {
  as = who "nurse", cannot = "read", on = "medical_history",
  at = "2026-01-15T05:30Z", because = "no permit" }
test "a nurse sees an emergency at any time" {
  as = who "nurse", can = "read", on = "emergencies",
  at = "2026-06-15T20:00Z" }
test "a nurse prescribes nothing" {
  as = who "nurse", cannot = "insert", on = "prescriptions",
  at = "2026-06-15T08:00Z", because = "no permit" }

test "the desk tells patients apart" {
  as = who "staff", can = "read", on = "patients",
  columns = { "id", "last_name", "birth_date" } }
test "an SSN is none of the desk's business" {
  as = who "staff", cannot = "read", on = "patients",
  columns = { "last_name", "ssn" } }
test "the desk reads no history" {
  as = who "staff", cannot = "read", on = "medical_history",
  because = "no permit" }
test "the desk moves an appointment of its own house" {
  as = who "staff", can = "update", on = "appointments",
  columns = { "starts_at" }, row = { location_id = "l1" } }
test "and none of another house" {
  as = who "staff", cannot = "update", on = "appointments",
  columns = { "starts_at" }, row = { location_id = "l2" },
  because = "appointments of another location stay as they are" }

test "a biller sees what a visit cost" {
  as = who "biller", can = "read", on = "encounters",
  columns = { "total_cost", "payer_coverage" } }
test "and not what it was for" {
  as = who "biller", cannot = "read", on = "encounters",
  columns = { "reason" } }
test "a biller reads no prescriptions" {
  as = who "biller", because = "access",
  sql = "select drug from prescriptions" }

test "an admin gives a role" {
  as = who "admin", can = "insert", on = "user_roles" }
test "an admin opens no chart" {
  as = who "admin", cannot = "read", on = "medical_history",
  because = "no permit" }
test "a doctor gives no role" {
  as = who "doctor", cannot = "insert", on = "user_roles",
  because = "no permit" }
test "somebody without a role does nothing" {
  as = { tenant = "0b5e0000-0000-4000-8000-00000000000a" },
  because = "access", sql = "select name from clinics" }
