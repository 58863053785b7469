-- The context of an operation reaches the server with it, and with nothing
-- else.
local cjson = require "cjson"
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"

local SHOW = "select current_setting('lunate.ctx', true) as ctx"
local db

setup(function() db = live.open(pg.database("context_spec")) end)
teardown(live.close)

-- The tenant that a statement sees, or nil.
local function tenant_of(client)
  local row, err = client:one(SHOW)
  if not row then error(err, 0) end
  if row.ctx == nil or row.ctx == "" then return nil end
  return cjson.decode(row.ctx).tenant
end

describe("a context", function()
  it("is seen by every statement inside and by none outside", function()
    live.both(function()
      assert.is_nil(tenant_of(db))
      assert.equal("a", db:with_tenant("a", function(c)
        assert.equal("a", tenant_of(c))
        return tenant_of(c)
      end))
      assert.is_nil(tenant_of(db))
    end)
  end)

  it("gives what its function returned, and its failure", function()
    local a, b = db:with_tenant("t", function() return 1, 2 end)
    assert.same({ 1, 2 }, { a, b })
    live.refused("undefined", db:with_tenant("t", function(c)
      return c:query("select * from nowhere")
    end))
  end)

  it("ends with an error that is raised", function()
    pcall(db.with_tenant, db, "t", function() error("x") end)
    assert.is_nil(tenant_of(db))
  end)

  it("carries user, roles and what else it holds", function()
    db:with_context({ tenant = "t", user = "u1", roles = { "nurse", "x" } },
      function(c)
        local ctx = cjson.decode(c:one(SHOW).ctx)
        assert.equal("u1", ctx.user)
        assert.same({ "nurse", "x" }, ctx.roles)
      end)
  end)

  it("keeps quotes, backslashes and other letters", function()
    local odd = [[it's "a" \ tenant, ü€ $1 --]]
    assert.equal(odd, db:with_tenant(odd, tenant_of))
  end)

  it("may be a set of tenants", function()
    assert.same({ "a", "b" }, db:with_tenant({ "a", "b" }, tenant_of))
  end)

  it("inside another one holds for its function only", function()
    db:with_tenant("outer", function(c)
      assert.equal("inner", db:with_tenant("inner", tenant_of))
      assert.equal("outer", tenant_of(c))
    end)
  end)

  it("reaches statements of the database itself", function()
    db:with_tenant("a", function()
      assert.equal("a", tenant_of(db))
    end)
  end)

  it("is inherited by tasks spawned inside", function()
    local t
    db:with_tenant("a", function(c)
      t = lunate.spawn(function()
        lunate.sleep(0.01)
        return tenant_of(c)
      end)
    end)
    assert.equal("a", t:join())
    assert.is_nil(tenant_of(db))
  end)

  it("of a coroutine is not that of who resumes it", function()
    live.both(function()
      local function walk(name)
        return coroutine.wrap(function()
          return db:with_tenant(name, function(c)
            for _ = 1, 50 do
              coroutine.yield(name, tenant_of(c))
            end
          end)
        end)
      end
      local a, b = walk("a"), walk("b")
      for _ = 1, 50 do
        local want, seen = a()
        assert.equal(want, seen)
        assert.is_nil(tenant_of(db))
        db:with_tenant("c", function()
          want, seen = b()
          assert.equal(want, seen)
          assert.equal("c", tenant_of(db))
        end)
      end
      a()
      assert.is_nil(tenant_of(db))
    end)
  end)

  it("ends with a coroutine that fails, or is left", function()
    local co = coroutine.create(function()
      db:with_tenant("a", function() error("x") end)
    end)
    assert.is_false((coroutine.resume(co)))
    assert.is_nil(tenant_of(db))
    coroutine.wrap(function()
      db:with_tenant("a", coroutine.yield)
    end)()
    assert.is_nil(tenant_of(db))
  end)

  it("of who resumes a coroutine first is seen inside", function()
    local co = coroutine.wrap(function()
      coroutine.yield(tenant_of(db))
      return tenant_of(db)
    end)
    assert.equal("a", db:with_tenant("a", function() return co() end))
    assert.equal("b", db:with_tenant("b", function() return co() end))
  end)

  it("is seen in a transaction, and changes inside of it", function()
    db:with_tenant("a", function(c)
      assert(db:transaction(function(tx)
        assert.equal("a", tenant_of(tx))
        assert.equal("a", tenant_of(tx))
        return true
      end))
      assert.equal("a", tenant_of(c))
    end)
    assert(db:transaction(function(tx)
      assert.is_nil(tenant_of(tx))
      return true
    end))
  end)

  it("that changes inside a transaction is that of each statement", function()
    assert(db:transaction(function(tx)
      assert.is_nil(tenant_of(tx))
      db:with_tenant("a", function()
        assert.equal("a", tenant_of(tx))
        db:with_tenant("b", function() assert.equal("b", tenant_of(tx)) end)
        assert.equal("a", tenant_of(tx))
      end)
      assert.is_nil(tenant_of(tx))
      return true
    end))
  end)

  it("is set again after a savepoint was rolled back", function()
    db:with_tenant("a", function()
      assert(db:transaction(function(tx)
        assert.equal("a", tenant_of(tx))
        tx:transaction(function()
          db:with_tenant("b", function()
            assert.equal("b", tenant_of(tx))
            tx:query("select 1 / 0")
          end)
        end)
        assert.equal("a", tenant_of(tx))
        db:with_tenant("b", function()
          tx:transaction(function() error("x") end)
          assert.equal("b", tenant_of(tx))
        end)
        return true
      end))
    end)
  end)

  it("does not keep VACUUM and its like from running", function()
    assert(db:script("create table alone (a int); select 1"))
    db:with_tenant("a", function(c)
      assert(c:exec("vacuum alone"))
      assert(c:exec("create index concurrently on alone (a)"))
      assert.equal(2, assert(db:script("vacuum alone; select 1")))
      assert.equal("a", tenant_of(c))
    end)
  end)

  it("is carried by a COPY of its own session", function()
    assert(db:script([[
      create table copied (a int, ctx text
        default current_setting('lunate.ctx', true));
    ]]))
    db:with_tenant("a", function()
      assert.equal(2, assert(db:copy_in("copy copied (a) from stdin",
        "1\n2\n")))
    end)
    local rows = assert(db:query("select ctx from copied"))
    assert.equal(2, rows.n)
    for _, row in ipairs(rows) do
      assert.equal("a", cjson.decode(row.ctx).tenant)
    end
  end)

  it("with_clinic is the same by another name", function()
    assert.equal("c1", db:with_clinic("c1", tenant_of))
  end)

  it("wants a tenant and a function", function()
    assert.error(function() db:with_tenant(nil, function() end) end)
    assert.error(function() db:with_tenant("a") end)
    assert.error(function() db:with_context("a", function() end) end)
  end)

  it("says once that nothing isolates yet", function()
    local r = live.luajit([[
      local db = require("lunate").open()
      for i = 1, 3 do db:with_clinic(i, function() end) end
    ]], { DATABASE_URL = pg.shared():url_of("context_spec") })
    assert.equal(0, r.code, r.err)
    local _, n = r.err:gsub("isolat", "")
    assert.is_true(n >= 1, r.err)
    local _, lines = r.err:gsub("nothing isolates", "")
    assert.equal(1, lines)
  end)
end)

describe("two tenants", function()
  it("whose tasks take turns see each their own", function()
    local one = live.open(pg.shared():url_of("context_spec"), { pool_max = 1 })
    local wrong = {}
    local function go(name)
      return lunate.spawn(function()
        return one:with_tenant(name, function(c)
          for _ = 1, 30 do
            local seen = tenant_of(c)
            if seen ~= name then wrong[#wrong + 1] = tostring(seen) end
            lunate.pause()
          end
          return true
        end)
      end)
    end
    local a, b = go("a"), go("b")
    for _ = 1, 30 do
      local seen = tenant_of(one)
      if seen then wrong[#wrong + 1] = seen end
    end
    assert.is_true(a:join())
    assert.is_true(b:join())
    assert.same({}, wrong)
  end)

  it("leave nothing to the next statement of a shared connection", function()
    local one = live.open(pg.shared():url_of("context_spec"), { pool_max = 1 })
    for i = 1, 10 do
      assert.equal("t" .. i, one:with_tenant("t" .. i, tenant_of))
      assert.is_nil(tenant_of(one))
    end
    one:with_tenant("tx", function()
      one:transaction(function(tx) return tenant_of(tx) end)
      one:transaction(function() error("x") end)
    end)
    assert.is_nil(tenant_of(one))
  end)

  it("leave nothing behind when a statement of theirs fails", function()
    local one = live.open(pg.shared():url_of("context_spec"), { pool_max = 1 })
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = lunate.spawn(function()
        local name = i % 4 ~= 0 and "t" .. i or nil
        local function go(c)
          if i % 3 == 0 then return c:query("select 1 / 0") end
          return tenant_of(c)
        end
        if name then return one:with_tenant(name, go) end
        return go(one)
      end)
    end
    for i = 1, 20 do
      local seen, err = tasks[i]:join()
      if i % 3 == 0 then
        live.refused("value", seen, err)
      else
        assert.equal(i % 4 ~= 0 and "t" .. i or nil, seen)
      end
    end
  end)
end)

describe("many tasks of many tenants", function()
  it("see each their own, whatever they do", function()
    local seed = live.seed()
    math.randomseed(seed)
    local few = live.open(pg.shared():url_of("context_spec"), { pool_max = 3 })
    assert(few:exec("create table if not exists w (tenant text, ctx text)"))
    local wrong, tasks = {}, {}
    local function see(client, name, how)
      local seen = tenant_of(client)
      if seen ~= name then
        wrong[#wrong + 1] = ("%s: %s instead of %s"):format(how, tostring(seen),
          tostring(name))
      end
    end
    local kinds = {
      function(name) see(few, name, "read") end,
      function(name)
        few:transaction(function(tx) see(tx, name, "tx") return true end)
      end,
      function(name)
        few:exec("insert into w values ($1, "
          .. "current_setting('lunate.ctx', true)::json->>'tenant')", name)
      end,
      function() few:query("select 1 / 0") end,
      function() few:query({ timeout = 0.001 }, "select pg_sleep(0.01)") end,
    }
    for i = 1, 60 do
      local name = "tenant " .. i % 7
      local plan = {}
      for k = 1, live.prove and 400 or 12 do plan[k] = math.random(#kinds) end
      tasks[i] = lunate.spawn(function()
        for _, k in ipairs(plan) do
          if i % 5 == 0 then
            if k ~= 3 then kinds[k](nil) end
          else
            few:with_tenant(name, function() kinds[k](name) end)
          end
        end
        return true
      end)
    end
    for i = 1, 60 do
      local ok, err = tasks[i]:join()
      assert.is_true(ok, tostring(err))
    end
    assert.same({}, wrong, "LUNATE_SEED=" .. seed)
    assert.equal(0, few:one("select count(*) as n from w "
      .. "where tenant is distinct from ctx").n, "LUNATE_SEED=" .. seed)
    assert.is_true(few:one("select count(*) as n from w").n > 0)
  end)
end)
