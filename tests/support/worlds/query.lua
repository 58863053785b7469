-- SELECT in all its forms.
--
-- A query is { text =, cols =, est =, ordered = }: cols as of a rel, est about
-- how many rows, ordered: their order is known.
local Gen = require "support.worlds.gen"
local schema = require "support.worlds.schema"

-- ---- select list -----------------------------------------------------------

local labels = { "as where", "as \"from\"", "as \"Ünï code\"", "total", "as x" }

-- Gives each item a name; at the top they may be without one.
local function labelled(g, item, nested)
  if nested then
    item.name = g:name "c"
    return item.text .. g:pick { " as ", " as ", " " } .. item.name
  end
  if g:chance(0.1) then return item.text .. " " .. g:pick(labels) end
  if g:chance(0.3) then return item.text end
  return item.text .. " as " .. g:name "c"
end

local function whole_row(g)
  local rels = {}
  for _, rel in ipairs(g.scope.rels) do
    if not rel.no_row then rels[#rels + 1] = rel end
  end
  if #rels == 0 then return nil end
  g:count "whole row"
  local rel = g:pick(rels)
  local form = g:pick { "%s", "row_to_json(%s)::text", "to_jsonb(%s)",
    "%s::text", "row(%s.*)" }
  -- What a row's columns are called is told by its table, or by its alias.
  if form:find "json" then
    for _, c in ipairs(rel.cols) do
      if c.renamed or not rel.table then form = "%s" end
    end
  end
  return { text = form:format(rel.alias), type = "any" }
end

local function items(g, q)
  local list = {}
  for i, type in ipairs(q.types) do
    list[i] = { text = g:expr(type), type = type }
  end
  if not q.nested and not q.fixed and g:chance(0.06) then
    list[#list + 1] = whole_row(g)
  end
  if not q.fixed and not g.lock_all and g:chance(0.12) then
    g:windows(list)
  end
  return list
end

-- "*" or some "x.*"; nil when the columns are not known one by one.
local function stars(g, from)
  local cols = {}
  local rels = g.scope.rels
  if from:lower():find("using (", 1, true)
    or from:lower():find("natural", 1, true) then
    return nil
  end
  local only = #rels > 1 and g:chance(0.5) and g:pick(rels) or nil
  local seen = {}
  for _, rel in ipairs(rels) do
    if rel.no_row then return nil end
    if not only or rel == only then
      for _, c in ipairs(rel.cols) do
        cols[#cols + 1] = { name = c.name, type = c.type }
        if seen[c.name] then cols.twice = true end
        seen[c.name] = true
      end
    end
  end
  return only and only.alias .. ".*" or "*", cols
end

-- ---- ORDER BY, LIMIT -------------------------------------------------------

local function order_list(g, n, all)
  local at, parts = {}, {}
  for i = 1, n do at[i] = i end
  for i = n, 2, -1 do
    local k = g.d:int(1, i)
    at[i], at[k] = at[k], at[i]
  end
  for i = 1, all and n or g.d:int(1, n) do
    parts[i] = at[i] .. g:pick { "", "", " asc", " desc", " desc nulls last",
      " nulls first" }
  end
  return table.concat(parts, ", ")
end

local function limit(g)
  local count = tostring(g.d:int(0, 9))
  if g:chance(0.3) then
    return ("%sfetch first %s rows only"):format(
      g:pick { "", "offset 1 rows " }, count)
  end
  if g:chance(0.15) then count = g:param("big", count) end
  return ("limit %s%s"):format(count, g:pick { "", "", " offset 1",
    " offset 2" })
end

--- ORDER BY and LIMIT of a query with n columns; order: is LIMIT wanted?
--- Gives its text and whether the order is total.
--- PostgreSQL 15 takes WITH TIES over for the search of a minimum in an index,
--- and finds too many: no_ties.
function Gen:tail(n, odds)
  if n == 0 or not self:chance(odds) then return "", false end
  local want = self:chance(0.4)
  if want and not self.lock_all and not self.no_ties and self:chance(0.15) then
    self:count "with ties"
    return self:join(self:kw "order by" .. " " .. order_list(self, n, false),
      "fetch first " .. self.d:int(1, 5) .. " rows with ties"), false
  end
  local text = self:kw "order by" .. " " .. order_list(self, n, true)
  self:count "order by"
  if want then
    self:count "limit in a total order"
    text = self:join(text, limit(self))
  end
  return text, true
end

-- ---- simple SELECT ---------------------------------------------------------

local function distinct(g, n)
  if n == 0 or not g:chance(0.1) then return "", nil end
  if g:chance(0.4) then
    g:count "distinct on"
    return "distinct on (1)", 1
  end
  g:count "distinct"
  return "distinct", nil
end

local function where(g)
  if not g:chance(0.65) then return "" end
  return g:kw "where" .. g:gap() .. g:cond()
end

local function lock(g)
  if not g.lock_all then return "" end
  g:count "for update/share"
  local names = {}
  for _, rel in ipairs(g.scope.rels) do
    if rel.lock then names[#names + 1] = rel.alias end
  end
  local text = g:pick { "for update", "for share", "for no key update",
    "for key share" }
  if #names > 0 and g:chance(0.4) then
    text = text .. " of " .. g:pick(names)
  end
  return text .. g:pick { "", "", " nowait", " skip locked" }
end

local function list_of(g, q, from)
  if not q.fixed and not q.lock and g:chance(0.15) then
    local star, cols = stars(g, from)
    if star and not (q.nested and cols.twice) then
      g:count "select *"
      return star, cols, true
    end
  end
  if not q.fixed and not q.nested and g:chance(0.01) then
    g:count "select without columns"
    return "", {}, true
  end
  local list = items(g, q)
  local texts, cols = {}, {}
  for i, item in ipairs(list) do
    texts[i] = labelled(g, item, q.nested)
    cols[i] = { name = item.name, type = item.type }
  end
  return table.concat(texts, "," .. g:gap()), cols, false
end

-- q: { types =, fixed =: exactly these, nested = }
local function select_body(g, q)
  local from, est = g:from()
  local condition = where(g)
  local list, cols = list_of(g, q, from)
  local unique, on = "", nil
  if not g.lock_all then unique, on = distinct(g, #cols) end
  local tail, ordered = "", false
  if on then
    tail = "order by 1"
    for i = 2, #cols do tail = tail .. ", " .. i end
    ordered = true
  elseif not q.arm then
    tail, ordered = g:tail(#cols, q.nested and 0.12 or 0.3)
  end
  local text = g:join(g:kw "select", unique, list, g:kw "from" .. " " .. from,
    condition, g.window_clause or "", tail, lock(g))
  return { text = text, cols = cols, est = est, ordered = ordered,
    closed = tail ~= "" }
end

function Gen:simple(q)
  q.types = q.types or self:some_types(1, 4)
  return (self:with({ scope = self:open(self.scope), window_clause = false },
    select_body, q))
end

-- ---- VALUES, TABLE, set operations -----------------------------------------

--- VALUES with columns of these types.
function Gen:values(types)
  self:count "values"
  local rows = {}
  for i = 1, self.d:int(1, 3) do
    local cells = {}
    for k, type in ipairs(types) do
      cells[k] = i > 1 and self:chance(0.2) and "null" or self:literal(type)
      if i == 1 and type == "text" then cells[k] = cells[k] .. "::text" end
    end
    rows[i] = "(" .. table.concat(cells, ", ") .. ")"
  end
  return self:kw "values" .. " " .. table.concat(rows, ", ")
end

local function values_query(g, q)
  local cols = {}
  for i, type in ipairs(q.types) do
    cols[i] = { name = "column" .. i, type = type }
  end
  return { text = g:values(q.types), cols = cols, est = 3, ordered = false }
end

local function table_query(g)
  g:count "table t"
  local spec = g:pick(schema.list)
  if spec.view and g.lane.policies_only then spec = schema.tables.codes end
  local cols = {}
  for i, c in ipairs(spec.cols) do
    cols[i] = { name = c.name, type = c.type }
  end
  local text = "table " .. g:table_name(spec)
  return { text = text, cols = cols, est = g.lane.size * spec.rows,
    ordered = false }
end

local function arm(g, q)
  local one
  if g.budget > 0 and g:chance(0.15) then
    one = g:set_operation { types = q.types, nested = true }
  elseif g:chance(0.1) then
    one = values_query(g, q)
  elseif g:chance(0.15) then
    one = g:grouped { types = q.types, fixed = true, nested = true, arm = true }
  else
    one = g:simple { types = q.types, fixed = true, nested = true,
      arm = g:chance(0.8) }
  end
  if one.closed or one.set or g:chance(0.3) then
    one.text = "(" .. one.text .. ")"
  end
  return one
end

--- UNION, INTERSECT, EXCEPT.
function Gen:set_operation(q)
  self.budget = self.budget - 1
  q.types = q.types or self:some_types(1, 3)
  local first = arm(self, q)
  local text, est = first.text, first.est
  for _ = 1, self.d:weighted { 4, 1, 1, 2 } do
    local op = self:pick { "union", "union all", "union all", "intersect",
      "except", "intersect all", "except all" }
    self:count(op)
    local other = arm(self, q)
    text = self:join(text, self:kw(op), other.text)
    est = est + other.est
  end
  local tail, ordered = self:tail(#first.cols, 0.25)
  return { text = self:join(text, tail), cols = first.cols, est = est,
    ordered = ordered, set = true, closed = tail ~= "" }
end

-- ---- any query -------------------------------------------------------------

local function body(g, q)
  local what = g.d:weighted { 14, "simple", 4, "grouped",
    g.budget > 0 and 3 or 0, "set", 0.4, "values", q.types and 0 or 0.4,
    "table" }
  if what == "simple" then return g:simple(q) end
  if what == "grouped" then return g:grouped(q) end
  if what == "set" then return g:set_operation(q) end
  if what == "table" then return table_query(g) end
  q.types = q.types or g:some_types(1, 3)
  return values_query(g, q)
end

local function named_columns(q)
  for _, c in ipairs(q.cols) do
    if not c.name then c.name = "?" end
  end
  return q
end

--- A query; q: { nested = } and with types: { types =, fixed = true }.
function Gen:query(q)
  self.budget = self.budget - 1
  if q.nested and self:chance(0.06) and self.budget > 0 and not self.calm then
    return self:with_queries(q)
  end
  return named_columns((self:with({ depth = q.nested and 1 or 0 }, body, q)))
end

Gen.query_body = body

-- ---- sub-selects of expressions --------------------------------------------

-- Runs fn for a query inside an expression.
local function inside(g, fn, ...)
  g.budget = g.budget - 1
  return (g:with({ depth = 2, lock_all = false, window_clause = false }, fn,
    ...))
end

--- A query with exactly these columns, for IN and the like.
function Gen:inner(types)
  return inside(self, body, { types = types, fixed = true, nested = true }).text
end

-- (select column from t where key = value of this row)
local function by_key(g, type)
  local list = {}
  for _, spec in ipairs(schema.list) do
    local key = spec.cols[1].name == spec.pk[1] and spec.cols[1]
      or spec.cols[2]
    if #spec.pk == 1 then
      for _, c in ipairs(spec.cols) do
        if c.type == type then list[#list + 1] = { spec, key, c } end
      end
    end
  end
  if #list == 0 then return nil end
  local spec, key, col = unpack(g:pick(list))
  local outer = g:expr(key.type)
  local alias = g:name "q"
  return ("(select %s.%s from %s as %s where %s.%s = %s)"):format(alias,
    col.name, g:table_name(spec), alias, alias, key.name, outer)
end

--- One value, or NULL.
function Gen:scalar(type)
  self:count "scalar sub-select"
  local what = self.d:weighted { 3, "key", 4, "aggregate", 2, "first" }
  if what == "key" then
    local text = inside(self, by_key, type)
    if text then return text end
  end
  if what == "first" then
    local q = inside(self, self.simple,
      { types = { type }, fixed = true, nested = true, arm = true })
    if not q.closed then return "(" .. q.text .. " order by 1 limit 1)" end
    return "(" .. q.text .. " limit 1)"
  end
  return "(" .. inside(self, self.aggregate_query, type) .. ")"
end

-- Tables that go with one of those that stand here.
local function linked(g)
  local found = {}
  for _, rel in ipairs(g.scope and g.scope.rels or {}) do
    for _, link in ipairs(rel.table and schema.links[rel.table.bare] or {}) do
      if not (g.lane.policies_only and link.to == "visit_sums") then
        found[#found + 1] = { rel, link }
      end
    end
  end
  if #found == 0 then return nil end
  return unpack(g:pick(found))
end

local function link_condition(outer, rel, link)
  local parts = {}
  for _, p in ipairs(link.on) do
    local a, b
    for _, c in ipairs(outer.cols) do if c.of == p[1] then a = c end end
    for _, c in ipairs(rel.cols) do if c.of == p[2] then b = c end end
    if a and b and a.type ~= "none" and b.type ~= "none" then
      parts[#parts + 1] = ("%s.%s = %s.%s"):format(rel.alias, b.name,
        outer.alias, a.name)
    end
  end
  return #parts > 0 and table.concat(parts, " and ") or "true"
end

--- The query of EXISTS, mostly about this row.
function Gen:correlated()
  local outer, link = linked(self)
  if not outer or self:chance(0.2) then
    return inside(self, self.simple, { nested = true }).text
  end
  self:count "correlated sub-select"
  return inside(self, function(g)
    local scope = g:open(g.scope)
    g.scope = scope
    local text, rel = g:table_item(schema.tables[link.to])
    scope.rels[1] = rel
    local more = g:chance(0.4) and " and " .. g:cond() or ""
    g.scope = scope.up
    return g:join(g:kw "select" .. g:pick { "", " 1", " *", " null" },
      g:kw "from" .. " " .. text,
      g:kw "where" .. " " .. link_condition(outer, rel, link) .. more)
  end)
end

return Gen
