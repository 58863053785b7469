-- db:on: what a database tells, in tasks of its own.
local cjson = require "cjson"
local pg = require "support.pg"
local sh = require "support.sh"

-- What the script prints as JSON, one value a line, and how it ended.
local function run(url, script, env)
  env = env or {}
  env.DATABASE_URL, env.XDG_STATE_HOME = url, sh.tmpdir()
  local r = sh.run { sh.build .. "/lunate", "run",
    sh.tmpfile('local cjson = require "cjson"\n'
      .. "local function say(v) print(cjson.encode(v)) end\n" .. script,
      ".lua"), env = env }
  local said = {}
  for line in r.out:gmatch("[^\n]+") do
    said[#said + 1] = cjson.decode(line)
  end
  return said, r
end

describe("db:on", function()
  local url = pg.database("events")

  it("hands the whole envelope of a failed operation to a task", function()
    local said, r = run(url, [[
      local db = assert(lunate.open())
      db:on("database.error", function(e)
        lunate.sleep(0.01)      -- a task of its own may wait
        say(e)
      end)
      local ok, err = db:query("select * from nosuch where a = 'secret'")
      assert(not ok and err.code == "undefined")
    ]])
    assert.equal(0, r.code, r.err)
    local e = said[1]
    for _, name in ipairs { "eventId", "eventType", "category", "priority",
      "timestamp", "source", "version", "correlationId", "payload" } do
      assert.truthy(e[name], name)
    end
    assert.equal("database.error", e.eventType)
    assert.equal("DATABASE", e.category)
    assert.equal("42P01", e.payload.error.code)
    assert.equal("undefined", e.payload.error.name)
    assert.equal("select * from nosuch where a = ?", e.payload.operation)
    assert.equal(1, e.payload.context.generation)
    assert.falsy(r.out:find("secret", 1, true))
  end)

  it("tells of a slow statement, without its values", function()
    local said, r = run(url, [[
      local db = assert(lunate.open { slow_query_threshold = 20,
        critical_query_threshold = 100 })
      db:on("database.query.slow", function(e) say(e) end)
      db:on("database.query.critical-slow", function(e) say(e) end)
      assert(db:query("select pg_sleep($1::float8), 'secret'", 0.03))
      assert(db:query("select pg_sleep(0.12), 'secret'"))
      assert(db:query("select 1"))
    ]])
    assert.equal(0, r.code, r.err)
    assert.equal(2, #said)
    assert.equal("database.query.slow", said[1].eventType)
    assert.is_true(said[1].payload.queryTime >= 30)
    assert.equal(20, said[1].payload.threshold)
    assert.equal("database.query.critical-slow", said[2].eventType)
    assert.equal("CRITICAL", said[2].priority)
    assert.equal("select pg_sleep(?), ?", said[2].payload.query)
    assert.equal(1, said[2].payload.generation)
    assert.truthy(r.err:find("slow query.-generation=1"))
    assert.falsy((r.out .. r.err):find("secret", 1, true))
  end)

  it("carries the trace of the operation's context", function()
    local said, r = run(url, [[
      local db = assert(lunate.open())
      db:on("*", function(e) say(e.traceId or false) end)
      db:with_context({ trace = "t-17" }, function()
        db:query("select 1/0")
      end)
      db:query("select 1/0")
    ]])
    assert.equal(0, r.code, r.err)
    assert.same({ "t-17", false }, said)
  end)

  it("tells of a connection that died", function()
    local said, r = run(url, [[
      local db = assert(lunate.open())
      db:on("database.connection.lost", function(e)
        say(e.eventType)
      end)
      local pid = db:one("select pg_backend_pid() as pid").pid
      db:query("select pg_terminate_backend($1::int)", pid)
      lunate.sleep(0.05)
    ]])
    assert.equal(0, r.code, r.err)
    assert.equal("database.connection.lost", said[1])
  end)

  it("says near exhaustion and exhausted when the pool is", function()
    local said, r = run(url, [[
      local db = assert(lunate.open { pool_max = 1, acquire_timeout = 1500 })
      db:on("*", function(e) say(e) end)
      local has_it = false
      local held = lunate.spawn(function()
        return db:transaction(function(tx)
          has_it = tx:query("select 1") ~= nil
          return lunate.sleep(3)
        end)
      end)
      while not has_it do lunate.sleep(0.01) end
      local ok, err = db:query("select 1")
      assert(not ok and err.code == "pool_exhausted")
      assert(err.message:find("Connection pool exhausted", 1, true))
      held:cancel()
    ]])
    assert.equal(0, r.code, r.err)
    local seen = {}
    for _, e in ipairs(said) do
      seen[e.eventType] = e
    end
    local near = seen["database.connection-pool.near-exhaustion"]
    assert.truthy(near, r.out)
    assert.equal(1, near.payload.utilizationRate)
    assert.equal(1, near.payload.queueLength)
    assert.truthy(near.payload.message:find("Connection pool near exhaustion",
      1, true))
    assert.truthy(seen["database.connection-pool.exhausted"], r.out)
    assert.truthy(seen["database.connection-pool.high-utilization"], r.out)
    assert.truthy(r.err:find("Connection pool near exhaustion", 1, true))
  end)

  it("names the borrower of a connection that is held too long", function()
    local said, r = run(url, [[
      local db = assert(lunate.open { leak_threshold = 200 })
      db:on("database.connection.leak", function(e) say(e.payload.message) end)
      assert(db:transaction(function(tx)
        assert(tx:query("select 1"))
        lunate.sleep(1.5)
        return true
      end))
    ]])
    assert.equal(0, r.code, r.err)
    assert.truthy(said[1]:find("borrowed at .-%.lua:%d+"), said[1])
  end)

  it("is silent after its end, also for what was under way", function()
    local said, r = run(url, [[
      local db = assert(lunate.open())
      local off = db:on("database.error", function() say("one") end)
      db:query("select 1/0")
      lunate.sleep(0.01)
      off()
      off()                     -- harmless
      db:query("select 1/0")
      lunate.sleep(0.01)
      say("end")
    ]])
    assert.equal(0, r.code, r.err)
    assert.same({ "one", "end" }, said)
  end)

  it("refuses a name that does not exist and says what is like it", function()
    local said, r = run(url, [[
      local db = assert(lunate.open())
      local _, why = pcall(db.on, db, "database.query.slwo", print)
      say(why)
      _, why = pcall(db.on, db, "database.error")
      say(why)
    ]])
    assert.equal(0, r.code, r.err)
    assert.truthy(said[1]:find("did you mean 'database.query.slow'?", 1, true))
    assert.truthy(said[2]:find("wants the name of an event and a function", 1,
      true))
  end)

  it("reports an error of the function, and goes on", function()
    local said, r = run(url, [[
      local db = assert(lunate.open())
      db:on("database.error", function() error("in the listener") end)
      db:on("database.error", function() say("heard") end)
      db:query("select 1/0")
      db:query("select 1/0")
    ]])
    assert.equal(1, r.code)
    assert.same({ "heard", "heard" }, said)
    assert.truthy(r.err:find("in the listener", 1, true))
  end)
end)
