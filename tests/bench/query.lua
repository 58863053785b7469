-- query - the bench of the path of a query: what is asked, of which tables,
-- and what is compared with what. Who is asked is in query/clients.lua.
local pg = require "support.pg"
local sh = require "support.sh"
local clients = require "bench.query.clients"
local servers = require "bench.kit.servers"

local M = { name = "query", clients = clients.list }

local PAGES = 100000

M.workloads = {
  { name = "point", title = "point read: one row by its key" },
  { name = "page", title = "page: 20 rows of 8 mixed columns" },
  { name = "insert", title = "insert: one row, waits for the disk" },
  { name = "transaction",
    title = "transaction: 5 reads, 3 updates, 2 inserts, waits for the disk" },
}

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

local OTHERS = { ["lunate-lua"] = true, ["postgres.js"] = true }
local NO_RATIO = { ["pgbench-pipelined"] = true, pgbouncer = true,
  luasql = true }

--- Is it part of `make bench-quick`? What the comparisons need.
---@param workload string
---@param client string
---@return boolean?
function M.quick(workload, client)
  if workload == "point" then return not NO_RATIO[client] end
  return OTHERS[client]
end

-- ---- servers and tables -----------------------------------------------------

local TABLES = [[
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

-- After the only checkpoint each page that is changed goes to the log as a
-- whole, once. Here, so that nobody's window has them.
local function settle(s)
  s:psql "checkpoint"
  s:psql "update pgbench_accounts set abalance = abalance where aid % 20 = 0"
end

local function environment(ctx)
  local s = ctx.postgres
  return {
    BENCH_HOST = s.dir, BENCH_PORT = tostring(s.port),
    BENCH_USER = "postgres", BENCH_DATABASE = "lunate_test",
    BENCH_URL = s.url, DATABASE_URL = s.url,
    BENCH_CONNECTIONS = tostring(clients.CONNECTIONS),
    BENCH_PAGES = tostring(PAGES),
    BENCH_ACCOUNTS = tostring(ctx.scale * 100000),
    LUNATE_CONTROL_SOCKET = "false",
  }
end

--- Starts the server and fills the tables.
---@param opts { scale: integer }
---@return table ctx
function M.prepare(opts)
  local ctx = { scale = opts.scale, postgres = servers.postgres() }
  sh.ok { pg.bin "pgbench", "-i", "-q", "-F", "90", "-s", opts.scale,
    ctx.postgres.url, timeout = 600 }
  ctx.postgres:psql(TABLES:format(PAGES))
  settle(ctx.postgres)
  ctx.env = environment(ctx)
  return ctx
end

--- Before each round: what the last one has left behind is swept up.
function M.round(ctx)
  ctx.postgres:psql "vacuum pgbench_accounts"
  ctx.postgres:psql "truncate bench_insert"
end

--- Runs fn while new connections of the server get the second core only.
---@generic T
---@param ctx table
---@param cores string[] all that there are
---@param fn fun(): T
---@return T
function M.pinned(ctx, cores, fn)
  local function pin(list)
    sh.ok { "taskset", "-cp", list, ctx.postgres:pid() }
  end
  pin(cores[2])
  local ok, result = pcall(fn)
  pin(table.concat(cores, ","))
  return ok and result or error(result, 0)
end

--- What the figures depend on.
function M.facts(ctx)
  local versions = clients.versions()
  local function show(name) return ctx.postgres:psql("show " .. name) end
  versions.postgres = show "server_version"
  return {
    versions = versions,
    setting = {
      scale = ctx.scale, shared_buffers = show "shared_buffers",
      fsync = show "fsync", wal_sync_method = show "wal_sync_method",
      data_on = sh.ok({ "stat", "-f", "-c", "%T", ctx.postgres.data })
        :match("%S+"),
    },
  }
end

return M
