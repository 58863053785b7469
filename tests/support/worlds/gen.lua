-- gen - one statement in the making: dice, parameters, names in scope.
--
-- A statement is made from a seed of its own, so each can be made again alone.
-- What is made is valid, and its result is the same whatever plan the server
-- chooses: no LIMIT without a total order, no ties that are told apart, no
-- error that depends on which condition is asked first.
--
--   literal.lua  values          expr.lua    expressions by type
--   bool.lua     conditions      from.lua    tables and joins
--   query.lua    SELECT          group.lua   aggregates, window functions
--   cte.lua      WITH            write.lua   INSERT, UPDATE, DELETE, MERGE
local dice = require "support.worlds.dice"

---@class worlds.Gen
local Gen = {}
Gen.__index = Gen

---@class worlds.Lane what a generator is told about its worlds
---@field type string of a tenant
---@field tenants { A: string, B: string, C: string }
---@field patients string[] ids that A may see
---@field others string[] ids that A may not see
---@field visits integer how many A has

--- seed: any numbers in a list.
function Gen.new(lane, seed)
  return setmetatable({ lane = lane, d = dice.new(unpack(seed)), counts = {},
    params = {}, names = 0, ctes = {}, budget = 4, depth = 0 }, Gen)
end

--- Says that the statement has a construct.
function Gen:count(what)
  self.counts[what] = true
end

function Gen:chance(p)
  return self.d:chance(p)
end

function Gen:pick(list)
  return self.d:pick(list)
end

--- A keyword, in capitals now and then.
function Gen:kw(word)
  return self.shout and word:upper() or word
end

--- What stands between two clauses.
function Gen:gap()
  if not self.odd or self:chance(0.7) then return " " end
  return self:pick { "\n", "  ", " /* where ' and ( */ ", "\t",
    " -- from x where\n", " /* /* nested */ select */ " }
end

function Gen:join(...)
  local out = {}
  for _, part in ipairs { ... } do
    if part ~= "" then out[#out + 1] = part end
  end
  local text = out[1] or ""
  for i = 2, #out do text = text .. self:gap() .. out[i] end
  return text
end

--- A name that no other thing of the statement has.
function Gen:name(stem)
  self.names = self.names + 1
  local name = stem .. self.names
  if self:chance(0.04) then return '"' .. name .. ' Ä"' end
  if self:chance(0.04) then return '"' .. name:upper() .. '""x"' end
  return name
end

--- May one more query stand inside this one?
function Gen:may_nest()
  return self.budget > 0 and not self.flat and not self.own
end

--- What fn makes is left out again when it gives false: then its parameters
--- are none of the statement's.
function Gen:attempt(fn)
  local n = #self.params
  if fn() then return true end
  for i = #self.params, n + 1, -1 do self.params[i] = nil end
  return false
end

--- Runs fn with some fields of the generator changed.
function Gen:with(changes, fn, ...)
  local old = {}
  for k, v in pairs(changes) do
    old[k] = self[k]
    self[k] = v
  end
  local a, b = fn(self, ...)
  for k in pairs(changes) do self[k] = old[k] end
  return a, b
end

-- ---- names in scope --------------------------------------------------------

---@class worlds.Col
---@field name string as it is written
---@field type string
---@field div boolean? no row of A has 777 here
---@field base boolean? it is a table's own column

---@class worlds.Rel
---@field alias string
---@field cols worlds.Col[]
---@field table table? of schema.lua
---@field path string? clinic.visits, when columns may be named by it
---@field plain boolean? FOR UPDATE may lock it

--- A new scope, inside another one or nil.
function Gen.open(_, up)
  return { rels = {}, up = up }
end

--- All columns of a type: { rel, col }, of this scope or one around it.
function Gen:columns(type, own)
  local found, scope = {}, self.scope
  while scope do
    for _, rel in ipairs(scope.rels) do
      for _, col in ipairs(rel.cols) do
        if not type or col.type == type then
          found[#found + 1] = { rel = rel, col = col,
            far = scope ~= self.scope }
        end
      end
    end
    if own or self.own or (#found > 0 and self:chance(0.75)) then break end
    scope = scope.up
  end
  return found
end

local function alone(scope, name)
  local n = 0
  for _, rel in ipairs(scope.rels) do
    if rel.opaque then return false end
    for _, col in ipairs(rel.cols) do
      if col.name == name then n = n + 1 end
    end
  end
  return n == 1
end

--- A column as it is written here.
function Gen:ref(c)
  if c.rel.path and not c.far and not self.no_path and self:chance(0.06) then
    self:count "column by schema.table.column"
    return c.rel.path .. "." .. c.col.name
  end
  if not c.far and not self.full_names and self:chance(0.25)
    and alone(self.scope, c.col.name) then
    return c.col.name
  end
  return c.rel.alias .. "." .. c.col.name
end

--- A column of a type, or nil.
function Gen:column(type, own)
  local list = self:columns(type, own)
  return #list > 0 and self:pick(list) or nil
end

return Gen
