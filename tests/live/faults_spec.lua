-- What servers and networks do to connections, and what a script sees of it.
local fakepg = require "support.fakepg"
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local proxy = require "support.proxy"
local wait = require "support.wait"

local s

setup(function()
  s = pg.start { listen_tcp = true, conf = { max_connections = 100 } }
  s:psql("create table t (id int, v int default 0)")
end)
teardown(function() s:free() end)
after_each(live.close)

local function pid_of(client)
  local row, err = client:one("select pg_backend_pid() as p")
  if not row then error(err, 0) end
  return row.p
end

-- Until the server answers others.
local function accepts()
  wait.until_(function() return pcall(s.psql, s, "select 1") end, 30,
    "a server that accepts")
end

local function rows_of(id)
  return tonumber(s:psql("select count(*) from t where id = " .. id))
end

-- A write that came to an end: done once, or in doubt, or not done at all.
local function check_write(id, affected, err)
  local n = rows_of(id)
  if affected then
    assert.equal(1, n, "written " .. n .. " times")
  elseif err.code == "in_doubt" then
    assert.is_true(n <= 1, "written " .. n .. " times")
  else
    assert.equal(0, n, "told as not done: " .. tostring(err))
  end
end

-- ---- kill -9 under load -----------------------------------------------------

describe("kill -9 of a backend under 64 tasks", function()
  local function work(db, stop)
    local reads, writes = { done = 0 }, { list = {} }
    local tasks, next_id = {}, 0
    for i = 1, 32 do
      tasks[i] = lunate.spawn(function()
        while not stop.now do
          local row, err = db:one({ priority = "high" },
            "select $1::int as a", i)
          if not row or row.a ~= i then
            reads.failed = reads.failed or err or "a wrong answer"
          end
          reads.done = reads.done + 1
        end
      end)
      tasks[32 + i] = lunate.spawn(function()
        while not stop.now do
          next_id = next_id + 1
          local id = next_id
          local n, err = db:exec("insert into w (id) values ($1)", id)
          writes.list[id] = { n = n, err = err }
          lunate.sleep(0.002)
        end
      end)
    end
    return reads, writes, tasks
  end

  -- Each id was written once when told so, at most once when in doubt.
  local function check(writes, count)
    local in_doubt = 0
    for id, w in pairs(writes.list) do
      local n = count[id] or 0
      if w.n then
        assert.equal(1, n, "write " .. id)
      else
        assert.equal("in_doubt", w.err.code, tostring(w.err))
        live.says(w.err, "may or may not")
        in_doubt = in_doubt + 1
        assert.is_true(n <= 1, "write " .. id)
      end
    end
    return in_doubt
  end

  it("loses no read, and no write more or less than once", function()
    s:psql("drop table if exists w; create table w (id int)")
    local p = proxy.start { to = s }
    local db = live.open(p.url, { pool_max = 16 })
    local stop = {}
    local reads, writes, tasks = work(db, stop)
    for _ = 1, 3 do
      local before = reads.done
      live.until_(function() return reads.done > before + 200 end, 20, "reads")
      local victims = s:backends()
      s:signal(victims[math.random(#victims)].pid, "KILL")
      lunate.sleep(0.05)
      accepts()
      local began = lunate.now()
      local mark = reads.done
      live.until_(function() return reads.done > mark + 200 end, 20,
        "normal work after the server accepts again")
      if live.prove then
        print(("normal again after %.0f ms"):format(
          (lunate.now() - began) * 1000))
      end
    end
    stop.now = true
    for _, t in ipairs(tasks) do t:join() end
    assert.is_nil(reads.failed, tostring(reads.failed))
    local count = {}
    for id, n in s:psql("select id, count(*) from w group by id")
      :gmatch("(%d+)|(%d+)") do
      count[tonumber(id)] = tonumber(n)
    end
    local in_doubt = check(writes, count)
    if live.prove then
      print(("%d reads, %d writes, %d of them in doubt"):format(reads.done,
        #writes.list, in_doubt))
    end
    local peak = p:counts().peak_logins
    assert.is_true(peak <= 4, peak .. " logins at once")
    live.close()
    p:free()
  end)
end)

-- ---- SIGSTOP ----------------------------------------------------------------

describe("a backend that is stopped", function()
  local stopped

  after_each(function()
    if stopped then s:signal(stopped, "CONT") end
    stopped = nil
  end)

  it("lets the deadline fire and others go on", function()
    local db = live.open(s.url, { pool_max = 4 })
    local other = lunate.spawn(function()
      local n = 0
      while n < 40 do
        local row, err = db:one("select 1 as a")
        if not row then return nil, err end
        n = n + row.a
        lunate.sleep(0.005)
      end
      return n
    end)
    local victim = lunate.spawn(function()
      return db:transaction(function(tx)
        stopped = pid_of(tx)
        s:signal(stopped, "STOP")
        return lunate.deadline(0.1, function() return tx:query("select 1") end)
      end)
    end)
    live.refused("deadline", victim:join())
    assert.equal(40, other:join())
  end)

  it("lets the timeout of a plain statement fire", function()
    local db = live.open(s.url, { pool_max = 2 })
    stopped = pid_of(db)
    s:signal(stopped, "STOP")
    local began = lunate.now()
    live.refused("deadline", db:query({ timeout = 0.3 }, "select 1"))
    if live.prove then
      print(("deadline of 300 ms fired after %.0f ms"):format(
        (lunate.now() - began) * 1000))
    end
    assert.equal(1, db:one({ timeout = 20 }, "select 1 as a").a)
  end)

  it("is given up, and the pool is whole again", function()
    local db = live.open(s.url, { pool_max = 1 })
    stopped = pid_of(db)
    s:signal(stopped, "STOP")
    live.refused("deadline", db:query({ timeout = 0.05 }, "select 1"))
    assert.not_equal(stopped, pid_of(db))
  end)
end)

-- ---- the server goes --------------------------------------------------------

describe("a server", function()
  it("that is restarted is found again", function()
    local db = live.open(s.url)
    assert(db:query("select 1"))
    for _, mode in ipairs { "fast", "immediate" } do
      s:stop(mode)
      s:start()
      assert.equal(1, db:one("select 1 as a").a)
      assert.equal(1, db:exec("insert into t values (1000)"))
    end
  end)

  it("that comes back is worth waiting for", function()
    local db = live.open(s.url)
    assert(db:query("select 1"))
    s:stop("fast")
    local waiting = lunate.spawn(function() return db:one("select 5 as a") end)
    lunate.sleep(0.1)
    assert.equal("running", waiting:status())
    s:start()
    assert.equal(5, assert(waiting:join()).a)
  end)

  it("that stays away is an error in time", function()
    local db = live.open(s.url, { acquire_timeout = 300 })
    assert(db:query("select 1"))
    s:stop("fast")
    local _, err = db:query("select 1")
    assert.is_true(lunate.is_error(err))
    assert.is_true(err.retryable)
    live.says(err, "connect")
    s:start()
    live.until_(function() return db:query("select 1") end, 20, "an answer")
  end)

  it("that starts up or is full is tried again", function()
    for _, mode in ipairs { "starting-up", "too-many" } do
      local odd = fakepg.start { mode = mode, count = 2, then_to = s }
      local db = live.open(odd.url)
      local row, err = db:one("select 1 as a")
      assert.equal(1, row and row.a, mode .. ": " .. tostring(err))
      live.close()
      odd:free()
    end
  end)
end)

describe("a connection lost", function()
  for _, mode in ipairs { "eof-on-query", "half-on-query",
    "garbage-on-query" } do
    it("by " .. mode .. " does not fail a read", function()
      local odd = fakepg.start { mode = mode, count = 1, then_to = s }
      local db = live.open(odd.url)
      local row, err = db:one({ timeout = 2 }, "select 7 as a")
      if mode == "half-on-query" then
        -- It still is a connection: only the deadline ends it.
        assert.is_true(row ~= nil or err.code == "deadline")
      else
        assert.equal(7, row and row.a, tostring(err))
      end
      live.close()
      odd:free()
    end)
  end

  it("in the middle of a result does not fail a read", function()
    local p = proxy.start { to = s }
    local db = live.open(p.url, { pool_max = 1 })
    assert(db:query("select 1"))
    for i = 1, 8 do
      p:cut_after(i * 3000, "s2c")
      local rows, err = db:query(
        "select i, repeat('x', 100) as x from generate_series(1, 1000) i")
      assert.equal(1000, rows and #rows, tostring(err))
      assert.equal(i * 100, rows[i * 100].i)
    end
    live.close()
    p:free()
  end)

  it("in good order does not fail a read", function()
    local p = proxy.start { to = s }
    local db = live.open(p.url, { pool_max = 2 })
    for _ = 1, 5 do
      assert(db:query("select 1"))
      p:eof()
      assert.equal(1, db:one("select 1 as a").a)
    end
    live.close()
    p:free()
  end)

  it("before a write was sent does not fail the write", function()
    local p = proxy.start { to = s }
    local db = live.open(p.url, { pool_max = 1 })
    for i = 1, 5 do
      assert(db:query("select 1"))
      p:eof()
      lunate.sleep(0.05)
      local n, err = db:exec("insert into t values ($1)", 2000 + i)
      assert.equal(1, n, tostring(err))
      assert.equal(1, rows_of(2000 + i))
    end
    live.close()
    p:free()
  end)

  it("anywhere in a write is told as it is", function()
    local p = proxy.start { to = s }
    local db = live.open(p.url, { pool_max = 1 })
    for i = 1, 40 do
      local id = 3000 + i
      assert(db:query("select 1"))
      p:cut_after(i * 7, i % 2 == 0 and "s2c" or "c2s")
      local n, err = db:exec("insert into t values ($1)", id)
      lunate.sleep(0.01)
      check_write(id, n, err)
    end
    live.close()
    p:free()
  end)

  it("at the commit of a transaction is told as it is", function()
    local p = proxy.start { to = s }
    local db = live.open(p.url, { pool_max = 1 })
    for i = 1, 30 do
      local id = 4000 + i
      local n, err = db:transaction(function(tx)
        local n, err = tx:exec("insert into t values ($1)", id)
        if not n then return nil, err end
        p:cut_after(i * 3, i % 2 == 0 and "s2c" or "c2s")
        return n
      end)
      lunate.sleep(0.01)
      check_write(id, n, err)
    end
    live.close()
    p:free()
  end)

  it("inside a transaction ends it, and nothing of it was done", function()
    local p = proxy.start { to = s }
    local db = live.open(p.url, { pool_max = 1 })
    local value, err = db:transaction(function(tx)
      local _, failed = tx:exec("insert into t values (5001)")
      if failed then return nil, failed end
      p:cut()
      return tx:exec("insert into t values (5001)")
    end)
    assert.is_nil(value)
    assert.truthy(err.code == "connection_lost" or err.code == "transaction"
      or err.code == "in_doubt", tostring(err))
    assert.equal(0, rows_of(5001))
    assert.equal(1, db:one("select 1 as a").a)
    live.close()
    p:free()
  end)
end)

describe("a network", function()
  it("that stalls is ended by the deadline and used again after", function()
    local p = proxy.start { to = s }
    local db = live.open(p.url, { pool_max = 2 })
    assert(db:query("select 1"))
    p:stall()
    live.refused("deadline", db:query({ timeout = 0.1 }, "select 1"))
    p:go()
    live.until_(function() return db:query("select 1") end, 20, "an answer")
    live.close()
    p:free()
  end)

  it("that is slow and chops gives the same answers", function()
    local p = proxy.start { to = s }
    p:set { chunk = 100 }
    local db = live.open(p.url, { pool_max = 3 })
    local results = live.tasks(20, function(i)
      return db:one("select $1::int as a, repeat('y', 300) as y", i)
    end)
    for i = 1, 20 do
      assert.same({ a = i, y = ("y"):rep(300) }, results[i][1])
    end
    live.close()
    p:free()
  end)

  it("that refuses for a while is tried again", function()
    local p = proxy.start { to = s }
    local db = live.open(p.url, { pool_max = 2 })
    assert(db:query("select 1"))
    p:refuse("close")
    p:cut()
    local waiting = lunate.spawn(function() return db:one("select 3 as a") end)
    lunate.sleep(0.1)
    p:refuse("off")
    local row, err = waiting:join()
    assert.equal(3, row and row.a, tostring(err))
    live.close()
    p:free()
  end)

  it("that resets connections is tried again", function()
    local p = proxy.start { to = s, listen = "tcp" }
    local db = live.open(p.url, { pool_max = 4 })
    local stop, failed = false, nil
    local done = 0
    local tasks = {}
    for i = 1, 16 do
      tasks[i] = lunate.spawn(function()
        while not stop do
          local row, err = db:one("select $1::int as a", i)
          if not row or row.a ~= i then failed = failed or err end
          done = done + 1
        end
      end)
    end
    for _ = 1, 5 do
      local before = done
      live.until_(function() return done > before + 50 end, 20, "work")
      p:cut()
    end
    stop = true
    for _, t in ipairs(tasks) do t:join() end
    assert.is_nil(failed, tostring(failed))
    live.close()
    p:free()
  end)
end)

-- ---- an administrator -------------------------------------------------------

describe("an administrator", function()
  it("who terminates an idle backend is not noticed", function()
    local db = live.open(s.url, { pool_max = 1 })
    for _ = 1, 5 do
      local pid = pid_of(db)
      s:psql(("select pg_terminate_backend(%d)"):format(pid))
      assert.not_equal(pid, pid_of(db))
    end
  end)

  it("who terminates a backend in a read is not noticed", function()
    local db = live.open(s.url, { pool_max = 2 })
    local tries = s:psql("create sequence if not exists tries; select 1")
    assert.equal("1", tries)
    local reader = lunate.spawn(function()
      return db:one("select 9 as a from pg_sleep(0.3) /* terminate me */")
    end)
    live.until_(function()
      return s:psql([[select count(pg_terminate_backend(pid))
        from pg_stat_activity where state = 'active'
        and query like '%terminate me%' and pid <> pg_backend_pid()]]) == "1"
    end)
    local row, err = reader:join()
    assert.equal(9, row and row.a, tostring(err))
  end)

  it("who terminates a backend in a write leaves nothing undecided",
    function()
      local db = live.open(s.url, { pool_max = 2 })
      local writer = lunate.spawn(function()
        return db:exec([[insert into t select 6001 from pg_sleep(0.5)
          /* terminate write */]])
      end)
      live.until_(function()
        return s:psql([[select count(pg_terminate_backend(pid))
          from pg_stat_activity where state = 'active'
          and query like '%terminate write%' and pid <> pg_backend_pid()]])
          == "1"
      end)
      check_write(6001, writer:join())
      assert.equal(1, db:one("select 1 as a").a)
    end)

  it("who cancels a statement is told to the caller as 57014", function()
    local db = live.open(s.url, { pool_max = 2 })
    local t = lunate.spawn(function()
      return db:query("select pg_sleep(60) /* admin cancel */")
    end)
    live.until_(function()
      return s:psql([[select count(pg_cancel_backend(pid))
        from pg_stat_activity where state = 'active'
        and query like '%admin cancel%' and pid <> pg_backend_pid()]]) == "1"
    end)
    local value, err = t:join()
    assert.is_nil(value)
    assert.equal("cancelled", err.code)
    assert.equal("57014", err.sqlstate)
    assert.equal(1, db:one("select 1 as a").a)
  end)

  it("who lets statement_timeout fire is told as 57014", function()
    s:psql("alter role postgres set statement_timeout = 0")
    local db = live.open(s.url, { read_timeout = 100 })
    local value, err = db:query("select pg_sleep(60)")
    assert.is_nil(value)
    assert.truthy(err.sqlstate == "57014" or err.code == "deadline",
      tostring(err))
    assert.equal(1, db:one("select 1 as a").a)
  end)

  it("who changes a table is not noticed by prepared statements", function()
    s:psql("create table changing (a int); insert into changing values (1)")
    local db = live.open(s.url, { pool_max = 2 })
    for i = 1, 6 do
      for _ = 1, 4 do
        local rows, err = db:query("select * from changing")
        assert.is_truthy(rows, tostring(err))
        if i > 1 then assert.equal(i - 1, rows[1]["c" .. i - 1]) end
      end
      s:psql(("alter table changing add column c%d int default %d")
        :format(i, i))
    end
    s:psql("alter table changing alter column a type text using 'now text'")
    assert.equal("now text", db:one("select * from changing").a)
    s:psql("drop table changing; create table changing (z int)")
    assert.equal(0, #db:query("select * from changing"))
  end)

  it("who changes a table is not noticed by many tasks", function()
    s:psql("create table shifting (a int); insert into shifting values (1)")
    local db = live.open(s.url, { pool_max = 3 })
    local stop, failed, done = false, nil, 0
    local tasks = {}
    for i = 1, 12 do
      tasks[i] = lunate.spawn(function()
        while not stop do
          local row, err = db:one("select * from shifting")
          if not row or row.a ~= 1 then failed = failed or err end
          done = done + 1
        end
      end)
    end
    for i = 1, 8 do
      local before = done
      live.until_(function() return done > before + 30 end, 20, "work")
      s:psql(("alter table shifting add column c%d int"):format(i))
    end
    stop = true
    for _, t in ipairs(tasks) do t:join() end
    assert.is_nil(failed, tostring(failed))
  end)

  it("or a script that forgets prepared statements is not noticed",
    function()
      local db = live.open(s.url, { pool_max = 1 })
      for _, sql in ipairs { "deallocate all", "discard all",
        "discard plans" } do
        assert.equal(4, db:one("select $1::int as a", 4).a)
        db:transaction(function(tx)
          assert.equal(4, tx:one("select $1::int as a", 4).a)
          if sql ~= "discard all" then tx:exec(sql) end
          return true
        end)
        assert.equal(4, db:one("select $1::int as a", 4).a, sql)
      end
    end)

  it("or a function that forgets prepared statements is not noticed",
    function()
      s:psql([[create or replace function forget() returns int
        language plpgsql as $$ begin
          execute 'deallocate all';
          return 1;
        end $$]])
      local db = live.open(s.url, { pool_max = 1 })
      for _ = 1, 5 do
        assert.equal(4, db:one("select $1::int as a", 4).a)
        assert.equal(1, db:one("select forget() as a").a)
        local row, err = db:one("select $1::int as a", 4)
        assert.equal(4, row and row.a, tostring(err))
      end
    end)
end)

describe("a child process", function()
  it("is told that the runtime is its parent's", function()
    local r = live.luajit([[
      local ffi = require "ffi"
      ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int);"
      local lunate = require "lunate"
      local db = assert(lunate.open())
      assert(db:query("select 1"))
      local pid = ffi.C.fork()
      if pid == 0 then
        local _, err = db:query("select 1")
        io.write(tostring(err and err.code), "\n")
        io.flush()
        ffi.C._exit(0)
      end
      ffi.C.waitpid(pid, nil, 0)
      print(assert(db:one("select 2 as a")).a)
    ]], { DATABASE_URL = s.url })
    assert.same({ 0, "forked\n2\n" }, { r.code, r.out }, r.err)
  end)
end)
