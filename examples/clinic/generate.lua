-- SPDX-License-Identifier: MIT
--
-- generate - writes a folder of CSV files of the Synthea shape.
--
--   luajit examples/clinic/generate.lua DIR [--patients N] [--seed N]
--
-- The same seed and number give the same bytes, on every machine and day.  A
-- few rows are broken on purpose (see `Writer:spoil_*`), in the middle of good
-- ones; generate.run tells how many, and what is left when they are rejected.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
if not package.loaded["clinic.cli"] then
  package.path = here .. "/../?.lua;" .. package.path
end

local cli = require "clinic.cli"
local csv = require "clinic.csv"
local random = require "clinic.random"
local words = require "clinic.words"

local generate = {}

local LAST_DAY = 19753 -- 2024-01-31, in days since 1970-01-01
local YEARS = 5
local STATE = "MA"

-- ---- time -----------------------------------------------------------------

-- Howard Hinnant, "chrono-compatible low-level date algorithms".
local function civil(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460)
    + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month, day
end

local function date(days)
  return ("%04d-%02d-%02d"):format(civil(days))
end

local function stamp(days, minutes)
  return ("%sT%02d:%02d:00Z"):format(date(days + math.floor(minutes / 1440)),
    math.floor(minutes / 60) % 24, minutes % 60)
end

local function money(amount)
  return ("%.2f"):format(amount)
end

-- ---- writing --------------------------------------------------------------

---@class clinic.Writer
---@field good table<string, integer>  good rows by file
---@field bad integer                  rows an import has to reject
local Writer = {}
Writer.__index = Writer

local FILES = { "organizations", "payers", "providers", "patients",
  "encounters", "conditions", "procedures", "medications", "claims",
  "appointments" }

local function writer(dir, seed)
  local self = setmetatable({ out = {}, good = {}, bad = 0,
    rng = random.new(seed) }, Writer)
  for _, name in ipairs(FILES) do
    local path = dir .. "/" .. name .. ".csv"
    local file = assert(io.open(path, "wb"))
    file:setvbuf("full", 64 * 1024)
    file:write(words.headers[name], "\n")
    self.out[name], self.good[name] = file, 0
  end
  return self
end

function Writer:close()
  for _, name in ipairs(FILES) do
    assert(self.out[name]:close())
  end
end

function Writer:row(name, fields)
  self.good[name] = self.good[name] + 1
  self.out[name]:write(csv.line(fields))
end

-- A row that an import has to reject, well written.
function Writer:bad_row(name, fields)
  self.bad = self.bad + 1
  self.out[name]:write(csv.line(fields))
end

-- The same, its fields written without any quoting.
function Writer:bad_text(name, fields)
  self.bad = self.bad + 1
  self.out[name]:write(table.concat(fields, ","), "\n")
end

local function changed(fields, at, value)
  local out = {}
  for i = 1, #fields do
    out[i] = fields[i]
  end
  out[at] = value
  return out
end

-- ---- clinics --------------------------------------------------------------

local function address(rng)
  return rng:int(1, 999) .. " " .. rng:pick(words.streets)
end

function Writer:clinics(count)
  local rng, clinics = self.rng, {}
  for i = 1, count do
    local city = rng:pick(words.cities)
    local clinic = { id = rng:uuid(), city = city, doctors = {},
      address = address(rng), lat = 42 + rng:unit(), lon = -71 - rng:unit() }
    clinics[i] = clinic
    self:row("organizations", { clinic.id,
      ("%s %s %d"):format(city[1], rng:pick(words.clinic_kinds), i),
      clinic.address, city[1], STATE, city[3], ("%.6f"):format(clinic.lat),
      ("%.6f"):format(clinic.lon), rng:int(5080000000, 5089999999), "0.0",
      rng:int(1, 500) })
  end
  return clinics
end

function Writer:doctors(clinics)
  local rng = self.rng
  for _, clinic in ipairs(clinics) do
    for i = 1, 3 do
      local female = rng:chance(0.5)
      local id = rng:uuid()
      clinic.doctors[i] = id
      self:row("providers", { id, clinic.id,
        rng:pick(female and words.first_female or words.first_male) .. " "
          .. rng:pick(words.last),
        female and "F" or "M", rng:pick(words.specialities), clinic.address,
        clinic.city[1], STATE, clinic.city[3], ("%.6f"):format(clinic.lat),
        ("%.6f"):format(clinic.lon), rng:int(1, 500) })
    end
  end
end

function Writer:payers()
  local rng, ids = self.rng, {}
  for i, name in ipairs(words.payers) do
    ids[i] = rng:uuid()
    local row = { ids[i], name, "1 Main Street", "Boston", STATE, "02108",
      "1-800-555-0" .. 100 + i }
    for c = 8, 19 do
      row[c] = 0
    end
    row[20], row[21] = "NaN", 0
    self:row("payers", row)
    if name == "NO_INSURANCE" then
      self.uninsured = ids[i]
    end
  end
  return ids
end

-- ---- patients -------------------------------------------------------------

-- Every 50th lives at an address that takes quoting, over two lines.
local function home(rng, number)
  if number % 50 ~= 0 then
    return address(rng)
  end
  return address(rng) .. ',\n"Garden" House, Apt ' .. rng:int(1, 40)
end

local function patient_row(rng, patient, number)
  local female = patient.gender == "F"
  local city = rng:pick(words.cities)
  local adult = patient.born < LAST_DAY - 18 * 365
  return { patient.id, date(patient.born), patient.died or "",
    ("999-%02d-%04d"):format(rng:int(10, 99), rng:int(1, 9999)),
    adult and "S" .. rng:int(99900000, 99999999) or "", "",
    adult and (female and "Ms." or "Mr.") or "",
    rng:pick(female and words.first_female or words.first_male),
    rng:pick(words.last), "", "",
    adult and (rng:chance(0.5) and "M" or "S") or "",
    rng:weighted(words.races),
    rng:chance(0.12) and "hispanic" or "nonhispanic", patient.gender,
    city[1] .. "  Massachusetts  US", home(rng, number), city[1],
    "Massachusetts", city[2], city[3], ("%.6f"):format(42 + rng:unit()),
    ("%.6f"):format(-71 - rng:unit()), money(rng:unit() * 200000),
    money(rng:unit() * 100000) }
end

function Writer:patient(clinics, payers, number)
  local rng = self.rng
  local function clinic()
    return clinics[1 + math.floor(rng:unit() ^ 2 * #clinics)]
  end
  local patient = { id = rng:uuid(), gender = rng:chance(0.5) and "F" or "M",
    born = LAST_DAY - rng:int(200, 90 * 365), payer = rng:pick(payers),
    clinics = { clinic() }, seen = {} }
  patient.clinics[2] = rng:chance(0.25) and clinic() or nil
  patient.until_day = LAST_DAY - (rng:chance(0.15) and 600 or 0)
  if rng:chance(0.04) then
    patient.died = date(LAST_DAY)
  end
  local row = patient_row(rng, patient, number)
  self:row("patients", row)
  return patient, row
end

-- Six rows that are no patients.  The last has a byte that is not UTF-8:
-- only the server sees that.
function Writer:spoil_patients(row)
  local rng = self.rng
  self:bad_row("patients", row)
  local function other(at, value)
    return changed(changed(row, 1, rng:uuid()), at, value)
  end
  self:bad_row("patients", other(2, "1987-02-31"))
  self:bad_row("patients", other(9, ""))
  local plain = other(17, "1 Mill Road")
  self:bad_text("patients", changed(plain, 8, 'Jo"an'))
  self:bad_text("patients", changed(plain, 9, '"Turing"Jr'))
  self:bad_row("patients",
    changed(changed(plain, 1, rng:uuid()), 9, "M\252ller"))
end

-- ---- visits ---------------------------------------------------------------

local function encounter_row(v)
  return { v.id, v.start, v.stop, v.patient.id, v.clinic.id, v.doctor,
    v.patient.payer, v.kind[1], v.kind[2], v.kind[3], money(v.kind[4]),
    money(v.total), money(v.covered), "", "" }
end

function Writer:claim(v, at)
  local rng = self.rng
  local open = v.day > LAST_DAY - 120 and rng:chance(0.5)
  local status = open and "BILLED" or "CLOSED"
  local alone = v.patient.payer == self.uninsured
  local share = alone and 0 or 0.8
  local owed = open and money(v.total * share) or "0.00"
  local own = open and money(v.total * (1 - share)) or "0.00"
  local payer = alone and "0" or v.patient.payer
  self:row("claims", { rng:uuid(), v.patient.id, v.doctor, payer, "0", 1, 1,
    v.kind[2], "", "", "", "", "", "", "", "", v.id, at, at, v.doctor, status,
    "", status, owed, "", own, v.stop, "", v.stop,
    v.kind[1] == "inpatient" and 2 or 1, 0 })
end

function Writer:treat(v, first)
  local rng = self.rng
  local patient = v.patient
  if first and patient.chronic then
    self:row("conditions", { date(v.day), "", patient.id, v.id,
      patient.chronic[1], patient.chronic[2] })
  elseif rng:chance(0.35) then
    local what = rng:pick(words.acute)
    self:row("conditions", { date(v.day), date(v.day + rng:int(5, 30)),
      patient.id, v.id, what[1], what[2] })
  end
  if rng:chance(0.2) then
    local what = rng:pick(words.procedures)
    self:row("procedures", { v.start, v.stop, patient.id, v.id, what[1],
      what[2], money(what[3]), "", "" })
  end
  if rng:chance(patient.chronic and 0.7 or 0.3) then
    local drug = rng:pick(words.drugs)
    local count = rng:int(1, 12)
    local row = { v.start, first and "" or stamp(v.day + 30 * count, 600),
      patient.id, patient.payer, v.id, drug[1], drug[2], money(drug[3]),
      "0.00", count, money(drug[3] * count), "", "" }
    self:row("medications", row)
    self:claim(v, v.start)
    return row
  end
end

-- Some visits were planned and did not take place.
function Writer:missed(v)
  local rng = self.rng
  local day = v.day - rng:int(1, 20)
  self:row("appointments", { rng:uuid(), stamp(day, 600), stamp(day, 630),
    v.patient.id, v.clinic.id, v.doctor,
    rng:chance(0.6) and "no_show" or "cancelled", v.kind[3] })
end

function Writer:visit(patient, day, first)
  local rng = self.rng
  local minute = rng:int(8 * 60, 17 * 60)
  local clinic = patient.clinics[rng:chance(0.2) and 2 or 1]
    or patient.clinics[1]
  local v = { id = rng:uuid(), patient = patient, clinic = clinic, day = day,
    doctor = rng:pick(clinic.doctors), kind = rng:weighted(words.visits),
    start = stamp(day, minute) }
  v.stop = stamp(day, minute + rng:int(v.kind[5], 4 * v.kind[5]))
  v.total = v.kind[4] * (1 + rng:unit() * 8)
  v.covered = rng:chance(0.6) and v.total * 0.8 or 0
  self:row("encounters", encounter_row(v))
  self:claim(v, v.start)
  self:count(v)
  if rng:chance(0.1) then
    self:missed(v)
  end
  return v, self:treat(v, first)
end

local KEPT = { wellness = true, ambulatory = true, outpatient = true }

-- Keeps count of what an import makes of visits.
function Writer:count(v)
  local seen = v.patient.seen
  if not seen[v.clinic] then
    seen[v.clinic] = true
    self.memberships = self.memberships + 1
  end
  if KEPT[v.kind[1]] then
    self.kept = self.kept + 1
  elseif v.kind[1] == "emergency" then
    self.emergencies = self.emergencies + 1
  end
end

-- Visits of one patient, one after the other; the last one comes back, with
-- the last row of medications.
function Writer:visits(patient)
  local rng = self.rng
  patient.chronic = rng:chance(0.3) and rng:pick(words.chronic) or nil
  local from = math.max(patient.born + 1, patient.until_day - YEARS * 365)
  local count = 1 + math.floor(rng:unit() ^ 2 * 12)
  local step = math.max(1, math.floor((patient.until_day - from) / count))
  local last, drug
  for i = 1, count do
    local day = math.min(LAST_DAY, from + (i - 1) * step + rng:int(0, step))
    local v, row = self:visit(patient, day, i == 1)
    last, drug = v, row or drug
  end
  if not patient.died and rng:chance(0.15) then
    local day = LAST_DAY + rng:int(1, 60)
    self:row("appointments", { rng:uuid(), stamp(day, 600), stamp(day, 630),
      patient.id, last.clinic.id, last.doctor, "booked", "Follow-up" })
  end
  return last, drug
end

-- Five rows that are no encounters.  That one ends before it starts, only a
-- constraint of the server tells.
function Writer:spoil_encounters(v)
  local rng = self.rng
  local function other(at, value)
    return changed(changed(encounter_row(v), 1, rng:uuid()), at, value)
  end
  self:bad_row("encounters", other(4, rng:uuid()))
  self:bad_row("encounters", other(2, "2023-04-31T10:00:00Z"))
  self:bad_text("encounters", { rng:uuid(), v.start, v.stop })
  self:bad_text("encounters", other(10, '"Encounter for'))
  self:bad_row("encounters", other(3, "1999-01-01T00:00:00Z"))
end

-- Two rows that are no medications; the second has too large a number for its
-- column.  And one condition without an encounter.
function Writer:spoil_treatments(v, drug)
  self:bad_row("medications", changed(changed(drug, 1, v.stop), 8, "12,50"))
  self:bad_row("medications",
    changed(changed(drug, 1, v.stop), 11, "12345678901234.00"))
  self:bad_row("conditions", { date(v.day), "", v.patient.id,
    self.rng:uuid(), "44465007", "Sprain of ankle" })
end

-- ---- the door -------------------------------------------------------------

function Writer:tables()
  local good = self.good
  local clinics, doctors = good.organizations, good.providers
  return {
    clinics = clinics, locations = clinics, payers = good.payers,
    users = clinics + doctors, profiles = clinics + doctors,
    user_clinics = clinics + doctors, user_roles = clinics + doctors,
    doctors = doctors, doctor_clinics = doctors, patients = good.patients,
    patient_clinics = self.memberships, encounters = good.encounters,
    appointments = good.appointments + self.kept,
    emergencies = self.emergencies,
    medical_history = good.conditions + good.procedures,
    prescriptions = good.medications, billing = good.claims, devices = 0,
  }
end

--- Writes the files into `dir`, which has to exist.  Gives what an import of
--- them comes to: rows by table, and the number of rows it rejects.
---@param dir string
---@param opts? { patients?: integer, seed?: integer }
---@return { tables: table<string, integer>, rejected: integer }
function generate.run(dir, opts)
  local count = opts and opts.patients or 10000
  assert(count >= 1 and count % 1 == 0, "patients: a whole number above 0")
  local out = writer(dir, opts and opts.seed or 1)
  out.memberships, out.kept, out.emergencies = 0, 0, 0
  local clinics =
    out:clinics(math.max(3, math.min(200, math.floor(count / 150))))
  out:doctors(clinics)
  local payers = out:payers()
  local spoiled, treated = math.ceil(count / 2), false
  for i = 1, count do
    local patient, row = out:patient(clinics, payers, i)
    local v, drug = out:visits(patient)
    if i == spoiled then
      out:spoil_patients(row)
      out:spoil_encounters(v)
    end
    if drug and i >= spoiled and not treated then
      treated = true
      out:spoil_treatments(v, drug)
    end
  end
  out:close()
  return { tables = out:tables(), rejected = out.bad }
end

local function main(argv)
  local opts, rest =
    cli.parse(argv, { patients = "number", seed = "number" })
  if #rest ~= 1 then
    error("usage: generate.lua DIR [--patients N] [--seed N]", 0)
  end
  local made = generate.run(rest[1], opts)
  io.stdout:write(("%d patients, %d encounters, %d clinics; "
    .. "%d rows broken on purpose\n"):format(made.tables.patients,
    made.tables.encounters, made.tables.clinics, made.rejected))
end

if cli.is_main("generate") then
  main(arg)
end

return generate
