-- db:batch: many operations, a window of them at once, failures apart.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"

local db

setup(function()
  db = live.open(pg.database("batch_spec"))
  assert(db:exec("create table t (id int primary key)"))
end)
teardown(live.close)
before_each(function() assert(db:exec("delete from t")) end)

local function insert(id)
  return { operation = function(c)
    return c:exec("insert into t values ($1)", id)
  end }
end

describe("a batch", function()
  it("runs every operation and counts", function()
    live.both(function()
      assert(db:exec("delete from t"))
      local ops = {}
      for i = 1, 120 do ops[i] = insert(i) end
      local r = assert(db:batch(ops))
      assert.is_true(r.success)
      assert.equal(120, r.total_count)
      assert.equal(120, r.success_count)
      assert.equal(0, r.failure_count)
      assert.equal(0, #r.failed)
      assert.equal(120, #r.successful)
      assert.is_true(r.total_execution_time >= 0)
      assert.is_true(r.average_execution_time >= 0)
      assert.equal(120, db:one("select count(*) as n from t").n)
    end)
  end)

  it("gives the results of the operations", function()
    local r = assert(db:batch({
      { operation = function(c) return c:one("select 1 as a").a end },
      { operation = function(c) return c:one("select 2 as a").a end },
      { operation = function() return "no statement" end },
    }))
    table.sort(r.successful, function(a, b)
      return tostring(a) < tostring(b)
    end)
    assert.same({ 1, 2, "no statement" }, r.successful)
  end)

  it("goes on after failures and tells which", function()
    local ops = {}
    for i = 1, 30 do ops[i] = insert(i) end
    ops[7] = { operation = function() error("seven") end }
    ops[13] = insert(1)
    ops[21] = { operation = function(c)
      return c:query("select * from nowhere")
    end }
    local r = assert(db:batch(ops))
    assert.is_false(r.success)
    assert.equal(27, r.success_count)
    assert.equal(3, r.failure_count)
    assert.equal(30, r.total_count)
    local by_index = {}
    for _, f in ipairs(r.failed) do by_index[f.index] = f.error end
    live.says(by_index[7], "seven")
    -- 1 and 13 insert the same: which of them is the second is open
    assert.equal("23505", (by_index[13] or by_index[1]).sqlstate)
    assert.equal("42P01", by_index[21].sqlstate)
    assert.equal(27, db:one("select count(*) as n from t").n)
  end)

  it("tells its success rate", function()
    local r = assert(db:batch({ insert(1), insert(1), insert(2), insert(3) },
      { retries = 0 }))
    assert.equal(3, r.success_count)
    assert.truthy(r.success_rate == 0.75 or r.success_rate == 75,
      tostring(r.success_rate))
  end)

  it("of nothing is a success", function()
    local r = assert(db:batch({}))
    assert.is_true(r.success)
    assert.equal(0, r.total_count)
  end)

  it("runs no more at once than its concurrency, and that many", function()
    for _, limit in ipairs { 1, 3, 50 } do
      local now, most = 0, 0
      local ops = {}
      for i = 1, 60 do
        ops[i] = { operation = function()
          now = now + 1
          most = math.max(most, now)
          lunate.sleep(0.002)
          now = now - 1
          return true
        end }
      end
      assert(db:batch(ops, { concurrency = limit }))
      assert.equal(limit, most)
    end
  end)

  it("without a concurrency runs 50 at once", function()
    local now, most = 0, 0
    local ops = {}
    for i = 1, 80 do
      ops[i] = { operation = function()
        now = now + 1
        most = math.max(most, now)
        lunate.sleep(0.005)
        now = now - 1
        return true
      end }
    end
    assert(db:batch(ops))
    assert.equal(50, most)
  end)

  it("begins with what is more urgent", function()
    local order = {}
    local ops = {}
    for i, p in ipairs { "low", "normal", "critical", "high", "normal" } do
      ops[i] = { priority = p, operation = function()
        order[#order + 1] = p
        return true
      end }
    end
    assert(db:batch(ops, { concurrency = 1 }))
    assert.same({ "critical", "high", "normal", "normal", "low" }, order)
  end)

  it("tries again what may succeed, and nothing else", function()
    local tries, hopeless = 0, 0
    local r = assert(db:batch({
      { operation = function(c)
        tries = tries + 1
        if tries < 3 then
          return c:query("do $$ begin raise exception 'x' using errcode = "
            .. "'40001'; end $$")
        end
        return "at last"
      end },
      { operation = function(c)
        hopeless = hopeless + 1
        return c:query("select * from nowhere")
      end },
    }, { retries = 3 }))
    assert.equal(1, r.success_count)
    assert.equal(3, tries)
    assert.equal(1, hopeless)
  end)

  it("gives up after its retries", function()
    local tries = 0
    local r = assert(db:batch({ { operation = function(c)
      tries = tries + 1
      return c:query("do $$ begin raise exception 'x' using errcode = "
        .. "'40001'; end $$")
    end } }, { retries = 2 }))
    assert.equal(1, r.failure_count)
    assert.equal(3, tries)
    assert.equal("40001", r.failed[1].error.sqlstate)
  end)

  it("may hold transactions", function()
    local ops = {}
    for i = 1, 20 do
      ops[i] = { operation = function()
        return db:transaction(function(tx)
          local _, err = tx:exec("insert into t values ($1)", i)
          if err then return nil, err end
          if i % 2 == 0 then error("even") end
          return i
        end)
      end }
    end
    local r = assert(db:batch(ops))
    assert.equal(10, r.success_count)
    assert.equal(10, db:one("select count(*) as n from t").n)
  end)

  it("cancelled ends what it runs", function()
    local ended = 0
    local t = lunate.spawn(function()
      local ops = {}
      for i = 1, 5 do
        ops[i] = { operation = function()
          lunate.finally(function() ended = ended + 1 end)
          return lunate.sleep(60)
        end }
      end
      return db:batch(ops)
    end)
    lunate.sleep(0.02)
    t:cancel()
    t:join()
    assert.equal(5, ended)
  end)

  it("does not run an operation again that has written before it failed",
    function()
      local runs = 0
      local r = assert(db:batch({ { operation = function(c)
        runs = runs + 1
        assert(c:exec("insert into t values ($1)", runs))
        return c:query(
          "do $$ begin raise sqlstate '40001'; end $$")
      end } }))
      assert.equal(1, runs)
      assert.equal("conflict", r.failed[1].error.code)
      assert.equal(1, db:one("select count(*) as n from t").n)
    end)

  it("wants a window of at least one, and no fewer retries than none",
    function()
      for _, options in ipairs { { concurrency = 0 }, { concurrency = "x" },
        { retries = -1 } } do
        assert.error(function() db:batch({ insert(1) }, options) end)
      end
    end)

  it("wants a list of operations", function()
    assert.error(function() db:batch() end)
    assert.error(function() db:batch({ 1 }) end)
    assert.error(function() db:batch({ { operation = "x" } }) end)
    assert.error(function()
      db:batch({ { operation = print, priority = "soon" } })
    end)
  end)
end)
