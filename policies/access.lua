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
