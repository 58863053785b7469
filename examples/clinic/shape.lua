-- SPDX-License-Identifier: MIT
--
-- shape - which file fills which table, column by column.
--
-- The files are those that Synthea writes.  shape.files stands in the order of
-- loading: a file comes after those it refers to.  A file says
--
--   file      its name               table    where its rows go
--   optional  may be absent          columns  what is read, see below
--   key       the columns that name a row: one uuid, or several texts from
--             which the row's uuid is made
--   fixed     columns with the same value in every row
--   through   take the clinic from the encounter that the row names
--
-- and a column { FROM, to, kind, ... } names the column of the file, that of
-- the table, a kind of check.lua, and perhaps
--
--   required  an empty field is a fault
--   ref       the table in which this uuid has to be
--   none      a text that means "empty"
--   default   what an empty field stands for

local shape = {}

---@class clinic.Column
---@field [1] string   column of the file
---@field [2] string   column of the table
---@field [3] string   kind, a function of check.lua
---@field required? boolean
---@field ref? string
---@field none? string
---@field default? string

---@class clinic.File
---@field file string
---@field table string
---@field key string[]
---@field columns clinic.Column[]
---@field optional? boolean
---@field fixed? table<string, string>
---@field through? boolean

local function must(from, to, kind, more)
  local column = more or {}
  column[1], column[2], column[3] = from, to, kind
  column.required = true
  return column
end

local function may(from, to, kind, more)
  local column = more or {}
  column[1], column[2], column[3] = from, to, kind
  return column
end

local PATIENT = must("PATIENT", "patient_id", "uuid", { ref = "patients" })
local ENCOUNTER =
  must("ENCOUNTER", "encounter_id", "uuid", { ref = "encounters" })

-- What of medical_history differs from file to file.
local function history(kind, file, onset, resolved)
  local columns = {
    PATIENT, ENCOUNTER,
    must("CODE", "code", "text"),
    must("DESCRIPTION", "description", "text"),
    onset,
    resolved,
  }
  return {
    file = file, table = "medical_history", through = true, optional = true,
    key = { "PATIENT", "ENCOUNTER", "CODE", onset[1] },
    fixed = { kind = kind }, columns = columns,
  }
end

---@type clinic.File[]
shape.files = {
  {
    file = "organizations.csv", table = "clinics", key = { "Id" },
    columns = {
      must("Id", "id", "uuid"),
      must("NAME", "name", "text"),
      may("ADDRESS", "address", "text"),
      may("CITY", "city", "text"),
      may("STATE", "state", "text"),
      may("ZIP", "zip", "text"),
      may("LAT", "latitude", "number"),
      may("LON", "longitude", "number"),
      may("PHONE", "phone", "text"),
    },
  },
  {
    file = "payers.csv", table = "payers", key = { "Id" },
    columns = {
      must("Id", "id", "uuid"),
      must("NAME", "name", "text"),
      may("ADDRESS", "address", "text"),
      may("CITY", "city", "text"),
      may("STATE_HEADQUARTERED", "state", "text"),
      may("ZIP", "zip", "text"),
      may("PHONE", "phone", "text"),
    },
  },
  {
    file = "providers.csv", table = "doctors", key = { "Id" },
    columns = {
      must("Id", "id", "uuid"),
      must("ORGANIZATION", "primary_clinic_id", "uuid", { ref = "clinics" }),
      must("NAME", "full_name", "text"),
      may("GENDER", "gender", "text"),
      must("SPECIALITY", "speciality", "text"),
    },
  },
  {
    file = "patients.csv", table = "patients", key = { "Id" },
    columns = {
      must("Id", "id", "uuid"),
      must("BIRTHDATE", "birth_date", "date"),
      may("DEATHDATE", "death_date", "date"),
      may("SSN", "ssn", "text"),
      must("FIRST", "first_name", "text"),
      must("LAST", "last_name", "text"),
      may("PREFIX", "prefix", "text"),
      may("SUFFIX", "suffix", "text"),
      may("MAIDEN", "maiden_name", "text"),
      may("MARITAL", "marital", "text"),
      may("RACE", "race", "text"),
      may("ETHNICITY", "ethnicity", "text"),
      must("GENDER", "gender", "text"),
      may("BIRTHPLACE", "birth_place", "text"),
      may("ADDRESS", "address", "text"),
      may("CITY", "city", "text"),
      may("STATE", "state", "text"),
      may("COUNTY", "county", "text"),
      may("ZIP", "zip", "text"),
      may("LAT", "latitude", "number"),
      may("LON", "longitude", "number"),
      may("HEALTHCARE_EXPENSES", "healthcare_expenses", "number"),
      may("HEALTHCARE_COVERAGE", "healthcare_coverage", "number"),
    },
  },
  {
    file = "encounters.csv", table = "encounters", key = { "Id" },
    columns = {
      must("Id", "id", "uuid"),
      must("ORGANIZATION", "clinic_id", "uuid", { ref = "clinics" }),
      PATIENT,
      may("PROVIDER", "doctor_id", "uuid", { ref = "doctors" }),
      may("PAYER", "payer_id", "uuid", { ref = "payers" }),
      must("ENCOUNTERCLASS", "class", "text"),
      must("CODE", "code", "text"),
      must("DESCRIPTION", "description", "text"),
      must("START", "started_at", "timestamp"),
      may("STOP", "ended_at", "timestamp"),
      may("BASE_ENCOUNTER_COST", "base_cost", "number", { default = "0" }),
      may("TOTAL_CLAIM_COST", "total_cost", "number", { default = "0" }),
      may("PAYER_COVERAGE", "payer_coverage", "number", { default = "0" }),
      may("REASONCODE", "reason_code", "text"),
      may("REASONDESCRIPTION", "reason", "text"),
    },
  },
  history("condition", "conditions.csv",
    must("START", "onset_on", "date"), may("STOP", "resolved_on", "date")),
  history("allergy", "allergies.csv",
    must("START", "onset_on", "date"), may("STOP", "resolved_on", "date")),
  history("procedure", "procedures.csv",
    must("START", "onset_on", "timestamp"),
    may("STOP", "resolved_on", "timestamp")),
  history("immunization", "immunizations.csv",
    must("DATE", "onset_on", "timestamp")),
  {
    file = "medications.csv", table = "prescriptions", through = true,
    key = { "PATIENT", "ENCOUNTER", "CODE", "START", "STOP" },
    columns = {
      PATIENT, ENCOUNTER,
      may("PAYER", "payer_id", "uuid", { ref = "payers" }),
      must("CODE", "code", "text"),
      must("DESCRIPTION", "drug", "text"),
      must("START", "prescribed_at", "timestamp"),
      may("STOP", "ended_at", "timestamp"),
      may("DISPENSES", "dispenses", "integer", { default = "1" }),
      may("BASE_COST", "base_cost", "number", { default = "0" }),
      may("TOTALCOST", "total_cost", "number", { default = "0" }),
      may("PAYER_COVERAGE", "payer_coverage", "number", { default = "0" }),
      may("REASONCODE", "reason_code", "text"),
      may("REASONDESCRIPTION", "reason", "text"),
    },
  },
  {
    file = "claims.csv", table = "billing", through = true, key = { "Id" },
    columns = {
      must("Id", "id", "uuid"),
      must("PATIENTID", "patient_id", "uuid", { ref = "patients" }),
      must("APPOINTMENTID", "encounter_id", "uuid", { ref = "encounters" }),
      may("PROVIDERID", "doctor_id", "uuid", { ref = "doctors" }),
      may("PRIMARYPATIENTINSURANCEID", "payer_id", "uuid",
        { ref = "payers", none = "0" }),
      must("STATUS1", "status", "text"),
      may("OUTSTANDING1", "outstanding_payer", "number", { default = "0" }),
      may("OUTSTANDING2", "outstanding_secondary", "number",
        { default = "0" }),
      may("OUTSTANDINGP", "outstanding_patient", "number",
        { default = "0" }),
      must("SERVICEDATE", "serviced_at", "timestamp"),
      may("LASTBILLEDDATE1", "last_billed_at", "timestamp"),
    },
  },
  {
    file = "devices.csv", table = "devices", through = true, optional = true,
    key = { "PATIENT", "ENCOUNTER", "UDI" },
    columns = {
      PATIENT, ENCOUNTER,
      must("CODE", "code", "text"),
      must("DESCRIPTION", "description", "text"),
      must("UDI", "udi", "text"),
      must("START", "fitted_at", "timestamp"),
      may("STOP", "removed_at", "timestamp"),
    },
  },
  -- Not Synthea's, which knows of no visit that did not take place.
  {
    file = "appointments.csv", table = "appointments", optional = true,
    key = { "Id" },
    columns = {
      must("Id", "id", "uuid"),
      must("ORGANIZATION", "clinic_id", "uuid", { ref = "clinics" }),
      PATIENT,
      may("PROVIDER", "doctor_id", "uuid", { ref = "doctors" }),
      must("START", "starts_at", "timestamp"),
      must("STOP", "ends_at", "timestamp"),
      must("STATUS", "status", "text"),
      may("REASON", "reason", "text"),
    },
  },
}

return shape
