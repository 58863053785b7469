-- report - the figures as people read them: a table for each workload, then
-- the lines of ratios.
local stats = require "bench.kit.stats"

local M = {}

M.METRICS = {
  { key = "rate", title = "ops/s", format = "%.0f", width = 20 },
  { key = "p50", title = "p50 us", format = "%.0f", width = 18 },
  { key = "p99", title = "p99 us", format = "%.0f", width = 20 },
  { key = "cpu", title = "CPU us/op", format = "%.1f", width = 18 },
  { key = "peak", title = "peak MB", format = "%.1f", width = 18 },
}

--- One metric of all rounds, by round.
---@return table<integer, number>
function M.series(samples, key)
  local list = {}
  for round, s in pairs(samples or {}) do list[round] = s[key] end
  return list
end

---@return bench.Spread?
function M.spread(samples, key)
  local list = {}
  for _, v in pairs(M.series(samples, key)) do list[#list + 1] = v end
  return stats.spread(list)
end

local function cell(spread, metric)
  local f = metric.format
  return (f .. " (" .. f .. "-" .. f .. ")"):format(spread.median, spread.min,
    spread.max)
end

local function row(name, cells)
  local parts = { ("%-20s"):format(name) }
  for i, metric in ipairs(M.METRICS) do
    parts[#parts + 1] = ("%" .. metric.width .. "s"):format(cells[i])
  end
  return (table.concat(parts, " "):gsub("%s+$", ""))
end

--- The table of one workload: medians with the least and the most.
---@param of table<string, table<integer, bench.Sample>> by client
---@param clients bench.Client[] in the order of the rows
---@return string[] lines
function M.rows(of, clients)
  local titles = {}
  for i, metric in ipairs(M.METRICS) do titles[i] = metric.title end
  local lines = { row("client", titles) }
  for _, client in ipairs(clients) do
    local samples = of[client.name]
    if samples then
      local cells = {}
      for i, metric in ipairs(M.METRICS) do
        cells[i] = cell(M.spread(samples, metric.key), metric)
      end
      lines[#lines + 1] = row(client.name, cells)
    end
  end
  return lines
end

--- The ratios that can be made of these samples.
---@param samples table [workload][client][round]
---@param ratios table[] name, workload, over, under, of, bar
---@return table[] with name, bar, spread
function M.ratios(samples, ratios)
  local list = {}
  for _, r in ipairs(ratios) do
    local of = samples[r.workload] or {}
    local spread = stats.ratio(M.series(of[r.over], r.of),
      M.series(of[r.under], r.of))
    if spread then
      list[#list + 1] = { name = r.name, bar = r.bar, spread = spread }
    end
  end
  return list
end

---@return string
function M.ratio_line(r)
  local s = r.spread
  return ("ratio %s: %.2f (bar %g) %s, rounds %.2f-%.2f"):format(r.name,
    s.median, r.bar, s.median >= r.bar and "ok" or "below", s.min, s.max)
end

return M
