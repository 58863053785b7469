-- db:health and db:pool_metrics.
local cjson = require "cjson"
local pg = require "support.pg"
local sh = require "support.sh"

local function run(url, script)
  local r = sh.run { sh.build .. "/lunate", "run",
    sh.tmpfile('local cjson = require "cjson"\n'
      .. "local function say(v) print(cjson.encode(v)) end\n" .. script,
      ".lua"), env = { DATABASE_URL = url, XDG_STATE_HOME = sh.tmpdir() } }
  local said = {}
  for line in r.out:gmatch("[^\n]+") do
    said[#said + 1] = cjson.decode(line)
  end
  return said, r
end

describe("db:health", function()
  local url = pg.database("health")

  it("reports a server that answers", function()
    local said, r = run(url, [[
      local db = assert(lunate.open())
      assert(db:query("select 1"))
      say(assert(db:health()))
    ]])
    assert.equal(0, r.code, r.err)
    local h = said[1]
    assert.is_true(h.is_healthy)
    assert.equal(1, h.connection_count)
    assert.equal(0, h.active_queries)
    assert.is_true(h.avg_response_time > 0)
    assert.is_true(math.abs(h.last_health_check - os.time()) < 60)
    assert.same({}, h.errors)
  end)

  it("reports a server that is not there, as a report", function()
    local said, r = run("postgresql:///x?host=/nowhere/at/all", [[
      local db = assert(lunate.open { log_level = "error" })
      say(assert(db:health()))
    ]])
    assert.equal(0, r.code, r.err)
    local h = said[1]
    assert.is_false(h.is_healthy)
    assert.equal(0, h.connection_count)
    assert.equal(0, h.active_queries)
    assert.equal(-1, h.avg_response_time)
    assert.truthy(h.errors[1]:find("/nowhere/at/all", 1, true))
  end)

  it("gives up after two seconds and says so", function()
    local said, r = run(url, [[
      local db = assert(lunate.open { pool_max = 1 })
      local has_it = false
      local held = lunate.spawn(function()
        return db:transaction(function(tx)
          has_it = tx:query("select 1") ~= nil
          return lunate.sleep(30)
        end)
      end)
      while not has_it do lunate.sleep(0.01) end
      local began = lunate.now()
      local h = assert(db:health())
      h.took = lunate.now() - began
      say(h)
      held:cancel()
    ]])
    assert.equal(0, r.code, r.err)
    assert.is_false(said[1].is_healthy)
    assert.is_true(said[1].took >= 1.9)
    assert.truthy(said[1].errors[1]:find("deadline", 1, true))
  end)

  it("asks the server once for many and keeps the answer", function()
    local said, r = run(url, [[
      local db = assert(lunate.open())
      local function ask()
        return assert(db:health())
      end
      local a, b, c = assert(lunate.all(ask, ask, ask))
      say { a.last_health_check, b.last_health_check, c.last_health_check,
        ask().last_health_check }
      say(db:pool_metrics().statements)
    ]])
    assert.equal(0, r.code, r.err)
    for i = 2, 4 do
      assert.equal(said[1][1], said[1][i])
    end
    assert.equal(1, said[2])
  end)

  it("counts what runs, itself not", function()
    local said, r = run(url, [[
      local db = assert(lunate.open())
      local held = lunate.spawn(function()
        return db:query("select pg_sleep(1)")
      end)
      lunate.sleep(0.1)
      say(assert(db:health()))
      held:cancel()
    ]])
    assert.equal(0, r.code, r.err)
    assert.equal(1, said[1].active_queries)
  end)

  it("tells of the change to bad and back", function()
    local s = pg.start {}
    local said, r = run(s.url, ([[
      local db = assert(lunate.open { log_level = "error" })
      db:on("database.health.degraded", function(e) say(e.eventType) end)
      db:on("database.health.restored", function(e) say(e.eventType) end)
      assert(db:query("select 1"))
      os.execute("kill -STOP %d")
      assert(not db:health().is_healthy)
      os.execute("kill -CONT %d")
      lunate.sleep(10.2)
      assert(db:health().is_healthy)
    ]]):format(0, 0):gsub("os.execute%b()", function(line)
      -- All of the server's processes, its own group of them.
      local sig = line:match("kill (%-%u+)")
      return ('os.execute("pkill %s -P %d; kill %s %d")'):format(sig,
        s.proc.pid, sig, s.proc.pid)
    end))
    s:free()
    assert.equal(0, r.code, r.err)
    assert.same({ "database.health.degraded", "database.health.restored" },
      said)
  end)
end)

describe("db:pool_metrics", function()
  local url = pg.database("metrics")

  it("counts what happened, with times that were measured", function()
    local said, r = run(url, [[
      local db = assert(lunate.open { slow_query_threshold = 50,
        critical_query_threshold = 150, pool_max = 7 })
      for _ = 1, 20 do
        assert(db:query("select generate_series(1, 3)"))
      end
      assert(db:query("select pg_sleep(0.06)"))
      assert(db:query("select pg_sleep(0.2)"))
      db:query("select 1/0")
      say(db:pool_metrics())
    ]])
    assert.equal(0, r.code, r.err)
    local m = said[1]
    assert.equal(23, m.total_queries)
    assert.equal(1, m.errors)
    assert.is_true(m.slow_queries >= 2) -- a busy machine makes more
    assert.is_true(m.critical_queries >= 1)
    assert.is_true(m.critical_queries <= m.slow_queries)
    assert.equal(62, m.rows)
    assert.equal(7, m.max)
    assert.equal(m.active + m.idle + m.logins, m.total)
    assert.is_true(m.total >= 1 and m.peak >= m.total and m.peak <= 7)
    assert.equal(0, m.waiting)
    assert.is_true(m.max_query_time >= 200)
    assert.is_true(m.p99_query_time >= 190)
    assert.is_true(m.p95_query_time >= 55 and m.p95_query_time
      < m.p99_query_time)
    assert.is_true(m.p50_query_time <= m.p95_query_time)
    assert.is_true(m.average_wait_time > 0)
    assert.is_nil(m.is_healthy) -- nobody has asked yet
  end)

  it("knows the health once it was asked for", function()
    local said, r = run(url, [[
      local db = assert(lunate.open())
      assert(db:health())
      local m = db:pool_metrics()
      say { m.is_healthy, m.last_health_check }
    ]])
    assert.equal(0, r.code, r.err)
    assert.is_true(said[1][1])
    assert.is_true(math.abs(said[1][2] - os.time()) < 60)
  end)

  it("shows who waits and what is held", function()
    local said, r = run(url, [[
      local db = assert(lunate.open { pool_max = 2 })
      assert(db:query("select pg_sleep(0)")) -- the function is known now
      local tasks = {}
      for i = 1, 5 do
        tasks[i] = lunate.spawn(function()
          return db:query("select pg_sleep(0.5)")
        end)
      end
      lunate.sleep(0.3)
      say(db:pool_metrics())
      for _, t in ipairs(tasks) do t:join() end
      say(db:pool_metrics())
    ]])
    assert.equal(0, r.code, r.err)
    assert.equal(2, said[1].active)
    assert.equal(3, said[1].waiting)
    assert.equal(1, said[1].utilization)
    assert.equal(0, said[2].active)
    assert.equal(2, said[2].idle)
    assert.is_true(said[2].p95_wait_time >= 400)
  end)
end)

describe("the pool's max", function()
  it("is lowered to what the server has left, with a warning", function()
    local s = pg.start { conf = { max_connections = 10,
      superuser_reserved_connections = 3 } }
    s:psql("create role plain login")
    local said, r = run(s:url_of("lunate_test", "plain"), [[
      local db = assert(lunate.open { pool_max = 50 })
      local tasks = {}
      for i = 1, 30 do
        tasks[i] = lunate.spawn(function()
          return db:query("select pg_sleep(0.05)")
        end)
      end
      for _, t in ipairs(tasks) do assert(t:join()) end
      say(db:pool_metrics())
    ]])
    s:free()
    assert.equal(0, r.code, r.err)
    assert.equal(7, said[1].max)
    assert.is_true(said[1].peak <= 7)
    assert.equal(0, said[1].login_failures)
    assert.truthy(r.err:find("pool_max lowered to what the server has left "
      .. "pool_max=50 now=7", 1, true), r.err)
  end)

  it("is lowered silently when nobody chose it", function()
    local s = pg.start { conf = { max_connections = 20 } }
    local said, r = run(s.url, [[
      local db = assert(lunate.open())
      local tasks = {}
      for i = 1, 8 do
        tasks[i] = lunate.spawn(function()
          return db:query("select pg_sleep(0.2)")
        end)
      end
      for _, t in ipairs(tasks) do assert(t:join()) end
      assert(db:query("select 1"))
      say(db:pool_metrics())
    ]])
    s:free()
    assert.equal(0, r.code, r.err)
    assert.is_true(said[1].max <= 20, tostring(said[1].max))
    assert.equal("", r.err)
  end)
end)
