-- query - the bench of the path of a query: who is measured, what they are
-- asked to do, and what is compared with what.
local pg = require "support.pg"
local sh = require "support.sh"
local servers = require "bench.kit.servers"

local M = { name = "query" }

local CONNECTIONS, PAGES = 8, 100000

M.workloads = {
  { name = "point", title = "point read: one row by its key" },
  { name = "page", title = "page: 20 rows of 8 mixed columns" },
  { name = "insert", title = "insert: one row, waits for the disk" },
  { name = "transaction",
    title = "transaction: 5 reads, 3 updates, 2 inserts, waits for the disk" },
}

-- ---- servers and tables -----------------------------------------------------

local PAGE = [[
create table bench_page (id int8 primary key, name text not null,
  made timestamptz not null, amount numeric(12, 2) not null,
  active bool not null, ref uuid not null, facts jsonb not null,
  score float8 not null);
insert into bench_page select i, 'Patient number ' || i,
  timestamptz '2020-01-01' + i * interval '37 minutes', i * 1.37,
  i %% 3 = 0, md5(i::text)::uuid,
  jsonb_build_object('kind', 'visit', 'weight', i %% 90, 'tags',
    jsonb_build_array('a', 'b')), i / 7.0
  from generate_series(1, %d) i;
create table bench_insert (id int8 generated always as identity primary key,
  aid int not null, made timestamptz not null default now(),
  note text not null);
vacuum analyze;
]]

local function add_environment(ctx)
  local s = ctx.postgres
  ctx.env = {
    BENCH_HOST = s.dir, BENCH_PORT = tostring(s.port),
    BENCH_USER = "postgres", BENCH_DATABASE = "lunate_test",
    BENCH_URL = s.url, DATABASE_URL = s.url,
    BENCH_CONNECTIONS = tostring(CONNECTIONS), BENCH_PAGES = tostring(PAGES),
    BENCH_ACCOUNTS = tostring(ctx.scale * 100000),
    NODE_PATH = sh.build .. "/bench/node/node_modules",
    LUNATE_CONTROL_SOCKET = "false",
  }
end

-- After the only checkpoint each page that is changed goes to the log as a
-- whole, once. Here, so that nobody's window has them.
local function settle(s)
  s:psql "checkpoint"
  s:psql "update pgbench_accounts set abalance = abalance where aid % 20 = 0"
  s:psql "vacuum pgbench_accounts"
end

--- Starts the servers and fills the tables.
---@param opts { scale: integer }
---@return table ctx
function M.prepare(opts)
  local ctx = { scale = opts.scale, postgres = servers.postgres() }
  sh.ok { pg.bin "pgbench", "-i", "-q", "-F", "90", "-s", opts.scale,
    ctx.postgres.url,
    timeout = 600 }
  ctx.postgres:psql(PAGE:format(PAGES))
  settle(ctx.postgres)
  ctx.pgbouncer = servers.pgbouncer(ctx.postgres, CONNECTIONS)
  add_environment(ctx)
  return ctx
end

--- Before each round: what the last one has left behind is swept up.
function M.round(ctx)
  ctx.postgres:psql "vacuum pgbench_accounts"
  ctx.postgres:psql "truncate bench_insert"
end

--- Runs fn with all new connections of the server on one core.
function M.pinned(ctx, core, fn)
  local function pin(cores)
    sh.ok { "taskset", "-cp", cores, ctx.postgres:pid() }
  end
  pin(core)
  local ok, result = pcall(fn)
  pin(ctx.cores)
  return ok and result or error(result, 0)
end

--- What else the report says about the machine.
function M.facts(ctx)
  return {
    postgres = ctx.postgres:psql "show server_version",
    data_on = sh.ok { "stat", "-f", "-c", "%T", ctx.postgres.data }
      :gsub("%s+$", ""),
    scale = ctx.scale,
  }
end

-- ---- clients ----------------------------------------------------------------

local here = "tests/bench/query/"

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

-- Statements without names: in transaction mode PgBouncer 1.18 gives a
-- connection to somebody else between a Parse and its Bind of later.
local function pgbouncer(ctx, workload)
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
    return { os.getenv("BENCH_NODE") or "node", here .. name .. ".js" }
  end
end

---@class bench.Client
---@field name string
---@field about string
---@field tasks integer[] operations in flight; of several, the best is taken
---@field command fun(ctx: table, workload: string): table argv and env
---@field warm number? seconds it needs beside those of all
---@field pinned boolean? client and server on a core each
---@field only table<string, boolean>? the workloads it does; all unless told

---@type bench.Client[]
M.clients = {
  { name = "lunate-lua", tasks = { 64 }, command = lunate,
    about = "64 tasks over at most 8 connections" },
  { name = "lunate-c", tasks = { 64 }, command = program "lunate",
    about = "64 calls in flight over at most 8 connections" },
  { name = "pgbench-prepared-8", tasks = { 8 }, command = pgbench "prepared",
    about = "pgbench -M prepared -c 8" },
  { name = "pgbench-pipelined", tasks = { 8 }, command = pgbench "pipelined",
    about = "the same, ten reads or inserts, or a whole transaction, in one "
      .. "pipeline; times are the pipeline's" },
  { name = "pgbouncer", tasks = { 32, 8 }, command = pgbouncer,
    about = "pgbench -M extended through PgBouncer, pool_mode transaction, 8 "
      .. "connections; CPU and memory of both" },
  { name = "postgres.js", tasks = { 32, 64 }, warm = 0.5,
    command = node "postgres_js", about = "a pool of 8, prepare: true" },
  { name = "node-pg", tasks = { 32, 64 }, warm = 0.5,
    command = node "node_pg", about = "a pool of 8, named statements" },
  { name = "prisma", tasks = { 64, 32 }, warm = 1, command = node "prisma",
    about = "Prisma 7 with adapter-pg, a pool of 8" },
  { name = "luasql", tasks = { 1 }, command = luasql,
    about = "lua-sql-postgres under luajit, one connection" },
  { name = "lunate-lua-1", tasks = { 1 }, command = lunate, pinned = true,
    about = "1 task, on a core of its own" },
  { name = "pgbench-prepared-1", tasks = { 1 }, command = pgbench "prepared",
    pinned = true, about = "pgbench -M prepared -c 1, on a core of its own" },
  { name = "bare", tasks = { 64 }, command = program "bare",
    only = { point = true },
    about = "libpq on libev, 8 connections, 8 reads to a Sync, no engine" },
}

-- What a ratio needs, once; what needs minutes of its own is left out.
local QUICK = {
  point = { ["lunate-lua"] = true, ["lunate-c"] = true,
    ["pgbench-prepared-8"] = true, ["postgres.js"] = true, ["node-pg"] = true,
    prisma = true, ["lunate-lua-1"] = true, ["pgbench-prepared-1"] = true,
    bare = true },
}
local OTHERS = { ["lunate-lua"] = true, ["postgres.js"] = true }

--- Is it part of `make bench-quick`?
---@param workload string
---@param client string
---@return boolean?
function M.quick(workload, client)
  return (QUICK[workload] or OTHERS)[client]
end

-- ---- what is compared -------------------------------------------------------

local function ratio(name, bar, more)
  local r = { name = name, bar = bar, workload = "point", of = "rate" }
  r.over, r.under = name:match("^(.*)/(.*)$")
  for k, v in pairs(more or {}) do r[k] = v end
  return r
end

local function of_workload(workload, bar)
  return ratio(workload .. "-lunate-lua/postgres.js", bar,
    { workload = workload, over = "lunate-lua" })
end

M.ratios = {
  ratio("lunate-lua/pgbench-prepared-8", 2.4),
  ratio("lunate-lua/postgres.js", 4.5),
  ratio("cpu-node-pg/lunate-lua", 6, { of = "cpu", over = "node-pg" }),
  ratio("lunate-lua-1/pgbench-prepared-1", 0.85),
  ratio("lunate-c/pgbench-prepared-8", 2.6),
  ratio("lunate-lua/prisma", 6),
  ratio("memory-postgres.js/lunate-lua", 4,
    { of = "peak", over = "postgres.js" }),
  of_workload("page", 2),
  of_workload("insert", 1),
  of_workload("transaction", 1),
}

-- What the engine adds to the floor: its CPU time for an operation, less that
-- of the client that has none.
M.engine = {
  { name = "lunate-lua", floor = "bare", workload = "point", bar = 1.5 },
  { name = "lunate-c", floor = "bare", workload = "point", bar = 1.5 },
}

return M
