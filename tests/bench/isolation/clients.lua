-- clients - who is measured for the cost of isolation: the same read by the
-- same program, scoped and not.
local sh = require "support.sh"
local data = require "bench.isolation.data"

local M = { CONNECTIONS = 8 }

local here = "tests/bench/isolation/"

-- { folder of ctx.folders, or false; table; tenants; each operation another }
local function lunate(folder, name, tenants, each)
  return function(ctx)
    return { sh.build .. "/lunate", "run", here .. "lunate.lua",
      env = { BENCH_FOLDER = folder and ctx.folders[folder] or "",
        BENCH_TABLE = name, BENCH_TENANTS = tostring(tenants),
        BENCH_EACH = each and "1" or "0" } }
  end
end

local function cost(ctx, workload)
  return { sh.build .. "/bench/cost",
    env = { BENCH_WORKLOAD = workload, BENCH_FOLDER = ctx.folders.both } }
end

local function decision()
  return { sh.build .. "/bench/decide", env = { BENCH_FOLDER = "policies" } }
end

local point = { point = true }

---@type bench.Client[]
M.list = {
  { name = "unscoped", tasks = { 64 }, only = point,
    command = lunate(false, "plain", 8),
    about = "no policies; 64 tasks" },
  { name = "scoped", tasks = { 64 }, only = point,
    command = lunate("both", "visits", 8),
    about = "mode both; 64 tasks of 8 clinics" },
  { name = "scoped-each", tasks = { 64 }, only = point,
    command = lunate("both", "visits", data.TENANTS, true),
    about = ("mode both; 64 tasks, each operation for one of %d clinics")
      :format(data.TENANTS) },
  { name = "rewrite-only", tasks = { 64 }, only = point,
    command = lunate("rewrite", "plain", 8),
    about = "mode rewrite; 64 tasks of 8 clinics" },
  { name = "unscoped-1", tasks = { 1 }, only = point, pinned = true,
    command = lunate(false, "plain", 1),
    about = "no policies; 1 task, it and the server on a core each" },
  { name = "scoped-1", tasks = { 1 }, only = point, pinned = true,
    command = lunate("both", "visits", 1),
    about = "mode both; 1 task, it and the server on a core each" },
  { name = "scope", tasks = { 1 }, command = cost,
    only = { cold = true, memoised = true },
    about = "gate, rewrite and check of the point read, in C" },
  { name = "access", tasks = { 1 }, only = { decide = true },
    command = decision,
    about = "one table and action under policies/access.lua, in C" },
}

return M
