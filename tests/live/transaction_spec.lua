-- Transactions: what commits, what rolls back, and who may use the handle.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local wait = require "support.wait"

local db

setup(function() db = live.open(pg.database("tx_spec")) end)
teardown(live.close)
before_each(function()
  assert(db:exec("drop table if exists t"))
  assert(db:exec("create table t (id int primary key, v int default 0)"))
end)

local function ids()
  local list = {}
  for i, row in ipairs(assert(db:query("select id from t order by id"))) do
    list[i] = row.id
  end
  return list
end

local function must(value, err)
  if value == nil then error(err, 0) end
  return value
end

describe("a transaction", function()
  it("commits and gives what its function returned", function()
    live.both(function()
      assert(db:exec("delete from t"))
      local a, b, c = db:transaction(function(tx)
        must(tx:exec("insert into t values (1)"))
        must(tx:exec("insert into t values ($1)", 2))
        return tx:one("select count(*) as n from t").n, nil, "third"
      end)
      assert.same({ 2, nil, "third" }, { a, b, c })
      assert.same({ 1, 2 }, ids())
    end)
  end)

  it("is seen by others only after its end", function()
    assert(db:transaction(function(tx)
      must(tx:exec("insert into t values (1)"))
      assert.same({}, ids())
      return true
    end))
    assert.same({ 1 }, ids())
  end)

  it("rolls back when an error is raised, and gives it", function()
    live.both(function()
      local err = live.refused("script", db:transaction(function(tx)
        must(tx:exec("insert into t values (1)"))
        error("changed my mind")
      end))
      live.says(err, "changed my mind")
      assert.same({}, ids())
    end)
  end)

  it("rolls back when its error is raised, and gives that one", function()
    local err = live.refused("constraint", db:transaction(function(tx)
      must(tx:exec("insert into t values (1)"))
      must(tx:exec("insert into t values (1)"))
    end))
    assert.equal("23505", err.sqlstate)
    assert.same({}, ids())
  end)

  it("with a failed statement that nobody handled is that error", function()
    live.both(function()
      local err = live.refused("constraint", db:transaction(function(tx)
        tx:exec("insert into t values (1)")
        tx:exec("insert into t values (1)")
        return "all is well"
      end))
      assert.equal("23505", err.sqlstate)
      assert.same({}, ids())
    end)
  end)

  it("with a statement whose parameter did not fit is that error", function()
    live.refused("parameters", db:transaction(function(tx)
      tx:exec("select $1::int", {})
      return true
    end))
  end)

  it("after a failed statement refuses the next with the reason", function()
    local later
    db:transaction(function(tx)
      tx:exec("insert into nowhere values (1)")
      later = select(2, tx:query("select 1"))
    end)
    assert.equal("transaction", later.code)
    live.says(later, "savepoint")
  end)

  it("that gives nil, err on purpose rolls back", function()
    local err = lunate.open { nonsense = 1 } or select(2,
      lunate.open { nonsense = 1 })
    local value, got = db:transaction(function(tx)
      must(tx:exec("insert into t values (1)"))
      return nil, err
    end)
    assert.is_nil(value)
    assert.equal(err, got)
    assert.same({}, ids())
  end)

  it("that returns nothing commits", function()
    local value, err = db:transaction(function(tx)
      must(tx:exec("insert into t values (1)"))
    end)
    assert.is_nil(err)
    assert.is_nil(value)
    assert.same({ 1 }, ids())
  end)

  it("fails at its end when a deferred constraint does", function()
    assert(db:exec("drop table if exists d"))
    assert(db:exec("create table d (a int unique deferrable "
      .. "initially deferred)"))
    local err = live.refused("constraint", db:transaction(function(tx)
      must(tx:exec("insert into d values (1), (1)"))
      return "done"
    end))
    assert.equal("23505", err.sqlstate)
    assert.equal(0, db:one("select count(*) as n from d").n)
  end)

  it("keeps one connection for all its statements", function()
    assert(db:transaction(function(tx)
      local pid = tx:one("select pg_backend_pid() as p").p
      for _ = 1, 5 do
        lunate.pause()
        assert.equal(pid, tx:one("select pg_backend_pid() as p").p)
      end
      return true
    end))
  end)

  it("sets nothing that outlives it", function()
    local one = live.open(pg.shared():url_of("tx_spec"), { pool_max = 1 })
    one:transaction(function(tx)
      must(tx:exec("set local statement_timeout = '7s'"))
      must(tx:exec("set work_mem = '5MB'"))
      must(tx:exec("create temporary table left_here (a int)"))
      return true
    end)
    assert.not_equal("5MB", one:one("show work_mem").work_mem)
    assert.is_nil(one:one("select to_regclass('left_here') as a").a)
    assert.not_equal("7s", one:one("show statement_timeout").statement_timeout)
  end)

  it("wants a function", function()
    assert.error(function() db:transaction() end)
    assert.error(function() db:transaction("select 1") end)
  end)

  it("refuses unknown options by name", function()
    local ok, message, err = pcall(db.transaction, db, function() end,
      { isolatoin = "serializable" })
    live.says(ok and err or message, "isolatoin")
    ok, message, err = pcall(db.transaction, db, function() end,
      { isolation = "chaos" })
    live.says(ok and err or message, "isolation")
  end)
end)

describe("a transaction's options", function()
  local function level(opts)
    return db:transaction(function(tx)
      return tx:one("select current_setting('transaction_isolation') as i, "
        .. "current_setting('transaction_read_only') as r, "
        .. "current_setting('transaction_deferrable') as d")
    end, opts)
  end

  it("isolation is what the server sees", function()
    for _, i in ipairs { "read committed", "repeatable read",
      "serializable" } do
      assert.equal(i, level({ isolation = i }).i)
    end
    assert.equal("read committed", level().i)
  end)

  it("read_only refuses a write", function()
    assert.equal("on", level({ read_only = true }).r)
    assert.equal("off", level().r)
    local err = live.refused("read_only", db:transaction(function(tx)
      return tx:exec("insert into t values (1)")
    end, { read_only = true }))
    assert.equal("25006", err.sqlstate)
  end)

  it("deferrable is what the server sees", function()
    assert.equal("on", level({ isolation = "serializable", read_only = true,
      deferrable = true }).d)
  end)

  it("timeout ends it and rolls back", function()
    live.both(function()
      local err = live.refused("deadline", db:transaction(function(tx)
        must(tx:exec("insert into t values (1)"))
        return tx:query("select pg_sleep(60)")
      end, { timeout = 0.1 }))
      assert.is_true(#err.message > 0)
      assert.same({}, ids())
    end)
  end)

  it("timeout counts time that no statement ran", function()
    live.refused("deadline", db:transaction(function(tx)
      must(tx:exec("insert into t values (1)"))
      lunate.sleep(0.15)
      return must(tx:query("select 1"))
    end, { timeout = 0.05 }))
    assert.same({}, ids())
  end)
end)

describe("a savepoint", function()
  it("that fails undoes only itself", function()
    live.both(function()
      assert(db:exec("delete from t"))
      assert(db:transaction(function(tx)
        must(tx:exec("insert into t values (1)"))
        local err = live.refused("constraint", tx:transaction(function(sp)
          must(sp:exec("insert into t values (2)"))
          return sp:exec("insert into t values (1)")
        end))
        assert.equal("23505", err.sqlstate)
        must(tx:exec("insert into t values (3)"))
        return true
      end))
      assert.same({ 1, 3 }, ids())
    end)
  end)

  it("nests, and gives what its function returned", function()
    local v = db:transaction(function(a)
      must(a:exec("insert into t values (1)"))
      return a:transaction(function(b)
        must(b:exec("insert into t values (2)"))
        b:transaction(function(c)
          must(c:exec("insert into t values (3)"))
          error("no")
        end)
        return b:transaction(function(d)
          must(d:exec("insert into t values (4)"))
          return "deep"
        end)
      end)
    end)
    assert.equal("deep", v)
    assert.same({ 1, 2, 4 }, ids())
  end)

  it("that raised rolls back and is nil, err", function()
    assert(db:transaction(function(tx)
      local err = live.refused("script", tx:transaction(function(sp)
        must(sp:exec("insert into t values (1)"))
        error("inner")
      end))
      live.says(err, "inner")
      return true
    end))
    assert.same({}, ids())
  end)

  it("goes with the transaction around it", function()
    db:transaction(function(tx)
      assert(tx:transaction(function(sp)
        must(sp:exec("insert into t values (1)"))
        return true
      end))
      error("outer")
    end)
    assert.same({}, ids())
  end)

  it("in a loop of failures leaves the transaction good", function()
    assert(db:transaction(function(tx)
      for i = 1, 50 do
        tx:transaction(function(sp)
          must(sp:exec("insert into t values ($1)", i))
          if i % 2 == 0 then error("even") end
        end)
      end
      return true
    end))
    assert.equal(25, #ids())
  end)
end)

describe("a conflict", function()
  -- Two tasks add 1 to the same row after both have read it.
  local function race(opts)
    assert(db:exec("insert into t values (1, 0)"))
    local read = 0
    local runs = 0
    local function add()
      return db:transaction(function(tx)
        runs = runs + 1
        local v = must(tx:one("select v from t where id = 1")).v
        read = read + 1
        local limit = lunate.now() + 5
        while read < 2 and lunate.now() < limit do lunate.sleep(0.002) end
        must(tx:exec("update t set v = $1 where id = 1", v + 1))
        return "added"
      end, opts)
    end
    local a, b = lunate.spawn(add), lunate.spawn(add)
    return runs, { a:join() }, { b:join() }, function() return runs end
  end

  it("is run again until both have succeeded", function()
    for _, i in ipairs { "repeatable read", "serializable" } do
      local _, a, b, runs = race { isolation = i }
      assert.same({ "added" }, a)
      assert.same({ "added" }, b)
      assert.is_true(runs() >= 3)
      assert.equal(2, db:one("select v from t").v)
      assert(db:exec("delete from t"))
    end
  end)

  it("without retries is the error conflict", function()
    local _, a, b, runs = race { isolation = "repeatable read", retries = 0 }
    local lost = a[1] == nil and a or b
    local won = a[1] == nil and b or a
    assert.equal("added", won[1])
    assert.equal("40001", live.refused("conflict", lost[1], lost[2]).sqlstate)
    assert.is_true(lost[2].retryable)
    assert.equal(2, runs())
    assert.equal(1, db:one("select v from t").v)
  end)

  it("by deadlock is run again as well", function()
    assert(db:exec("insert into t values (1), (2)"))
    pg.shared():psql("alter database tx_spec set deadlock_timeout = '20ms'")
    local quick = live.open(pg.shared():url_of("tx_spec"))
    local ready = 0
    local function change(first, second)
      return quick:transaction(function(tx)
        must(tx:exec("update t set v = v + 1 where id = $1", first))
        ready = ready + 1
        local limit = lunate.now() + 5
        while ready < 2 and lunate.now() < limit do lunate.sleep(0.002) end
        must(tx:exec("update t set v = v + 1 where id = $1", second))
        return true
      end)
    end
    local a = lunate.spawn(change, 1, 2)
    local b = lunate.spawn(change, 2, 1)
    assert.is_true(a:join())
    assert.is_true(b:join())
    assert.same({ { v = 2 }, { v = 2 }, n = 2 }, quick:query("select v from t"))
  end)

  it("is not tried again for other errors", function()
    local runs = 0
    db:transaction(function(tx)
      runs = runs + 1
      must(tx:exec("insert into t values (1), (1)"))
    end)
    assert.equal(1, runs)
  end)
end)

describe("a transaction's handle", function()
  it("after its end raises", function()
    local kept
    assert(db:transaction(function(tx) kept = tx return true end))
    for _, name in ipairs { "query", "exec", "one" } do
      assert.error(function() kept[name](kept, "select 1") end)
    end
    assert.error(function() kept:transaction(function() end) end)
    db:transaction(function(tx) kept = tx error("x") end)
    assert.error(function() kept:query("select 1") end)
  end)

  it("in another task raises and says whose it is", function()
    local ok, message
    assert(db:transaction(function(tx)
      local t = lunate.spawn(function()
        return pcall(tx.query, tx, "select 1")
      end)
      ok, message = t:join()
      return true
    end))
    assert.is_false(ok)
    live.says(message, "task")
  end)

  it("of the outer one is refused while a savepoint runs", function()
    local ok, message, err
    db:transaction(function(tx)
      return tx:transaction(function()
        ok, message, err = pcall(tx.exec, tx, "insert into t values (1)")
        return true
      end)
    end)
    if ok then
      -- In the same session it is simply part of the savepoint.
      assert.is_true(message == 1 or lunate.is_error(err))
    end
    assert.equal(1, db:one("select 1 as a").a)
  end)

  it("cannot be used by a program that kept it in a coroutine", function()
    local kept
    db:transaction(function(tx) kept = tx return true end)
    local co = coroutine.wrap(function()
      return pcall(kept.query, kept, "x")
    end)
    assert.is_false((co()))
  end)
end)

describe("transaction control by hand", function()
  it("is refused and names db:transaction", function()
    for _, sql in ipairs { "begin", "BEGIN", "start transaction", "commit",
      "rollback", "end", "abort", "savepoint a", "release a",
      "rollback to savepoint a", "prepare transaction 'x'",
      "commit prepared 'x'", "/* x */ begin" } do
      for _, name in ipairs { "query", "exec" } do
        local err = live.refused("unsupported", db[name](db, sql))
        live.says(err, "db:transaction")
      end
    end
  end)

  it("is refused inside a transaction too", function()
    local err
    db:transaction(function(tx)
      err = select(2, tx:exec("commit"))
      return true
    end)
    assert.equal("unsupported", err.code)
  end)
end)

describe("a cancelled transaction", function()
  it("rolls back and frees its connection", function()
    local one = live.open(pg.shared():url_of("tx_spec"), { pool_max = 1 })
    local t = lunate.spawn(function()
      return one:transaction(function(tx)
        must(tx:exec("insert into t values (1)"))
        return tx:query("select pg_sleep(60) as to_be_cancelled")
      end)
    end)
    wait.until_(function()
      lunate.sleep(0.01)
      return db:one([[select count(*) as n from pg_stat_activity
        where state = 'active' and query like '%to_be_cancelled%'
        and pid <> pg_backend_pid()]]).n == 1
    end)
    t:cancel()
    live.refused("cancelled", t:join())
    assert.same({}, ids())
    assert.equal(1, one:one("select 1 as a").a)
  end)

  it("between two statements rolls back", function()
    local t = lunate.spawn(function()
      return db:transaction(function(tx)
        must(tx:exec("insert into t values (1)"))
        must(lunate.sleep(60))
        return true
      end)
    end)
    lunate.sleep(0.05)
    t:cancel()
    live.refused("cancelled", t:join())
    assert.same({}, ids())
  end)

  it("that ignores it cannot commit", function()
    local t = lunate.spawn(function()
      return db:transaction(function(tx)
        must(tx:exec("insert into t values (1)"))
        lunate.sleep(60)
        return "as if nothing had been"
      end)
    end)
    lunate.sleep(0.05)
    t:cancel()
    live.refused("cancelled", t:join())
    assert.same({}, ids())
  end)
end)

describe("a connection that is borrowed too long", function()
  it("is told with the borrower's file and line", function()
    local r = live.luajit([[
      local lunate = require "lunate"
      local db = assert(lunate.open { leak_threshold = 50 })
      db:transaction(function(tx)
        assert(tx:query("select 1"))
        lunate.sleep(1.5)
        return true
      end)
      db:close()
    ]], { DATABASE_URL = pg.shared():url_of("tx_spec") })
    assert.equal(0, r.code, r.err)
    live.says(r.err, "leak", ".lua:3")
  end)
end)

describe("close inside a transaction", function()
  it("is a mistake that is told, and undoes it", function()
    local one = live.open(pg.shared():url_of("tx_spec"))
    local err = live.refused("script", one:transaction(function(tx)
      must(tx:exec("insert into t values (1)"))
      one:close()
    end))
    live.says(err, "close after it")
    assert.same({}, ids())
    assert.equal(1, one:one("select 1 as a").a)
  end)
end)

describe("read and write", function()
  it("read gives a client that only reads", function()
    live.both(function()
      assert.equal(1, db:read(function(c) return c:one("select 1 as a").a end))
      live.refused("read_only", db:read(function(c)
        return c:exec("insert into t values (1)")
      end))
      assert.same({}, ids())
    end)
  end)

  it("write is a transaction", function()
    local audit = { user_id = "u", action = "create", resource_type = "t" }
    assert.equal(1, db:write(function(c)
      return c:exec("insert into t values (1)")
    end, audit))
    live.refused("constraint", db:write(function(c)
      must(c:exec("insert into t values (2)"))
      return c:exec("insert into t values (1)")
    end, audit))
    assert.same({ 1 }, ids())
  end)
end)
