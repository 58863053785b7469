-- stats - medians of rounds, and ratios of them.
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

--- Over against under, as the ratio of their medians; min and max are those of
--- the ratios within one round. Rounds are matched by number.
---@param over table<integer, number> by round
---@param under table<integer, number>
---@return bench.Spread? nil when one of them has no figures
function M.ratio(over, under)
  local a, b, each = {}, {}, {}
  for round, v in pairs(over) do
    a[#a + 1] = v
    if under[round] then each[#each + 1] = v / under[round] end
  end
  for _, v in pairs(under) do b[#b + 1] = v end
  if #each == 0 then return nil end
  local spread = M.spread(each)
  spread.median = M.spread(a).median / M.spread(b).median
  return spread
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
