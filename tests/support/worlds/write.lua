-- UPDATE and DELETE, and what all statements that write have in common.
local Gen = require "support.worlds.gen"
local data = require "support.worlds.data"
local schema = require "support.worlds.schema"

-- Columns that may be set to anything of their type.
local FREE = {
  patients = { "name", "born", "city", "mrn", "extra" },
  members = { "since", "active" },
  visits = { "on_day", "kind", "fee", "mood", "note", "data", "marks" },
  items = { "qty", "price", "remark" },
  notes = { "body", "private" },
  labs = { "taken", "unit", "result", "flags" },
  lab_values = { "val", "label", "ok" },
  readings = { "value" },
  ["Größen"] = { "Maß", "wert", "a b" },
}
-- Parts of keys: set to something nobody else has, or to one value.
local KEYS = { visits = "no", items = "line", labs = "no",
  readings = "device", ["Größen"] = "select" }
local NOT_NULL = { name = true, kind = true, active = true }

--- Tables that are written.
Gen.writable = {}
for _, spec in ipairs(schema.list) do
  if spec.write then Gen.writable[#Gen.writable + 1] = spec end
end

--- The column of a rel that a table's column is.
function Gen.column_of(rel, name)
  for _, c in ipairs(rel.cols) do
    if c.of == name then return c end
  end
end

--- The target of a statement: its text and rel.
function Gen:target(spec, keep_name)
  local rel = { table = spec, cols = {} }
  for i, c in ipairs(spec.cols) do
    rel.cols[i] = { name = c.name, of = c.bare, type = c.type, div = c.div,
      base = true }
  end
  local text = self:table_name(spec)
  if keep_name or self:chance(0.5) then
    rel.alias = spec.name
    rel.path = not keep_name and "clinic." .. spec.name or nil
  else
    rel.alias = self:name "t"
    text = text .. (self.must_as and " as " or self:pick { " as ", " " })
      .. rel.alias
  end
  return text, rel
end

--- A value for a column that an UPDATE sets.
function Gen:new_value(spec, name)
  for _, c in ipairs(spec.cols) do
    if c.bare == name then
      local text = self:expr(c.type)
      if NOT_NULL[name] and self:chance(0.9) then
        text = ("coalesce(%s, %s)"):format(text, self:literal(c.type))
      elseif c.type == "int" or c.type == "num" then
        -- What a check refuses in one row only would depend on the order.
        text = ("least(greatest(%s, %s), %s)"):format(text,
          c.type == "num" and "-50.00" or "-50",
          c.type == "num" and "900.00" or "900")
      end
      return c.name, text
    end
  end
end

local function key_value(g, rel, name)
  local c = Gen.column_of(rel, name)
  local ref = rel.alias .. "." .. c.name
  return c.name, g:pick { ref .. " + 1000", "-1 - " .. ref, "5" }
end

--- SET's list.
function Gen:sets(rel)
  local spec, parts, used = rel.table, {}, {}
  for _ = 1, self.d:int(1, 3) do
    local name = self:pick(FREE[spec.bare])
    if not used[name] then
      used[name] = true
      parts[#parts + 1] = { self:new_value(spec, name) }
    end
  end
  if KEYS[spec.bare] and self:chance(0.12) then
    self:count "update of a key"
    parts[#parts + 1] = { key_value(self, rel, KEYS[spec.bare]) }
  end
  if #parts == 2 and self:chance(0.3) then
    return ("(%s, %s) = (%s, %s)"):format(parts[1][1], parts[2][1],
      parts[1][2], parts[2][2])
  end
  local texts = {}
  for i, p in ipairs(parts) do texts[i] = p[1] .. " = " .. p[2] end
  return table.concat(texts, ", ")
end

--- RETURNING over what is in scope; w.cols is filled.
function Gen:returning(w, odds)
  if not self:chance(odds) then
    w.cols = {}
    return ""
  end
  self:count(w.what .. " returning")
  local rels = self.scope.rels
  if self:chance(0.25) and #rels == 1 then
    w.cols = {}
    for i, c in ipairs(rels[1].cols) do
      w.cols[i] = { name = c.name, type = c.type }
    end
    return self:kw "returning" .. " "
      .. (w.plain and "*" or rels[1].alias .. ".*")
  end
  local texts = {}
  w.cols = {}
  for i, type in ipairs(self:some_types(1, 3)) do
    w.cols[i] = { name = self:name "c", type = type }
    texts[i] = self:with({ depth = 1 }, self.expr, type) .. " as "
      .. w.cols[i].name
  end
  return self:kw "returning" .. " " .. table.concat(texts, ", ")
end

-- ---- other tables ----------------------------------------------------------

local function has(list, x)
  for _, y in ipairs(list) do
    if y == x then return true end
  end
  return false
end

-- Does a row of the target meet at most one row of the other table?
local function unique(link)
  local spec, n = schema.tables[link.to], 0
  if spec.bare == "visits" or spec.bare == "patients" then
    return link.on[1][2] == "id"
  end
  for _, p in ipairs(link.on) do
    if has(spec.pk, p[2]) then n = n + 1 end
  end
  return n == #spec.pk
end

-- A table of FROM or USING, and how it goes with the target.
local function partner(g, rel)
  local links = schema.links[rel.table.bare]
  if not links then return nil end
  local link = g:pick(links)
  if g.lane.policies_only and link.to == "visit_sums" then return nil end
  local text, other = g:table_item(schema.tables[link.to])
  local parts = {}
  for _, p in ipairs(link.on) do
    local a = Gen.column_of(rel, p[1])
    local b = Gen.column_of(other, p[2])
    if not b or b.type == "none" then return nil end
    parts[#parts + 1] = ("%s.%s = %s.%s"):format(rel.alias, a.name,
      other.alias, b.name)
  end
  return text, other, table.concat(parts, " and "), unique(link)
end

-- Adds one more to FROM, joined to the first.
local function second(g, other, text)
  local more, rel, cond, one = partner(g, other)
  if not more then return text, nil, true end
  local kind = g:pick { "join", "left join" }
  g:count(kind .. " of a write")
  return ("%s %s %s on %s"):format(text, kind, more, cond), rel, one
end

-- FROM of UPDATE, USING of DELETE: text, rels, condition, unique.
local function others(g, rel)
  if g.alone or not g:chance(0.35) then return nil end
  local out
  g:attempt(function()
    local text, other, cond, one = partner(g, rel)
    if not text then return false end
    out = { rels = { other }, cond = cond, unique = one }
    if not other.table.view and g:chance(0.3) then
      local more, single
      g.scope.rels[2] = other
      text, more, single = second(g, other, text)
      g.scope.rels[2] = nil
      out.rels[2] = more
      out.unique = out.unique and single
    end
    out.text = text
    return true
  end)
  return out
end

local function scope_of(g, rel, from, all)
  local scope = g:open(nil)
  scope.rels[1] = rel
  if from and all then
    for _, r in ipairs(from.rels) do scope.rels[#scope.rels + 1] = r end
  end
  return scope
end

local function condition(g, from, scope)
  local parts = {}
  if from then parts[1] = from.cond end
  if g:chance(from and 0.4 or 0.8) then
    parts[#parts + 1] = g:with({ scope = scope }, g.cond)
  end
  if #parts == 0 then return "" end
  if #parts == 2 then parts[2] = "(" .. parts[2] .. ")" end
  return g:kw "where" .. " " .. table.concat(parts, " and ")
end

-- ---- UPDATE, DELETE --------------------------------------------------------

local function update(g, w)
  local spec = g:pick(g.writable)
  local text, rel = g:target(spec)
  local scope = g:open(nil)
  scope.rels[1] = rel
  local from = g:with({ scope = scope }, others, rel)
  local all = scope_of(g, rel, from, true)
  local some = scope_of(g, rel, from, from and from.unique)
  local sets = g:with({ scope = some, full_names = from ~= nil }, g.sets, rel)
  local where = condition(g, from, all)
  w.plain = not from
  local returning = g:with({ scope = some, full_names = from ~= nil },
    g.returning, w, w.returning and 1 or 0.4)
  if from then g:count "update from" end
  w.text = g:join(g:kw "update" .. " " .. text, g:kw "set" .. " " .. sets,
    from and g:kw "from" .. " " .. from.text or "", where, returning)
  w.target = spec
end

local function delete(g, w)
  local spec = g:pick(g.writable)
  local text, rel = g:target(spec)
  local scope = g:open(nil)
  scope.rels[1] = rel
  local from = g:with({ scope = scope }, others, rel)
  local all = scope_of(g, rel, from, true)
  local some = scope_of(g, rel, from, from and from.unique)
  local where = condition(g, from, all)
  w.plain = not from
  local returning = g:with({ scope = some, full_names = from ~= nil },
    g.returning, w, w.returning and 1 or 0.4)
  if from then g:count "delete using" end
  w.text = g:join(g:kw "delete from" .. " " .. text,
    from and g:kw "using" .. " " .. from.text or "", where, returning)
  w.target = spec
end

local makers = { update = update, delete = delete }
--- A statement that writes, by what it does; see insert.lua and merge.lua.
Gen.writers = makers

--- w: { what =, returning = must it? }; gives w with text and cols.
function Gen:write(w)
  w.what = w.what or self.d:weighted { 5, "insert", 4, "update", 4, "delete",
    2, "merge" }
  self:count(w.what)
  w.cols = {}
  makers[w.what](self, w)
  w.est = 20
  w.writes = true
  return w.text and w or nil
end

--- A uuid that no row has, of A's.
function Gen:fresh_id()
  return data.id("a", 9, self.d:int(1, 2^31))
end

return Gen
