-- lunate run --workers N: the same script in several VMs, a thread each, and
-- one runtime for all of them.
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local url

setup(function() url = pg.database("workers_spec") end)

-- Runs a Lua text in n workers.
local function run(n, text, env, ...)
  local vars = { DATABASE_URL = url, DATABASE_SCHEMA = "public",
    DB_POOL_MIN = "0" }
  for k, v in pairs(env or {}) do vars[k] = v end
  return sh.run { sh.build .. "/lunate", "run", "--workers", tostring(n),
    sh.tmpfile(text, ".lua"), env = vars, cwd = sh.tmpdir(), ... }
end

local function lines(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do list[#list + 1] = line end
  table.sort(list)
  return list
end

-- All workers stand still here until the last one has come: each writes a row.
local MEET = [[
  local function meet(db, place)
    assert(db:exec("insert into met values ($1, $2)", place, lunate.worker))
    repeat
      lunate.sleep(0.005)
      local n = assert(db:one("select count(*) as n from met where place = $1",
        place)).n
    until n >= lunate.workers
  end
]]

before_each(function()
  local r = run(1, [[
    local db = assert(lunate.open())
    assert(db:exec("drop table if exists met"))
    assert(db:exec("create table met (place text, worker int)"))
  ]])
  assert.equal(0, r.code, r.err)
end)

describe("several workers", function()
  it("each run the script and know which one they are", function()
    local r = run(4, [[
      io.write(("worker %d of %d, %s\n"):format(lunate.worker, lunate.workers,
        table.concat(arg, " ")))
    ]], nil, "a", "b")
    assert.equal(0, r.code, r.err)
    assert.same({ "worker 0 of 4, a b", "worker 1 of 4, a b",
      "worker 2 of 4, a b", "worker 3 of 4, a b" }, lines(r.out))
  end)

  it("share no globals", function()
    local r = run(4, MEET .. [[
      local db = assert(lunate.open())
      mark = lunate.worker
      meet(db, "marked")
      assert(mark == lunate.worker)
    ]])
    assert.equal(0, r.code, r.err)
  end)

  it("hold pool_max connections together, however many ask", function()
    local r = run(4, MEET .. [[
      local db = assert(lunate.open())
      meet(db, "open")
      local function count(which)
        return assert(db:one("select count(*) as n, pg_sleep(0.002) "
          .. "from pg_stat_activity where application_name = 'w_max'"
          .. which)).n
      end
      -- A backend that was told to go is idle until it is gone.
      local most, tasks = 0, {}
      for i = 1, 12 do
        tasks[i] = lunate.spawn(function()
          for _ = 1, 5 do
            most = math.max(most, count(" and state = 'active'"))
          end
          return true
        end)
      end
      for i = 1, 12 do assert(tasks[i]:join()) end
      meet(db, "asked")
      repeat until count("") <= 3
      io.write(most, "\n")
    ]], { DB_POOL_MAX = "3", LUNATE_APPLICATION_NAME = "w_max" })
    assert.equal(0, r.code, r.err)
    local seen = lines(r.out)
    assert.equal(4, #seen)
    for _, n in ipairs(seen) do
      assert.is_true(tonumber(n) >= 1 and tonumber(n) <= 3, r.out)
    end
  end)

  it("each tell the connections of all", function()
    local r = run(3, MEET .. [[
      local db = assert(lunate.open())
      meet(db, "open")
      assert(db:transaction(function(tx)
        assert(tx:query("select 1"))
        repeat
          lunate.sleep(0.02)
        until db:pool_metrics().leased == lunate.workers
        meet(db, "seen")
        return true
      end))
      local m = db:pool_metrics()
      assert(m.opened >= 3 and m.peak <= m.max)
      print(m.max)
    ]], { DB_POOL_MAX = "12" })
    assert.equal(0, r.code, r.err)
    assert.equal("12\n12\n12\n", r.out)
  end)

  it("give an idle connection to one that waits", function()
    local r = run(2, MEET .. [[
      local db = assert(lunate.open())
      meet(db, "open")
      if lunate.worker == 0 then -- takes all, and keeps them idle
        local tasks = {}
        for i = 1, 4 do
          tasks[i] = lunate.spawn(function()
            return db:transaction(function(tx)
              return tx:query("select pg_sleep(0.02)")
            end)
          end)
        end
        for i = 1, 4 do assert(tasks[i]:join()) end
      end
      meet(db, "idle")
      assert(db:one("select 1 as a").a == 1)
      meet(db, "served")
      print "served"
    ]], { DB_POOL_MAX = "4", DB_POOL_ACQUIRE_TIMEOUT = "20000" })
    assert.equal(0, r.code, r.err)
    assert.equal("served\nserved\n", r.out)
  end)

  it("go on when one closes its database", function()
    local r = run(3, MEET .. [[
      local db = assert(lunate.open())
      meet(db, "open")
      if lunate.worker == 1 then
        assert(db:exec("insert into met values ('closing', 1)"))
        db:close()
        print "closed"
        return
      end
      repeat
        lunate.sleep(0.005)
      until db:one("select count(*) as n from met where place = 'closing'").n
        == 1
      for _ = 1, 50 do
        assert(db:one("select 1 as a").a == 1)
        lunate.sleep(0.001)
      end
      print "went on"
    ]])
    assert.equal(0, r.code, r.err)
    assert.same({ "closed", "went on", "went on" }, lines(r.out))
  end)
end)

describe("a worker that fails", function()
  for _, which in ipairs { 0, 2 } do
    it("gives exit code 1 and leaves the others to their end: " .. which,
      function()
        local r = run(3, MEET .. ([[
          local db = assert(lunate.open())
          meet(db, "open")
          if lunate.worker == %d then error("this one fails") end
          for _ = 1, 20 do assert(db:one("select 1 as a")) end
          print "done"
        ]]):format(which))
        assert.equal(1, r.code)
        assert.equal("done\ndone\n", r.out)
        live.says(r.err, "this one fails")
      end)
  end

  it("by an unreadable script says so once for each", function()
    local r = run(2, "this is no Lua")
    assert.equal(1, r.code)
    live.says(r.err, "cannot be read")
  end)

  it("gives its own exit code, the highest of all", function()
    local r = run(3, "return lunate.worker == 1 and 7 or 0")
    assert.equal(7, r.code, r.err)
  end)
end)
