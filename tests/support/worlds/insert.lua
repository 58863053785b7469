-- INSERT: VALUES, queries, positional, ON CONFLICT, RETURNING.
local Gen = require "support.worlds.gen"
local data = require "support.worlds.data"

local quote = data.quote

-- ---- the values of keys ----------------------------------------------------

-- A key as a literal or a parameter: what says whose a row is, is plain.
local function plain(g, type, text)
  if g:chance(0.4) and #g.params < 12 then
    return g:param(type, text, g:chance(0.6))
  end
  if type == "int" then return text end
  return quote(text) .. (g:chance(0.3) and "::" .. g:type_name(type) or "")
end

local K = {}

function K.visit_id(g)
  if #g.lane.items == 0 then return nil end
  return plain(g, "uuid", g.row_item[1])
end
function K.line(g, spec)
  if spec.bare == "notes" then return plain(g, "int", g.row_item[2]) end
  return plain(g, "int", tostring(g.d:int(1, 9)))
end
function K.patient_id(g) return plain(g, "uuid", g:pick(g.lane.patients)) end
function K.id(g) return plain(g, "uuid", g:fresh_id()) end
function K.clinic(g) return plain(g, "tenant", g.lane.tenants.A) end
function K.lab_no(g)
  if #g.lane.labs == 0 then return nil end
  return plain(g, "int", g:pick(g.lane.labs))
end
function K.no(g)
  return g:chance(0.6) and tostring(g.d:int(1001, 9999))
    or tostring(g.d:int(1, 20))
end
function K.follows(g)
  if g.lane.visits == 0 then return "null" end
  return g:pick { "null", tostring(g.d:int(1, g.lane.visits)) }
end
function K.code(g) return quote(g:pick(data.codes)) end
function K.day(g)
  return ("'2024-%02d-%02d'"):format(g.d:int(1, 12), g.d:int(1, 28))
end
function K.n(g) return tostring(g.d:int(1, 99)) end
K.k = K.n
function K.device(g) return tostring(g.d:int(0, 9)) end
function K.select(g) return tostring(g.d:int(1, 60)) end

local REQUIRED = {
  patients = { id = true, name = true },
  members = { patient_id = true },
  visits = { id = true, patient_id = true, no = true },
  items = { visit_id = true, line = true },
  notes = { visit_id = true, line = true, n = true },
  labs = { no = true }, lab_values = { clinic = true, lab_no = true, k = true },
  readings = { day = true, device = true }, ["Größen"] = { select = true },
}
local NOT_NULL = { name = true, kind = true, active = true }

-- ---- columns ---------------------------------------------------------------

local function shuffled(g, list)
  if not g:chance(0.4) then return list end
  for i = #list, 2, -1 do
    local k = g.d:int(1, i)
    list[i], list[k] = list[k], list[i]
  end
  return list
end

-- The columns that are given; nil behind them: all of the table, in order.
local function choose(g, spec)
  local list = {}
  if g:chance(0.1) then
    g:count "positional insert"
    for i, c in ipairs(spec.cols) do list[i] = c end
    local last = list[#list]
    if last.type == "tenant" and last.bare == "clinic_id" and g:chance(0.5) then
      list[#list] = nil
    elseif not REQUIRED[spec.bare][last.bare] and last.type ~= "tenant"
      and g:chance(0.3) then
      list[#list] = nil
    end
    return list, false
  end
  for _, c in ipairs(spec.cols) do
    local must = REQUIRED[spec.bare][c.bare]
    local own = c.type == "tenant" and not must
    if must or g:chance(own and 0.35 or 0.5) then list[#list + 1] = c end
  end
  return shuffled(g, list), true
end

local function names(list)
  local texts = {}
  for i, c in ipairs(list) do texts[i] = c.name end
  return "(" .. table.concat(texts, ", ") .. ")"
end

-- ---- VALUES ----------------------------------------------------------------

local function cell(g, spec, c)
  if c.type == "tenant" and c.bare ~= "clinic" then
    if g:chance(0.3) then return "default" end
    return plain(g, "tenant", g.lane.tenants.A)
  end
  if K[c.bare] then return K[c.bare](g, spec) end
  if c.bare == "fee" or c.bare == "qty" then return g:literal(c.type) end
  if g:chance(0.1) and not NOT_NULL[c.bare] then
    return g:pick { "default", "null" }
  end
  local text = g:expr(c.type)
  if NOT_NULL[c.bare] then
    return ("coalesce(%s, %s)"):format(text, g:literal(c.type))
  end
  return text
end

local function rows(g, spec, list)
  local texts = {}
  for i = 1, g.d:weighted { 6, 1, 2, 2, 1, 3 } do
    g.row_item = #g.lane.items > 0 and g:pick(g.lane.items)
    local cells = {}
    for k, c in ipairs(list) do
      cells[k] = cell(g, spec, c)
      if not cells[k] then return nil end
    end
    texts[i] = "(" .. table.concat(cells, ", ") .. ")"
  end
  return g:kw "values" .. g:gap() .. table.concat(texts, ", ")
end

-- ---- INSERT ... SELECT -----------------------------------------------------

-- From which table rows come, and what of it makes the keys.
local SOURCES = {
  patients = { { "members", id = "uuid(patient_id)" } },
  members = { { "patients", patient_id = "id" } },
  visits = { { "visits", id = "uuid(id)", patient_id = "patient_id",
      no = "no + 2000" },
    { "labs", id = "uuid(no)", patient_id = "patient_id", no = "no + 3000" } },
  items = { { "items", visit_id = "visit_id", line = "line + 20" },
    { "visits", visit_id = "id", line = "7" } },
  notes = { { "items", visit_id = "visit_id", line = "line", n = "77" },
    { "notes", visit_id = "visit_id", line = "line", n = "n + 50" } },
  labs = { { "visits", no = "no + 500" }, { "labs", no = "no + 600" } },
  lab_values = { { "labs", clinic = "clinic_id", lab_no = "no", k = "55" } },
  readings = { { "readings", day = "day + 3", device = "device + 40" } },
  ["Größen"] = { { "labs", select = "no + 100" },
    { "codes", select = "weight + 500" } },
}

local function derived(g, rel, text)
  local inner = text:match "^uuid%((.*)%)$"
  local name, rest = (inner or text):match "^([a-z_]+)(.*)$"
  if not name then return text end
  local c = Gen.column_of(rel, name)
  local ref = rel.alias .. "." .. c.name
  -- Without its table's name it cannot stand in a sub-select.
  if rest == "" and not inner and g:chance(0.08) then ref = c.name end
  if inner then
    return ("('a' || substr(md5(%s::text), 2))::uuid"):format(ref)
  end
  return ref .. rest
end

local function select_cell(g, rel, source, c)
  if source[c.bare] then return derived(g, rel, source[c.bare]) end
  if c.type == "tenant" then
    local own = Gen.column_of(rel, "clinic_id")
    if own and g:chance(0.7) then return rel.alias .. "." .. own.name end
    return quote(g.lane.tenants.A) .. "::" .. g:type_name "tenant"
  end
  if c.bare == "patient_id" or c.bare == "follows" then
    return g:null(c.type)
  end
  if c.bare == "code" then return quote(g:pick(data.codes)) end
  if c.bare == "fee" or c.bare == "qty" then return g:literal(c.type) end
  local text = g:expr(c.type)
  if NOT_NULL[c.bare] then
    return ("coalesce(%s, %s)"):format(text, g:literal(c.type))
  end
  return text
end

local function source_arm(g, list, source)
  local schema = require "support.worlds.schema"
  local scope = g:open(nil)
  return (g:with({ scope = scope }, function()
    local from, rel = g:table_item(schema.tables[source[1]])
    scope.rels[1] = rel
    for _, c in ipairs(rel.cols) do
      if c.type == "none" then return nil end
    end
    local cells = {}
    for i, c in ipairs(list) do
      cells[i] = select_cell(g, rel, source, c)
      if g:chance(0.15) then cells[i] = cells[i] .. " as " .. g:name "c" end
    end
    local parts = {}
    if source.patient_id then
      parts[1] = rel.alias .. "." .. Gen.column_of(rel, source.patient_id).name
        .. " is not null"
    elseif source.select == "weight + 500" then
      parts[1] = rel.alias .. "." .. Gen.column_of(rel, "weight").name
        .. " is not null"
    end
    if g:chance(0.6) then parts[#parts + 1] = "(" .. g:cond() .. ")" end
    local where = #parts > 0
      and g:kw "where" .. " " .. table.concat(parts, " and ") or ""
    return g:join(g:kw "select", table.concat(cells, ", "),
      g:kw "from" .. " " .. from, where)
  end))
end

local function query(g, spec, list)
  local source = g:pick(SOURCES[spec.bare])
  g:count "insert ... select"
  local text = source_arm(g, list, source)
  if text and g:chance(0.1) then
    local other = source_arm(g, list, source)
    if not other then return nil end
    g:count "insert ... select union"
    -- Which of two rows with one key would come first?
    g.two_arms = true
    return g:join(text, g:pick { "union all", "union" }, other)
  end
  return text
end

-- ---- ON CONFLICT -----------------------------------------------------------

local TARGETS = {
  patients = { "(id)" }, members = { "(clinic_id, patient_id)",
    "on constraint members_pkey" },
  visits = { "(clinic_id, no)", "(no, clinic_id)",
    "on constraint visits_clinic_id_no_key", "(id)" },
  items = { "(visit_id, line)", "on constraint items_pkey" },
  notes = { "(visit_id, line, n)" },
  labs = { "(clinic_id, no)", "on constraint labs_pkey" },
  lab_values = { "(clinic, lab_no, k)" },
  readings = { "(clinic_id, day, device)" },
  ["Größen"] = { '(clinic_id, "select")',
    'on constraint "Größen_clinic_id_select_key"' },
}

local function excluded(spec)
  local cols = {}
  for i, c in ipairs(spec.cols) do
    cols[i] = { name = c.name, type = c.type, of = c.bare }
  end
  return { alias = "excluded", cols = cols, table = spec, no_row = true }
end

local function conflict(g, rel)
  local spec = rel.table
  if g.two_arms or not g:chance(0.3) then return "" end
  if g:chance(0.03) then
    g:count "on conflict without a target"
    return "on conflict do nothing"
  end
  local text = g:kw "on conflict" .. " " .. g:pick(TARGETS[spec.bare])
  if g:chance(0.35) then
    g:count "on conflict do nothing"
    return text .. " do nothing"
  end
  g:count "on conflict do update"
  local scope = g:open(nil)
  scope.rels = { rel, excluded(spec) }
  return (g:with({ scope = scope, full_names = true, no_path = true },
    function()
      local where = g:chance(0.4) and " where " .. g:cond() or ""
      return text .. " do update set " .. g:sets(rel) .. where
    end))
end

-- ---- the statement ---------------------------------------------------------

local function insert(g, w)
  local spec = g:pick(g.writable)
  -- With row policies alone a new patient is nobody's for RETURNING, and no
  -- conflict: membership comes later.
  if g.lane.policies_only and spec.bare == "patients" then return end
  local list, named = choose(g, spec)
  local text, rel = g:with({ must_as = true }, g.target, spec)
  rel.path = nil
  local scope = g:open(nil)
  local source = g:with({ scope = scope }, g:chance(0.35) and query or rows,
    spec, list)
  if not source then return end
  local clause = conflict(g, rel)
  scope.rels[1] = rel
  w.plain = true
  local returning = g:with({ scope = scope, full_names = true }, g.returning, w,
    w.returning and 1 or 0.4)
  w.text = g:join(g:kw "insert into" .. " " .. text,
    named and names(list) or "", source, clause, returning)
  w.target = spec
end

Gen.writers.insert = insert

return Gen
