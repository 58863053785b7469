-- WITH: plain, recursive, and data-modifying queries, under names of their own
-- and under names of tables.
local Gen = require "support.worlds.gen"

local function copy(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = x end
  return out
end

local SHADOWS = { "visits", "items", "patients", "codes", "notes", "labs" }

local function cte_name(g, recursive)
  if not recursive and g:chance(0.12) then
    local name = g:pick(SHADOWS)
    if not g:is_cte(name) then
      g:count "with query named as a table"
      return name
    end
  end
  return g:name "q"
end

local function column_list(g, q)
  if #q.cols == 0 or not g:chance(0.4) then return "" end
  local names = {}
  for i = 1, #q.cols do
    names[i] = g:name "h"
    q.cols[i].name = names[i]
  end
  return "(" .. table.concat(names, ", ") .. ")"
end

local function unique_names(q)
  local seen = {}
  for _, c in ipairs(q.cols) do
    if seen[c.name] then return false end
    seen[c.name] = true
  end
  return true
end

local function plain(g, name)
  local q = g:query { nested = true }
  local list = column_list(g, q)
  if list == "" and not unique_names(q) then return nil end
  g:count "with"
  local how = g:pick { " as ", " as ", " as materialized ",
    " as not materialized " }
  return name .. list .. how .. "(" .. q.text .. ")",
    { name = name, cols = q.cols, est = q.est }
end

local MODIFIED = { "delete", "update", "insert" }

local function modifying(g, name)
  local w = g:with({ scope = false, flat = g:chance(0.5) }, g.write,
    { what = g:pick(MODIFIED), returning = true })
  if not w then return nil end
  g.modifies = true
  g:count "data-modifying with"
  return name .. " as (" .. w.text .. ")",
    { name = name, cols = w.cols, est = w.est or 10 }
end

-- ---- recursive -------------------------------------------------------------

local RECURSIVE_TYPES = { "int", "text", "date", "bool", "uuid", "tenant" }

local function arm(g, types, count)
  local list = { count }
  for i, type in ipairs(types) do list[i + 1] = g:expr(type) end
  return "select " .. table.concat(list, ", ")
end

local function base_arm(g, types)
  local from = g:from()
  local where = g:chance(0.6) and " where " .. g:cond() or ""
  return ("%s from %s%s"):format(arm(g, types, "0"), from, where)
end

-- Along the chain of visits: each is followed by another.
local function chain(g, name)
  g:count "recursive along rows"
  local n = g:name "v"
  local visits = g:table_name(require("support.worlds.schema").tables.visits)
  local text = ([[select 0, %s.no, %s.follows from %s as %s where %s.no < 9
    %s select r.step + 1, %s.no, %s.follows from %s as r join %s as %s
    on %s.no = r.after where r.step < 4]]):format(n, n, visits, n, n,
    g:pick { "union all", "union" }, n, n, name, visits, n, n)
  return ("%s(step, no, after) as (%s)"):format(name, text),
    { name = name, est = 40, cols = { { name = "step", type = "int" },
      { name = "no", type = "int" }, { name = "after", type = "int" } } }
end

local function search(g, cols)
  if not g:chance(0.25) then return "", false end
  g:count "search/cycle"
  if g:chance(0.5) then
    return (" search %s first by %s set %s"):format(g:pick { "depth",
      "breadth" }, cols[1].name, g:name "z"), true
  end
  return (" cycle %s set %s using %s"):format(cols[1].name, g:name "z",
    g:name "z"), true
end

local function counted(g, name)
  local types = {}
  for i = 1, g.d:int(1, 2) do types[i] = g:pick(RECURSIVE_TYPES) end
  local cols = { { name = g:name "n", type = "int" } }
  for i, type in ipairs(types) do
    cols[i + 1] = { name = g:name "h", type = type }
  end
  local base = g:with({ scope = g:open(nil), calm = true, depth = 2 }, base_arm,
    types)
  local scope = g:open(nil)
  scope.rels[1] = { alias = "r", cols = cols, no_row = true }
  local step = g:with({ scope = scope, own = true, depth = 2, calm = true,
    full_names = true }, function(x)
      return ("%s from %s as r where r.%s < %d"):format(
        arm(x, types, ("r.%s + 1"):format(cols[1].name)), name, cols[1].name,
        x.d:int(1, 3))
    end)
  local names = {}
  for i, c in ipairs(cols) do names[i] = c.name end
  local tail, more = search(g, cols)
  return ("%s(%s) as (%s %s %s)%s"):format(name, table.concat(names, ", "),
    base, g:pick { "union all", "union" }, step, tail),
    { name = name, cols = cols, est = 120, no_row = more }
end

local function recursive(g, name)
  g:count "recursive with"
  return g:pick { chain, counted, counted }(g, name)
end

-- ---- the clause ------------------------------------------------------------

-- top: may a query of it change data?
local function clause(g, top)
  local texts = {}
  local again = not g.once and g:chance(0.3)
  for _ = 1, g.d:weighted { 5, 1, 2, 2 } do
    g:attempt(function()
      local name = cte_name(g, again)
      local make = plain
      if again and g:chance(0.7) then make = recursive end
      if top and not g.modifies and g:chance(0.25) then make = modifying end
      local text, cte = g:with({ shut = true }, make, name)
      if not text then return false end
      texts[#texts + 1] = text
      g.ctes[#g.ctes + 1] = cte
      return true
    end)
  end
  if #texts == 0 then return "" end
  return g:kw(again and "with recursive" or "with") .. " "
    .. table.concat(texts, "," .. g:gap())
end

--- A query with WITH in front.
function Gen:with_queries(q)
  self.budget = self.budget - 1
  return (self:with({ ctes = copy(self.ctes) }, function(g)
    local text = clause(g, q.top)
    local main = g:query_body(q)
    main.text = g:join(text, main.text)
    for _, c in ipairs(main.cols) do c.name = c.name or "?" end
    return main
  end))
end

--- WITH in front of a statement that writes, which fn makes; once: it is not
--- to be RECURSIVE.
function Gen:with_write(fn, once)
  return (self:with({ ctes = copy(self.ctes), once = once }, function(g)
    local text = clause(g, false)
    local w = fn(g)
    if w then w.text = g:join(text, w.text) end
    return w
  end))
end

return Gen
