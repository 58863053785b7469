-- stats - medians of rounds, and what is compared by them.
local M = {}

---@class bench.Spread
---@field median number
---@field min number
---@field max number

--- The middle one; of an even number, the mean of the two in the middle.
---@param list number[]
---@return bench.Spread? nil when the list is empty
function M.spread(list)
  local n = #list
  if n == 0 then return nil end
  local sorted = {}
  for i, v in ipairs(list) do sorted[i] = v end
  table.sort(sorted)
  local low, high = sorted[math.ceil(n / 2)], sorted[math.floor(n / 2) + 1]
  return { median = (low + high) / 2, min = sorted[1], max = sorted[n] }
end

-- Both sides of a round saw the same machine, so they are compared within it;
-- a median of one side alone may come from another hour than that of the other.
local function compare(a, b, fn)
  local each = {}
  for round, v in pairs(a) do
    if b[round] then each[#each + 1] = fn(v, b[round]) end
  end
  return M.spread(each)
end

--- Over against under: the median, the least and the most of the ratios within
--- one round. Rounds are matched by number.
---@param over table<integer, number> by round
---@param under table<integer, number>
---@return bench.Spread? nil when they have no round in common
function M.ratio(over, under)
  return compare(over, under, function(a, b) return a / b end)
end

--- What a has more than b, in the same way.
---@return bench.Spread?
function M.difference(a, b)
  return compare(a, b, function(x, y) return x - y end)
end

--- The order of n clients in a round: each round another one begins.
---@param n integer
---@param round integer from 1
---@return integer[]
function M.rotated(n, round)
  local order = {}
  for i = 1, n do order[i] = (i + round - 2) % n + 1 end
  return order
end

return M
