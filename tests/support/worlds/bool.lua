-- Conditions.
local Gen = require "support.worlds.gen"

-- What has an order.
local ordered = { "int", "int", "text", "text", "num", "date", "uuid", "mood",
  "tenant", "big" }
local any = { "int", "text", "num", "date", "uuid", "mood", "tenant", "jsonb",
  "ints", "texts", "bool" }

local function a_column(g, types)
  for _ = 1, 4 do
    local c = g:column(g:pick(types))
    if c then return c end
  end
end

-- A column and its type, or an expression.
local function left(g, types)
  local c = a_column(g, types)
  if c and (g.calm or g:chance(0.8)) then return g:ref(c), c.col.type, true end
  local type = c and c.col.type or g:pick(types)
  return g:expr(type), type, false
end

local C = {}

function C.compare(g)
  local text, type, is_column = left(g, ordered)
  local op = g:pick { "=", "=", "<>", "!=", "<", ">", "<=", ">=" }
  local other = is_column and g:chance(0.5) and g:bare(type) or g:expr(type)
  return ("%s %s %s"):format(text, op, other)
end

function C.columns(g)
  local c = a_column(g, ordered)
  if not c then return C.compare(g) end
  local other = g:column(c.col.type)
  return ("%s %s %s"):format(g:ref(c), g:pick { "=", "<", "<>", ">=" },
    g:ref(other))
end

function C.null(g)
  local text = left(g, any)
  return text .. g:pick { " is null", " is not null" }
end

function C.distinct(g)
  g:count "is distinct from"
  local text, type = left(g, ordered)
  return ("%s is %sdistinct from %s"):format(text, g:pick { "", "not " },
    g:expr(type))
end

function C.between(g)
  g:count "between"
  local text, type = left(g, ordered)
  return ("%s %s %s and %s"):format(text, g:pick { "between", "not between",
    "between symmetric" }, g:literal(type), g:literal(type))
end

function C.list(g)
  g:count "in (list)"
  local text, type = left(g, ordered)
  return ("%s %s (%s, %s, %s)"):format(text, g:pick { "in", "in", "not in" },
    g:bare(type), g:bare(type), g:literal(type))
end

function C.any_array(g)
  g:count "= any (array)"
  local type = g:pick { "int", "text" }
  if g:chance(0.4) then
    return ("%s = any (%s)"):format(g:literal(type), g:leaf(type .. "s"))
  end
  return ("%s = any (array[%s, %s])"):format(g:expr(type), g:literal(type),
    g:literal(type))
end

function C.like(g)
  g:count "like"
  return ("%s %s %s"):format(g:expr "text", g:pick { "like", "not like",
    "ilike" }, g:pick { "'a%'", "'%n%'", "'_'", "'%'", "'x\\\\%'" })
end

function C.word(g)
  return g:pick { "true", "false", "true", "null::bool" }
end

function C.flag(g)
  local c = g:column "bool"
  if not c then return C.compare(g) end
  return g:ref(c) .. g:pick { "", "", " is true", " is not false",
    " is unknown" }
end

function C.logic(g)
  local form = g:pick { "(%s and %s)", "(%s or %s)", "(%s or %s)",
    "not (%s and %s)", "(%s or %s) is true" }
  return form:format(g:cond(), g:cond())
end

function C.json(g)
  return g:expr "jsonb" .. g:pick { " @> '{\"n\": 1}'", " ? 't'",
    " ->> 't' = 'ü'", " is not null" }
end

function C.arrays(g)
  local type = g:pick { "ints", "texts" }
  return ("%s %s %s"):format(g:expr(type), g:pick { "@>", "<@", "&&", "=" },
    g:literal(type))
end

-- Raises an error in rows of others, if it is asked there.
function C.raises(g)
  local list = {}
  for _, c in ipairs(g:columns()) do
    if c.col.div or c.col.base and c.col.type == "jsonb" then
      list[#list + 1] = c
    end
  end
  if #list == 0 then return C.columns(g) end
  g:count "condition that raises an error in rows of others"
  local c = g:pick(list)
  local form = c.col.div and "100 / (%s - 777) %s %s" or "(%s->>'n')::int %s %s"
  return form:format(g:ref(c), g:pick { "=", "<>", "<", ">" }, g:value "int")
end

function C.row(g)
  g:count "row comparison"
  local a, ta = left(g, ordered)
  local b, tb = left(g, ordered)
  return ("(%s, %s) %s (%s, %s)"):format(a, b, g:pick { "=", "<", ">=", "<>" },
    g:literal(ta), g:literal(tb))
end

-- The whole row of a table, as a value.
function C.whole(g)
  local rel = g.scope and #g.scope.rels > 0 and g:pick(g.scope.rels)
  if not rel or rel.no_row or g.own then return C.compare(g) end
  g:count "whole row"
  return rel.alias .. g:pick { " is not null", " is null",
    "::text <> ''", ".* is not null" }
end

function C.exists(g)
  if not g:may_nest() then return C.columns(g) end
  g:count "exists"
  return g:pick { "exists (%s)", "not exists (%s)" }:format(g:correlated())
end

function C.in_query(g)
  if not g:may_nest() then return C.list(g) end
  local text, type = left(g, ordered)
  local form = g:pick { "%s in (%s)", "%s not in (%s)", "%s = any (%s)",
    "%s <> all (%s)", "%s < any (%s)", "%s >= all (%s)" }
  g:count(form:find "in" and "in (query)" or "any/all (query)")
  return form:format(text, g:inner { type })
end

function C.row_in_query(g)
  if not g:may_nest() then return C.row(g) end
  g:count "(a, b) in (query)"
  local a, ta = left(g, ordered)
  local b, tb = left(g, ordered)
  return ("(%s, %s) %s (%s)"):format(a, b, g:pick { "in", "not in" },
    g:inner { ta, tb })
end

function C.scalar(g)
  if not g:may_nest() then return C.compare(g) end
  local text, type = left(g, ordered)
  return ("%s %s %s"):format(text, g:pick { "=", "<", ">" }, g:scalar(type))
end

local calm = { 10, C.compare, 4, C.columns, 3, C.null, 3, C.between, 3, C.list,
  2, C.distinct, 2, C.flag, 1, C.word, 2, C.exists, 2, C.in_query }
local all = { 10, C.compare, 4, C.columns, 3, C.null, 2, C.between, 3, C.list,
  2, C.distinct, 2, C.any_array, 3, C.like, 2, C.flag, 1, C.word, 1, C.json,
  1, C.arrays, 4, C.raises, 2, C.row, 1, C.whole, 4, C.exists, 4, C.in_query,
  2, C.row_in_query, 2, C.scalar }

--- A condition.
function Gen:cond()
  if self.depth < 3 and self:chance(0.2) then
    return (self:with({ depth = self.depth + 1 }, C.logic))
  end
  return (self:with({ depth = self.depth + 1 },
    self.d:weighted(self.calm and calm or all)))
end

return Gen
