-- dice - pseudo-random numbers that are the same on every machine.
--
--   local d = dice.new(seed)
--   d:int(1, 6)   d:chance(0.3)   d:pick { "a", "b" }   d:weighted(list)
local bit = require "bit"

local Dice = {}
Dice.__index = Dice

local M = {}

-- Spreads seeds that lie close together (the finisher of MurmurHash3, with
-- multipliers that keep products below 2^53).
local function spread(n)
  n = bit.bxor(n, bit.rshift(n, 16))
  n = bit.tobit((bit.band(n, 0x1fffff) * 0x5bd1e5 + bit.rshift(n, 11)) % 2^32)
  n = bit.bxor(n, bit.rshift(n, 13))
  n = bit.tobit((bit.band(n, 0x1fffff) * 0x2ae345 + bit.rshift(n, 9)) % 2^32)
  return bit.bxor(n, bit.rshift(n, 16))
end

--- Any numbers together are one seed.
function M.new(...)
  local state = 0x9e3779b
  for _, n in ipairs { ... } do
    state = spread(bit.bxor(state, bit.tobit(n)) + 0x6d2b79f)
  end
  return setmetatable({ state = state == 0 and 1 or state }, Dice)
end

-- xorshift32
function Dice:next()
  local x = self.state
  x = bit.bxor(x, bit.lshift(x, 13))
  x = bit.bxor(x, bit.rshift(x, 17))
  x = bit.bxor(x, bit.lshift(x, 5))
  self.state = x
  return x % 2^32
end

--- A whole number from low to high, both included.
function Dice:int(low, high)
  return low + self:next() % (high - low + 1)
end

function Dice:chance(p)
  return self:next() < p * 2^32
end

function Dice:pick(list)
  return list[self:int(1, #list)]
end

--- list is { weight, value, weight, value, ... }
function Dice:weighted(list)
  local sum = 0
  for i = 1, #list, 2 do sum = sum + list[i] end
  local at = self:next() / 2^32 * sum
  for i = 1, #list, 2 do
    at = at - list[i]
    if at < 0 then return list[i + 1] end
  end
  return list[#list]
end

return M
