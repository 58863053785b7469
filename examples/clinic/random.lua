-- SPDX-License-Identifier: MIT
--
-- random - numbers that are the same on every machine for the same seed.
--
-- sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, 32 bits a step,
-- nothing but additions, shifts and exclusive ors.

local bit = require "bit"

local random = {}

local bor, bxor, lshift, rshift, tobit =
  bit.bor, bit.bxor, bit.lshift, bit.rshift, bit.tobit

---@class clinic.Random
local Random = {}
Random.__index = Random

--- 32 bits, as a signed number.
function Random:bits()
  local a, b, c = self.a, self.b, self.c
  local out = tobit(tobit(a + b) + self.count)
  self.count = tobit(self.count + 1)
  self.a = bxor(b, rshift(b, 9))
  self.b = tobit(c + lshift(c, 3))
  self.c = tobit(bor(lshift(c, 21), rshift(c, 11)) + out)
  return out
end

--- From 0 up to, never reaching, 1.
function Random:unit()
  return self:bits() % 4294967296 / 4294967296
end

--- A whole number of from..to, both included.
function Random:int(from, to)
  return from + math.floor(self:unit() * (to - from + 1))
end

--- True in `share` of the cases.
function Random:chance(share)
  return self:unit() < share
end

--- One of a list.
function Random:pick(list)
  return list[self:int(1, #list)]
end

--- One of a list of { item, weight }.
function Random:weighted(list)
  local sum = 0
  for i = 1, #list do
    sum = sum + list[i][2]
  end
  local at = self:unit() * sum
  for i = 1, #list do
    at = at - list[i][2]
    if at < 0 then
      return list[i][1]
    end
  end
  return list[#list][1]
end

--- A uuid of version 4.
function Random:uuid()
  local p, q, r, s = self:bits(), self:bits(), self:bits(), self:bits()
  q = bor(bit.band(q, tobit(0xffff0fff)), 0x4000)
  r = bor(bit.band(r, 0x3fffffff), tobit(0x80000000))
  local hex = bit.tohex
  local b, c = hex(q), hex(r)
  return hex(p) .. "-" .. b:sub(1, 4) .. "-" .. b:sub(5) .. "-"
    .. c:sub(1, 4) .. "-" .. c:sub(5) .. hex(s)
end

---@param seed integer
---@return clinic.Random
function random.new(seed)
  local self = setmetatable({ a = 0, b = tobit(seed), c = 0x2545f491,
    count = 1 }, Random)
  for _ = 1, 16 do
    self:bits()
  end
  return self
end

return random
