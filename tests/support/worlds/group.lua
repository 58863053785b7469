-- Aggregates, GROUP BY, and window functions.
local Gen = require "support.worlds.gen"

-- ---- aggregates ------------------------------------------------------------

-- The argument: of columns of this query only, without sub-selects.
local function arg(g, type)
  local text = g:with({ own = true, depth = 2 }, g.expr, type)
  -- A literal alone has no type that a function could go by.
  return type == "text" and "(" .. text .. ")::text" or text
end

local function filter(g)
  if not g:chance(0.25) then return "" end
  g:count "filter"
  return " filter (where " .. g:with({ own = true, depth = 2 }, g.cond) .. ")"
end

local function call(form, type)
  return function(g)
    local a = arg(g, type)
    return (form:gsub("%%s", (a:gsub("%%", "%%%%")))) .. filter(g)
  end
end

local function least_and_most(type)
  return function(g)
    return g:pick { "min", "max" } .. "(" .. arg(g, type) .. ")" .. filter(g)
  end
end

local function middle(type)
  return function(g)
    g:count "within group"
    return ("percentile_disc(0.5) within group (order by %s)"):format(
      arg(g, type)) .. filter(g)
  end
end

local function ordered(form, type)
  return function(g)
    g:count "aggregate with order by"
    return call(form, type)(g)
  end
end

local aggregates = {
  big = { function(g) return "count(*)" .. filter(g) end,
    call("count(%s)", "text"), call("count(distinct %s)", "int"),
    call("count(distinct %s)", "uuid"), call("sum(%s)", "int") },
  int = { least_and_most "int", least_and_most "int", middle "int",
    function(g) return "count(*)" .. filter(g) .. "::int" end },
  num = { call("sum(%s)", "num"), call("round(avg(%s), 2)", "num"),
    least_and_most "num", middle "num" },
  text = { least_and_most "text", middle "text",
    ordered("string_agg(%s, ',' order by %s)", "text") },
  date = { least_and_most "date", middle "date" },
  bool = { call("bool_and(%s)", "bool"), call("bool_or(%s)", "bool"),
    call("every(%s)", "bool") },
  jsonb = { ordered("jsonb_agg(%s order by %s)", "int"),
    ordered("jsonb_agg(%s order by %s desc)", "text") },
  ints = { ordered("array_agg(%s order by %s)", "int"),
    ordered("array_agg(distinct %s order by %s)", "int") },
  texts = { ordered("array_agg(%s order by %s nulls first)", "text") },
  mood = { least_and_most "mood" },
  uuid = { ordered("(array_agg(%s order by %s))[1]", "uuid") },
  tenant = { ordered("(array_agg(%s order by %s desc))[1]", "tenant") },
}
-- FILTER stands behind the call, not behind what is done with its result.
local function with_filter_inside(text)
  local inner, rest = text:match("^(round%(avg%(.*%)), 2%)( filter %(.*%))$")
  if inner then return inner .. rest .. ", 2)" end
  local agg, where = text:match("^%((array_agg%(.*%))%)%[1%]( filter %(.*%))$")
  if agg then return "(" .. agg .. where .. ")[1]" end
  return text
end

--- An aggregate of a type.
function Gen:aggregate(type)
  self:count "aggregate"
  return with_filter_inside(self:pick(aggregates[type])(self))
end

--- A query with one row: one aggregate over all rows.
function Gen:aggregate_query(type)
  local scope = self:open(self.scope)
  return (self:with({ scope = scope }, function(g)
    local from = g:from()
    local where = g:chance(0.6) and g:kw "where" .. " " .. g:cond() or ""
    return g:join(g:kw "select", g:aggregate(type),
      g:kw "from" .. " " .. from, where)
  end))
end

-- ---- GROUP BY --------------------------------------------------------------

local function keys_of(g)
  local keys = {}
  for _ = 1, g.d:weighted { 5, 1, 3, 2, 1, 3 } do
    local type = g:pick { "int", "text", "uuid", "date", "tenant", "mood",
      "bool", "num" }
    local c = g:column(type, true)
    if c then
      local text = g:chance(0.85) and g:with({ full_names = true }, g.ref, c)
        or ("coalesce(%s, %s)"):format(g:ref(c), g:literal(type))
      keys[#keys + 1] = { text = text, type = type }
    end
  end
  return keys
end

-- A table whose key is grouped by has all its columns grouped.
local function by_primary_key(g)
  local found = {}
  for _, rel in ipairs(g.scope.rels) do
    local renamed = false
    for _, c in ipairs(rel.cols) do renamed = renamed or c.renamed end
    if rel.table and not rel.table.view and not renamed
      and rel.table.bare ~= "Größen" and rel.table.bare ~= "readings" then
      found[#found + 1] = rel
    end
  end
  if #found == 0 then return nil end
  g:count "group by primary key"
  local rel, keys = g:pick(found), {}
  for _, name in ipairs(rel.table.pk) do
    for _, c in ipairs(rel.cols) do
      if c.of == name then
        keys[#keys + 1] = { text = rel.alias .. "." .. c.name, type = c.type }
      end
    end
  end
  local more = {}
  for _, c in ipairs(rel.cols) do
    more[#more + 1] = { text = rel.alias .. "." .. c.name, type = c.type }
  end
  return keys, more
end

local function set_text(g, keys)
  local texts = {}
  for i, key in ipairs(keys) do texts[i] = key.text end
  local all = table.concat(texts, ", ")
  local what = g.d:weighted { 6, "plain", 1, "sets", 1, "rollup", 1, "cube" }
  if what == "plain" then return all, false end
  g:count "grouping sets"
  if what == "sets" then
    return ("grouping sets ((%s), (%s), ())"):format(all, g:pick(texts)), true
  end
  return what .. " (" .. all .. ")", true
end

-- An item of this type: a key, an aggregate, or a constant.
local function group_item(g, type, known)
  local mine = {}
  for _, key in ipairs(known) do
    if key.type == type then mine[#mine + 1] = key.text end
  end
  if #mine > 0 and g:chance(0.7) then return g:pick(mine) end
  return g:aggregate(type)
end

local function having(g)
  if not g:chance(0.25) then return "" end
  g:count "having"
  local type = g:pick { "int", "text", "num", "date" }
  if g:chance(0.5) then return "having count(*) > " .. g.d:int(0, 2) end
  return ("having %s %s %s"):format(g:aggregate(type),
    g:pick { "<", ">", "<>" }, g:literal(type))
end

local function group_list(g, q, known, sets)
  local texts, cols = {}, {}
  for i, type in ipairs(q.types) do
    cols[i] = { name = g:name "c", type = type }
    texts[i] = group_item(g, type, known) .. " as " .. cols[i].name
  end
  if sets and not q.fixed and known[1] then
    cols[#cols + 1] = { name = g:name "c", type = "int" }
    texts[#cols] = ("grouping(%s) as %s"):format(known[1].text,
      cols[#cols].name)
  end
  return table.concat(texts, ", "), cols
end

local function grouped_body(g, q)
  local from, est = g:from()
  local where = g:chance(0.5) and g:kw "where" .. " " .. g:cond() or ""
  local keys, known
  if g:chance(0.3) then keys, known = by_primary_key(g) end
  local primary = keys ~= nil
  if not keys then
    keys = keys_of(g)
    known = keys
  end
  local group, sets = "", false
  if #keys > 0 then
    g:count "group by"
    if primary then
      local texts = {}
      for i, key in ipairs(keys) do texts[i] = key.text end
      group = table.concat(texts, ", ")
    else
      group, sets = set_text(g, keys)
    end
    group = g:kw "group by" .. " " .. group
  end
  local list, cols = group_list(g, q, known, sets)
  local tail, order = "", false
  local rest = having(g)
  -- PostgreSQL 15 drops a sort by what WHERE makes constant, although grouping
  -- sets make it NULL in some rows: their order is not told.
  if not q.arm and not sets then
    tail, order = g:with({ no_ties = #keys == 0 }, g.tail, #cols,
      q.nested and 0.1 or 0.3)
  end
  return { text = g:join(g:kw "select", list, g:kw "from" .. " " .. from,
    where, group, rest, tail), cols = cols, closed = tail ~= "",
    est = #keys == 0 and 1 or math.min(est, 60), ordered = order }
end

--- SELECT with aggregates.
function Gen:grouped(q)
  q.types = q.types or self:some_types(1, 4)
  return (self:with({ scope = self:open(self.scope), no_path = true },
    grouped_body, q))
end

-- ---- window functions ------------------------------------------------------

local frames = { "", "", " rows between 1 preceding and current row",
  " rows between unbounded preceding and 1 following",
  " groups between 1 preceding and 1 following",
  " rows between current row and unbounded following exclude current row",
  " range between unbounded preceding and unbounded following" }

local plain = { "row_number()", "rank()", "dense_rank()", "ntile(3)",
  "count(*)" }

-- A function over rows in the order of all other columns: rows that are equal
-- there cannot be told apart.
local function window_call(g, list)
  local item = g:pick(list)
  if item.type == "text" then
    item = { text = "(" .. item.text .. ")::text", type = "text" }
  end
  local form = g:pick { "lag(%s)", "lead(%s, 1)", "first_value(%s)",
    "last_value(%s)", "nth_value(%s, 2)", "count(%s)", "max(%s)", "sum(%s)",
    "plain" }
  if form == "plain" then return g:pick(plain), "big" end
  if form == "count(%s)" then
    return "count(" .. item.text .. ")", "big", true
  end
  if form == "sum(%s)" or form == "max(%s)" then
    if item.type ~= "int" and item.type ~= "num" then
      return "count(*)", "big", true
    end
    local type = item.type
    if form == "sum(%s)" and type == "int" then type = "big" end
    return form:sub(1, 4) .. item.text .. ")", type, true
  end
  return (form:gsub("%%s", (item.text:gsub("%%", "%%%%")))), item.type, true
end

local function spec(g, list)
  local order, part = {}, ""
  for i, item in ipairs(list) do
    order[i] = item.text .. g:pick { "", " desc", " nulls first" }
  end
  if g:chance(0.6) then part = "partition by " .. g:pick(list).text .. " " end
  return part, "order by " .. table.concat(order, ", ")
end

--- Adds one or two window functions to the items of a select list.
function Gen:windows(list)
  local base = {}
  for i, item in ipairs(list) do
    if item.type == "any" then return end
    base[i] = item
  end
  self:count "window function"
  for i = 1, self.d:int(1, 2) do
    local text, type, frame = window_call(self, base)
    -- Of rows that are equal the first function may tell which comes first; a
    -- second one that did so, too, in another order, would pair them by chance.
    if i == 2 then
      text, type, frame = self:pick { "rank()", "dense_rank()" }, "big", false
    end
    local part, order = spec(self, base)
    local over
    if not self.window_clause and self:chance(0.25) then
      self:count "window clause"
      local name = self:name "w"
      self.window_clause = ("window %s as (%s%s)"):format(name, part, order)
      over = name
    else
      over = "(" .. part .. order .. (frame and self:pick(frames) or "") .. ")"
    end
    -- A filter tells equal rows apart: only where all rows count.
    local f = (text:find "^count%(" or text:find "^sum" or text:find "^max")
      and over:find("unbounded preceding and unbounded following", 1, true)
    local where = f and self:chance(0.5) and filter(self) or ""
    list[#list + 1] = { text = text .. where .. " over " .. over, type = type }
  end
end

return Gen
