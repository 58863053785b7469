-- db:rows: streams of any size, their failures and their ends.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local proxy = require "support.proxy"

local db

setup(function() db = live.open(pg.database("rows_spec")) end)
teardown(live.close)

describe("a stream", function()
  it("gives every row in order, with parameters", function()
    live.both(function()
      local n = 0
      for row in db:rows("select i, 'v' || i as v "
        .. "from generate_series($1::int, $2::int) i", 1, 5000) do
        n = n + 1
        assert.equal(n, row.i)
        assert.equal("v" .. n, row.v)
      end
      assert.equal(5000, n)
    end)
  end)

  it("of no rows ends at once", function()
    for _ in db:rows("select 1 where false") do error("a row") end
  end)

  it("takes options before the text", function()
    for row in db:rows({ nulls = true, int8 = "string" },
      "select null as a, 9007199254740993::int8 as b") do
      assert.equal(lunate.null, row.a)
      assert.equal("9007199254740993", row.b)
    end
  end)

  it("lets other statements run inside of its loop", function()
    local one = live.open(pg.shared():url_of("rows_spec"), { pool_max = 2 })
    local n = 0
    for row in one:rows("select i from generate_series(1, 300) i") do
      n = n + one:one("select $1::int as a", row.i).a
    end
    assert.equal(300 * 301 / 2, n)
  end)

  it("may be left at any row, and its connection is used again", function()
    local one = live.open(pg.shared():url_of("rows_spec"), { pool_max = 1 })
    local function leave_at(stop)
      local n = 0
      for _ in one:rows("select i from generate_series(1, 100000) i") do
        n = n + 1
        if n == stop then break end
      end
      assert.equal(stop, n)
    end
    for stop = 1, 10 do
      leave_at(stop)
      -- In the main program the collector is who finds out.
      collectgarbage()
      collectgarbage()
    end
    assert.equal(1, one:one({ timeout = 30 }, "select 1 as a").a)
  end)

  it("left by a task is over when the task is", function()
    local one = live.open(pg.shared():url_of("rows_spec"), { pool_max = 1 })
    assert.equal("first", live.in_task(function()
      for row in one:rows("select i from generate_series(1, 1000000) i") do
        if row.i == 1 then return "first" end
      end
    end))
    assert.equal(1, one:one({ timeout = 30 }, "select 1 as a").a)
  end)

  it("left by an error gives its connection back", function()
    local one = live.open(pg.shared():url_of("rows_spec"), { pool_max = 1 })
    live.refused("script", live.in_task(function()
      for _ in one:rows("select i from generate_series(1, 1000000) i") do
        error("enough")
      end
    end))
    assert.equal(1, one:one({ timeout = 30 }, "select 1 as a").a)
  end)

  it("that fails at its start raises the error", function()
    for sql, code in pairs { ["select * from nowhere"] = "undefined",
      ["select"  .. " * form x"] = "syntax", ["begin"] = "unsupported" } do
      local ok, err = pcall(function()
        for _ in db:rows(sql) do error("a row") end
      end)
      assert.is_false(ok)
      assert.equal(code, err.code, tostring(err))
    end
  end)

  it("that fails in the middle raises the error there", function()
    live.both(function()
      local n = 0
      local ok, err = pcall(function()
        for _ in db:rows("select 1 / (20000 - i) as a "
          .. "from generate_series(1, 30000) i") do n = n + 1 end
      end)
      assert.is_false(ok)
      assert.equal("22012", err.sqlstate)
      assert.is_true(n < 20000)
    end)
    assert.equal(1, db:one("select 1 as a").a)
  end)

  it("whose connection is cut raises, and gives no row twice", function()
    local p = proxy.start { to = pg.shared(), database = "rows_spec" }
    local one = live.open(p.url, { pool_max = 1 })
    assert(one:query("select 1"))
    p:cut_after(200000, "s2c")
    local n = 0
    local ok, err = pcall(function()
      for row in one:rows("select i, repeat('x', 100) as x "
        .. "from generate_series(1, 100000) i") do
        n = n + 1
        assert.equal(n, row.i)
      end
    end)
    assert.is_false(ok)
    assert.is_true(lunate.is_error(err), tostring(err))
    assert.is_true(n < 100000)
    assert.equal(1, one:one("select 1 as a").a)
    one:close()
    p:free()
  end)

  it("ends with its task's cancel and deadline", function()
    local err = live.refused("deadline", lunate.deadline(0.05, function()
      local ok, why = pcall(function()
        for _ in db:rows("select pg_sleep(0.01) "
          .. "from generate_series(1, 10000)") do lunate.pause() end
      end)
      return ok or nil, why
    end))
    assert.is_true(#err.message > 0)
    local t = lunate.spawn(function()
      local ok, why = pcall(function()
        for _ in db:rows("select i from generate_series(1, 100000000) i") do
          lunate.pause()
        end
      end)
      return ok or nil, why
    end)
    lunate.sleep(0.03)
    t:cancel()
    live.refused("cancelled", t:join())
    assert.equal(1, db:one("select 1 as a").a)
  end)

  it("inside a transaction sees what it has done", function()
    assert(db:transaction(function(tx)
      assert(tx:exec("create table s (i int)"))
      assert(tx:exec("insert into s select generate_series(1, 1000)"))
      local n = 0
      for row in tx:rows("select i from s order by i") do
        n = n + 1
        assert.equal(n, row.i)
        if n % 100 == 0 then
          assert.equal(1, tx:exec("update s set i = i where i = $1", n))
        end
      end
      assert.equal(1000, n)
      return true
    end))
  end)

  it("works from several tasks at once", function()
    local results = live.tasks(8, function(k)
      local sum = 0
      for row in db:rows("select i from generate_series(1, 2000) i") do
        sum = sum + row.i * k
      end
      return sum
    end)
    for k = 1, 8 do assert.equal(2000 * 2001 / 2 * k, results[k][1]) end
  end)

  it("larger than memory is bounded in it", function()
    local rows = live.prove and 1000000 or 150000
    local r = live.luajit(([[
      local lunate = require "lunate"
      local db = assert(lunate.open())
      local n = 0
      for row in db:rows("select i, repeat('x', 100) as x "
        .. "from generate_series(1, %d) i") do
        n = n + 1
        if n %% 1000 == 0 then lunate.sleep(0) end
      end
      print(n)
      for line in io.lines "/proc/self/status" do
        local kb = line:match("^VmHWM:%%s*(%%d+)")
        if kb then print(kb) end
      end
    ]]):format(rows), { DATABASE_URL = pg.shared():url_of("rows_spec") })
    local n, kb = r.out:match("^(%d+)\n(%d+)\n$")
    assert.equal(rows, tonumber(n), r.err)
    if live.prove then
      print(("%d rows streamed with %.0f MB at most"):format(rows, kb / 1024))
    end
    -- A sanitizer's own memory is not ours.
    if not os.getenv("LD_PRELOAD") then
      assert.is_true(kb / 1024 < 64, kb .. " kB")
    end
  end)

  it("whose reader is slow holds the server back", function()
    local one = live.open(pg.shared():url_of("rows_spec"), { pool_max = 2 })
    local n, before = 0, collectgarbage("count")
    for _ in one:rows("select repeat('x', 10000) as x "
      .. "from generate_series(1, 20000) i /* slow reader */") do
      n = n + 1
      if n == 5 then
        lunate.sleep(0.2)
        collectgarbage()
        assert.is_true(collectgarbage("count") - before < 60000)
        local waits = one:one([[select count(*) as n from pg_stat_activity
          where query like '%slow reader%' and wait_event = 'ClientWrite'
          and pid <> pg_backend_pid()]]).n
        assert.equal(1, waits)
        break
      end
    end
  end)
end)
