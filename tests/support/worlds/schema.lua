-- The schema of the two worlds: every kind of rule of isolation.lua, natural
-- keys that clinics share, tenant-qualified composite keys, many types.
--
-- One text makes both worlds; $T is the type of a tenant.  Ids tell whose they
-- are by their first digit (a, b, c; e: a patient of several clinics).
local M = {}

--- What clinics are called, by the type of a tenant.
M.tenants = {
  uuid = { A = "0a000000-0000-4000-8000-00000000000a",
    B = "0b000000-0000-4000-8000-00000000000b",
    C = "0c000000-0000-4000-8000-00000000000c" },
  int8 = { A = "101", B = "102", C = "103" },
  int4 = { A = "7", B = "-8", C = "9" },
  text = { A = "nord", B = "Süd's", C = "nord " },
}

M.moods = { "calm", "tense", "low" }

M.ddl = [[
create schema clinic;
create type clinic.mood as enum ('calm', 'tense', 'low');
create table clinic.clinics (
  id $T primary key, name text not null, since date, beds int);
create table clinic.codes (
  code text primary key, title text not null, weight int, tags text[]);
create table clinic.patients (
  id uuid primary key, name text not null, born date, city text, mrn int,
  extra jsonb);
create table clinic.members (
  clinic_id $T not null references clinic.clinics,
  patient_id uuid not null references clinic.patients on delete cascade,
  since date, active bool not null default true,
  primary key (clinic_id, patient_id));
create table clinic.visits (
  clinic_id $T not null, id uuid primary key, patient_id uuid not null,
  no int not null, on_day date, kind text not null default 'new',
  fee numeric(10,2) check (fee > -1000), mood clinic.mood, note text,
  data jsonb, marks int[], follows int,
  unique (clinic_id, no),
  foreign key (clinic_id, patient_id) references clinic.members
    (clinic_id, patient_id) on delete cascade,
  foreign key (clinic_id, follows) references clinic.visits (clinic_id, no)
    on delete set null (follows));
create table clinic.items (
  visit_id uuid not null references clinic.visits on delete cascade,
  line int not null, code text references clinic.codes, qty int check
  (qty < 5000), price numeric(10,2), remark text, primary key (visit_id, line));
create table clinic.notes (
  visit_id uuid not null, line int not null, n int not null,
  body text, private bool, primary key (visit_id, line, n),
  foreign key (visit_id, line) references clinic.items on delete cascade);
create table clinic.labs (
  no int not null, taken date, unit text, result numeric(10,2), flags text[],
  patient_id uuid, clinic_id $T not null, primary key (clinic_id, no),
  foreign key (clinic_id, patient_id) references clinic.members
    (clinic_id, patient_id));
create table clinic.lab_values (
  clinic $T not null, lab_no int not null, k int not null,
  val numeric(10,2), label text, ok bool, primary key (clinic, lab_no, k),
  foreign key (clinic, lab_no) references clinic.labs on delete cascade);
create table clinic.readings (
  day date not null, device int not null, value int, clinic_id $T not null,
  primary key (clinic_id, day, device)) partition by range (day);
create table clinic.readings_old partition of clinic.readings
  for values from (minvalue) to ('2024-06-01');
create table clinic.readings_new partition of clinic.readings
  for values from ('2024-06-01') to (maxvalue);
create table clinic."Größen" (
  "Maß" text, "select" int not null, wert numeric(10,2), clinic_id $T not null,
  "a b" date, unique (clinic_id, "select"));
create view clinic.visit_sums with (security_invoker = true) as
  select clinic_id, patient_id, count(*)::int as visits,
    sum(fee)::numeric(10,2) as fees, max(on_day) as latest
  from clinic.visits group by clinic_id, patient_id;
]]

--- isolation.lua; $T and $MODE.
M.rules = [[
tenant { type = "$T" }
database { mode = "$MODE" }
errors { detail = "show" }
rows "clinics" { by = "id", write = "never" }
rows "codes" { shared = "read" }
rows "patients" { through = "members", on = { id = "patient_id" } }
rows "members" { by = "clinic_id", write = "own" }
rows "visits" { by = "clinic_id" }
rows "items" { parent = "visits", on = { visit_id = "id" } }
rows "notes" { parent = "items", on = { visit_id = "visit_id", line = "line" } }
rows "labs" { by = "clinic_id" }
rows "lab_values" { parent = "labs",
  on = { clinic = "clinic_id", lab_no = "no" } }
rows "readings" { by = "clinic_id" }
rows "Größen" { by = "clinic_id" }
rows "visit_sums" { by = "clinic_id" }
]]

-- What world X guards with triggers: a row that is written has to be of the
-- tenant in the context.  It is asked by the ids, so it needs no rule.
M.guard = [[
create function clinic.guard() returns trigger language plpgsql as $$
declare
  r jsonb := case when TG_OP = 'DELETE' then to_jsonb(old) else to_jsonb(new)
    end;
  who text := coalesce(nullif(current_setting('lunate.ctx', true), ''), '{}')
    ::jsonb ->> 'tenant';
  marks jsonb := '$MARKS';
begin
  if who is not null and (case
      when r ? 'clinic_id' then r ->> 'clinic_id' <> who
      when r ? 'clinic' then r ->> 'clinic' <> who
      else left(r ->> 'visit_id', 1) <> marks ->> who end) then
    raise exception 'a row of another clinic was written'
      using errcode = 'ZZ001';
  end if;
  return case when TG_OP = 'DELETE' then old else new end;
end $$;
]]

-- What world Y does by itself: rows are A's, a new patient is a member, and a
-- patient whom another clinic has too is not deleted.
M.alone = [[
create table clinic.elsewhere (patient_id uuid primary key);
create function clinic.enrol() returns trigger language plpgsql as $$
begin
  insert into clinic.members (clinic_id, patient_id) values ('$A', new.id);
  return null;
end $$;
create trigger enrol after insert on clinic.patients
  for each row execute function clinic.enrol();
create function clinic.keep() returns trigger language plpgsql as $$
begin
  if exists (select from clinic.elsewhere e where e.patient_id = old.id) then
    return null;
  end if;
  return old;
end $$;
create trigger keep before delete on clinic.patients
  for each row execute function clinic.keep();
]]

-- Filled by T below: { name, type, flags }; flags: n nullable, k of a key that
-- rows are known by, d an int that no row of A has as 777.
local function columns(text)
  local list = {}
  for name, type, flags in text:gmatch("([^%s:]+):(%w+):?(%w*)") do
    name = name:gsub("_", "_"):gsub("~", " ")
    local plain = name:match("^[a-z_]+$") and name ~= "select"
    list[#list + 1] = { name = plain and name or '"' .. name .. '"',
      bare = name, type = type, null = flags:find("n") ~= nil,
      key = flags:find("k") ~= nil, div = flags:find("d") ~= nil }
  end
  return list
end

M.tables = {}
M.list = {}

local function add(name, spec, cols)
  spec.bare = name
  spec.name = name:match("^[a-z_]+$") and name or '"' .. name .. '"'
  spec.cols = columns(cols)
  M.tables[name] = spec
  M.list[#M.list + 1] = spec
end

-- pk: what is unique; rows: about how many a clinic has, by its size
add("clinics", { pk = { "id" }, rows = 0.1 },
  "id:tenant:k name:text since:date:n beds:int:n")
add("codes", { pk = { "code" }, rows = 0.5 },
  "code:text:k title:text weight:int:n tags:texts:n")
add("patients", { pk = { "id" }, rows = 1, write = true },
  "id:uuid:k name:text born:date:n city:text:n mrn:int:nd extra:jsonb:n")
add("members", { pk = { "patient_id", "clinic_id" }, rows = 1, write = true },
  "clinic_id:tenant patient_id:uuid:k since:date:n active:bool")
add("visits", { pk = { "id" }, rows = 1.5, write = true },
  "clinic_id:tenant id:uuid:k patient_id:uuid no:int:d on_day:date:n "
  .. "kind:text fee:num:n mood:mood:n note:text:n data:jsonb:n marks:ints:n "
  .. "follows:int:n")
add("items", { pk = { "visit_id", "line" }, rows = 2.5, write = true },
  "visit_id:uuid line:int code:text:n qty:int:nd price:num:n remark:text:n")
add("notes", { pk = { "visit_id", "line", "n" }, rows = 2, write = true },
  "visit_id:uuid line:int n:int:d body:text:n private:bool:n")
add("labs", { pk = { "no", "clinic_id" }, rows = 0.8, write = true },
  "no:int:kd taken:date:n unit:text:n result:num:n flags:texts:n "
  .. "patient_id:uuid:n clinic_id:tenant")
add("lab_values", { pk = { "lab_no", "k", "clinic" }, rows = 1.5,
  write = true },
  "clinic:tenant lab_no:int k:int:d val:num:n label:text:n ok:bool:n")
add("readings", { pk = { "day", "device", "clinic_id" }, rows = 1,
  write = true }, "day:date device:int value:int:n clinic_id:tenant")
add("Größen", { pk = { "select", "clinic_id" }, rows = 0.6, write = true },
  "Maß:text:n select:int:k wert:num:n clinic_id:tenant a~b:date:n")
add("visit_sums", { pk = { "patient_id", "clinic_id" }, rows = 1, view = true },
  "clinic_id:tenant patient_id:uuid visits:int fees:num:n latest:date:n")

-- Along which columns tables meet: both directions are used.
M.links = {}
local function link(a, b, on)
  for _, way in ipairs { { a, b, false }, { b, a, true } } do
    local from = way[1]
    M.links[from] = M.links[from] or {}
    local pairs_ = {}
    for own, other in on:gmatch("([%w_]+)=([%w_]+)") do
      pairs_[#pairs_ + 1] = way[3] and { other, own } or { own, other }
    end
    table.insert(M.links[from], { to = way[2], on = pairs_ })
  end
end

link("visits", "patients", "patient_id=id")
link("members", "patients", "patient_id=id")
link("visits", "members", "clinic_id=clinic_id patient_id=patient_id")
link("items", "visits", "visit_id=id")
link("items", "codes", "code=code")
link("notes", "items", "visit_id=visit_id line=line")
link("notes", "visits", "visit_id=id")
link("lab_values", "labs", "clinic=clinic_id lab_no=no")
link("labs", "patients", "patient_id=id")
link("labs", "members", "clinic_id=clinic_id patient_id=patient_id")
link("visits", "clinics", "clinic_id=id")
link("readings", "clinics", "clinic_id=id")
link("visit_sums", "patients", "patient_id=id")
link("visit_sums", "visits", "patient_id=patient_id clinic_id=clinic_id")
-- Natural keys, without the clinic on purpose.
link("visits", "labs", "no=no")
link("visits", "visits", "follows=no")
link("Größen", "labs", "select=no")
link("readings", "Größen", "device=select")
link("lab_values", "items", "k=line")

-- With row policies alone a text stays as it is, so what the rewrite fills in
-- is filled in by the database.
M.filled = [[
create function clinic.own() returns $T language sql stable as $$
  select ((nullif(current_setting('lunate.ctx', true), '')::jsonb
    ->> 'tenants')::$T[])[1] $$;
create function clinic.enrol() returns trigger language plpgsql as $$
begin
  insert into clinic.members (clinic_id, patient_id)
    values (clinic.own(), new.id);
  return null;
end $$;
create trigger enrol after insert on clinic.patients
  for each row execute function clinic.enrol();
]]

local GUARDED = { "members", "visits", "items", "notes", "labs", "lab_values",
  "readings", '"Größen"' }

local function replace(text, values)
  return (text:gsub("%$(%u+)", values))
end

-- What a row belongs to when a statement does not say it.
local function defaults(parts, value)
  for _, t in ipairs(M.list) do
    for _, c in ipairs(t.cols) do
      if t.write and c.type == "tenant" and c.name == "clinic_id" then
        parts[#parts + 1] = ("alter table clinic.%s alter column clinic_id "
          .. "set default %s;"):format(t.name, value)
      end
    end
  end
end

--- The text that makes an empty world Y.
---@param type string of a tenant
function M.script_alone(type)
  local literal = M.tenants[type].A:gsub("'", "''")
  local parts = { replace(M.ddl .. M.alone, { T = type, A = literal }) }
  defaults(parts, "'" .. literal .. "'")
  return table.concat(parts, "\n")
end

--- The text that makes an empty world X.
---@param type string of a tenant
---@param mode string
function M.script(type, mode)
  local who = M.tenants[type]
  local marks = ('{"%s": "a", "%s": "b", "%s": "c"}'):format(who.A, who.B,
    who.C):gsub("'", "''")
  local parts = { replace(M.ddl .. M.guard, { T = type, MARKS = marks }) }
  for _, name in ipairs(GUARDED) do
    parts[#parts + 1] = ("create trigger guard before insert or update or "
      .. "delete on clinic.%s for each row execute function clinic.guard();")
      :format(name)
  end
  if mode == "rls" then
    parts[#parts + 1] = replace(M.filled, { T = type })
    defaults(parts, "clinic.own()")
  end
  return table.concat(parts, "\n")
end

--- The text of isolation.lua.
function M.policy(type, mode)
  local text = replace(M.rules, { T = type, MODE = mode })
  -- No row policy holds for a view.
  return mode == "rls" and text:gsub('rows "visit_sums"[^\n]*\n', "") or text
end

return M
