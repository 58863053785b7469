-- runner - asks every client in turn, round after round, so that what the
-- machine does meanwhile happens to all of them.
local cjson = require "cjson"
local sh = require "support.sh"
local stats = require "bench.kit.stats"

local M = {}

---@class bench.Sample
---@field rate number operations a second
---@field p50 number us
---@field p99 number us
---@field cpu number us of CPU time for an operation
---@field peak number MB

--- What a client answered, in the units of the report.
---@param line string one line of JSON
---@return bench.Sample
function M.sample(line)
  local a = cjson.decode(line)
  if a.ops <= 0 or a.seconds <= 0 then error("no operation was done", 0) end
  return { rate = a.ops / a.seconds, p50 = a.p50_us, p99 = a.p99_us,
    cpu = a.cpu_us / a.ops, peak = a.peak_kb / 1024 }
end

local function command(bench, client, ask)
  local argv = client.command(bench.ctx, ask.workload)
  local env = {
    BENCH_WORKLOAD = ask.workload, BENCH_TASKS = tostring(ask.tasks),
    BENCH_WARM = tostring(ask.warm + (client.warm or 0)),
    BENCH_SECONDS = tostring(ask.seconds),
  }
  for _, from in ipairs { bench.ctx.env, argv.env or {} } do
    for k, v in pairs(from) do env[k] = v end
  end
  argv.env, argv.loose = env, false
  argv.timeout = 60 + ask.warm + ask.seconds
  return argv
end

-- The client on the first core, what it talks to on the second.
local function run_pinned(bench, argv)
  local cores = bench.cores
  for i, word in ipairs { "taskset", "-c", cores[1] } do
    table.insert(argv, i, word)
  end
  return bench.family.pinned(bench.ctx, cores[2], function()
    return sh.run(argv)
  end)
end

--- Runs one client once.
---@param bench table
---@param client bench.Client
---@param ask { workload: string, tasks: integer, warm: number,
---  seconds: number }
---@return bench.Sample
function M.one(bench, client, ask)
  local argv = command(bench, client, ask)
  local pinned = client.pinned and #bench.cores >= 2
  local r = pinned and run_pinned(bench, argv) or sh.run(argv)
  local line = r.out:match("([^\n]+)\n$")
  if r.code ~= 0 or not line then
    error(("%s, %s: %s\n%s%s"):format(client.name, ask.workload,
      r.timeout and "took too long" or "failed", r.out, r.err), 0)
  end
  return M.sample(line)
end

-- A client with several numbers of tasks keeps the one it is fastest with.
local function calibrate(bench, client, workload)
  local best
  for _, tasks in ipairs(client.tasks) do
    local s = M.one(bench, client, { workload = workload, tasks = tasks,
      warm = bench.warm, seconds = bench.calibrate })
    bench.say(("choose %-12s %-20s %3d tasks %9.0f /s"):format(workload,
      client.name, tasks, s.rate))
    if not best or s.rate > best.rate then
      best = { rate = s.rate, tasks = tasks }
    end
  end
  return best.tasks
end

local function choose(bench, chosen)
  local tasks = {}
  for _, at in ipairs(chosen) do
    local of = tasks[at.workload] or {}
    tasks[at.workload] = of
    of[at.client.name] = #at.client.tasks > 1 and bench.calibrate > 0
      and calibrate(bench, at.client, at.workload) or at.client.tasks[1]
  end
  return tasks
end

--- Who does what: the clients of each workload, in order.
---@return { workload: string, client: bench.Client }[]
function M.plan(bench)
  local list = {}
  for _, workload in ipairs(bench.family.workloads) do
    for _, client in ipairs(bench.family.clients) do
      if bench.wanted(workload.name, client) then
        list[#list + 1] = { workload = workload.name, client = client }
      end
    end
  end
  return list
end

local function by_workload(bench, plan)
  local groups = {}
  for _, workload in ipairs(bench.family.workloads) do
    local group = { name = workload.name }
    for _, at in ipairs(plan) do
      if at.workload == workload.name then group[#group + 1] = at.client end
    end
    if #group > 0 then groups[#groups + 1] = group end
  end
  return groups
end

--- Runs all rounds: result.samples[workload][client][round], and the number of
--- tasks each client had.
---@param bench table family, ctx, cores, rounds, warm, seconds, calibrate,
---  wanted(workload, client), say(text)
---@return { samples: table, tasks: table }
function M.run(bench)
  local plan = M.plan(bench)
  local tasks, samples = choose(bench, plan), {}
  local groups = by_workload(bench, plan)
  for round = 1, bench.rounds do
    bench.family.round(bench.ctx)
    for _, group in ipairs(groups) do
      local of = samples[group.name] or {}
      samples[group.name] = of
      for _, i in ipairs(stats.rotated(#group, round)) do
        local name = group[i].name
        local s = M.one(bench, group[i], { workload = group.name,
          tasks = tasks[group.name][name], warm = bench.warm,
          seconds = bench.seconds })
        of[name] = of[name] or {}
        of[name][round] = s
        bench.say(("round %d/%d %-12s %-20s %9.0f /s %8.2f us of CPU"):format(
          round, bench.rounds, group.name, name, s.rate, s.cpu))
      end
    end
  end
  return { samples = samples, tasks = tasks }
end

return M
