-- FROM: tables in all spellings, joins of all kinds, sub-selects, VALUES,
-- functions, LATERAL.  Sizes are estimated, so that no result explodes.
local Gen = require "support.worlds.gen"
local schema = require "support.worlds.schema"

local MOST_ROWS = 1500

-- ---- one table -------------------------------------------------------------

local function alias_used(g, alias)
  local scope = g.scope
  while scope do
    for _, rel in ipairs(scope.rels) do
      if rel.alias == alias then return true end
    end
    scope = scope.up
  end
  return false
end

--- Is this the name of a WITH query that can be seen here?
function Gen:is_cte(name)
  for _, cte in ipairs(self.ctes) do
    if cte.name == name then return true end
  end
  return false
end

local function own_columns(spec)
  local cols = {}
  for i, c in ipairs(spec.cols) do
    cols[i] = { name = c.name, of = c.bare, type = c.type, div = c.div,
      base = true }
  end
  return cols
end

-- The name of a table, in one of its spellings.
function Gen:table_name(spec)
  local name = spec.name
  if name == spec.bare then
    name = self.d:weighted { 8, name, 1, name:upper(), 1, '"' .. name .. '"' }
  end
  if self:is_cte(spec.name) or self:chance(0.25) then
    return "clinic." .. name, true
  end
  return name, false
end

local function rename(g, rel, count)
  g:count "column alias list"
  local names = {}
  for i = 1, count do
    -- A column that has the name of another one must not be taken for it.
    local name = g:chance(0.1) and i > 1 and rel.cols[i - 1].of == "clinic_id"
      and "clinic_id" or g:name "k"
    rel.cols[i].name = name
    rel.cols[i].renamed = true
    names[i] = name
  end
  -- No column is to be there twice.
  for i = count + 1, #rel.cols do
    for j = 1, count do
      if rel.cols[i].name == names[j] then rel.cols[i].type = "none" end
    end
  end
  return "(" .. table.concat(names, ", ") .. ")"
end

local function add_alias(g, rel, text)
  local spec = rel.table
  if not alias_used(g, spec.name) and not rel.sample and g:chance(0.3) then
    rel.alias = spec.name
    rel.path = "clinic." .. spec.name
    return text
  end
  rel.alias = g:name(spec.bare:sub(1, 1):lower():match("%a") or "g")
  text = text .. (g:chance(0.5) and " as " or " ") .. rel.alias
  if g:chance(0.06) then
    text = text .. rename(g, rel, g.d:int(1, #rel.cols))
  end
  return text
end

--- A table in FROM: its text; the rel is in the result, not in the scope.
function Gen:table_item(spec)
  local rel = { table = spec, cols = own_columns(spec), lock = not spec.view }
  local text = self:table_name(spec)
  if not spec.view and self:chance(0.03) then
    self:count "only"
    text = self:chance(0.5) and "only " .. text or "only (" .. text .. ")"
    if spec.bare == "readings" then rel.empty = true end
  elseif not spec.view and self:chance(0.03) then
    text = text .. " *"
  end
  text = add_alias(self, rel, text)
  if not spec.view and self:chance(0.02) then
    self:count "tablesample"
    text = text .. " tablesample bernoulli (100)"
      .. self:pick { "", " repeatable (1)" }
    rel.path, rel.lock = nil, false
  end
  rel.est = math.max(2, self.lane.size * spec.rows)
  if spec.view then self:count "view" end
  return text, rel
end

-- Only what may be written is locked; a view has no row policies.
local function may_stand(g, spec)
  return not (g.lock_all and not spec.write)
    and not (g.lane.policies_only and spec.view)
end

local weights = {}
for _, spec in ipairs(schema.list) do
  weights[#weights + 1] = spec.bare == "visits" and 4 or spec.view and 1
    or (spec.bare == "items" or spec.bare == "patients") and 3 or 2
  weights[#weights + 1] = spec
end

-- ---- other things ----------------------------------------------------------

local function named(g, text, rel, renamed)
  rel.alias = g:name "s"
  text = text .. g:pick { " as ", " " } .. rel.alias
  if renamed then
    text = text .. rename(g, rel, #rel.cols)
  end
  return text, rel
end

local function from_query(g, lateral)
  local around = g.scope
  local up = lateral and around or around.up or false
  local q = g:with({ scope = up, own = false, lock_all = false },
    g.query, { nested = true })
  g:count(lateral and "lateral sub-select" or "sub-select in from")
  return named(g, (lateral and "lateral (" or "(") .. q.text .. ")",
    { cols = q.cols, est = q.est }, g:chance(0.15))
end

local function from_values(g)
  g:count "values in from"
  local types = g:some_types(1, 3)
  local text = g:with({ scope = g.scope.up or false, flat = true }, g.values,
    types)
  local cols = {}
  for i, type in ipairs(types) do
    cols[i] = { name = "column" .. i, type = type }
  end
  return named(g, "(" .. text .. ")", { cols = cols, est = 3 }, true)
end

local function from_cte(g)
  local cte = g:pick(g.ctes)
  local cols = {}
  for i, c in ipairs(cte.cols) do cols[i] = { name = c.name, type = c.type } end
  local rel = { cols = cols, est = cte.est, no_row = cte.no_row }
  g:count "with query read"
  if not alias_used(g, cte.name) and g:chance(0.4) then
    rel.alias = cte.name
    return cte.name, rel
  end
  return named(g, cte.name, rel, false)
end

local function from_series(g)
  g:count "function in from"
  local alias = g:name "f"
  local text = "generate_series(1, " .. g.d:int(1, 4) .. ")"
  if g:chance(0.3) then
    return ("%s with ordinality as %s(i, o)"):format(text, alias),
      { alias = alias, est = 4, no_row = true, cols = {
        { name = "i", type = "int" }, { name = "o", type = "big" } } }
  end
  return ("%s as %s(i)"):format(text, alias), { alias = alias, est = 4,
    no_row = true, cols = { { name = "i", type = "int" } } }
end

-- A function of a column that stands left of it.
local function from_unnest(g)
  local type = g:pick { "ints", "texts" }
  local c = g:column(type, true)
  if not c then return from_series(g) end
  g:count "lateral function"
  local alias = g:name "f"
  local item = type == "ints" and "int" or "text"
  local ref = g:ref(c)
  if g:chance(0.3) then
    return ("rows from (unnest(%s), generate_series(1, 2)) as %s(u, i)")
      :format(ref, alias), { alias = alias, est = 2, no_row = true, cols = {
        { name = "u", type = item }, { name = "i", type = "int" } } }
  end
  return ("%sunnest(%s) as %s(u)"):format(g:pick { "", "lateral " }, ref,
    alias), { alias = alias, est = 2, no_row = true,
      cols = { { name = "u", type = item } } }
end

-- lateral: may it see what stands left of it?
local function item(g, lateral)
  local nest = g:may_nest()
  local what = g.lock_all and "table" or g.d:weighted {
    12, "table", nest and 2 or 0, "query", 0.7, "values",
    #g.ctes > 0 and 8 or 0, "cte", 0.5, "series",
    lateral and 1 or 0, "unnest", lateral and nest and 1.5 or 0, "lateral" }
  if what == "query" then return from_query(g, false) end
  if what == "lateral" then return from_query(g, true) end
  if what == "values" then return from_values(g) end
  if what == "cte" then return from_cte(g) end
  if what == "series" then return from_series(g) end
  if what == "unnest" then return from_unnest(g) end
  local spec = g.d:weighted(weights)
  while not may_stand(g, spec) do spec = g.d:weighted(weights) end
  return g:table_item(spec)
end

-- ---- joins -----------------------------------------------------------------

-- A tree is { text =, rels =, est = }.
local function in_tree(g, tree, extra, fn)
  local rels = {}
  for i, rel in ipairs(tree.rels) do rels[i] = rel end
  if extra then rels[#rels + 1] = extra end
  return (g:with({ scope = { rels = rels, up = g.scope.up } }, fn))
end

local function column_of(rel, base)
  for _, c in ipairs(rel.cols) do
    if c.of == base and c.type ~= "none" then return c end
  end
end

-- A link from a table of the tree to one that it goes with, or nil.
local function find_link(g, tree)
  local rel = g:pick(tree.rels)
  local links = rel.table and schema.links[rel.table.bare]
  if not links then return nil end
  return rel, g:pick(links)
end

-- The names on both sides are the same, and no other column has them.
local function may_use(tree, rel, pairs_)
  for _, p in ipairs(pairs_) do
    local n = 0
    if p[1].name ~= p[2].name then return false end
    for _, r in ipairs(tree.rels) do
      if r.opaque then return false end
      for _, c in ipairs(r.cols) do
        if c.name == p[1].name then n = n + 1 end
      end
    end
    if n ~= 1 then return false end
  end
  return #pairs_ > 0 and rel ~= nil
end

local function on_text(g, tree, rel, join)
  local parts = {}
  for i, p in ipairs(join.pairs) do
    local a = join.left.alias .. "." .. p[1].name
    local b = rel.alias .. "." .. p[2].name
    parts[i] = g:chance(0.5) and a .. " = " .. b or b .. " = " .. a
  end
  if join.kind ~= "full" and g:chance(0.25) then
    parts[#parts + 1] = in_tree(g, tree, rel, function(x) return x:cond() end)
    g:count "on with a condition"
  end
  return " on " .. table.concat(parts, " and ")
end

local function join_kind(g)
  if g.lock_all then return g:pick { "", "inner", "cross" } end
  return g.d:weighted { 4, "", 2, "inner", 5, "left", 3, "right", 2, "full" }
end

local words = { [""] = "join", inner = "inner join", left = "left join",
  right = "right join", full = "full join", cross = "cross join" }

local function outer_word(g, kind)
  if (kind == "left" or kind == "right" or kind == "full") and g:chance(0.3)
  then
    return g:kw(kind .. " outer join")
  end
  return g:kw(words[kind])
end

local function add(tree, rel, text, est)
  tree.text = text
  tree.rels[#tree.rels + 1] = rel
  tree.est = est
end

-- Along a link of schema.lua.
local function join_link(g, tree)
  local left, link = find_link(g, tree)
  if not left then return false end
  local spec = schema.tables[link.to]
  if not may_stand(g, spec) then return false end
  local text, rel = g:table_item(spec)
  local pairs_ = {}
  for i, p in ipairs(link.on) do
    pairs_[i] = { column_of(left, p[1]), column_of(rel, p[2]) }
    if not pairs_[i][1] or not pairs_[i][2] then return false end
  end
  local kind = join_kind(g)
  if kind == "cross" then kind = "" end
  local cond
  if g:chance(0.35) and may_use(tree, rel, pairs_) then
    local names = {}
    for i, p in ipairs(pairs_) do names[i] = p[1].name end
    cond = " using (" .. table.concat(names, ", ") .. ")"
    g:count "using"
  else
    cond = on_text(g, tree, rel, { left = left, pairs = pairs_, kind = kind })
  end
  g:count((kind == "" and "inner" or kind) .. " join")
  add(tree, rel, tree.text .. g:gap() .. outer_word(g, kind) .. " " .. text
    .. cond, math.max(tree.est, rel.est) * 1.4)
  return true
end

local function same_type(g, tree, rel)
  for _ = 1, 6 do
    local a = g:pick(g:pick(tree.rels).cols)
    if a and a.type ~= "none" and a.type ~= "jsonb" then
      for _, b in ipairs(rel.cols) do
        if b.type == a.type then return a, b end
      end
    end
  end
end

local function owner(tree, col)
  for _, rel in ipairs(tree.rels) do
    for _, c in ipairs(rel.cols) do
      if c == col then return rel end
    end
  end
end

-- To anything, where two columns of a type are equal.
local function join_any(g, tree)
  local text, rel = item(g, false)
  local a, b = same_type(g, tree, rel)
  if not a or tree.est * rel.est / 3 > MOST_ROWS then return false end
  local kind = join_kind(g)
  if kind == "cross" then kind = "" end
  local left = owner(tree, a)
  local cond = on_text(g, tree, rel, { left = left, kind = kind,
    pairs = { { a, b } } })
  g:count((kind == "" and "inner" or kind) .. " join")
  add(tree, rel, tree.text .. g:gap() .. outer_word(g, kind) .. " " .. text
    .. cond, math.max(tree.est * rel.est / 3, tree.est))
  return true
end

local function join_cross(g, tree)
  local text, rel = item(g, not g.lock_all)
  if tree.est * rel.est > MOST_ROWS then return false end
  if not g.lock_all and g:chance(0.3) then
    g:count "left join lateral on true"
    text = g:kw "left join" .. " " .. text .. " on true"
  else
    g:count "cross join"
    text = g:kw "cross join" .. " " .. text
  end
  add(tree, rel, tree.text .. g:gap() .. text, tree.est * rel.est)
  return true
end

-- Names that both have, each once on either side; nil when one is there twice.
local function common_names(tree, rel)
  local seen, n = {}, 0
  for _, r in ipairs(tree.rels) do
    if r.opaque then return nil end
    for _, c in ipairs(r.cols) do
      seen[c.name] = seen[c.name] and "many" or c
    end
  end
  local mine = {}
  for _, c in ipairs(rel.cols) do
    if mine[c.name] then return nil end
    mine[c.name] = true
    if seen[c.name] == "many" then return nil end
    if seen[c.name] then
      if seen[c.name].type ~= c.type or c.type == "none" then return nil end
      n = n + 1
    end
  end
  return n
end

local function join_natural(g, tree)
  local text, rel = g:table_item(schema.tables[g:pick { "visits", "members",
    "items", "notes", "labs", "readings" }])
  local n = common_names(tree, rel)
  if not n or n == 0 or tree.est * rel.est > MOST_ROWS then return false end
  local kind = join_kind(g)
  if kind == "cross" then kind = "" end
  g:count "natural join"
  add(tree, rel, tree.text .. g:gap() .. g:kw "natural" .. " "
    .. outer_word(g, kind) .. " " .. text, tree.est * rel.est)
  return true
end

-- (a join b ...) as j: one name for both.
local function wrap(g, tree)
  if #tree.rels < 2 then return end
  if not g:chance(0.3) then
    tree.text = "(" .. tree.text .. ")"
    return
  end
  if g.lock_all then return end
  g:count "join with an alias"
  local alias, cols, seen = g:name "j", {}, {}
  for _, rel in ipairs(tree.rels) do
    for _, c in ipairs(rel.cols) do
      seen[c.name] = (seen[c.name] or 0) + 1
      cols[#cols + 1] = { name = c.name, type = c.type }
    end
  end
  local once = {}
  for _, c in ipairs(cols) do
    if seen[c.name] == 1 then once[#once + 1] = c end
  end
  tree.text = "(" .. tree.text .. ") as " .. alias
  tree.rels = { { alias = alias, cols = once, est = tree.est, no_row = true,
    opaque = true } }
end

local function has_using(text)
  return text:lower():find("using (", 1, true) or
    text:lower():find("natural", 1, true)
end

local function grow(g, tree, count)
  for _ = 2, count do
    -- What stands left is seen by LATERAL.
    local all = { rels = {}, up = g.scope.up }
    for _, rel in ipairs(g.scope.rels) do all.rels[#all.rels + 1] = rel end
    for _, rel in ipairs(tree.rels) do all.rels[#all.rels + 1] = rel end
    local join = g.d:weighted { 8, join_link, 2, join_any, 3, join_cross,
      1, join_natural }
    local done = g:attempt(function()
      return g:with({ scope = all }, join, tree)
    end)
    if done and not has_using(tree.text) and g:chance(0.1) then
      wrap(g, tree)
    end
  end
end

--- FROM's list, without the keyword, and about how many rows it has.
function Gen:from()
  local count = self.d:weighted { 5, 1, 5, 2, 3, 3, 1, 4 }
  local texts, est = {}, 1
  while count > 0 do
    local size = self.d:int(1, count)
    local tree
    count = count - size
    if self:attempt(function()
      local text, rel = item(self, #texts > 0 and not self.lock_all)
      tree = { text = text, rels = { rel }, est = rel.est }
      grow(self, tree, size)
      return est * tree.est <= MOST_ROWS or #texts == 0
    end) then
      if #texts > 0 then self:count "comma join" end
      texts[#texts + 1] = tree.text
      est = est * tree.est
      for _, r in ipairs(tree.rels) do
        self.scope.rels[#self.scope.rels + 1] = r
      end
    end
  end
  return table.concat(texts, ", "), est
end

return Gen
