-- SPDX-License-Identifier: MIT
--
-- report - questions a clinic asks, answered from the tables of schema.sql.
--
--   lunate run examples/clinic/report.lua [--clinic ID] [--as-of DATE]
--                                         [--days N]
--
-- The questions are asked at once and answered in order: for one clinic, whose
-- rows are all that they then see, or as_system over all, which is told to the
-- log.  `--as-of` is the day the report is written for (the last day
-- with an encounter, when not given); `--days` is how far back emergencies go.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
if not package.loaded["clinic.cli"] then
  package.path = here .. "/../?.lua;" .. package.path
end

local lunate = require "lunate"
local check = require "clinic.check"
local cli = require "clinic.cli"
local open = require "clinic.open"

local report = {}

---@class clinic.Question
---@field title string    may hold %d: the number of days
---@field sql string      $1 the day, $2 days
---@field params integer  how many of the two it takes
---@field columns table   as cli.table takes them
---@field of_all? boolean  makes no sense for one clinic

---@type clinic.Question[]
local QUESTIONS = {
  {
    title = "Busiest clinics", params = 1,
    sql = [[
select c.name, count(*) as visits, count(distinct e.patient_id) as patients,
       max(e.started_at)::date as last_visit
  from encounters e
  join clinics c on c.id = e.clinic_id
 where e.started_at < $1::date + 1
 group by c.id, c.name
 order by visits desc, c.name
 limit 10]],
    columns = { { "name", "clinic" }, { "visits", "visits", right = true },
      { "patients", "patients", right = true },
      { "last_visit", "last visit" } },
  },
  {
    title = "Patients seen per month, the last twelve", params = 1,
    sql = [[
select to_char(m.month, 'YYYY-MM') as month,
       count(e.id) as visits, count(distinct e.patient_id) as patients
  from generate_series(date_trunc('month', $1::date) - interval '11 months',
                       date_trunc('month', $1::date),
                       interval '1 month') as m (month)
  left join encounters e
    on e.started_at >= m.month
   and e.started_at < m.month + interval '1 month'
 group by m.month
 order by m.month]],
    columns = { { "month", "month" }, { "visits", "visits", right = true },
      { "patients", "patients", right = true } },
  },
  {
    title = "Appointments not kept, by clinic", params = 1,
    sql = [[
select c.name,
       count(*) filter (where a.status = 'completed') as kept,
       count(*) filter (where a.status = 'no_show') as no_show,
       count(*) filter (where a.status = 'cancelled') as cancelled,
       to_char(100.0 * count(*) filter (where a.status = 'no_show')
                     / count(*), 'FM990.0') || ' %' as share
  from appointments a
  join clinics c on c.id = a.clinic_id
 where a.starts_at < $1::date + 1 and a.status <> 'booked'
 group by c.id, c.name
 order by no_show desc, kept desc, c.name
 limit 10]],
    columns = { { "name", "clinic" }, { "kept", "kept", right = true },
      { "no_show", "no-show", right = true },
      { "cancelled", "cancelled", right = true },
      { "share", "no-show share", right = true } },
  },
  {
    title = "Prescriptions by drug", params = 1,
    sql = [[
select drug, count(*) as times, count(distinct patient_id) as patients,
       count(*) filter (where ended_at is null or ended_at >= $1::date)
         as current,
       sum(total_cost) as cost
  from prescriptions
 where prescribed_at < $1::date + 1
 group by code, drug
 order by times desc, drug
 limit 10]],
    columns = { { "drug", "drug" }, { "times", "times", right = true },
      { "patients", "patients", right = true },
      { "current", "now taken", right = true },
      { "cost", "cost", right = true } },
  },
  {
    title = "Emergencies of the last %d days", params = 2,
    sql = [[
select c.name, count(*) as emergencies,
       count(distinct m.patient_id) as patients,
       avg(m.resolved_at - m.occurred_at)::interval(0)::text as mean_time,
       max(m.occurred_at)::date as latest
  from emergencies m
  join clinics c on c.id = m.clinic_id
 where m.occurred_at >= $1::date - $2::int
   and m.occurred_at < $1::date + 1
 group by c.id, c.name
 order by emergencies desc, c.name
 limit 10]],
    columns = { { "name", "clinic" },
      { "emergencies", "emergencies", right = true },
      { "patients", "patients", right = true },
      { "mean_time", "mean time", right = true }, { "latest", "latest" } },
  },
  {
    title = "Outstanding bills by payer", params = 0,
    sql = [[
select coalesce(p.name, '(the patient)') as payer, count(*) as claims,
       count(*) filter (where b.status <> 'CLOSED') as open,
       sum(b.outstanding_payer + b.outstanding_secondary) as payer_owes,
       sum(b.outstanding_patient) as patient_owes
  from billing b
  left join payers p on p.id = b.payer_id
 group by p.id, p.name
 order by sum(b.outstanding_payer + b.outstanding_secondary
              + b.outstanding_patient) desc, claims desc, payer]],
    columns = { { "payer", "payer" }, { "claims", "claims", right = true },
      { "open", "open", right = true },
      { "payer_owes", "payer owes", right = true },
      { "patient_owes", "patient owes", right = true } },
  },
  -- Synthea also writes findings about a life (work, education) as conditions;
  -- those are left out.  Open for half a year counts as chronic.
  {
    title = "Chronic condition, not seen for a year", params = 1,
    sql = [[
select h.description, count(distinct h.patient_id) as patients,
       min(s.last_seen)::date as longest
  from medical_history h
  join patients p on p.id = h.patient_id and p.death_date is null
  join (select patient_id, max(started_at) as last_seen
          from encounters
         group by patient_id) s on s.patient_id = h.patient_id
 where h.kind = 'condition' and h.resolved_on is null
   and h.onset_on <= $1::date - 180
   and h.description !~ '(finding|situation)'
   and s.last_seen < $1::date - interval '1 year'
 group by h.code, h.description
 order by patients desc, h.description
 limit 10]],
    columns = { { "description", "condition" },
      { "patients", "patients", right = true },
      { "longest", "longest away since" } },
  },
  {
    title = "Clinics that share patients", params = 0, of_all = true,
    sql = [[
select a.name, count(distinct m.patient_id) as shared,
       count(distinct o.clinic_id) as clinics
  from patient_clinics m
  join patient_clinics o
    on o.patient_id = m.patient_id and o.clinic_id <> m.clinic_id
  join clinics a on a.id = m.clinic_id
 group by a.id, a.name
 order by shared desc, a.name
 limit 10]],
    columns = { { "name", "clinic" },
      { "shared", "patients also elsewhere", right = true },
      { "clinics", "in other clinics", right = true } },
  },
}

local function ask(client, question, values)
  return function()
    return client:query(question.sql, unpack(values, 1, question.params))
  end
end

-- The day of the report: given, or the last with an encounter.
local function day_of(client, given)
  if given then
    local _, reason = check.date(given)
    if reason then
      error("--as-of " .. reason, 0)
    end
    return given
  end
  local row = assert(client:one(
    "select max(started_at)::date as day from encounters"))
  return row.day or "2024-01-31"
end

local function answer_all(client, questions, values)
  local asked = {}
  for i, question in ipairs(questions) do
    asked[i] = ask(client, question, values)
  end
  local answers = { lunate.all(unpack(asked)) }
  if not answers[1] then
    error(answers[2], 0)
  end
  return answers
end

local function questions_of(clinic)
  local out = {}
  for _, question in ipairs(QUESTIONS) do
    if not (clinic and question.of_all) then
      out[#out + 1] = question
    end
  end
  return out
end

-- No question says of which clinic it is asked: the rules do.
local function as_whom(db, clinic, fn)
  if clinic then
    return open.as(db, { clinic = clinic, roles = { "doctor", "biller" } }, fn)
  end
  return db:as_system("report over all clinics", fn)
end

--- Answers every question; gives them in order as { title, rows, text }.
---@param db table  of open.db
---@param opts? { clinic?: string, ["as-of"]?: string, days?: integer }
---@return { title: string, rows: table[], text: string }[]
---@return string day
function report.run(db, opts)
  opts = opts or {}
  local days = opts.days or 365
  local questions = questions_of(opts.clinic)
  local answers, day = as_whom(db, opts.clinic, function(client)
    local day = day_of(client, opts["as-of"])
    return answer_all(client, questions, { day, days }), day
  end)
  if not answers then
    error(day, 0)
  end
  local out = {}
  for i, question in ipairs(questions) do
    out[i] = { title = question.title:format(days), rows = answers[i],
      text = cli.table(answers[i], question.columns) }
  end
  return out, day
end

--- Prints what report.run gave.
---@param sections table
---@param day string
---@param out file*
function report.tell(sections, day, out)
  out:write("As of ", day, "\n")
  for _, section in ipairs(sections) do
    out:write("\n", section.title, "\n", section.text)
  end
end

local function clinic_name(db, id)
  local clinic, err = as_whom(db, id, function(client)
    return client:one("select name from clinics")
  end)
  if not clinic then
    error(err or "no clinic has the id " .. id, 0)
  end
  return clinic.name
end

local function main(argv)
  local opts, rest = cli.parse(argv,
    { clinic = "text", ["as-of"] = "text", days = "number" })
  if #rest ~= 0 then
    error("usage: report.lua [--clinic ID] [--as-of DATE] [--days N]", 0)
  end
  local db = open.db()
  if opts.clinic then
    io.stdout:write(clinic_name(db, opts.clinic), "\n")
  end
  local sections, day = report.run(db, opts)
  report.tell(sections, day, io.stdout)
  db:close()
end

if cli.is_main("report") then
  main(arg)
end

return report
