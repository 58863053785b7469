-- report - a result as people read it: a table for each workload, then the
-- lines of what is compared.
local result = require "bench.kit.result"

local M = {}

local function cell(spread, metric)
  local f = metric.format
  return (f .. " (" .. f .. "-" .. f .. ")"):format(spread.median, spread.min,
    spread.max)
end

local function row(name, cells)
  local parts = { ("%-20s"):format(name) }
  for i, metric in ipairs(result.METRICS) do
    parts[#parts + 1] = ("%" .. metric.width .. "s"):format(cells[i])
  end
  return table.concat(parts, " ")
end

--- The table of one workload: medians with the least and the most.
---@param workload table of a result
---@return string[] lines
function M.rows(workload)
  local titles = {}
  for i, metric in ipairs(result.METRICS) do titles[i] = metric.title end
  local lines = { workload.title, row("client", titles) }
  for _, client in ipairs(workload.clients) do
    local cells = {}
    for i, metric in ipairs(result.METRICS) do
      cells[i] = cell(client[metric.key], metric)
    end
    lines[#lines + 1] = row(client.name, cells)
  end
  return lines
end

---@param r { name: string, bar: number, ok: boolean, spread: bench.Spread }
---@return string
function M.ratio_line(r)
  return ("ratio %s: %.2f (bar %g) %s; rounds %.2f to %.2f"):format(r.name,
    r.spread.median, r.bar, r.ok and "ok" or "below", r.spread.min,
    r.spread.max)
end

---@return string
function M.engine_line(e)
  return ("engine us/op %s: %.2f (at most %g) %s; rounds %.2f to %.2f"):format(
    e.name, e.spread.median, e.bar, e.ok and "ok"
      or "WARNING: above its budget", e.spread.min, e.spread.max)
end

---@return string
function M.cost_line(c)
  return ("cost us/op %s: %.2f (at most %g) %s; rounds %.2f to %.2f"):format(
    c.name, c.spread.median, c.bar, c.ok and "ok" or "above", c.spread.min,
    c.spread.max)
end

local function facts_line(facts)
  local names, parts = {}, {}
  for name in pairs(facts) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    parts[#parts + 1] = name .. " " .. tostring(facts[name])
  end
  return table.concat(parts, ", ")
end

local function in_flight(tasks)
  for _, n in ipairs(tasks) do
    if n ~= tasks[1] then return table.concat(tasks, ", ") end
  end
  return tostring(tasks[1])
end

-- Who was measured, with how many operations in flight; of workloads that
-- differ, in their order.
local function about(all)
  local lines, of, order = {}, {}, {}
  for _, workload in ipairs(all.workloads) do
    for _, client in ipairs(workload.clients) do
      if not of[client.name] then
        order[#order + 1] = client
        of[client.name] = {}
      end
      table.insert(of[client.name], client.tasks)
    end
  end
  for _, client in ipairs(order) do
    lines[#lines + 1] = ("%-20s %s; in flight: %s"):format(client.name,
      client.about, in_flight(of[client.name]))
  end
  return lines
end

--- All lines of a result.
---@param all table
---@return string[]
function M.lines(all)
  local lines = { "" }
  local function add(more)
    for _, line in ipairs(more) do lines[#lines + 1] = line end
    lines[#lines + 1] = ""
  end
  add { "machine: " .. facts_line(all.facts.machine),
    "versions: " .. facts_line(all.facts.versions),
    "setting: " .. facts_line(all.facts.setting) }
  add(about(all))
  for _, workload in ipairs(all.workloads) do add(M.rows(workload)) end
  for _, s in ipairs(all.skipped) do
    lines[#lines + 1] = ("not measured: %s, %s"):format(s.client, s.why)
  end
  for _, r in ipairs(all.ratios) do lines[#lines + 1] = M.ratio_line(r) end
  for _, e in ipairs(all.engine) do lines[#lines + 1] = M.engine_line(e) end
  for _, c in ipairs(all.costs) do lines[#lines + 1] = M.cost_line(c) end
  return lines
end

return M
