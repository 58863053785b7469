-- Waiting in all the places where Lua lets a function wait, in the main
-- program and in tasks.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"

local db

setup(function() db = live.open(pg.database("await_spec")) end)
teardown(live.close)

local function ask(n)
  return db:one("select $1::int as a", n).a
end

describe("a wait", function()
  it("works inside pcall, xpcall and their error handlers", function()
    live.both(function()
      assert.same({ true, 1 }, { pcall(ask, 1) })
      assert.same({ true, 2 }, { xpcall(ask, debug.traceback, 2) })
      local ok, v = xpcall(function() error("x") end, function() return 3 end)
      assert.same({ false, 3 }, { ok, v })
      local deep = { pcall(pcall, pcall, ask, 4) }
      assert.same({ true, true, true, 4 }, deep)
      ok, v = pcall(function() ask(1) error("after a wait", 0) end)
      assert.same({ false, "after a wait" }, { ok, v })
    end)
  end)

  it("works inside metamethods", function()
    live.both(function()
      local t = setmetatable({}, {
        __index = function(_, k) return ask(k) end,
        __newindex = function(t, k, v) rawset(t, k, ask(v)) end,
        __call = function(_, n) return ask(n) end,
        __add = function(_, n) return ask(n) end,
        __eq = function() return ask(1) == 1 end,
        __lt = function() return ask(1) == 1 end,
        __concat = function(_, s) return ask(1) .. s end,
        __unm = function() return ask(9) end,
      })
      local other = setmetatable({}, getmetatable(t))
      assert.equal(5, t[5])
      t.x = 6
      assert.equal(6, rawget(t, "x"))
      assert.equal(7, t(7))
      assert.equal(8, t + 8)
      assert.is_true(t == other)
      assert.is_true(t < other)
      assert.equal("1s", t .. "s")
      assert.equal(9, -t)
    end)
  end)

  it("works inside iterators", function()
    live.both(function()
      local got = {}
      local function each(n)
        local i = 0
        return function()
          i = i + 1
          if i <= n then return ask(i) end
        end
      end
      for v in each(4) do got[#got + 1] = v end
      assert.same({ 1, 2, 3, 4 }, got)
    end)
  end)

  it("works inside coroutines made with wrap", function()
    live.both(function()
      local gen = coroutine.wrap(function(first)
        for i = first, first + 2 do coroutine.yield(ask(i), "second") end
        return "over"
      end)
      assert.same({ 5, "second" }, { gen(5) })
      assert.same({ 6, "second" }, { gen() })
      assert.same({ 7, "second" }, { gen() })
      assert.equal("over", gen())
    end)
  end)

  it("works inside coroutines made with create", function()
    live.both(function()
      local co = coroutine.create(function(a)
        local b = coroutine.yield(ask(a))
        local c = coroutine.yield(ask(b))
        error("raised " .. ask(c), 0)
      end)
      assert.same({ true, 1 }, { coroutine.resume(co, 1) })
      assert.equal("suspended", coroutine.status(co))
      assert.same({ true, 2 }, { coroutine.resume(co, 2) })
      assert.same({ false, "raised 3" }, { coroutine.resume(co, 3) })
      assert.equal("dead", coroutine.status(co))
    end)
  end)

  it("works inside coroutines inside coroutines", function()
    live.both(function()
      local function nest(depth, n)
        if depth == 0 then return ask(n) end
        return coroutine.wrap(function()
          local v = nest(depth - 1, n)
          coroutine.yield(v)
        end)()
      end
      assert.equal(7, nest(6, 7))
    end)
  end)

  it("in coroutines of several tasks is answered to each", function()
    local tasks = {}
    for i = 1, 30 do
      tasks[i] = lunate.spawn(function()
        local gen = coroutine.wrap(function()
          for j = 1, 5 do coroutine.yield(ask(i * 100 + j)) end
        end)
        for j = 1, 5 do
          local v = gen()
          if v ~= i * 100 + j then return "wrong: " .. tostring(v) end
        end
        return "right"
      end)
    end
    for i = 1, 30 do assert.equal("right", tasks[i]:join()) end
  end)

  it("in a sort comparator or gsub callback of a task says what to do",
    function()
      local places = {
        function() table.sort({ 3, 1, 2 }, function(a, b)
          return ask(a) < ask(b)
        end) end,
        function()
          return (("abc"):gsub("%w", function() return ask(1) end))
        end,
      }
      for _, place in ipairs(places) do
        local ok, err = live.in_task(function() return pcall(place) end)
        assert.is_false(ok)
        live.says(err, "table.sort", "string.gsub", "first")
      end
      assert.equal(1, ask(1))
    end)

  it("in a sort comparator of the main program says so too, or works",
    function()
      local list = { 3, 1, 2 }
      local ok, err = pcall(table.sort, list, function(a, b)
        return ask(a) < ask(b)
      end)
      if ok then
        assert.same({ 1, 2, 3 }, list)
      else
        live.says(err, "table.sort", "string.gsub")
      end
      assert.equal(1, ask(1))
    end)

  it("works in plain luajit, in and out of tasks", function()
    local r = live.luajit([[
      local lunate = require "lunate"
      local db = assert(lunate.open())
      local function ask(n)
        return assert(db:one("select $1::int as a", n)).a
      end
      local function go()
        local gen = coroutine.wrap(function()
          coroutine.yield(ask(1))
          local ok, v = pcall(ask, 2)
          coroutine.yield(ok and v)
        end)
        return gen() + gen() + setmetatable({}, { __index = ask and
          function(_, k) return ask(k) end })[3]
      end
      print(go(), (lunate.spawn(go):join()))
      print(lunate.spawn(function()
        return pcall(table.sort, { 2, 1 }, function(a, b)
          return ask(a) < ask(b) end)
      end):join())
    ]], { DATABASE_URL = pg.shared():url_of("await_spec") })
    assert.equal(0, r.code, r.err)
    live.says(r.out, "6\t6\n", "false\t", "table.sort")
  end)

  it("at the top of a required file works or says what to do", function()
    local name = "lunate_live_required"
    package.preload[name] = function()
      return { value = ask(4) }
    end
    local ok, v = live.in_task(function() return pcall(require, name) end)
    package.preload[name], package.loaded[name] = nil, nil
    if ok then
      assert.equal(4, v.value)
    else
      live.says(v, "required file")
    end
  end)
end)

describe("many tasks", function()
  it("get each their own answer", function()
    local seed = live.seed()
    math.randomseed(seed)
    local tasks = {}
    for i = 1, 200 do
      local steps = math.random(1, 6)
      tasks[i] = lunate.spawn(function()
        for _ = 1, steps do
          local n = math.random(1, 1e6)
          if ask(n) ~= n then return "wrong" end
          if math.random(4) == 1 then lunate.pause() end
        end
        return "right"
      end)
    end
    for i = 1, 200 do
      assert.equal("right", tasks[i]:join(), "LUNATE_SEED=" .. seed)
    end
  end)
end)

describe("a long SQL text", function()
  -- Half a second of parsing, by a thread of its own.
  local function long(tail)
    local t = {}
    for i = 1, 100000 do t[i] = i end
    return "select count(*)::int as n from (values (" .. table.concat(t, "),(")
      .. ")) v " .. tail
  end

  -- What ends in a refusal meets no server: the only time it takes is that of
  -- reading it.
  it("lets short ones past while it is read", function()
    local order = {}
    local slow = lunate.spawn(function()
      live.refused("syntax", db:one(long("where where")))
      order[#order + 1] = "long"
      return true
    end)
    lunate.pause()
    for _ = 1, 20 do assert(db:one("select 1 as a")) end
    order[#order + 1] = "short"
    assert.is_true(slow:join())
    assert.same({ "short", "long" }, order)
  end)

  it("is answered like any other", function()
    assert.equal(100000, assert(db:one(long("where true"))).n)
    assert.equal(100000, assert(db:one(long("where true"))).n)
  end)

  it("that is given up is never sent", function()
    local err = live.refused("deadline", lunate.deadline(0.01, function()
      return db:one(long("where 1 = 1"))
    end))
    live.says(err, "before the statement was sent")
    assert.equal(1, db:one("select 1 as a").a)
  end)
end)
