-- world - two clinics in one database, and the same without the second one.
--
-- X holds the rows of A and of B, Y only those of A: what a statement gives
-- through lunate on X has to be what PostgreSQL alone gives on Y.  Natural keys
-- are the same in both clinics on purpose, the ids of rows are not.  Beside the
-- tables lies whatever an attacker would wish for: a partition that can be
-- named, views that run as their owner, functions that tell, keys across
-- clinics.  The application's role may do all of that, so that only lunate
-- stands in between.
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local M = {}

M.A = "0a000000-0000-4000-8000-00000000000a"
M.B = "0b000000-0000-4000-8000-00000000000b"
M.ROLE = "adversary"
M.FREE = "adversary_free" -- the same, but no row policy holds for it
M.LONG = ("n"):rep(63) -- as long as a name may be
M.ODD = '"Odd ""Table"""'

M.tables = { "clinics", "patients", "appts", "rx", "rx_items", "forms",
  "people", "members", "wards", "beds", "slots", "icd", "salaries", M.LONG,
  M.ODD }

local TABLES = [[
create table clinics (id uuid primary key, name text);
create table patients (
  id int primary key, clinic_id uuid not null references clinics,
  mrn text not null, name text not null, ssn text unique, secret text,
  born date, tags text[], doc jsonb,
  unique (clinic_id, mrn), unique (clinic_id, id));
create table appts (
  id int, clinic_id uuid not null, patient_id int references patients,
  at date not null, note text, primary key (id, at)) partition by range (at);
create table appts_2024 partition of appts
  for values from ('2024-01-01') to ('2025-01-01');
create table appts_2025 partition of appts
  for values from ('2025-01-01') to ('2026-01-01');
create table rx (id int primary key, clinic_id uuid not null,
  patient_id int references patients);
create table icd (code text primary key, title text);
create table rx_items (id int primary key,
  rx_id int not null references rx on delete cascade, drug text,
  code text references icd);
create table forms (id int primary key,
  rx_id int references rx on delete cascade, body json);
create table people (id int primary key, name text, ssn text);
create table members (clinic_id uuid,
  person_id int references people on delete cascade,
  primary key (clinic_id, person_id));
create table wards (id int primary key, clinic_id uuid not null, name text);
create table beds (id int primary key, clinic_id uuid not null,
  ward_id int references wards on delete cascade);
create table slots (clinic_id uuid not null, id int
  generated always as identity, n int, primary key (clinic_id, id));
create table salaries (clinic_id uuid, amount int);
]] .. ([[
create table LONG (id int, clinic_id uuid not null);
create table ODD (id int, clinic_id uuid not null, n int);
]]):gsub("LONG", M.LONG):gsub("ODD", M.ODD)

local BAIT = [[
create view v_definer as select * from patients;
create view v_invoker with (security_invoker) as
  select id, clinic_id, name from patients;
create materialized view mv as select * from patients;
create materialized view mv_ruled as select id, clinic_id, name from patients;
create function f_definer() returns setof patients language sql
  security definer as 'select * from patients';
create function tell(text) returns boolean language plpgsql cost 0.0001 as
  $$ begin
    if $1 like 'hidden%' then raise exception 'told: %', $1; end if;
    return true;
  end $$;
create function names(patients) returns text language sql security definer
  as 'select string_agg(name, '','' order by id) from patients';
create function tells(text, text) returns boolean language sql
  cost 0.0001 as 'select tell($2)';
create operator ~?~ (leftarg = text, rightarg = text, function = tells);
create procedure p() language sql security definer
  as 'update patients set name = ''p''';
create domain short as text check (length(value) < 9);
create schema evil;
create table evil.patients as select * from patients;
create function evil.lower(text) returns text language sql security definer
  as 'select string_agg(name, '','' order by id) from public.patients';
create extension if not exists tablefunc;
create extension if not exists dblink;
create extension if not exists xml2;
create sequence numbers;
]]

local RIGHTS = ([[
grant usage, create on schema public, evil to ROLES;
grant all on all tables in schema public, evil to ROLES;
grant all on all sequences in schema public to ROLES;
]]):gsub("ROLES", M.ROLE .. ", " .. M.FREE)

local ROLES = ([[
do $$ begin
  create role ROLE login;
  create role FREE login bypassrls;
exception when duplicate_object or unique_violation then null; end $$]])
  :gsub("ROLE", M.ROLE):gsub("FREE", M.FREE)

-- id, mrn, name, ssn, secret, born, tags, doc
local PATIENTS = {
  A = [[
(1, '$A', 'M1', 'Ada', 'a-1', '1', '1980-02-29', '{x,y}', '{"k": 1}'),
(2, '$A', 'M2', 'Alan', 'a-2', '2', '1990-01-01', '{x}', '{"k": 2}'),
(3, '$A', 'M3', 'Anna', 'a-3', '3', '1990-01-01', null, null),
(4, '$A', 'M4', 'Abel', null, '4', null, '{}', '{"k": [1, 2]}'),
(5, '$A', 'M5', 'O''Hara', 'a-5', '5', '2001-05-05', '{z}', '{}')]],
  B = [[
(101, '$B', 'M1', 'Ben', 'b-1', 'hidden-101', '1980-02-29', '{x,q}',
  '{"k": 7}'),
(102, '$B', 'M2', 'Bea', 'b-2', 'hidden-102', '1970-07-07', '{q}', '{"k": 8}'),
(103, '$B', 'M3', 'Bob', 'b-3', 'hidden-103', '1990-01-01', null, null),
(104, '$B', 'M6', 'Ada', null, 'hidden-104', '2002-02-02', '{x}', '{"k": 1}')]],
}

local ROWS = {
  A = {
    clinics = "('$A', 'Alder')",
    appts = [[(1, '$A', 1, '2024-03-01', 'cough'),
      (2, '$A', 1, '2025-03-01', 'cough'), (3, '$A', 2, '2024-04-01', 'fever'),
      (4, '$A', 4, '2025-05-01', null)]],
    rx = "(1, '$A', 1), (2, '$A', 2), (3, '$A', 3)",
    rx_items = [[(1, 1, 'aspirin', 'I10'), (2, 1, 'ibuprofen', null),
      (3, 2, 'aspirin', 'J20')]],
    forms = "(1, 1, '{}'), (2, 2, '{}')",
    people = "(1, 'Ann', 'p-1'), (2, 'Art', 'p-2'), (3, 'Sam', 'p-3')",
    members = "('$A', 1), ('$A', 2), ('$A', 3)",
    wards = "(1, '$A', 'north'), (2, '$A', 'south')",
    beds = "(1, '$A', 1), (2, '$A', 2)",
    slots = "('$A', 1, 10), ('$A', 2, 20)",
    salaries = "('$A', 100)",
    [M.LONG] = "(1, '$A')", [M.ODD] = "(1, '$A', 1), (2, '$A', 2)",
  },
  B = {
    clinics = "('$B', 'Birch')",
    appts = [[(101, '$B', 101, '2024-03-01', 'cough'),
      (102, '$B', 102, '2025-03-01', 'burn'),
      (103, '$B', 1, '2024-06-01', 'of B, for a patient of A')]],
    rx = "(101, '$B', 101), (102, '$B', 1)",
    rx_items = [[(101, 101, 'morphine', 'I10'), (102, 102, 'morphine', 'J20')]],
    forms = "(101, 101, '{}'), (102, 102, '{\"a\": 1}')",
    people = "(4, 'Bill', 'p-4'), (5, 'Bess', 'p-5')",
    members = "('$B', 3), ('$B', 4), ('$B', 5)",
    wards = "(101, '$B', 'north')",
    beds = "(101, '$B', 101), (102, '$B', 1)",
    slots = "('$B', 1, 30), ('$B', 3, 40)",
    salaries = "('$B', 200)",
    [M.LONG] = "(2, '$B')", [M.ODD] = "(3, '$B', 3)",
  },
}

local ORDER = { "clinics", "patients", "appts", "rx", "rx_items", "forms",
  "people",
  "members", "wards", "beds", "slots", "salaries", M.LONG, M.ODD }

--- A text in which $A and $B are the ids of the clinics.
---@param text string
---@return string
function M.named(text)
  return (text:gsub("%$([AB])%f[^%w_]", M))
end

local function fill(clinic)
  local out = {}
  for _, name in ipairs(ORDER) do
    local rows = name == "patients" and PATIENTS[clinic] or ROWS[clinic][name]
    out[#out + 1] = ("insert into %s overriding system value values %s;")
      :format(name, rows)
  end
  return M.named(table.concat(out, "\n"))
end

local function build(name, clinics)
  local url = pg.database(name)
  local s = pg.shared()
  s:psql(ROLES, name)
  s:psql(TABLES .. "insert into icd values ('I10', 'pressure'), "
    .. "('J20', 'bronchitis'), ('Z00', 'well');", name)
  for _, clinic in ipairs(clinics) do s:psql(fill(clinic), name) end
  s:psql(BAIT .. RIGHTS .. "create schema kept; analyze;", name)
  for _, t in ipairs(M.tables) do
    s:psql(("create table kept.%s as select * from public.%s"):format(t, t),
      name)
  end
  return url
end

-- ---- rules -----------------------------------------------------------------

local RULES = [[
tenant { type = "uuid" }
rows "clinics"   { by = "id", write = "never" }
rows "patients"  { by = "clinic_id" }
rows "appts"     { by = "clinic_id" }
rows "rx"        { by = "clinic_id" }
rows "rx_items"  { parent = "rx", on = { rx_id = "id" } }
rows "forms"     { parent = "rx", on = { rx_id = "id" } }
rows "members"   { by = "clinic_id" }
rows "people"    { through = "members", on = { id = "person_id" },
                   by = "clinic_id" }
rows "wards"     { by = "clinic_id" }
rows "beds"      { by = "clinic_id" }
rows "slots"     { by = "clinic_id" }
rows "icd"       { shared = "read" }
rows "v_invoker" { by = "clinic_id" }
rows "mv_ruled"  { by = "clinic_id" }
]] .. ("rows %q { by = \"clinic_id\" }\nrows %q { by = \"clinic_id\" }\n")
  :format(M.LONG, (M.ODD:sub(2, -2):gsub('""', '"')))

-- A column of a view may always be NULL, as far as the catalog knows.
local ACCEPTED = { "column-nullable" }

--- A folder of rules in a mode; shown: errors keep their detail, and layers can
--- be switched off.
---@param mode string
---@param shown boolean?
---@param more string? declarations that are added
---@return string path
function M.folder(mode, shown, more)
  local text = { RULES, ("database { mode = %q }\n"):format(mode) }
  for _, lint in ipairs(ACCEPTED) do
    text[#text + 1] = ("accept %q { why = \"bait\" }\n"):format(lint)
  end
  if shown then text[#text + 1] = "errors { detail = \"show\" }\n" end
  local dir = sh.tmpdir()
  sh.write(dir .. "/isolation.lua", table.concat(text) .. (more or ""))
  return dir
end

-- ---- databases -------------------------------------------------------------

--- The database of both clinics, and the one of A's rows alone.
---@return table { x = superuser on both, y = the application's role on A's }
function M.open()
  local s = pg.shared()
  build("adversarial_x", { "A", "B" })
  build("adversarial_y", { "A" })
  s:psql(sh.ok { sh.build .. "/lunate", "policy", "rls", M.folder("both"),
    "--schema", "public" }, "adversarial_x")
  return {
    x = live.open(s:url_of("adversarial_x"), { policies = false,
      application_name = "adversarial root" }),
    y = live.open(s:url_of("adversarial_y", M.ROLE), { policies = false,
      application_name = "adversarial plain" }),
  }
end

--- Of the database of both clinics; free: for a role without row policies.
---@param free boolean?
---@return string
function M.url(free)
  return pg.shared():url_of("adversarial_x", free and M.FREE or M.ROLE)
end

return M
