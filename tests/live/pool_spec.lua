-- The pool, as a script sees it: who waits, for how long, and what it is told.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local proxy = require "support.proxy"
local sh = require "support.sh"

local url

setup(function() url = pg.database("pool_spec") end)
after_each(live.close)

-- Backends of a database, by the name of its application.
local function backends(name)
  local n = 0
  for _, b in ipairs(pg.shared():backends()) do
    if b.application_name == name then n = n + 1 end
  end
  return n
end

-- A task that holds a connection until it is told to stop.
local function hold(db)
  local state = { go_on = true }
  state.task = lunate.spawn(function()
    return db:transaction(function(tx)
      local _, err = tx:query("select 1")
      if err then return nil, err end
      state.holds = true
      while state.go_on do lunate.sleep(0.002) end
      return "held"
    end)
  end)
  live.until_(function()
    return state.holds or state.task:status() == "done"
  end)
  assert.is_true(state.holds)
  function state.release()
    state.go_on = false
    assert.equal("held", state.task:join())
  end
  return state
end

describe("an exhausted pool", function()
  it("tells total, active, idle, waiting and who holds it", function()
    local db = live.open(url, { pool_max = 1, acquire_timeout = 100 })
    local holder = hold(db)
    local results = live.tasks(3, function() return db:query("select 1") end)
    for i = 1, 3 do
      local err = live.refused("pool_exhausted", results[i][1], results[i][2])
      live.says(err, "Connection pool exhausted", "total 1", "active 1",
        "idle 0", "waiting", "pool_spec.lua:", "DB_POOL_MAX",
        "DB_POOL_ACQUIRE_TIMEOUT")
      assert.is_true(err.retryable)
    end
    holder.release()
    assert.equal(1, db:one("select 1 as a").a)
  end)

  it("is told to a transaction that wants to begin as well", function()
    local db = live.open(url, { pool_max = 1, acquire_timeout = 50 })
    local holder = hold(db)
    live.refused("pool_exhausted", db:transaction(function(tx)
      return tx:query("select 1")
    end))
    holder.release()
  end)

  it("serves those who wait when a connection comes back", function()
    local db = live.open(url, { pool_max = 1 })
    local holder = hold(db)
    local waiting = {}
    for i = 1, 20 do
      waiting[i] = lunate.spawn(function()
        return db:one("select $1::int as a", i).a
      end)
    end
    lunate.sleep(0.02)
    holder.release()
    for i = 1, 20 do assert.equal(i, waiting[i]:join()) end
  end)

  it("near its end is logged", function()
    local r = live.luajit([[
      local lunate = require "lunate"
      local db = assert(lunate.open { pool_max = 2 })
      local tasks = {}
      for i = 1, 10 do
        tasks[i] = lunate.spawn(function()
          return db:transaction(function(tx)
            return tx:query("select pg_sleep(0.05)")
          end)
        end)
      end
      for i = 1, 10 do assert(tasks[i]:join()) end
    ]], { DATABASE_URL = url })
    assert.equal(0, r.code, r.err)
    live.says(r.err, "Connection pool near exhaustion", "waiting")
  end)
end)

describe("who waits", function()
  -- The order in which writes of these priorities are done.
  local function order_of(db, priorities)
    assert(db:exec("drop table if exists seen"))
    assert(db:exec("create table seen (id serial, what text)"))
    local holder = hold(db)
    local tasks = {}
    for i, p in ipairs(priorities) do
      tasks[i] = lunate.spawn(function()
        return db:exec({ priority = p }, "insert into seen (what) values ($1)",
          p .. i)
      end)
      lunate.pause()
    end
    lunate.sleep(0.02)
    holder.release()
    for _, t in ipairs(tasks) do assert.equal(1, t:join()) end
    local list = {}
    for i, row in ipairs(db:query("select what from seen order by id")) do
      list[i] = row.what
    end
    return list
  end

  it("is served by priority", function()
    local db = live.open(url, { pool_max = 1 })
    assert.same({ "critical4", "high3", "normal2", "low1" },
      order_of(db, { "low", "normal", "high", "critical" }))
  end)

  it("is served by age within a priority", function()
    local db = live.open(url, { pool_max = 1 })
    assert.same({ "high2", "high4", "normal1", "normal3", "normal5" },
      order_of(db, { "normal", "high", "normal", "high", "normal" }))
  end)

  it("is refused at once when the queue is full", function()
    local db = live.open(url, { pool_max = 1, queue_limit = 5 })
    local holder = hold(db)
    local tasks, refused = {}, 0
    for i = 1, 8 do
      tasks[i] = lunate.spawn(function()
        return db:exec("select 1 for update")
      end)
    end
    live.until_(function()
      refused = 0
      for i = 1, 8 do
        if tasks[i]:status() == "done" then refused = refused + 1 end
      end
      return refused >= 3
    end, 10, "a refusal")
    assert.equal(3, refused)
    for i = 1, 8 do
      if tasks[i]:status() == "done" then
        local err = live.refused("pool_exhausted", tasks[i]:join())
        live.says(err, "queue")
      end
    end
    holder.release()
    for i = 1, 8 do tasks[i]:join() end
    assert.equal(1, db:one("select 1 as a").a)
  end)

  it("and is cancelled leaves the queue", function()
    local db = live.open(url, { pool_max = 1 })
    local holder = hold(db)
    local waiting = lunate.spawn(function() return db:query("select 1") end)
    lunate.sleep(0.01)
    waiting:cancel()
    live.refused("cancelled", waiting:join())
    holder.release()
    assert.equal(1, db:one("select 1 as a").a)
  end)
end)

describe("the connections of a pool", function()
  it("are never more than its max", function()
    local p = proxy.start { to = pg.shared(), database = "pool_spec" }
    local db = live.open(p.url, { pool_max = 3 })
    local results = live.tasks(30, function(i)
      return db:one("select $1::int as a from pg_sleep(0.01)", i).a
    end)
    for i = 1, 30 do assert.equal(i, results[i][1]) end
    local c = p:counts()
    assert.is_true(c.peak_open - c.cancels <= 3, c.peak_open)
    live.close()
    p:free()
  end)

  it("min of them are opened without being asked for", function()
    live.open(url, { pool_min = 3, application_name = "pool_min" })
    live.until_(function() return backends("pool_min") == 3 end, 10,
      "three connections")
  end)

  it("none are opened before the first statement with min 0", function()
    live.open(url, { application_name = "pool_zero" })
    lunate.sleep(0.1)
    assert.equal(0, backends("pool_zero"))
  end)

  it("are closed when idle for long, down to min", function()
    local db = live.open(url, { pool_min = 1, idle_timeout = 50,
      application_name = "pool_idle" })
    live.tasks(6, function()
      return db:transaction(function(tx)
        return tx:query("select pg_sleep(0.1)")
      end)
    end)
    assert.is_true(backends("pool_idle") > 1)
    live.until_(function() return backends("pool_idle") == 1 end, 15,
      "one connection")
    lunate.sleep(0.2)
    assert.equal(1, backends("pool_idle"))
  end)

  it("are used again, the last one first", function()
    local db = live.open(url)
    local first = db:one("select pg_backend_pid() as p").p
    for _ = 1, 10 do
      assert.equal(first, db:one("select pg_backend_pid() as p").p)
    end
  end)

  it("are replaced after so many uses", function()
    local db = live.open(url, { max_uses = 5, pool_max = 1 })
    local pids, n = {}, 0
    for _ = 1, 30 do
      local pid = db:one("select pg_backend_pid() as p").p
      if not pids[pid] then n = n + 1 end
      pids[pid] = true
    end
    assert.is_true(n >= 4, n .. " connections")
  end)

  it("are replaced after their lifetime", function()
    local db = live.open(url, { max_lifetime = 50, pool_max = 1 })
    local first = db:one("select pg_backend_pid() as p").p
    live.until_(function()
      return db:one("select pg_backend_pid() as p").p ~= first
    end, 10, "another connection")
  end)

  it("log in at most max_logins at once", function()
    local p = proxy.start { to = pg.shared(), database = "pool_spec" }
    p:set { login_delay_ms = 30 }
    local db = live.open(p.url, { pool_max = 20, max_logins = 2 })
    live.tasks(20, function()
      return db:transaction(function(tx)
        return tx:query("select pg_sleep(0.02)")
      end)
    end)
    assert.is_true(p:counts().peak_logins <= 2)
    live.close()
    p:free()
  end)

  it("all end when the database is closed", function()
    local db = live.open(url, { pool_min = 2, application_name = "pool_end" })
    live.until_(function() return backends("pool_end") == 2 end)
    db:close()
    live.until_(function() return backends("pool_end") == 0 end, 10, "the end")
  end)

  it("may be less than its max when the server has no more left", function()
    local s = pg.start { conf = { max_connections = 12,
      superuser_reserved_connections = 3, max_wal_senders = 0 } }
    s:psql("create role app login")
    local r = sh.run { "luajit", sh.tmpfile([[
      local lunate = require "lunate"
      local db = assert(lunate.open { pool_max = 100, pool_min = 0 })
      assert(db:query("select 1"))
      local tasks = {}
      for i = 1, 60 do
        tasks[i] = lunate.spawn(function()
          return db:transaction(function(tx)
            return tx:query("select pg_sleep(0.05)")
          end)
        end)
      end
      for i = 1, 60 do assert(tasks[i]:join()) end
      print "all"
    ]], ".lua"), env = { DATABASE_URL = s:url_of(nil, "app"),
      LUA_CPATH = sh.build .. "/?.so;;" } }
    s:free()
    assert.equal("all\n", r.out, r.err)
    live.says(r.err, "max_connections")
  end)
end)

describe("a slow statement", function()
  it("does not keep fast ones waiting", function()
    local db = live.open(url, { pool_max = 2 })
    for _ = 1, 5 do assert(db:query("select 1 as fast")) end
    local slow = lunate.spawn(function()
      return db:query("select pg_sleep(60)")
    end)
    lunate.sleep(0.05)
    for i = 1, 50 do
      assert.equal(i, db:one("select $1::int as a", i).a)
    end
    assert.equal("running", slow:status())
    slow:cancel()
    slow:join()
  end)

  it("once known does not hold up those that come with it", function()
    local db = live.open(url, { pool_max = 3 })
    for _ = 1, 3 do
      assert(db:query("select pg_sleep(0.1) /* slow one */"))
    end
    local slow = {}
    for i = 1, 2 do
      slow[i] = lunate.spawn(function()
        return db:query("select pg_sleep(0.3) /* slow one */")
      end)
    end
    local fast = live.tasks(40, function(i)
      return db:one("select $1::int as a", i).a
    end)
    for i = 1, 40 do assert.equal(i, fast[i][1]) end
    assert.equal("running", slow[1]:status())
    assert.equal("running", slow[2]:status())
    for i = 1, 2 do assert(slow[i]:join()) end
  end)
end)
