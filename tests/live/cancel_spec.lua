-- Cancels at random moments: what they hit, and that they hit nothing else.
-- `make prove` runs the long form of 10,000.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"

local CANCELS = live.prove and 10000 or 300
local SLOTS = 10

local s, db

setup(function()
  s = pg.start { conf = { max_connections = 60,
    log_min_messages = "error" } }
  db = live.open(s.url, { pool_max = 40 })
  -- All connections are there before the first cancel.
  live.tasks(40, function()
    return db:transaction(function(tx)
      return tx:query("select pg_sleep(0.2)")
    end)
  end)
end)
teardown(function()
  live.close()
  s:free()
end)

-- How many statements the server ended because of a cancel request.
local function seen_by_server()
  local _, n = s:log():gsub("canceling statement due to user request", "")
  return n
end

-- Statements that nobody cancels: each must give its own answer.
local function innocents(stop, result)
  local tasks = {}
  for i = 1, 8 do
    tasks[i] = lunate.spawn(function()
      local n = 0
      while not stop.now do
        n = n + 1
        local row, err
        if i % 2 == 0 then
          row, err = db:one("select $1::int as a from pg_sleep(0.001)", n)
        else
          row, err = db:one("select $1::int as a", n)
        end
        if not row or row.a ~= n then
          result.killed = result.killed + 1
          result.why = result.why or err
        end
        result.done = result.done + 1
      end
    end)
  end
  return tasks
end

-- One statement that is cancelled after a random while.
local function victim(result)
  local t = lunate.spawn(function()
    return db:one("select 1 as a from pg_sleep(5)")
  end)
  lunate.sleep(math.random(10) == 1 and math.random() * 0.001
    or 0.002 + math.random() * 0.02)
  t:cancel()
  local row, err = t:join()
  if row then
    result.odd = "it answered"
  elseif err.code ~= "cancelled" then
    result.odd = tostring(err)
  end
  result.cancelled = result.cancelled + 1
end

describe("random cancels", function()
  it("end what they are meant for, and nothing else", function()
    local seed = live.seed()
    math.randomseed(seed)
    local stop, result = {}, { killed = 0, done = 0, cancelled = 0 }
    local others = innocents(stop, result)
    local left, slots = CANCELS, {}
    for i = 1, SLOTS do
      slots[i] = lunate.spawn(function()
        while left > 0 do
          left = left - 1
          victim(result)
        end
        return true
      end)
    end
    for i = 1, SLOTS do assert.is_true(slots[i]:join()) end
    stop.now = true
    for _, t in ipairs(others) do t:join() end
    local seen = seen_by_server()
    print(("%d cancels, %d seen by the server as 57014, %d other statements,"
      .. " %d of them killed (LUNATE_SEED=%d)"):format(result.cancelled, seen,
      result.done, result.killed, seed))
    assert.equal(CANCELS, result.cancelled)
    assert.equal(0, result.killed, tostring(result.why))
    assert.is_nil(result.odd)
    -- A busy machine sends a statement after its cancel: how many is chance.
    assert.is_true(seen > 0, "the server saw none")
    assert.is_true(result.done > 0)
  end)

  it("leave every connection good", function()
    local results = live.tasks(40, function(i)
      return db:one("select $1::int as a", i).a
    end)
    for i = 1, 40 do assert.equal(i, results[i][1]) end
  end)

  it("leave nothing running in the server", function()
    live.until_(function()
      return s:psql([[select count(*) from pg_stat_activity
        where state = 'active' and query like '%pg_sleep%'
        and pid <> pg_backend_pid()]]) == "0"
    end, 20, "the end of all sleeps")
  end)
end)

describe("a cancelled write", function()
  it("was done once or not at all, and says which it may be", function()
    local seed = live.seed()
    math.randomseed(seed)
    s:psql("drop table if exists c; create table c (id int)")
    local tasks = {}
    for id = 1, 100 do
      local delay = math.random() * 0.004
      tasks[id] = lunate.spawn(function()
        return db:exec("insert into c select $1 from pg_sleep($2)", id,
          math.random() * 0.004)
      end)
      lunate.spawn(function()
        lunate.sleep(delay)
        tasks[id]:cancel()
      end)
    end
    local ends = {}
    for id = 1, 100 do ends[id] = { tasks[id]:join() } end
    live.until_(function()
      return s:psql([[select count(*) from pg_stat_activity
        where state = 'active' and query like 'insert into c%'
        and pid <> pg_backend_pid()]]) == "0"
    end, 20, "the end of all writes")
    local count = {}
    for id, n in s:psql("select id, count(*) from c group by id")
      :gmatch("(%d+)|(%d+)") do
      count[tonumber(id)] = tonumber(n)
    end
    for id = 1, 100 do
      local n, err = ends[id][1], ends[id][2]
      local found = count[id] or 0
      local what = ("LUNATE_SEED=%d, write %d"):format(seed, id)
      assert.is_true(found <= 1, what)
      if n then
        assert.equal(1, found, what)
      else
        assert.equal("cancelled", err.code, what)
        if found == 1 then live.says(err, "may or may not") end
      end
    end
  end)
end)
