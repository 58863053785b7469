-- The database's side of isolation: row policies that hold without lunate,
-- tables that are closed when those are not what isolation.lua says.
local pg = require "support.pg"
local sh = require "support.sh"

local A = "00000000-0000-0000-0000-00000000000a"
local B = "00000000-0000-0000-0000-00000000000b"

local RULES = [[
tenant { type = "uuid" }
rows "visits" { by = "clinic_id" }
rows "notes" { by = "clinic_id" }
rows "codes" { shared = "read" }
]]

local NAME, ROLE = "barrier_spec", "lunate_barrier"
local server, folder

local function save(text)
  sh.write(folder .. "/isolation.lua~", text)
  assert(os.rename(folder .. "/isolation.lua~", folder .. "/isolation.lua"))
end

-- As an operator: what the command prints, run by the owner of the tables.
local function policies(...)
  local argv = { sh.build .. "/lunate", "policy", "rls", folder, "--schema",
    "public", ... }
  server:psql(sh.ok(argv), NAME)
end

-- One statement of a plain session of the application's role; the last line.
local function psql(sql)
  local r = sh.run { pg.bin("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d",
    server:url_of(NAME, ROLE), stdin = sql }
  return r.code == 0 and r.out:match("([^\n]*)\n?$") or r.err
end

local function as(tenant, sql)
  return psql(("begin; select set_config('lunate.ctx', "
    .. "'{\"tenants\":\"{%s}\"}', true); %s; commit"):format(tenant, sql))
end

setup(function()
  pg.database(NAME)
  server = pg.shared()
  server:psql([[
    do $$ begin create role ]] .. ROLE .. [[ login;
    exception when duplicate_object then null; end $$]], NAME)
end)

before_each(function()
  folder = sh.tmpdir()
  save(RULES)
  server:psql(([[
    drop schema public cascade;
    drop schema if exists lunate cascade;
    create schema public;
    create table visits (clinic_id uuid not null, n int);
    create table notes (clinic_id uuid not null, n int);
    create table codes (code text);
    insert into visits values ('A', 1), ('A', 2), ('B', 3);
    insert into notes values ('A', 1), ('B', 2);
    insert into codes values ('x');
    grant usage on schema public to ROLE;
    grant select, insert, update, delete on all tables in schema public
      to ROLE]]):gsub("%f[%w]A%f[%W]", A):gsub("%f[%w]B%f[%W]", B)
    :gsub("ROLE", ROLE), NAME)
end)

describe("lunate policy rls", function()
  it("writes what binds a session that never heard of lunate", function()
    assert.equal("3", psql("select count(*) from visits"))
    policies()
    assert.equal("0", psql("select count(*) from visits"))
    assert.equal("2", as(A, "select count(*) from visits"))
    assert.equal("1", as(B, "select count(*) from visits"))
    assert.equal("1", psql("select count(*) from codes"))
    assert.truthy(as(A, "insert into visits values ('" .. B .. "', 9)")
      :find("row-level security policy", 1, true))
    assert.equal("f", psql("select bool_or(polpermissive) from pg_policy "
      .. "where polname <> 'lunate_open'"))
  end)

  it("may run again, with other rules too", function()
    policies()
    save((RULES:gsub('"notes" {[^\n]*', '"notes" { shared = "read" }')))
    policies()
    policies()
    assert.equal("2", psql("select count(*) from notes"))
    assert.equal("0", psql("select count(*) from visits"))
  end)

  it("binds one role and lets another through when told", function()
    policies("--app-role", ROLE, "--system-role", "postgres")
    assert.equal("0", psql("select count(*) from visits"))
  end)

  it("says what it cannot write", function()
    os.remove(folder .. "/isolation.lua")
    local r = sh.run { sh.build .. "/lunate", "policy", "rls", folder }
    assert.equal(1, r.code)
    assert.truthy(r.err:find("no isolation.lua", 1, true), r.err)
    assert.equal("", r.out)
    save(RULES)
    r = sh.run { sh.build .. "/lunate", "policy", "rls", folder,
      "--system-role", "postgres" }
    assert.equal(1, r.code)
    assert.truthy(r.err:find("application's role too", 1, true), r.err)
  end)
end)
