-- luacheck: ignore 512 (loops left by break are what is tested)
-- Rows that come while they are read, and what becomes of their connection.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local proxy = require "support.proxy"

local url, db

setup(function()
  url = pg.database("stream_spec")
  db = live.open(url)
end)
teardown(live.close)

local MANY = "select generate_series(1, 1000000) as g"

describe("a loop over db:rows", function()
  it("that is left while the server is held back keeps its connection",
    function()
      local one = live.open(url, { pool_max = 1 })
      live.in_task(function()
        for _ in one:rows(MANY) do
          lunate.sleep(0.1) -- all the room for rows is taken
          break
        end
      end)
      assert(one:query("select 1"))
      local s = one:pool_metrics()
      assert.same({ 0, 1 }, { s.lost, s.opened })
    end)
end)

describe("close", function()
  it("gives back what a loop left by break still holds", function()
    local other = live.open(url)
    for _ in other:rows(MANY) do break end
    local began = lunate.now()
    other:close(10)
    assert.is_true(lunate.now() - began < 9, "it waited for the connection")
  end)
end)

describe("a session", function()
  it("prepares again what a change of the schema made stale", function()
    local one = live.open(url, { pool_max = 1 })
    assert(one:exec("create table grows (a int)"))
    assert(one:exec("insert into grows values (1)"))
    local function columns()
      for row in one:rows({ nulls = true }, "select * from grows") do
        local n = 0
        for _ in pairs(row) do n = n + 1 end
        return n
      end
    end
    assert.equal(1, live.in_task(columns))
    assert(one:exec("alter table grows add column b int"))
    assert.equal(2, live.in_task(columns))
  end)

  it("prepares again what a script threw away", function()
    local one = live.open(url, { pool_max = 1 })
    assert.equal(3, assert(one:script("select 1; discard all; select 1")))
    assert.equal(3, assert(one:script(
      "select 1; deallocate all; select 1")))
  end)

  it("of a script that begins a transaction is not disturbed by what the "
    .. "connection had prepared before", function()
    local one = live.open(url, { pool_max = 1 })
    for i = 1, 10 do assert(one:query("select " .. i)) end
    assert(one:script("select 1; set work_mem = '4MB'"))
    assert.equal(5, assert(one:script(
      "begin; select 101; select 102; select 103; commit")))
    for i = 1, 10 do assert(one:query("select " .. i)) end
  end)
end)

describe("db:read", function()
  setup(function()
    assert(db:script([[
      create table told (a int);
      create function tell() returns int language sql
        as 'insert into told values (1) returning a';
    ]]))
  end)

  local function told() return db:one("select count(*) as n from told").n end

  it("does not write through a function", function()
    live.refused("read_only", db:read(function(c)
      return c:query("select tell()")
    end))
    live.refused("read_only", db:read(function(c)
      return c:query({ class = "critical" }, "select tell()")
    end))
    assert.equal(0, told())
  end)

  it("does not write through a stream", function()
    local ok, err = pcall(function()
      db:read(function(c)
        for _ in c:rows("select tell()") do break end
      end)
    end)
    assert.is_false(ok)
    live.refused("read_only", nil, err)
    assert.equal(0, told())
  end)

  it("streams, again and again over one connection", function()
    local one = live.open(url, { pool_max = 1 })
    for _ = 1, 5 do
      local n = 0
      one:read(function(c)
        for _ in c:rows("select generate_series(1, 3000)") do n = n + 1 end
      end)
      assert.equal(3000, n)
    end
    assert.equal(1, one:pool_metrics().opened)
  end)
end)

describe("a write whose result is too large", function()
  it("says that it may have happened", function()
    local small = live.open(url, { max_result_bytes = 65536 })
    assert(db:script("create table large (a text); select 1"))
    local function write(client)
      return client:query([[insert into large select repeat('x', 1000)
        from generate_series(1, 3000) returning a]])
    end
    live.says(live.refused("too_big", write(small)), "may or may not")
    local err = live.refused("too_big", small:transaction(write))
    assert.is_nil(err.message:find("may or may not", 1, true))
  end)
end)

-- Each commits by itself: lost after it was sent, nobody knows.
describe("a session whose connection is lost after a write", function()
  local p, far

  setup(function()
    p = proxy.start { to = pg.shared(), database = "stream_spec" }
    assert(db:script("create table lost_one (a int); select 1"))
  end)
  teardown(function() p:free() end)
  before_each(function()
    p:go()
    far = live.open(p.url, { pool_max = 1 })
    assert(db:exec("delete from lost_one"))
    assert(far:query("select 1"))
  end)

  local function cut_when_done()
    lunate.spawn(function()
      live.until_(function()
        return db:one("select count(*) as n from lost_one").n == 1
      end)
      p:cut()
    end)
  end

  it("says so of a script", function()
    p:stall("s2c")
    cut_when_done()
    live.refused("in_doubt", far:script("insert into lost_one values (1)"))
  end)

  it("says so of a COPY", function()
    local given = false
    live.refused("in_doubt", far:copy_in("copy lost_one from stdin",
      function()
        if given then
          p:stall("s2c")
          cut_when_done()
          return nil
        end
        given = true
        return "1\n"
      end))
  end)
end)
