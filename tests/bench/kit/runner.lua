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

-- ---- one run of one client --------------------------------------------------

local function command(bench, client, ask)
  local argv = client.command(bench.ctx, ask.workload)
  local env = {
    BENCH_WORKLOAD = ask.workload, BENCH_TASKS = tostring(ask.tasks),
    BENCH_WARM = tostring(bench.warm + (client.warm or 0)),
    BENCH_SECONDS = tostring(ask.seconds),
  }
  for _, from in ipairs { bench.ctx.env, argv.env or {} } do
    for k, v in pairs(from) do env[k] = v end
  end
  argv.env, argv.loose = env, false
  argv.timeout = 60 + bench.warm + ask.seconds
  return argv
end

-- The client on the first core, what it talks to on the second.
local function run_pinned(bench, argv)
  local cores = bench.cores
  for i, word in ipairs { "taskset", "-c", cores[1] } do
    table.insert(argv, i, word)
  end
  return bench.family.pinned(bench.ctx, cores, function()
    return sh.run(argv)
  end)
end

--- Runs one client once.
---@param bench table
---@param client bench.Client
---@param ask { workload: string, tasks: integer, seconds: number }
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

-- ---- who does what ----------------------------------------------------------

-- Clients that cannot be had here, with the reason; each is said once.
local function missing(bench)
  local why, list = {}, {}
  for _, client in ipairs(bench.family.clients) do
    local asked = false
    for _, workload in ipairs(bench.family.workloads) do
      asked = asked or bench.wanted(workload.name, client)
    end
    why[client.name] = asked and client.missing and client.missing()
    if why[client.name] then
      list[#list + 1] = { client = client.name, why = why[client.name] }
      bench.say(("skip %s: %s"):format(client.name, why[client.name]))
    end
  end
  return why, list
end

--- The clients of each workload, in order, without those that are missing.
---@param bench table
---@return { name: string, [integer]: bench.Client }[] groups
---@return { client: string, why: string }[] skipped
function M.plan(bench)
  local groups = {}
  local why, skipped = missing(bench)
  for _, workload in ipairs(bench.family.workloads) do
    local group = { name = workload.name }
    for _, client in ipairs(bench.family.clients) do
      if bench.wanted(workload.name, client) and not why[client.name] then
        group[#group + 1] = client
      end
    end
    if #group > 0 then groups[#groups + 1] = group end
  end
  return groups, skipped
end

-- A client with several numbers of tasks keeps the one it is fastest with.
local function calibrate(bench, client, workload)
  local best
  for _, tasks in ipairs(client.tasks) do
    local s = M.one(bench, client, { workload = workload, tasks = tasks,
      seconds = bench.calibrate })
    bench.say(("choose %-12s %-20s %3d tasks %9.0f /s"):format(workload,
      client.name, tasks, s.rate))
    if not best or s.rate > best.rate then
      best = { rate = s.rate, tasks = tasks }
    end
  end
  return best.tasks
end

local function choose(bench, groups)
  local tasks = {}
  for _, group in ipairs(groups) do
    local of = {}
    tasks[group.name] = of
    for _, client in ipairs(group) do
      of[client.name] = #client.tasks > 1 and bench.calibrate > 0
        and calibrate(bench, client, group.name) or client.tasks[1]
    end
  end
  return tasks
end

-- ---- the rounds -------------------------------------------------------------

local function turn(bench, group, run, round)
  local of = run.samples[group.name] or {}
  run.samples[group.name] = of
  for _, i in ipairs(stats.rotated(#group, round)) do
    local name = group[i].name
    local s = M.one(bench, group[i], { workload = group.name,
      tasks = run.tasks[group.name][name], seconds = bench.seconds })
    of[name] = of[name] or {}
    of[name][round] = s
    bench.say(("round %d/%d %-12s %-20s %9.0f /s %9.2f us of CPU"):format(
      round, bench.rounds, group.name, name, s.rate, s.cpu))
  end
end

--- Runs all rounds: run.samples[workload][client][round], the tasks each
--- client had, and who was left out.
---@param bench table family, ctx, cores, rounds, warm, seconds, calibrate,
---  wanted(workload, client), say(text)
---@return { samples: table, tasks: table, skipped: table }
function M.run(bench)
  local groups, skipped = M.plan(bench)
  if #groups == 0 then error("nobody does what was asked for", 0) end
  local run = { samples = {}, skipped = skipped,
    tasks = choose(bench, groups) }
  for round = 1, bench.rounds do
    bench.family.round(bench.ctx)
    for _, group in ipairs(groups) do turn(bench, group, run, round) end
  end
  return run
end

return M
