-- isolation - what keeping tenants apart costs: the same point read with
-- policies and without.
local pg = require "support.pg"
local sh = require "support.sh"
local clients = require "bench.isolation.clients"
local data = require "bench.isolation.data"
local query = require "bench.query"
local servers = require "bench.kit.servers"

local M = { name = "isolation", clients = clients.list }

M.workloads = {
  { name = "point", title = "point read of a tenant: one row by its key" },
  { name = "cold", title = "a statement that is new: gate, rewrite, check" },
  { name = "memoised", title = "a statement that is known" },
  { name = "decide", title = "what access.lua says of a table and action" },
}

local function ratio(name, bar)
  local over, under = name:match("^(.*)/(.*)$")
  return { name = name, bar = bar, workload = "point", of = "rate",
    over = over, under = under }
end

M.ratios = {
  ratio("scoped/unscoped", 0.80),
  ratio("scoped-1/unscoped-1", 0.75),
  ratio("scoped-each/unscoped", 0.65),
  ratio("rewrite-only/unscoped", 0.88),
}

-- CPU time of one operation, in microseconds, at most.
M.costs = {
  { name = "scope", workload = "cold", bar = 250 },
  { name = "scope", workload = "memoised", bar = 0.5 },
  { name = "access", workload = "decide", bar = 5 },
}

--- All of it is quick.
function M.quick() return true end

local function folder(name, mode)
  local at = sh.tmpdir()
  sh.write(at .. "/isolation.lua", data.policy(name, mode))
  return at
end

-- What an operator does after each change of isolation.lua.
local function write_policies(s, at)
  local script = sh.ok { sh.build .. "/lunate", "policy", "rls", at,
    "--schema", "public" }
  sh.ok { pg.bin "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d",
    s:url_of("lunate_test", "postgres"), stdin = script }
end

--- Starts the server and fills the tables.
---@return table ctx
function M.prepare()
  local s = servers.postgres()
  local ctx = { postgres = s, folders = {
    both = folder("visits", "both"), rewrite = folder("plain", "rewrite") } }
  s:psql(data.TABLES)
  write_policies(s, ctx.folders.both)
  s:psql "vacuum analyze"
  s:psql "checkpoint"
  local url = s:url_of("lunate_test", "bench_app")
  ctx.env = { BENCH_URL = url, DATABASE_URL = url,
    BENCH_CONNECTIONS = tostring(clients.CONNECTIONS),
    LUNATE_CONTROL_SOCKET = "false" }
  return ctx
end

--- Nothing is left behind by reads.
function M.round() end

M.pinned, M.facts = query.pinned, query.facts

return M
