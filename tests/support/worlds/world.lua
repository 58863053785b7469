-- world - a database with one of the two worlds, and statements run in it.
--
--   X holds A, B and C and is used through isolation, as A.
--   Y holds what A may see and is used without it.
local live = require "support.live"
local schema = require "support.worlds.schema"
local data = require "support.worlds.data"
local compare = require "support.worlds.compare"
local sh = require "support.sh"

local World = {}
World.__index = World

local M = {}

M.ROLE = "worlds_app"

-- What A, or whoever asks, sees in each table, in one row for each.  The view
-- is left out: with row policies alone it is nobody's.
local function digest()
  local parts = {}
  for _, t in ipairs(schema.list) do
    if t.view then break end
    local where = t.bare == "patients" and " where exists (select from members"
      .. " as m where m.patient_id = v.id)" or ""
    parts[#parts + 1] = ("select '%s' as name, count(*) as n, md5(coalesce("
      .. "string_agg(v::text, '|' order by v::text), '')) as sum from %s v%s")
      :format(t.bare, t.name, where)
  end
  return table.concat(parts, " union all ")
end
M.digest = digest()

-- The same for what only others own: patients whom A has too are left out.
M.digest_others = M.digest:gsub("where exists %(select from members",
  "where left(v.id::text, 1) <> 'e' and exists (select from members")

local OPTIONS = { positional = true, nulls = true, json = "string",
  class = "write" }
local DIGEST = { positional = true, nulls = true }

local grant = ([[
do $$ begin
  if not exists (select from pg_roles where rolname = '%s') then
    create role %s login;
  end if;
end $$;
grant usage on schema clinic to %s;
grant select, insert, update, delete on all tables in schema clinic to %s;
analyze;
]]):format(M.ROLE, M.ROLE, M.ROLE, M.ROLE)

-- The row policies, as an operator would make them.
local function row_policies(dir)
  return sh.ok { sh.build .. "/lunate", "policy", "rls", dir, "--schema",
    "clinic" } .. grant
end

--- what: { server =, name =, type =, rows =, policies =, and for X mode =,
--- tenant =; for Y alone = whose rows there are }
function M.make(what)
  local server, name = what.server, what.name
  local text = (what.alone and schema.script_alone(what.type)
    or schema.script(what.type, what.mode)) .. data.insert(what.rows)
    .. (what.alone and data.reduce(what.type, what.alone) or "") .. grant
  if what.mode and what.mode ~= "rewrite" then
    text = text .. row_policies(what.policies)
  end
  server:database(name)
  server:psql(("%s; alter database %s set jit = off; alter database %s set "
    .. "synchronous_commit = off"):format(text, name, name), name)
  local db = live.open(server:url_of(name, M.ROLE), { schema = "clinic",
    pool_max = 2, policies = what.policies, read_timeout = "10s",
    log_level = "error" })
  local _, undo = db:query "this ends a transaction"
  return setmetatable({ db = db, undo = undo, name = name, server = server,
    tenant = what.tenant }, World)
end

--- A policy folder for this type of tenant, in one of the modes.
function M.folder(type, mode)
  local dir = sh.tmpdir()
  sh.write(dir .. "/isolation.lua", schema.policy(type, mode))
  return dir
end

local function outcome(client, s)
  if not s.returns then
    local n, err = client:exec(OPTIONS, s.text, unpack(s.params))
    return n and { affected = n } or compare.failure(err)
  end
  local rows, err = client:query(OPTIONS, s.text, unpack(s.params))
  return rows and compare.rows(rows, s.ordered) or compare.failure(err)
end

local function state(client, sql)
  local rows, err = client:query(DIGEST, sql)
  return rows and compare.rows(rows, false) or compare.failure(err)
end

function World:as(tenant, fn)
  if not self.tenant then return fn(self.db) end
  return self.db:with_tenant(tenant, fn)
end

-- look: also what is there afterwards, as A sees it, and as others do.
local function look_around(world, tx, out, look)
  out.after = state(tx, M.digest)
  for _, other in ipairs(world.tenant and look.others or {}) do
    out.others = world.db:with_tenant(other, function()
      return state(tx, M.digest_others)
    end)
    out.who = other
  end
end

-- It is undone by a savepoint, whose end is waited for: what comes next, on
-- another connection, meets no lock of it.
local function write(world, s, look)
  local out
  local done, err = world.db:transaction(function(tx)
    tx:transaction(function()
      out = outcome(tx, s)
      if look and not out.class and not out.refused then
        look_around(world, tx, out, look)
      end
      return nil, world.undo
    end)
    return true
  end)
  if not done then error("it was not undone: " .. tostring(err)) end
  return out
end

--- Runs a statement and undoes it.
function World:run(s, look)
  return self:as(self.tenant, function(client)
    if s.writes then return write(self, s, look) end
    return outcome(client, s)
  end)
end

--- What a tenant owns and shares with nobody.
function World:owned(tenant)
  return self:as(tenant, function(client)
    return state(client, M.digest_others)
  end)
end

--- What is there, as this tenant sees it.
function World:contents(tenant)
  return self:as(tenant, function(client)
    return state(client, M.digest)
  end)
end

return M
