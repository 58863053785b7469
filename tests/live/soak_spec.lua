-- Everything at once, on few connections, while the server loses some of them:
-- what is answered is answered rightly, and at the end nothing is left.
-- LUNATE_PROVE=1: a minute; else some seconds.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"

local SECONDS = live.prove and 60 or 4
local TASKS = 40

-- What a statement may end in when its connection is cut, a deadline passes
-- or a task is cancelled on purpose.
local FAIR = { connection_lost = true, in_doubt = true, server_failed = true,
  deadline = true, cancelled = true, script = true, conflict = true }

local function operations(db, random)
  return {
    read = function()
      local id = random(2000)
      local row, err = db:one("select id from soak where id = $1", id)
      assert.is_true(err ~= nil or row.id == id)
      return row, err
    end,
    write = function()
      return db:exec("update soak set v = v where id = $1", random(2000))
    end,
    transaction = function()
      return db:transaction(function(tx)
        assert(tx:exec("update soak set k = k + 1 where id = $1", random(50)))
        if random(5) == 1 then error("on purpose") end
        if random(10) == 1 then lunate.sleep(0.01) end
        return assert(tx:one("select 1 as a")).a
      end)
    end,
    deadline = function()
      return lunate.deadline(random() * 0.01, function()
        return db:query("select pg_sleep(0.005)")
      end)
    end,
    stream = function()
      local enough, n = random(3000), 0
      local ok, err = pcall(function()
        for _ in db:rows("select * from soak") do
          n = n + 1
          if n == enough then break end
        end
      end)
      return ok or nil, err
    end,
    copy = function()
      return db:copy_out("copy (select * from soak limit 50) to stdout")
    end,
  }
end

-- What ends early, and what is carried along.
local function more_operations(ops, db, random)
  function ops.cancel()
    local t = lunate.spawn(function()
      return db:query("select pg_sleep(0.02)")
    end)
    lunate.sleep(random() * 0.03)
    t:cancel()
    return t:join()
  end

  function ops.context()
    local id = random(5)
    local row, err = db:with_tenant(id, function(c)
      return c:one("select current_setting('lunate.ctx')::json as c")
    end)
    assert.is_true(err ~= nil or row.c.tenant == id)
    return row, err
  end
  return ops
end

-- Until the time is over; raises at the first thing that must not be.
local function run(ops, names, stop)
  while lunate.now() < stop do
    local name = names[math.random(#names)]
    local value, err = ops[name]()
    if value == nil and err then
      assert.is_true(FAIR[err.code], name .. ": " .. tostring(err))
    end
  end
  return true
end

describe("everything at once", function()
  after_each(live.close)

  it("ends with nothing left behind", function()
    local seed = live.seed()
    math.randomseed(seed)
    local url = pg.database("soak")
    local db = live.open(url, { pool_max = 6, log_level = "error" })
    local other = live.open(url, { application_name = "killer" })
    assert(db:script([[create table soak (id int primary key, k int, v text);
      insert into soak select g, g, repeat('x', 50)
      from generate_series(1, 2000) g]]))
    local ops, names, tasks = operations(db, math.random), {}, {}
    more_operations(ops, db, math.random)
    for name in pairs(ops) do names[#names + 1] = name end
    table.sort(names)
    local stop = lunate.now() + SECONDS
    for i = 1, TASKS do tasks[i] = lunate.spawn(run, ops, names, stop) end
    while lunate.now() < stop do
      lunate.sleep(0.3)
      assert(other:query([[select pg_terminate_backend(pid)
        from pg_stat_activity where application_name = 'lunate'
        and datname = current_database() order by random() limit 1]]))
    end
    for _, t in ipairs(tasks) do
      local ok, err = t:join()
      assert.is_true(ok, ("LUNATE_SEED=%d: %s"):format(seed, tostring(err)))
    end
    collectgarbage()
    collectgarbage()
    live.until_(function()
      local m = db:pool_metrics()
      return m.active == 0 and m.waiting == 0
    end)
    assert.equal(1, db:one("select 1 as a").a)
  end)
end)
