-- Values: literals and parameters of each type.
local Gen = require "support.worlds.gen"
local data = require "support.worlds.data"
local schema = require "support.worlds.schema"

local quote = data.quote

--- How a type is written in a cast.
function Gen:type_name(type)
  local names = { big = "int8", num = "numeric(10,2)", texts = "text[]",
    ints = "int[]", mood = "clinic.mood", tenant = self.lane.type }
  return names[type] or type
end

local function cast(type)
  return function(g, text)
    if g:chance(0.2) then
      return ("cast(%s as %s)"):format(quote(text), g:type_name(type))
    end
    return quote(text) .. "::" .. g:type_name(type)
  end
end

-- The value as text, by type.
local value = {}

function value.int(g) return tostring(g.d:int(-3, 12)) end
value.big = value.int
function value.num(g)
  return ("%d.%02d"):format(g.d:int(0, 60), g.d:int(0, 99))
end
function value.text(g) return g:pick(data.words) end
function value.date(g)
  return ("2024-%02d-%02d"):format(g.d:int(1, 12), g.d:int(1, 28))
end
function value.bool(g) return tostring(g:chance(0.5)) end
function value.mood(g) return g:pick(schema.moods) end
function value.tenant(g)
  return g.lane.tenants[g.d:weighted { 7, "A", 2, "B", 1, "C" }]
end
function value.uuid(g)
  if g:chance(0.15) then return g:pick(g.lane.others) end
  if g:chance(0.5) and g.lane.visits > 0 then
    return data.id("a", 1, g.d:int(1, g.lane.visits))
  end
  return g:pick(g.lane.patients)
end
function value.jsonb(g)
  return g:pick { "{}", '{"n": 3}', '{"t": "ü", "n": 2}', '{"a": [1, 5]}' }
end
function value.ints(g) return g:pick { "{}", "{1,2}", "{3}", "{2,5,1}" } end
function value.texts(g) return g:pick { "{}", "{x}", "{ü,x}", "{old,new}" } end

--- A value's text.
function Gen:value(type)
  return value[type](self)
end

--- A parameter with this value; bare: without a cast, where the type is clear.
function Gen:param(type, text, bare)
  self:count "bind parameter"
  local n = #self.params + 1
  self.params[n] = text
  if bare then return "$" .. n end
  return ("$%d::%s"):format(n, self:type_name(type))
end

local plain = {
  int = function(_, text) return text end,
  big = function(_, text) return text end,
  num = function(_, text) return text end,
  bool = function(_, text) return text end,
  text = function(g, text)
    if g:chance(0.05) then return "e" .. quote(text:gsub("\\", "\\\\")) end
    if g:chance(0.05) and not text:find("$", 1, true) then
      return "$q$" .. text .. "$q$"
    end
    return quote(text)
  end,
  date = function(g, text)
    return (g:chance(0.5) and "date %s" or "%s::date"):format(quote(text))
  end,
}

--- A literal or a parameter.
function Gen:literal(type)
  local text = self:value(type)
  if not self.no_params and #self.params < 12 and self:chance(0.15) then
    return self:param(type, text)
  end
  if text:sub(1, 1) == "-" and plain[type] and type ~= "text" then
    return "(" .. text .. ")"
  end
  return (plain[type] or cast(type))(self, text)
end

--- What may stand beside a column of this type without a cast.
function Gen:bare(type)
  local text = self:value(type)
  if not self.no_params and #self.params < 12 and self:chance(0.3)
    and type ~= "big" then
    return self:param(type, text, true)
  end
  if type == "int" or type == "num" or type == "big" or type == "bool" then
    return text
  end
  return quote(text)
end

--- NULL of a type.
function Gen:null(type)
  return "null::" .. self:type_name(type)
end

return Gen
