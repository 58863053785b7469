-- Tasks: spawn, join, all, cancel, deadlines, finalizers.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local wait = require "support.wait"

local db

setup(function() db = live.open(pg.database("task_spec")) end)
teardown(live.close)

-- How many statements with a mark run in the server.
local function running(mark)
  return db:one([[select count(*) as n from pg_stat_activity
    where state = 'active' and query like $1
    and pid <> pg_backend_pid()]], "%" .. mark .. "%").n
end

-- Nothing of ours that still runs in the server.
local function nothing_runs(mark)
  wait.until_(function() return running(mark) == 0 end, 10,
    "the end of " .. mark)
end

describe("a task", function()
  it("gives what its function returned, all of it", function()
    local t = lunate.spawn(function(a, b) return a, nil, b, nil end, 1, 2)
    local r = { n = select("#", t:join()), t:join() }
    assert.same({ n = 4, 1, nil, 2, nil }, r)
  end)

  it("runs while others wait, one after another", function()
    local order = {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = lunate.spawn(function()
        order[#order + 1] = "begin " .. i
        lunate.sleep(0.01 * (4 - i))
        order[#order + 1] = "end " .. i
      end)
    end
    for _, t in ipairs(tasks) do t:join() end
    assert.same({ "begin 1", "begin 2", "begin 3", "end 3", "end 2", "end 1" },
      order)
  end)

  it("knows whether it runs", function()
    local t = lunate.spawn(function() lunate.sleep(0.01) end)
    assert.equal("running", t:status())
    t:join()
    assert.equal("done", t:status())
  end)

  it("may be joined by many and more than once", function()
    local t = lunate.spawn(function() lunate.sleep(0.01) return "r" end)
    local joiners = {}
    for i = 1, 5 do
      joiners[i] = lunate.spawn(function() return t:join() end)
    end
    for i = 1, 5 do assert.equal("r", joiners[i]:join()) end
    assert.equal("r", t:join())
  end)

  it("may spawn others", function()
    assert.equal(6, live.in_task(function()
      local sum = 0
      local tasks = {}
      for i = 1, 3 do tasks[i] = lunate.spawn(function() return i end) end
      for i = 1, 3 do sum = sum + tasks[i]:join() end
      return sum
    end))
  end)

  it("that fails does not touch others", function()
    local bad = lunate.spawn(function() error("bad") end)
    local good = lunate.spawn(function()
      return db:one("select 1 as a from pg_sleep(0.02)").a
    end)
    assert.equal(1, good:join())
    live.refused("script", bad:join())
  end)

  it("of thousands all come to their end", function()
    local tasks, sum = {}, 0
    for i = 1, 3000 do
      tasks[i] = lunate.spawn(function() lunate.pause() return i end)
    end
    for _, t in ipairs(tasks) do sum = sum + t:join() end
    assert.equal(3000 * 3001 / 2, sum)
  end)

  it("wants a function", function()
    assert.error(function() lunate.spawn() end)
    assert.error(function() lunate.spawn("x") end)
  end)

  it("that waits keeps the database it asked", function()
    local task = lunate.spawn(function()
      return lunate.open({ url = pg.shared():url_of("task_spec"),
        control_socket = false }):one("select pg_sleep(0.1), 7 as n")
    end)
    while task:status() == "running" do
      collectgarbage()
      lunate.sleep(0.005)
    end
    local row, err = task:join()
    assert.equal(7, row and row.n, tostring(err))
  end)

  it("left running does not keep a program from ending", function()
    local r = live.luajit([[
      local lunate = require "lunate"
      lunate.spawn(function() lunate.sleep(1000) end)
      lunate.pause()
      print "end"
    ]])
    assert.same({ 0, "end\n" }, { r.code, r.out }, r.err)
  end)
end)

describe("sleep", function()
  it("waits at least so long and gives true", function()
    live.both(function()
      local began = lunate.now()
      assert.is_true(lunate.sleep(0.03))
      assert.is_true(lunate.now() - began >= 0.03)
    end)
  end)

  it("of no time or less gives way once", function()
    assert.is_true(lunate.sleep(0))
    assert.is_true(lunate.sleep(-1))
  end)

  it("wants a number", function()
    assert.error(function() lunate.sleep("x") end)
    assert.error(function() lunate.sleep() end)
    assert.error(function() lunate.sleep(0 / 0) end)
  end)

  it("after a long computation still waits", function()
    live.both(function()
      local busy = wait.now() + 0.05
      while wait.now() < busy do math.sqrt(2) end
      local began = wait.now()
      lunate.sleep(0.03)
      assert.is_true(wait.now() - began >= 0.029)
    end)
  end)
end)

describe("all", function()
  it("gives the first result of each, in order", function()
    live.both(function()
      local a, b, c = lunate.all(
        function() lunate.sleep(0.02) return "a", "more" end,
        function() return db:one("select 'b' as v").v end,
        function() return false end)
      assert.same({ "a", "b", false }, { a, b, c })
    end)
  end)

  it("gives the first failure and cancels the others", function()
    live.both(function()
      local seen
      local err = live.refused("undefined", lunate.all(
        function() return db:query("select pg_sleep(60) /* all fails */") end,
        function()
          lunate.finally(function() seen = true end)
          lunate.sleep(60)
        end,
        function() return db:query("select * from nowhere") end))
      assert.equal("42P01", err.sqlstate)
      assert.is_true(seen)
    end)
    nothing_runs("all fails")
  end)

  it("waits for the finalizers of what it ends, also at a deadline", function()
    local ended
    live.in_task(function()
      live.refused("deadline", lunate.deadline(0.02, lunate.all, function()
        lunate.finally(function()
          lunate.sleep(0.05)
          ended = true
        end)
        lunate.sleep(30)
      end))
    end)
    assert.is_true(ended)
  end)

  it("gives an error that one raised", function()
    local err = live.refused("script", lunate.all(
      function() error("raised in all") end,
      function() lunate.sleep(60) end))
    live.says(err, "raised in all")
  end)

  it("of nothing gives nothing", function()
    assert.equal(0, select("#", lunate.all()))
  end)

  it("wants functions", function()
    assert.error(function() lunate.all(1) end)
  end)

  it("cancelled from outside cancels what it runs", function()
    local inner = 0
    local t = lunate.spawn(function()
      return lunate.all(
        function() lunate.finally(function() inner = inner + 1 end)
          lunate.sleep(60) end,
        function() lunate.finally(function() inner = inner + 1 end)
          lunate.sleep(60) end)
    end)
    lunate.sleep(0.01)
    t:cancel()
    live.refused("cancelled", t:join())
    assert.equal(2, inner)
  end)
end)

describe("cancel", function()
  it("ends what the task waits for", function()
    local t = lunate.spawn(function() return lunate.sleep(60) end)
    lunate.pause()
    assert.is_true(t:cancel())
    live.refused("cancelled", t:join())
  end)

  it("ends the statement in the server too", function()
    local t = lunate.spawn(function()
      return db:query("select pg_sleep(60) /* cancel me */")
    end)
    lunate.sleep(0.05)
    t:cancel()
    live.refused("cancelled", t:join())
    nothing_runs("cancel me")
  end)

  it("is sticky: every later wait ends at once", function()
    local codes = {}
    local t = lunate.spawn(function()
      for i = 1, 3 do
        local _, err = lunate.sleep(60)
        codes[i] = err.code
      end
      codes[4] = select(2, db:query("select 1")).code
      codes[5] = select(2, db:exec("create table never (a int)")).code
      codes[6] = select(2, db:transaction(function(tx)
        return tx:exec("create table never (a int)")
      end)).code
      return "went on"
    end)
    lunate.pause()
    t:cancel()
    assert.equal("went on", t:join())
    for i = 1, 6 do assert.equal("cancelled", codes[i]) end
    assert.is_nil(db:one("select to_regclass('never') as a").a)
  end)

  it("before the first step lets it end at its first wait", function()
    local t = lunate.spawn(function() return lunate.sleep(60) end)
    t:cancel()
    live.refused("cancelled", t:join())
  end)

  it("of a task that is done changes nothing", function()
    local t = lunate.spawn(function() return 1 end)
    t:join()
    assert.is_false(t:cancel())
    assert.equal(1, t:join())
  end)

  it("of one that joins leaves the joined one alone", function()
    local worker = lunate.spawn(function() lunate.sleep(0.05) return "w" end)
    local joiner = lunate.spawn(function() return worker:join() end)
    lunate.pause()
    joiner:cancel()
    live.refused("cancelled", joiner:join())
    assert.equal("w", worker:join())
  end)

  it("of itself ends its next wait", function()
    local t
    t = lunate.spawn(function()
      t:cancel()
      return lunate.sleep(60)
    end)
    live.refused("cancelled", t:join())
  end)
end)

describe("a deadline", function()
  it("ends what is waited for inside", function()
    live.both(function()
      local err = live.refused("deadline", lunate.deadline(0.03, function()
        return lunate.sleep(60)
      end))
      assert.is_true(#err.message > 0)
      live.refused("deadline", lunate.deadline(0.03, function()
        return db:query("select pg_sleep(60) /* deadline */")
      end))
    end)
    nothing_runs("deadline */")
  end)

  it("that never comes is none", function()
    live.both(function()
      assert(lunate.deadline(math.huge, db.query, db, "select 1"))
      assert(db:query({ timeout = math.huge }, "select 1"))
      live.refused("deadline", lunate.deadline(-math.huge, db.query, db,
        "select 1"))
    end)
    local t = lunate.spawn(lunate.sleep, math.huge)
    lunate.sleep(0.02)
    assert.equal("running", t:status())
    t:cancel()
    t:join()
  end)

  it("gives what the function returned, and its arguments", function()
    live.both(function()
      local a, b, c = lunate.deadline(60, function(x, y) return x, nil, y end,
        1, 2)
      assert.same({ 1, nil, 2 }, { a, b, c })
    end)
  end)

  it("over the end of its function is no more", function()
    live.both(function()
      lunate.deadline(0.02, function() end)
      assert.is_true(lunate.sleep(0.04))
      assert.equal(1, db:one("select 1 as a").a)
    end)
  end)

  it("is inherited by tasks that are spawned inside", function()
    live.both(function()
      local t
      lunate.deadline(0.03, function()
        t = lunate.spawn(function() return lunate.sleep(60) end)
      end)
      live.refused("deadline", t:join())
    end)
  end)

  it("inside another cannot be longer than that", function()
    live.both(function()
      live.refused("deadline", lunate.deadline(0.03, function()
        return lunate.deadline(60, function() return lunate.sleep(60) end)
      end))
    end)
  end)

  it("inside another may be shorter, and only for itself", function()
    live.both(function()
      local inner, outer = lunate.deadline(60, function()
        local _, err = lunate.deadline(0.02, function()
          return lunate.sleep(60)
        end)
        return err.code, lunate.sleep(0.03)
      end)
      assert.equal("deadline", inner)
      assert.is_true(outer)
    end)
  end)

  it("that an error left is over too", function()
    live.both(function()
      assert.is_false(pcall(lunate.deadline, 0.02, function() error("x") end))
      assert.is_true(lunate.sleep(0.03))
    end)
  end)

  it("ends a wait for a connection", function()
    local one = live.open(pg.database("task_one"), { pool_max = 1 })
    local holder = lunate.spawn(function()
      return one:query("select pg_sleep(60) as held")
    end)
    wait.until_(function() return running "as held" == 1 end, 20,
      "the connection is held")
    live.refused("deadline", lunate.deadline(0.05, function()
      return one:query("select 1")
    end))
    holder:cancel()
    holder:join()
    assert.equal(1, one:one("select 1 as a").a)
  end)
end)

describe("finally", function()
  it("runs at the end, the last one first", function()
    local order = {}
    assert.equal("r", live.in_task(function()
      lunate.finally(function() order[#order + 1] = "first" end)
      lunate.finally(function() order[#order + 1] = "second" end)
      order[#order + 1] = "body"
      return "r"
    end))
    assert.same({ "body", "second", "first" }, order)
  end)

  it("runs after an error and after a cancel", function()
    local n = 0
    live.refused("script", live.in_task(function()
      lunate.finally(function() n = n + 1 end)
      error("x")
    end))
    local t = lunate.spawn(function()
      lunate.finally(function() n = n + 1 end)
      return lunate.sleep(60)
    end)
    lunate.pause()
    t:cancel()
    t:join()
    assert.equal(2, n)
  end)

  it("may wait, also in a cancelled task and past its deadline", function()
    local answers = {}
    local t = lunate.spawn(function()
      lunate.finally(function()
        lunate.sleep(0.01)
        answers[#answers + 1] = db:one("select 5 as a").a
      end)
      return lunate.sleep(60)
    end)
    lunate.pause()
    t:cancel()
    t:join()
    lunate.deadline(0.01, function()
      t = lunate.spawn(function()
        lunate.finally(function()
          answers[#answers + 1] = db:one("select 6 as a").a
        end)
        return lunate.sleep(60)
      end)
    end)
    t:join()
    assert.same({ 5, 6 }, answers)
  end)

  it("that fails does not keep the others from running", function()
    local ran
    local err = live.refused("script", live.in_task(function()
      lunate.finally(function() ran = true end)
      lunate.finally(function() error("in finally") end)
    end))
    assert.is_true(ran)
    live.says(err, "in finally")
  end)

  it("is over before join gives the result", function()
    local over
    local t = lunate.spawn(function()
      lunate.finally(function() lunate.sleep(0.02) over = true end)
    end)
    t:join()
    assert.is_true(over)
  end)

  it("outside of a task, or of no function, raises", function()
    assert.error(function() lunate.finally(function() end) end)
    assert.error(function()
      error(select(2, live.in_task(function() lunate.finally(1) end)))
    end)
  end)
end)
