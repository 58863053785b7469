-- Expressions by type.  Where a type has two forms of the same value (1.0 and
-- 1.00) only one of them is made: numerics have two decimals.
local Gen = require "support.worlds.gen"

local makers = {}

-- list is { weight, function(g) -> text, ... }
local function add(type, list)
  makers[type] = list
end

local function both(g, type, form)
  return form:format(g:expr(type), g:expr(type))
end

local function coalesce(type)
  return function(g)
    g:count "coalesce"
    return ("coalesce(%s, %s)"):format(g:expr(type), g:literal(type))
  end
end

local function case(type)
  return function(g)
    g:count "case"
    if g:chance(0.3) then
      local c = g:column("text")
      if c then
        return ("case %s when %s then %s else %s end"):format(g:ref(c),
          g:literal "text", g:expr(type), g:literal(type))
      end
    end
    local rest = g:chance(0.6) and " else " .. g:expr(type) or ""
    if rest == "" and (type == "text" or type == "jsonb") then
      rest = " else " .. g:null(type)
    end
    return ("case when %s then %s%s end"):format(g:cond(), g:expr(type), rest)
  end
end

local function nullif(type)
  return function(g)
    return ("nullif(%s, %s)"):format(g:expr(type), g:literal(type))
  end
end

local function most(type)
  return function(g)
    return both(g, type, g:pick { "greatest(%s, %s)", "least(%s, %s)" })
  end
end

local function scalar(type)
  return function(g)
    if not g:may_nest() then return g:leaf(type) end
    return g:scalar(type)
  end
end

-- For the types that have no more than that.
local function common(type, more)
  local list = { 4, coalesce(type), 4, case(type), 2, nullif(type),
    4, scalar(type) }
  for _, x in ipairs(more or {}) do list[#list + 1] = x end
  add(type, list)
end

local function form(text, ...)
  local types = { ... }
  return function(g)
    local args = {}
    for i, type in ipairs(types) do args[i] = g:expr(type) end
    return text:format(unpack(args))
  end
end

-- A column of a table, whose values are known, or something else.
local function of_column(type, want, text, instead)
  return function(g)
    local list = {}
    for _, c in ipairs(g:columns(type)) do
      if want(c.col) then list[#list + 1] = c end
    end
    if #list == 0 then return g:leaf(instead) end
    g:count "what raises an error in rows of others"
    return text:format(g:ref(g:pick(list)))
  end
end

local function is_base(col) return col.base end
local function is_div(col) return col.div end

common("int", {
  5, form("(%s + %s)", "int", "int"), 3, form("(%s - %s)", "int", "int"),
  2, function(g) return ("%s * %d"):format(g:leaf "int", g.d:int(2, 3)) end,
  2, most "int",
  2, form("length(%s)", "text"), 1, form("abs(%s)", "int"),
  1, form("cardinality(%s)", "ints"), 1, form("(%s - %s)", "date", "date"),
  1, form("extract(day from %s)::int", "date"),
  1, function(g)
    return ("(%s)[%d]"):format(g:expr "ints", g.d:int(1, 3))
  end,
  1, function(g)
    local c = g:column "int"
    return c and "- " .. g:ref(c) or g:literal "int"
  end,
  5, of_column("jsonb", is_base, "(%s->>'n')::int", "int"),
  5, of_column("int", is_div, "100 / (%s - 777)", "int"),
  1, function(g)
    return "mod(" .. g:expr "int" .. ", " .. g.d:int(2, 5) .. ")"
  end,
})
common("big", { 6, function(g) return g:expr "int" end,
  2, form("(%s)::int8", "int"), 1, form("(%s + %s)", "big", "int") })
common("num", { 5, form("(%s + %s)", "num", "num"),
  3, form("(%s - %s)", "num", "num"), 2, most "num",
  2, function(g) return ("(%s * %d)"):format(g:leaf "num", g.d:int(2, 3)) end,
  1, form("round(%s, 2)", "num"), 1, form("abs(%s)", "num"),
  1, function(g)
    return ("round(%s / nullif(%s, 0), 2)"):format(g:leaf "num", g:expr "int")
  end })
common("text", { 4, form("(%s || %s)", "text", "text"),
  2, form("lower(%s)", "text"), 2, form("upper(%s)", "text"),
  1, form("left(%s, 2)", "text"), 1, form("substr(%s, 2, 2)", "text"),
  1, form("replace(%s, 'a', %s)", "text", "text"),
  1, form("trim(%s)", "text"), 1, form("substring(%s from 2 for 1)", "text"),
  2, form("(%s)::text", "int"), 1, form("(%s)::text", "date"),
  1, form("cast(%s as text)", "mood"), 1, form("(%s)::text", "uuid"),
  2, form("((%s)->>'t')", "jsonb"),
  1, form("concat(%s, '-', %s)", "text", "int"),
  1, form("overlay(%s placing 'x' from 1 for 1)", "text"),
  1, form("(%s)::text", "num"), 1, form("array_to_string(%s, ',')", "texts"),
  1, form("position('a' in %s)::text", "text"), 1, most "text",
  1, form('(%s collate "C")', "text") })
common("date", { 3, function(g)
    return ("(%s + %d)"):format(g:expr "date", g.d:int(-9, 40))
  end, 2, most "date" })
common("bool", { 12, function(g) return "(" .. g:cond() .. ")" end })
common("uuid")
common("mood", { 2, most "mood" })
common("jsonb", { 2, form("(%s || '{\"x\": 1}'::jsonb)", "jsonb"),
  2, form("((%s)->'a')", "jsonb"),
  2, form("jsonb_build_object('k', %s)", "int"),
  2, form("to_jsonb((%s)::text)", "text"),
  1, form("jsonb_build_array(%s, %s)", "int", "text"),
  1, form("((%s) #> '{a,0}')", "jsonb") })
common("ints", { 3, function(g) return "array[" .. g:expr "int" .. "]" end,
  2, form("(%s || %s)", "ints", "int"), 1, form("(%s)[1:2]", "ints") })
common("texts", { 2, form("array[%s, %s]", "text", "text"),
  2, form("array_append(%s, %s)", "texts", "text") })
common("tenant")

--- A column, or a literal where there is none.
function Gen:leaf(type)
  local c = self:column(type)
  if c and self:chance(0.85) then return self:ref(c) end
  if type == "big" and self:chance(0.7) then return self:leaf "int" end
  return self:literal(type)
end

--- An expression; the deeper it stands the simpler it is.
function Gen:expr(type)
  local odds = self.depth >= 3 and 0 or (0.45 - self.depth * 0.14)
  if self.calm then odds = 0 end
  if not self:chance(odds) then return self:leaf(type) end
  return (self:with({ depth = self.depth + 1 }, function(g)
    return g.d:weighted(makers[type])(g, type)
  end))
end

Gen.types = { "int", "int", "text", "text", "num", "date", "bool", "uuid",
  "jsonb", "ints", "texts", "mood", "tenant", "big" }

--- Some types, for the columns of a query.
function Gen:some_types(low, high)
  local list = {}
  for i = 1, self.d:int(low, high) do list[i] = self:pick(Gen.types) end
  return list
end

return Gen
