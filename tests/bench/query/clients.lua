-- clients - everybody who is measured on the path of a query, and how each is
-- started.
local pg = require "support.pg"
local sh = require "support.sh"
local machine = require "bench.kit.machine"
local servers = require "bench.kit.servers"

local M = { CONNECTIONS = 8 }

local here = "tests/bench/query/"

-- Whatever the build is, what npm fetches is in one place.
M.NODE = sh.root .. "/build/bench/node"

-- ---- how they are started ---------------------------------------------------

local function lunate()
  return { sh.build .. "/lunate", "run", here .. "lunate.lua" }
end

local function program(name)
  return function() return { sh.build .. "/bench/" .. name } end
end

local function pgbench_env(mode, workload)
  return { BENCH_PGBENCH = pg.bin "pgbench", BENCH_MODE = mode,
    BENCH_DIR = sh.tmpdir(), BENCH_BESIDE = "",
    BENCH_RATE = workload == "point" and "0.02" or "0.2" }
end

local function pgbench(mode)
  return function(_, workload)
    return { "luajit", here .. "pgbench.lua",
      env = pgbench_env(mode, workload) }
  end
end

-- Statements without names: a name belongs to one connection of the server,
-- and in transaction mode PgBouncer 1.18 may give the next one to another.
local function pgbouncer(ctx, workload)
  if not ctx.pgbouncer then
    ctx.pgbouncer = servers.pgbouncer(ctx.postgres, M.CONNECTIONS)
  end
  local env = pgbench_env("extended", workload)
  env.BENCH_HOST = ctx.pgbouncer.host
  env.BENCH_PORT = tostring(ctx.pgbouncer.port)
  env.BENCH_BESIDE = tostring(ctx.pgbouncer:pid())
  return { "luajit", here .. "pgbench.lua", env = env }
end

local function luasql()
  return { "luajit", here .. "luasql.lua" }
end

local function node(name)
  return function()
    return { "node", here .. name .. ".js",
      env = { NODE_PATH = M.NODE .. "/node_modules" } }
  end
end

-- ---- whether they are there -------------------------------------------------

local function no_program(name)
  return function()
    if sh.read(sh.build .. "/bench/" .. name) == "" then
      return "it is not built: run make bench-clients"
    end
  end
end

local function no_command(name)
  return function()
    if not machine.first_line("sh", "-c", "command -v " .. name) then
      return name .. " is not installed: run make bench-setup"
    end
  end
end

local function no_luasql()
  local code = 'require "luasql.postgres" print "yes"'
  if machine.first_line("luajit", "-e", code) ~= "yes" then
    return "lua-sql-postgres is not installed: run make bench-setup"
  end
end

local function no_module(name)
  return function()
    if not machine.module(M.NODE .. "/node_modules", name) then
      return "its packages were not fetched: run make bench-clients"
    end
  end
end

-- ---- who they are -----------------------------------------------------------

---@class bench.Client
---@field name string
---@field about string
---@field tasks integer[] operations in flight; of several, the best is taken
---@field command fun(ctx: table, workload: string): table argv and env
---@field missing (fun(): string?)? why it cannot be measured here
---@field warm number? seconds it needs beside those of all
---@field pinned boolean? client and server on a core each
---@field only table<string, boolean>? the workloads it does; all unless told

---@type bench.Client[]
M.list = {
  { name = "lunate-lua", tasks = { 64 }, command = lunate,
    about = "64 tasks over at most 8 connections" },
  { name = "lunate-c", tasks = { 64 }, command = program "lunate",
    missing = no_program "lunate",
    about = "64 calls at a time over at most 8 connections" },
  { name = "pgbench-prepared-8", tasks = { 8 }, command = pgbench "prepared",
    about = "pgbench -M prepared -c 8" },
  { name = "pgbench-pipelined", tasks = { 8 }, command = pgbench "pipelined",
    about = "pgbench -M prepared -c 8, ten statements (or one transaction) in "
      .. "a pipeline; p50 and p99 are the pipeline's" },
  { name = "pgbouncer", tasks = { 32, 8 }, command = pgbouncer,
    missing = no_command "pgbouncer",
    about = "pgbench -M extended through PgBouncer, transaction mode, 8 "
      .. "connections; CPU and memory of both" },
  { name = "postgres.js", tasks = { 32, 64 }, warm = 0.5,
    command = node "postgres_js", missing = no_module "postgres",
    about = "node postgres, max: 8, prepare: true" },
  { name = "node-pg", tasks = { 32, 64 }, warm = 0.5,
    command = node "node_pg", missing = no_module "pg",
    about = "node pg, a pool of 8, statements with names" },
  { name = "prisma", tasks = { 64, 32 }, warm = 1, command = node "prisma",
    missing = no_module ".prisma/client",
    about = "Prisma 7 with adapter-pg, a pool of 8" },
  { name = "luasql", tasks = { 1 }, command = luasql, missing = no_luasql,
    about = "lua-sql-postgres under luajit, one connection" },
  { name = "lunate-lua-1", tasks = { 1 }, command = lunate, pinned = true,
    about = "1 task, it and the server on a core each" },
  { name = "pgbench-prepared-1", tasks = { 1 }, command = pgbench "prepared",
    pinned = true,
    about = "pgbench -M prepared -c 1, it and the server on a core each" },
  { name = "bare", tasks = { 64 }, command = program "bare",
    missing = no_program "bare", only = { point = true },
    about = "libpq on libev, 8 connections, 8 reads to a Sync, no engine" },
}

--- What each of them is, for the report.
---@return table<string, string>
function M.versions()
  local modules = M.NODE .. "/node_modules"
  return {
    node = machine.first_line("node", "--version"),
    ["postgres.js"] = machine.module(modules, "postgres"),
    ["node-pg"] = machine.module(modules, "pg"),
    prisma = machine.module(modules, "@prisma/client"),
    luasql = machine.package "lua-sql-postgres",
    pgbouncer = machine.package "pgbouncer",
    libpq = machine.package "libpq5",
    luajit = machine.first_line("luajit", "-v"):match("LuaJIT (%S+)"),
    lunate = machine.first_line(sh.build .. "/lunate", "version")
      :match("lunate (%S+)"),
    commit = machine.commit(),
  }
end

return M
