-- The database's side of isolation: row policies that hold without lunate,
-- tables that are closed when those are not what isolation.lua says.
local live = require "support.live"
local lunate = require "lunate"
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

after_each(live.close)

local function open(opts)
  local all = { policies = folder }
  for k, v in pairs(opts or {}) do all[k] = v end
  return live.open(server:url_of(NAME, ROLE), all)
end

local function count(db, tenant, table)
  return db:with_tenant(tenant, function(c)
    local row, err = c:one("select count(*)::int as n from " .. table)
    return row and row.n, err
  end)
end

local function closed(n, err, ...)
  live.says(live.refused("denied", n, err), "closed", ...)
end

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

describe("what isolation.lua asks of the database", function()
  local REWRITE = RULES .. 'database { mode = "rewrite" }\n'

  it("closes each table whose policies are missing, and says what to do",
    function()
    local db = open()
    closed(count(db, A, "visits"))
    local _, err = count(db, A, "visits")
    live.says(err, "public.visits is closed", "never applied",
      "lunate policy rls | psql")
    assert.equal(1, db:one("select 1 as n").n)
  end)

  it("is nothing in mode rewrite", function()
    save(REWRITE)
    assert.equal(2, count(open(), A, "visits"))
  end)

  it("opens tables soon after the script ran, without a restart", function()
    local db = open()
    closed(count(db, A, "visits"))
    policies()
    live.until_(function() return count(db, A, "visits") == 2 end)
    assert.equal(1, count(db, B, "visits"))
    assert.equal(0, count(db, "00000000-0000-0000-0000-00000000000c",
      "visits"))
  end)

  it("closes the table that was added to the file, and no other", function()
    save((RULES:gsub('rows "notes"[^\n]*\n', "")))
    policies()
    local db = open()
    assert.equal(2, count(db, A, "visits"))
    save(RULES)
    live.until_(function()
      local _, err = count(db, A, "notes")
      return err and err.message:find("never applied", 1, true)
    end)
    assert.equal(2, count(db, A, "visits"))
    policies()
    live.until_(function() return count(db, A, "notes") == 1 end)
  end)

  it("is seen to be gone at the next connection", function()
    policies()
    local db = open { pool_max = 1 }
    assert.equal(2, count(db, A, "visits"))
    server:psql("alter policy lunate_tenant on visits using (true)", NAME)
    server:psql("select pg_terminate_backend(pid) from pg_stat_activity "
      .. "where usename = '" .. ROLE .. "'", NAME)
    live.until_(function()
      local _, err = count(db, A, "visits")
      return err and err.message:find("changed by hand", 1, true)
    end)
    assert.equal(1, count(db, A, "notes"))
  end)

  it("keeps no transaction waiting for the connection that it has", function()
    policies()
    local db = open { pool_max = 1, acquire_timeout = "5s" }
    local loaded
    local listener = db:on("policy.loaded", function() loaded = true end)
    local one = db:with_tenant(A, function(c)
      return assert(c:transaction(function(tx)
        assert(tx:query("insert into visits values ($1, 7)", A))
        save(RULES .. 'accept "key-global" { why = "other questions" }')
        live.until_(function() lunate.sleep(0.001) return loaded end)
        return tx:one("select count(*)::int as n from visits")
      end))
    end)
    assert.equal(3, one.n)
    assert.equal(3, count(db, A, "visits"))
    listener()
  end)

  it("lets a transaction go on when the schema changes beside it", function()
    policies()
    local db = open { pool_max = 1, acquire_timeout = "5s",
      system = { url = server:url_of(NAME) } }
    local one = db:with_tenant(A, function(c)
      return assert(c:transaction(function(tx)
        assert(tx:query("insert into visits values ($1, 7)", A))
        db:as_system("a migration", function(system)
          assert(system:query("create table later (n int)"))
        end)
        return tx:one("select count(*)::int as n from visits")
      end))
    end)
    assert.equal(3, one.n)
    assert.equal(3, count(db, A, "visits"))
  end)

  it("tells when tables close and open, once", function()
    local db = open()
    local news = {}
    local listener = db:on("policy.drift", function(e)
      news[#news + 1] = e.payload
    end)
    closed(count(db, A, "visits"))
    closed(count(db, A, "visits"))
    live.until_(function() lunate.sleep(0.001) return #news == 1 end)
    assert.equal(3, #news[1].closed)
    assert.equal(0, #news[1].opened)
    assert.equal("public.codes", news[1].closed[1].table)
    assert.equal("policy-drift", news[1].closed[1].lint)
    live.says(news[1].closed[1].remedy, "lunate policy rls")
    policies()
    live.until_(function() return count(db, A, "visits") == 2 end)
    live.until_(function() lunate.sleep(0.001) return #news == 2 end)
    assert.equal(3, #news[2].opened)
    listener()
  end)

  it("closes everything for a role that no policy binds", function()
    policies()
    local db = live.open(server:url_of(NAME), { policies = folder })
    local _, err = count(db, A, "codes")
    live.says(err, "all tables are closed", "superuser")
    save(RULES .. 'accept "role-superuser" { why = "a test" }')
    live.until_(function() return count(db, A, "visits") == 2 end)
  end)

  it("is not null of a tenant's column, unless that is accepted", function()
    save(REWRITE)
    server:psql("alter table visits alter clinic_id drop not null", NAME)
    local db = open()
    closed(count(db, A, "visits"))
    local _, err = count(db, A, "visits")
    live.says(err, "column-nullable", "SET NOT NULL")
    assert.equal(1, count(db, A, "notes"))
    save(REWRITE
      .. 'accept "column-nullable" { table = "visits", why = "a test" }')
    live.until_(function() return count(db, A, "visits") == 2 end)
  end)
end)

describe("mode both", function()
  it("holds rows back where the database has no policy: in a view", function()
    server:psql("alter table visits add word text default '1'; "
      .. "update visits set word = 'no number' where clinic_id = '" .. B
      .. "'; create view seen as select * from visits; grant select on seen "
      .. "to " .. ROLE .. "; create function cheap(text) returns boolean cost "
      .. "0.0001 language plpgsql as 'begin return $1::int > 0; end'", NAME)
    save(RULES .. 'rows "seen" { by = "clinic_id" }\n'
      .. 'functions { add = { "cheap" } }')
    policies()
    open():with_tenant(A, function(c)
      assert.equal(2, #assert(c:query(
        "select * from seen where cheap(word)")))
    end)
  end)
end)

describe("mode rls", function()
  it("leaves texts as they are, and the policies hold", function()
    save(RULES .. 'database { mode = "rls" }')
    policies()
    local db = open()
    assert.equal(2, count(db, A, "visits"))
    assert.equal(1, count(db, B, "visits"))
    db:with_tenant(A, function(c)
      live.refused("denied", c:query("select set_config('lunate.ctx', "
        .. "'{}', true)"))
      live.says(live.refused("denied", c:query(
        "insert into visits values ($1, 9)", B)), "tenant")
      assert(c:query("insert into visits values ($1, 9)", A))
    end)
    assert.equal(3, count(db, A, "visits"))
    live.says(live.refused("denied", db:query("select * from visits")),
      "no-tenant")
  end)
end)

describe("a read whose connection was lost", function()
  -- `meanwhile` happens while it runs; then its connection is ended.
  local function read(meanwhile, opts)
    save(RULES .. 'functions { add = { "pg_sleep" } }')
    policies()
    local db = open(opts)
    assert.equal(2, count(db, A, "visits"))
    local task = lunate.spawn(function()
      return db:with_tenant(A, function(c)
        return c:query("select n, pg_sleep(0.3) from visits")
      end)
    end)
    live.until_(function()
      return server:psql("select count(*) from pg_stat_activity where "
        .. "query like '%pg_sleep(0.3)%' and state = 'active' and usename = '"
        .. ROLE .. "'", NAME) == "1"
    end)
    meanwhile(db)
    server:psql("select pg_terminate_backend(pid) from pg_stat_activity "
      .. "where usename = '" .. ROLE .. "'", NAME)
    return task:join()
  end

  it("is sent once more when the next one keeps the same", function()
    local rows, err = read(function() end)
    assert(rows, tostring(err))
    assert.equal(2, #rows)
  end)

  it("is not, when the next one does not", function()
    live.says(live.refused("connection_lost", read(function()
      server:psql("update lunate.policy_state set digest = 'other' "
        .. "where name = 'visits'", NAME)
    end)), "meanwhile")
  end)

  it("lets what waits behind it ask anew", function()
    local behind
    read(function(db)
      behind = lunate.spawn(count, db, A, "visits")
      live.until_(function() return db:pool_metrics().waiting == 1 end)
      server:psql("update lunate.policy_state set digest = 'other' "
        .. "where name = 'visits'", NAME)
    end, { pool_max = 1 })
    live.says(live.refused("connection_lost", behind:join()), "meanwhile")
  end)
end)

describe("what leaves", function()
  local core = require "lunate.core"

  -- Every layer before the last one is switched off, or passed by: texts stay
  -- as they are, and the role is one that no row policy binds.
  local function open_wide(more)
    save(RULES .. 'errors { detail = "show" }\n' .. (more or ""))
    local db = live.open(server:url_of(NAME), { policies = folder,
      pool_max = 1 })
    assert(core.fault("isolation.rls=always,isolation.rewrite=always"))
    return db
  end

  local function pid(db)
    return db:one("select pg_backend_pid() as pid").pid
  end

  after_each(function() core.fault("") end)

  local function withheld(value, err)
    live.says(live.refused("denied", value, err), "tenant", "withheld")
  end

  it("is no row of another tenant: the connection ends, and it is told",
    function()
    local db = open_wide()
    local news
    local listener = db:on("isolation.breach", function(e) news = e.payload end)
    save(RULES .. 'functions { add = { "pg_backend_pid" } }\n'
      .. 'errors { detail = "show" }\n')
    live.until_(function() return (db:one("select pg_backend_pid() as n")) end)
    local before = pid(db)
    db:with_tenant(A, function(c)
      assert.equal(2, #assert(c:query("select * from visits where n < 3")))
      assert.equal(before, pid(c))
      withheld(c:query("select * from visits"))
      assert.not_equal(before, pid(c))
      withheld(c:query("with x as (select clinic_id as y from visits) "
        .. "select y from x"))
    end)
    live.until_(function() lunate.sleep(0.001) return news end)
    live.says(news.operation, "from visits")
    assert.equal("3", server:psql("select count(*) from visits", NAME))
    listener()
  end)

  it("is no row of another tenant in a stream or behind a cursor", function()
    local db = open_wide()
    db:with_tenant(A, function(c)
      local seen = 0
      local ok, err = pcall(function()
        for _ in c:rows("select * from visits") do seen = seen + 1 end
      end)
      assert.is_false(ok)
      live.says(err, "withheld")
      assert.equal(0, seen)
      withheld(c:transaction(function(tx)
        assert(tx:query("insert into notes values ($1, 7)", A))
        local rows, why = tx:query("select * from visits")
        if not rows then return nil, why end
      end))
    end)
    assert.equal("0", server:psql("select count(*) from notes where n = 7",
      NAME))
  end)

  it("is everything when the last look is switched off too", function()
    local db = open_wide()
    assert(core.fault("isolation.rls=always,isolation.rewrite=always,"
      .. "isolation.egress=always"))
    db:with_tenant(A, function(c)
      assert.equal(3, #assert(c:query("select * from visits")))
    end)
  end)

  it("is no canary, even as a column of no table", function()
    local db = open_wide(('canary { tenant = "%s" }'):format(B))
    db:with_tenant(A, function(c)
      withheld(c:query("select clinic_id::text::uuid as x from visits"))
      assert.equal(2, #assert(c:query(
        "select clinic_id::text::uuid as x from visits where n < 3")))
    end)
  end)

  it("is one error for all conflicts with rows that are hidden", function()
    save(RULES)
    server:psql("alter table visits add unique (n); alter table notes add "
      .. "constraint own unique (clinic_id, n); create unique index on codes "
      .. "(code)", NAME)
    policies()
    local db = open()
    db:with_tenant(A, function(c)
      local _, err = c:query("insert into visits values ($1, 3)", A)
      assert.equal("constraint", err.code)
      assert.equal("23000", err.sqlstate)
      live.hides(err, "visits_n_key", "23505")
      _, err = c:query("insert into visits values ($1, 2)", A)
      assert.equal("23000", err.sqlstate)
      _, err = c:query("insert into notes values ($1, 1)", A)
      assert.equal("23505", err.sqlstate)
      assert.equal("own", err.constraint)
    end)
    save(RULES .. 'errors { detail = "show" }')
    live.until_(function()
      return db:with_tenant(A, function(c)
        local _, err = c:query("insert into visits values ($1, 3)", A)
        return err.sqlstate == "23505"
      end)
    end)
  end)
end)

describe("a session that tenants share", function()
  local function backend(c) return c:one("select pg_backend_pid() as n").n end

  local function open_with(functions)
    save(RULES .. 'database { mode = "rewrite" }\nfunctions { add = { '
      .. '"pg_backend_pid", ' .. functions .. ' } }')
    return open { pool_max = 1 }
  end

  it("ends when a statement made it another one", function()
    local db = open_with '"set_config"'
    db:with_tenant(A, function(c)
      local before = backend(c)
      live.refused("connection_lost", c:transaction(function(tx)
        return tx:query("select set_config('standard_conforming_strings', "
          .. "'off', false)")
      end))
      assert.not_equal(before, backend(c))
      assert.equal("on", server:psql("show standard_conforming_strings", NAME))
    end)
  end)

  it("keeps nothing that a statement of before left in it", function()
    local db = open_with '"set_config", "pg_advisory_lock"'
    db:with_tenant(A, function(c)
      local before = backend(c)
      assert(c:transaction(function(tx)
        return tx:query("select set_config('work_mem', '123kB', false), "
          .. "set_config('lunate.ctx', 'left', false), pg_advisory_lock(7)")
      end))
      assert.equal(before, backend(c))
    end)
    assert.equal("0", server:psql("select count(*) from pg_locks "
      .. "where locktype = 'advisory' and objid = 7", NAME))
    local kept = open { pool_max = 1, policies = false }
    assert.not_equal("left", kept:one("select current_setting('lunate.ctx', "
      .. "true) as ctx").ctx)
  end)

  it("is given to nobody who could leave something in it", function()
    local db = open_with '"now"'
    db:with_tenant(A, function(c)
      for _, sql in ipairs { "set work_mem = '1MB'", "listen news",
        "create temp table kept as select 1 as n", "prepare p as select 1",
        "declare k cursor with hold for select * from visits",
        "select pg_advisory_lock(7)", "set role postgres",
        "select set_config('work_mem', '1MB', false)",
        "select nextval('some')", "do $$ begin end $$" } do
        c:transaction(function(tx)
          live.refused("denied", tx:query(sql))
          return nil, "over"
        end)
        local _, err = c:query(sql)
        assert.is_true(err.code == "denied" or err.code == "unsupported", sql)
      end
    end)
  end)
end)

describe("a sealed context", function()
  local SEALED = RULES .. "database { seal = true }\n"

  local function seal_key(file, ...)
    local argv = { sh.build .. "/lunate", "policy", "seal-key", "--file", file,
      ... }
    server:psql(sh.ok(argv), NAME)
  end

  it("needs a key, and says how to make one", function()
    save(SEALED)
    live.says(live.refused("config", lunate.open { policies = folder,
      url = server:url_of(NAME, ROLE) }), "LUNATE_SEAL_KEY_FILE",
      "seal-key --new")
    local _, err = lunate.open { policies = folder,
      url = server:url_of(NAME, ROLE), seal_key_file = folder .. "/none" }
    live.says(err, "seal-key --new")
  end)

  it("closes all tables until the database has the key", function()
    local file = sh.tmpdir() .. "/key"
    save(SEALED)
    policies()
    seal_key(file, "--new")
    server:psql("delete from lunate.seal_key", NAME)
    local db = open { seal_key_file = file }
    local _, err = count(db, A, "visits")
    live.says(err, "closed", "seal-unknown", "lunate policy seal-key | psql")
    seal_key(file)
    live.until_(function() return count(db, A, "visits") == 2 end)
  end)

  it("opens what it names, and one that was made up opens nothing", function()
    local file = sh.tmpdir() .. "/key"
    save(SEALED)
    policies()
    seal_key(file, "--new")
    local db = open { seal_key_file = file }
    assert.equal(2, count(db, A, "visits"))
    assert.equal(1, count(db, B, "visits"))
    assert.equal(2, db:with_tenant(A, function(c)
      return assert(c:transaction(function(tx)
        return tx:one("select count(*)::int as n from visits")
      end)).n
    end))
    assert.equal("0", as(A, "select count(*) from visits"))
  end)

  it("outlives a change of keys while runtimes run", function()
    local file = sh.tmpdir() .. "/key"
    save(SEALED)
    policies()
    seal_key(file, "--new")
    local old = open { seal_key_file = file }
    assert.equal(2, count(old, A, "visits"))
    seal_key(file, "--new")
    assert.equal(2, count(old, A, "visits"))
    local new = open { seal_key_file = file }
    assert.equal(2, count(new, A, "visits"))
    seal_key(file, "--new")
    assert.equal(0, count(old, A, "visits"))
    assert.equal(2, count(new, A, "visits"))
  end)
end)
