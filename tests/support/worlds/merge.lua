-- MERGE.
local Gen = require "support.worlds.gen"
local data = require "support.worlds.data"

-- By which column of the source a row of the target is found; each source has
-- a number k once.
local TARGETS = {
  visits = { key = "no", make = function(g)
    return { id = ("('a' || substr(md5(%s::text), 2))::uuid"):format(g.merge_k),
      patient_id = data.quote(g:pick(g.lane.patients)), no = g.merge_k }
  end },
  labs = { key = "no", make = function(g) return { no = g.merge_k } end },
  readings = { key = "device", make = function(g)
    return { device = g.merge_k, day = "date '2024-02-02'" }
  end },
  ["Größen"] = { key = "select", make = function(g)
    return { select = g.merge_k }
  end },
  items = { key = "line" },
  lab_values = { key = "k" },
  patients = { key = "mrn" },
}
local NAMES = { "visits", "labs", "readings", "Größen", "items", "lab_values",
  "patients" }

local function source(g)
  local alias = g:name "m"
  local text = g.d:weighted {
    3, "(select l.no as k, l.unit as w from clinic.labs as l)",
    2, "(select no as k, kind as w from clinic.visits)",
    2, "(values (1, 'x'), (2, 'ü'), (70, 'new')) ",
    1, "(select generate_series(1, 4) as k, 'gen'::text as w)",
    2, "(select device + 3 as k, max(value)::text as w from clinic.readings "
      .. "group by device)" }
  if text:find "^%(values" then
    text = text .. " as " .. alias .. "(k, w)"
  else
    text = text .. " as " .. alias
  end
  return text, { alias = alias, no_row = true, cols = {
    { name = "k", type = "int" }, { name = "w", type = "text" } } }
end

local function matched(g, rel, both, last)
  local cond = ""
  if not last or g:chance(0.4) then
    cond = " and " .. g:with({ scope = both }, g.cond)
  end
  local does = g.d:weighted { 5, "update", 2, "delete", 1, "do nothing" }
  if does == "update" then
    does = "update set " .. g:with({ scope = both, full_names = true }, g.sets,
      rel)
  end
  return g:kw "when matched" .. cond .. " then " .. does
end

local function not_matched(g, rel, src, target)
  local scope = g:open(nil)
  scope.rels[1] = src
  local cond = g:chance(0.3) and " and " .. g:with({ scope = scope }, g.cond)
    or ""
  if not target.make or g:chance(0.15) then
    return g:kw "when not matched" .. cond .. " then do nothing"
  end
  local values, names, cells = target.make(g), {}, {}
  for _, c in ipairs(rel.table.cols) do
    if values[c.bare] then
      names[#names + 1], cells[#cells + 1] = c.name, values[c.bare]
    elseif c.type == "text" and c.bare ~= "code" then
      names[#names + 1] = c.name
      cells[#cells + 1] = ("coalesce(%s.w, 'none')"):format(src.alias)
    end
  end
  if rel.table.bare ~= "items" and g:chance(0.3) then
    names[#names + 1] = "clinic_id"
    cells[#cells + 1] = g:pick { "default", data.quote(g.lane.tenants.A) }
  end
  return ("%s%s then insert (%s) values (%s)"):format(
    g:kw "when not matched", cond, table.concat(names, ", "),
    table.concat(cells, ", "))
end

local function merge(g, w)
  local name = g:pick(NAMES)
  local target = TARGETS[name]
  local spec
  for _, one in ipairs(g.writable) do
    if one.bare == name then spec = one end
  end
  local text, rel = g:target(spec)
  rel.path = nil
  local from, src = source(g)
  g.merge_k = src.alias .. ".k"
  local both = g:open(nil)
  both.rels = { rel, src }
  local key = Gen.column_of(rel, target.key)
  local on = ("%s.%s = %s.k"):format(rel.alias, key.name, src.alias)
  if g:chance(0.3) then
    on = on .. " and " .. g:with({ scope = both }, g.cond)
  end
  local branches = {}
  local count = g.d:int(1, 2)
  for i = 1, count do branches[i] = matched(g, rel, both, i == count) end
  if g:chance(0.7) then
    branches[#branches + 1] = not_matched(g, rel, src, target)
  end
  w.text = g:join(g:kw "merge into" .. " " .. text,
    g:kw "using" .. " " .. from, g:kw "on" .. " " .. on, unpack(branches))
  w.target = spec
end

Gen.writers.merge = merge

return Gen
