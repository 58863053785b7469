-- result - what came out of a run, as one table: the report and the plot are
-- made of it, and it is written as JSON.
local stats = require "bench.kit.stats"

local M = {}

M.METRICS = {
  { key = "rate", title = "ops/s", format = "%.0f", width = 22 },
  { key = "p50", title = "p50 us", format = "%.0f", width = 20 },
  { key = "p99", title = "p99 us", format = "%.0f", width = 22 },
  { key = "cpu", title = "CPU us/op", format = "%.2f", width = 23 },
  { key = "peak", title = "peak MB", format = "%.1f", width = 19 },
}

-- One metric of all rounds, by round.
local function series(samples, key)
  local list = {}
  for round, s in pairs(samples or {}) do list[round] = s[key] end
  return list
end

local function of_client(client, samples, tasks)
  local row = { name = client.name, about = client.about, tasks = tasks,
    rounds = samples }
  for _, metric in ipairs(M.METRICS) do
    row[metric.key] = stats.spread(series(samples, metric.key))
  end
  return row
end

local function workloads(family, run)
  local list = {}
  for _, workload in ipairs(family.workloads) do
    local name = workload.name
    local rows = {}
    for _, client in ipairs(family.clients) do
      local samples = (run.samples[name] or {})[client.name]
      if samples then
        rows[#rows + 1] = of_client(client, samples,
          run.tasks[name][client.name])
      end
    end
    if #rows > 0 then
      list[#list + 1] = { name = name, title = workload.title, clients = rows }
    end
  end
  return list
end

-- A bar is reached from above for a ratio, from below for a cost.
local function ratios(family, samples)
  local list = {}
  for _, r in ipairs(family.ratios or {}) do
    local of = samples[r.workload] or {}
    local spread = stats.ratio(series(of[r.over], r.of),
      series(of[r.under], r.of))
    if spread then
      list[#list + 1] = { name = r.name, bar = r.bar, spread = spread,
        ok = spread.median >= r.bar }
    end
  end
  return list
end

local function engine(family, samples)
  local list = {}
  for _, e in ipairs(family.engine or {}) do
    local of = samples[e.workload] or {}
    local spread = stats.difference(series(of[e.name], "cpu"),
      series(of[e.floor], "cpu"))
    if spread then
      list[#list + 1] = { name = e.name, floor = e.floor, bar = e.bar,
        spread = spread, ok = spread.median <= e.bar }
    end
  end
  return list
end

-- What an operation may cost of CPU time.
local function costs(family, samples)
  local list = {}
  for _, c in ipairs(family.costs or {}) do
    local spread = stats.spread(series((samples[c.workload] or {})[c.name],
      "cpu"))
    if spread then
      list[#list + 1] = { name = c.workload .. "-" .. c.name, bar = c.bar,
        spread = spread, ok = spread.median <= c.bar }
    end
  end
  return list
end

--- Everything there is to say about a run.
---@param bench table as for runner.run
---@param run { samples: table, tasks: table, skipped: table }
---@param facts table
---@return table
function M.make(bench, run, facts)
  return {
    bench = bench.family.name, facts = facts,
    skipped = run.skipped,
    rounds = bench.rounds, seconds = bench.seconds, warm = bench.warm,
    workloads = workloads(bench.family, run),
    ratios = ratios(bench.family, run.samples),
    engine = engine(bench.family, run.samples),
    costs = costs(bench.family, run.samples),
  }
end

return M
