-- Capabilities: work as the system, and past the cache.  Without them nobody
-- does either; with them the system's connections are of another role.
local cjson = require "cjson"
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"

local SHOW = "select current_setting('lunate.ctx', true) as ctx, "
  .. "current_user::text as who, session_user::text as login, "
  .. "pg_backend_pid() as pid"

local url, plain, db

local function row(client)
  local r, err = client:one(SHOW)
  if not r then error(err, 0) end
  r.ctx = r.ctx and r.ctx ~= "" and cjson.decode(r.ctx) or nil
  return r
end

local function role_of(client) return row(client).who end

setup(function()
  url = pg.database("system_spec")
  plain = live.open(url)
  assert(plain:script([[
    do $$ begin
      create role lunate_system login;
    exception when duplicate_object then null; end $$;
    grant all on schema public to lunate_system;
    create table notes (id int primary key, who text default current_user);
    grant all on notes to lunate_system;
  ]]))
  db = live.open(url, { system = { role = "lunate_system" }, raw = true })
end)
teardown(live.close)

describe("without the capability", function()
  it("work as system is refused, and its function is not called", function()
    local called = false
    local err = live.refused("denied", plain:as_system("why", function()
      called = true
    end))
    live.says(err, "LUNATE_SYSTEM_ROLE")
    assert.is_false(called)
    assert.is_nil(row(plain).ctx)
  end)

  it("an operation inside another database's as_system is refused", function()
    db:as_system("a report", function()
      live.refused("denied", plain:query("select 1"))
      live.refused("denied", plain:transaction(function() return true end))
      assert.has_error(function()
        for _ in plain:rows("select 1") do error("a row came") end
      end)
      live.refused("denied", plain:copy_out("copy notes to stdout"))
      live.refused("denied", plain:script("select 1"))
    end)
  end)

  it("raw is refused", function()
    live.says(live.refused("denied", plain:raw()), "LUNATE_RAW")
  end)
end)

describe("as_system", function()
  it("carries its reason and runs on connections of its own role", function()
    live.both(function()
      local tenant = row(db)
      assert.equal("yearly report", db:as_system("yearly report", function(c)
        local r = row(c)
        assert.equal("yearly report", r.ctx.system)
        assert.is_nil(r.ctx.tenant)
        assert.equal("{}", r.ctx.tenants)
        assert.equal("lunate_system", r.who)
        assert.not_equal(tenant.pid, r.pid)
        return r.ctx.system
      end))
      local after = row(db)
      assert.is_nil(after.ctx)
      assert.equal(tenant.who, after.who)
    end)
  end)

  it("may have a URL instead, which inherits what it does not say", function()
    local own = live.open(url, { system_url = pg.shared()
      :url_of("system_spec", "lunate_system") })
    own:as_system("why", function(c)
      assert.equal("lunate_system", row(c).login)
    end)
    assert.not_equal("lunate_system", row(own).login)
  end)

  it("wants a reason and a function", function()
    for _, bad in ipairs { "", "  \n", 7, false } do
      assert.has_error(function() db:as_system(bad, function() end) end)
    end
    assert.has_error(function() db:as_system(nil, function() end) end)
    assert.has_error(function() db:as_system("why") end)
    assert.has_error(function()
      db:with_context({ system = "by the back door" }, function() end)
    end)
  end)

  it("ends with its function, its failure and its error", function()
    live.refused("undefined", db:as_system("why", function(c)
      return c:query("select * from nowhere")
    end))
    assert.is_nil(row(db).ctx)
    assert.has_error(function()
      db:as_system("why", function() error("x") end)
    end)
    assert.is_nil(row(db).ctx)
  end)

  it("is left by naming a tenant, and comes back after", function()
    local user = plain:one("select current_user::text as who").who
    db:with_context({ tenant = "a", user = "u1" }, function()
      db:as_system("outer", function()
        assert.same({ system = "outer", user = "u1", tenants = "{}" },
          row(db).ctx)
        db:with_tenant("b", function()
          local r = row(db)
          assert.equal("b", r.ctx.tenant)
          assert.is_nil(r.ctx.system)
          assert.equal(user, r.who)
          db:as_system("inner", function()
            assert.equal("inner", row(db).ctx.system)
          end)
          assert.equal("b", row(db).ctx.tenant)
        end)
        db:with_context({ purpose = "p" }, function()
          assert.equal("outer", row(db).ctx.system)
        end)
        assert.equal("lunate_system", role_of(db))
      end)
      assert.equal("a", row(db).ctx.tenant)
      assert.equal(user, role_of(db))
    end)
  end)

  it("is inherited by tasks, and never by those beside them", function()
    local wrong, tasks = {}, {}
    local user = role_of(plain)
    for i = 1, 20 do
      local system = i % 2 == 0
      local function go()
        for _ = 1, 20 do
          local want = system and "lunate_system" or user
          local seen = role_of(db)
          if seen ~= want then wrong[#wrong + 1] = seen end
          lunate.pause()
        end
        return true
      end
      tasks[i] = lunate.spawn(function()
        if not system then return go() end
        return db:as_system("task " .. i, function()
          return lunate.spawn(go):join()
        end)
      end)
    end
    for _, t in ipairs(tasks) do assert.is_true(t:join()) end
    assert.same({}, wrong)
  end)

  it("holds in transactions, streams, batches, scripts and COPY", function()
    assert(db:as_system("import", function(c)
      assert(c:transaction(function(tx)
        assert(tx:exec("insert into notes (id) values (1)"))
        assert(tx:transaction(function()
          return tx:exec("insert into notes (id) values (2)")
        end))
        assert.equal("lunate_system", role_of(tx))
        return true
      end))
      local seen
      for r in c:rows("select current_user::text as who") do seen = r.who end
      assert.equal("lunate_system", seen)
      assert.equal(2, assert(c:copy_in("copy notes (id) from stdin", "3\n4\n")))
      assert(c:script("insert into notes (id) values (5); select 1"))
      local done = assert(c:batch({
        { operation = function(b) return role_of(b) end },
        { operation = function(b)
          return b:exec("insert into notes (id) values (6)")
        end } }))
      assert.equal(2, done.success_count)
      assert.equal("lunate_system", done.successful[1])
      return true
    end))
    assert.same({ { who = "lunate_system", n = 6 } },
      { plain:one("select who, count(*)::int as n from notes group by who") })
  end)

  it("shares no transaction with others", function()
    live.says(live.refused("denied", db:transaction(function(tx)
      return db:as_system("why", function() return tx:query("select 1") end)
    end)), "not begun as system")
    db:as_system("why", function()
      live.says(live.refused("denied", db:transaction(function(tx)
        return db:with_tenant("a", function() return tx:query("select 1") end)
      end)), "begun as system")
      live.refused("denied", db:transaction(function(tx)
        return db:with_tenant("a", function()
          return tx:copy_out("copy notes to stdout")
        end)
      end))
    end)
    assert.is_nil(row(db).ctx)
  end)

  it("keeps its role after a session was used up by a script", function()
    local one = live.open(url, { system_role = "lunate_system",
      system_pool_max = 1 })
    for _ = 1, 3 do
      one:as_system("why", function(c)
        assert(c:script("set work_mem = '1MB'; reset role; select 1"))
        assert.equal("lunate_system", role_of(c))
      end)
    end
  end)

  it("has a limit of connections of its own", function()
    local few = live.open(url, { system_role = "lunate_system",
      system_pool_max = 2, pool_max = 1, acquire_timeout = 20000 })
    few:transaction(function(tx)
      assert(tx:query("select 1")) -- the only one of tenants is taken
      local pids, tasks = {}, {}
      few:as_system("why", function()
        for i = 1, 12 do
          tasks[i] = lunate.spawn(function()
            return few:transaction(function(inner)
              pids[row(inner).pid] = true
              return true
            end)
          end)
        end
      end)
      for _, t in ipairs(tasks) do assert.is_true(t:join()) end
      local n = 0
      for _ in pairs(pids) do n = n + 1 end
      assert.is_true(n >= 1 and n <= 2, n .. " connections")
      return true
    end)
  end)

  it("says so in the log each time, with reason and generation", function()
    local r = live.luajit([[
      local db = require("lunate").open { system = { role = "lunate_system" },
        raw = true, schema = "public" }
      for i = 1, 30 do
        db:as_system("import no " .. i, function() end)
      end
      assert(db:raw())
    ]], { DATABASE_URL = url })
    assert.equal(0, r.code, r.err)
    for i = 1, 30 do
      live.says(r.err, ('work as system reason="import no %d" generation=1')
        :format(i))
    end
    live.says(r.err, "work past cache and optimizer")
  end)

  it("says what is wrong with the capability itself", function()
    local bad = live.open(url, { system_role = "no_such_role" })
    local rows, err = bad:as_system("why", function(c)
      return c:query("select 1")
    end)
    assert.is_nil(rows)
    assert.is_true(lunate.is_error(err))
    assert.not_equal("denied", err.code)
    live.refused("config", lunate.open { url = url,
      system = { url = "mysql://x" } })
    live.refused("config", lunate.open { url = url, system = { rol = "x" } })
  end)
end)

describe("raw", function()
  it("gives a client that does what another does", function()
    local raw = assert(db:raw())
    assert.equal(1, assert(raw:one("select 1 as one")).one)
    assert.equal(3, assert(raw:query("select generate_series(1, 3)")).n)
    assert.equal(0, assert(raw:exec("delete from notes where id < 0")))
    assert.equal("a", db:with_tenant("a", function()
      return row(raw).ctx.tenant
    end))
  end)
end)
