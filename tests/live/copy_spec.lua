-- db:copy_in and db:copy_out.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local proxy = require "support.proxy"

local IN = "copy t from stdin (format csv)"
local OUT = "copy (select * from t order by id) to stdout (format csv)"
local db

setup(function() db = live.open(pg.database("copy_spec")) end)
teardown(live.close)
before_each(function()
  assert(db:exec("drop table if exists t"))
  assert(db:exec("create table t (id int primary key, v text)"))
end)

local function count()
  return db:one("select count(*) as n from t").n
end

describe("copy_in", function()
  it("takes a string", function()
    live.both(function()
      assert(db:exec("delete from t"))
      assert.equal(3, db:copy_in(IN, "1,a\n2,b\n3,\"c,d\"\n"))
      assert.equal("c,d", db:one("select v from t where id = 3").v)
    end)
  end)

  it("takes an array of strings, cut anywhere", function()
    assert.equal(2, db:copy_in(IN, { "1,a", "b\n", "", "2", ",x\n" }))
    assert.equal("ab", db:one("select v from t where id = 1").v)
  end)

  it("takes a function until it gives nil", function()
    live.both(function()
      assert(db:exec("delete from t"))
      local i = 0
      assert.equal(20000, db:copy_in(IN, function()
        i = i + 1
        if i <= 20000 then return i .. ",value " .. i .. "\n" end
      end))
      assert.equal(20000, count())
    end)
  end)

  it("takes a function that waits", function()
    live.both(function()
      assert(db:exec("delete from t"))
      local i = 0
      assert.equal(5, db:copy_in(IN, function()
        i = i + 1
        lunate.sleep(0.002)
        if i <= 5 then
          return db:one("select $1::int || ',x' as line", i).line .. "\n"
        end
      end))
    end)
  end)

  it("of nothing is 0 rows", function()
    assert.equal(0, db:copy_in(IN, ""))
    assert.equal(0, db:copy_in(IN, {}))
    assert.equal(0, db:copy_in(IN, function() end))
  end)

  it("takes bytes of any kind in one piece of many megabytes", function()
    local line = ("x"):rep(1048576)
    assert.equal(3, db:copy_in(IN, ("1,%s\n2,%s\n3,%s\n"):format(line, line,
      line)))
    assert.equal(3 * 1048576,
      db:one("select sum(length(v))::int8 as n from t").n)
  end)

  it("that the server refuses leaves nothing, and says where", function()
    local err = live.refused("value", db:copy_in(IN, "1,a\ns3cretMARK,b\n"))
    assert.equal("22P02", err.sqlstate)
    live.hides(err, "s3cretMARK")
    assert.equal(0, count())
    err = live.refused("constraint", db:copy_in(IN, "1,a\n1,b\n"))
    assert.equal("t_pkey", err.constraint)
    assert.equal(0, count())
  end)

  it("whose source raises leaves nothing, and gives its error", function()
    local function bad()
      local i = 0
      return function()
        i = i + 1
        if i == 3 then error("source is broken") end
        return i .. ",x\n"
      end
    end
    live.both(function()
      local ok, a, b = pcall(db.copy_in, db, IN, bad())
      live.says(ok and b or a, "source is broken")
      assert.equal(0, count())
      assert.equal(1, db:one("select 1 as a").a)
    end)
  end)

  it("whose source gives no string is refused", function()
    local ok, a, b = pcall(db.copy_in, db, IN, function() return 12 end)
    live.says(ok and b or a, "string")
    assert.error(function() db:copy_in(IN) end)
    assert.error(function() db:copy_in(IN, 12) end)
    assert.equal(0, count())
  end)

  it("wants COPY FROM STDIN", function()
    assert(db:exec("insert into t values (1, 'a')"))
    for _, sql in ipairs { "select 1", OUT, "copy t from '/etc/passwd'" } do
      local ok, a, b = pcall(db.copy_in, db, sql, "")
      assert.is_true(not ok or (a == nil and lunate.is_error(b)), sql)
    end
    live.says(live.refused("unsupported", db:exec(IN)), "copy_in")
  end)

  it("in a transaction is part of it", function()
    db:transaction(function(tx)
      assert.equal(2, tx:copy_in(IN, "1,a\n2,b\n"))
      assert.equal(2, tx:one("select count(*) as n from t").n)
      error("back")
    end)
    assert.equal(0, count())
    assert(db:transaction(function(tx)
      return tx:copy_in(IN, "1,a\n2,b\n")
    end))
    assert.equal(2, count())
  end)

  it("that fails in a transaction fails it", function()
    live.refused("value", db:transaction(function(tx)
      tx:exec("insert into t values (9, 'x')")
      tx:copy_in(IN, "bad,a\n")
      return "done"
    end))
    assert.equal(0, count())
  end)

  it("that is cancelled leaves nothing", function()
    local t = lunate.spawn(function()
      local i = 0
      return db:copy_in(IN, function()
        i = i + 1
        lunate.sleep(0.005)
        return i .. ",x\n"
      end)
    end)
    lunate.sleep(0.05)
    t:cancel()
    live.refused("cancelled", t:join())
    live.until_(function() return count() == 0 end)
    assert.equal(1, db:one("select 1 as a").a)
  end)

  it("whose connection is cut leaves nothing or is in doubt", function()
    local p = proxy.start { to = pg.shared(), database = "copy_spec" }
    local one = live.open(p.url, { pool_max = 1 })
    for i = 1, 6 do
      assert(db:exec("delete from t"))
      assert(one:query("select 1"))
      p:cut_after(i * 20000, "c2s")
      local n = 0
      local value, err = one:copy_in(IN, function()
        n = n + 1
        if n <= 10000 then return n .. ",some value\n" end
      end)
      if value then
        assert.equal(10000, count())
      else
        assert.is_true(lunate.is_error(err))
        lunate.sleep(0.02)
        assert.is_true(count() == 0 or err.code == "in_doubt", tostring(err))
      end
    end
    one:close()
    p:free()
  end)
end)

describe("copy_out", function()
  before_each(function()
    assert(db:exec("insert into t select i, 'v' || i "
      .. "from generate_series(1, 1000) i"))
  end)

  it("gives all as one string", function()
    live.both(function()
      local text = assert(db:copy_out(OUT))
      local _, lines = text:gsub("\n", "")
      assert.equal(1000, lines)
      assert.equal("1,v1\n2,v2\n", text:sub(1, 10))
    end)
  end)

  it("gives chunks to a sink, in order", function()
    live.both(function()
      local parts = {}
      assert(db:copy_out(OUT, function(chunk) parts[#parts + 1] = chunk end))
      assert.equal(db:copy_out(OUT), table.concat(parts))
    end)
  end)

  it("waits for a sink that waits", function()
    live.both(function()
      local size, n = 0, 0
      assert(db:copy_out("copy (select i, repeat('x', 100) from "
        .. "generate_series(1, 3000) i) to stdout", function(chunk)
          size, n = size + #chunk, n + 1
          if n % 100 == 0 then lunate.sleep(0.001) end
        end))
      assert.is_true(size > 3000 * 100)
    end)
  end)

  it("of no rows is the empty string", function()
    assert.equal("", db:copy_out("copy (select 1 where false) to stdout"))
  end)

  it("gives back what copy_in has taken", function()
    local text = db:copy_out("copy t to stdout (format binary)")
    assert(db:exec("delete from t"))
    assert.equal(1000, db:copy_in("copy t from stdin (format binary)", text))
    assert.equal(1000, count())
  end)

  it("that fails gives the error", function()
    live.refused("undefined", db:copy_out("copy nowhere to stdout"))
    local err = live.refused("value", db:copy_out(
      "copy (select 1 / (500 - id) from t) to stdout"))
    assert.equal("22012", err.sqlstate)
    assert.equal(1, db:one("select 1 as a").a)
  end)

  it("whose sink raises gives that error and a good connection", function()
    live.both(function()
      local ok, a, b = pcall(db.copy_out, db, OUT,
        function() error("sink is full") end)
      live.says(ok and b or a, "sink is full")
      assert.equal(1, db:one("select 1 as a").a)
    end)
  end)

  it("in a transaction sees what it has done", function()
    assert(db:transaction(function(tx)
      assert(tx:exec("delete from t where id > 2"))
      assert.equal("1,v1\n2,v2\n", tx:copy_out(OUT))
      return true
    end))
  end)
end)
