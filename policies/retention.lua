-- How long records are kept, and from when it is counted.
--
-- No effect yet in this version: nothing is removed.  What stands here is
-- checked with every save, so that it is in order on the day it counts.
--
-- Of several dates the latest counts.  What is kept longer keeps what it points
-- to: a bill its visit, a history its patient.

-- Thirty years from the last visit.
keep "patients"        { for_ = years(30), from = "patient_clinics.last_seen" }
keep "patient_clinics" { for_ = years(30), from = "last_seen" }
keep "encounters"      { for_ = years(30), from = { "started_at", "ended_at" } }
keep "emergencies"     { for_ = years(30),
                         from = { "occurred_at", "resolved_at" } }

-- An implant is looked up as long as it may be in somebody.
keep "devices"         { for_ = years(30),
                         from = { "fitted_at", "removed_at" } }

-- Conditions, allergies, immunizations: as long as the patient lives.
keep "medical_history" { lifetime = true }

keep "appointments"    { for_ = years(7),  from = "ends_at" }
keep "billing"         { for_ = years(10),
                         from = { "serviced_at", "last_billed_at" } }
keep "prescriptions"   { for_ = years(10),
                         from = { "prescribed_at", "ended_at" } }

-- AUDIT_RETENTION_DAYS (seven years) is the law's least; this is the house's.
keep "audit_log"       { for_ = years(10), from = "at" }
