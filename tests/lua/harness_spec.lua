-- The harness itself: what the other specs rely on.
local fakepg = require "support.fakepg"
local pg = require "support.pg"
local posix = require "support.posix"
local proxy = require "support.proxy"
local redis = require "support.redis"
local sh = require "support.sh"
local wait = require "support.wait"

local clean = { PGCONNECT_TIMEOUT = false }

--- psql against any URL, as a program of its own.
local function psql(url, sql, seconds)
  return sh.run { pg.bin "psql", "-XAtqw", "-d", url, "-c", sql or "select 1",
    env = clean, timeout = seconds or 20 }
end

local function psql_starts(url, sql)
  return sh.spawn { pg.bin "psql", "-XAtqw", "-d", url, "-c", sql, env = clean }
end

local function alive(pid)
  local state = sh.read(("/proc/%d/stat"):format(pid)):match("%) (%a)")
  return state ~= nil and state ~= "Z"
end

local function gone(pid)
  wait.until_(function() return not alive(pid) end, 20, "end of " .. pid)
end

describe("a command", function()
  it("gives its output, its errors and its exit code apart", function()
    local r = sh.run { "sh", "-c", "cat; echo bad >&2; exit 3",
      stdin = "in\0put" }
    assert.same({ 3, "in\0put", "bad\n" }, { r.code, r.out, r.err })
    assert.is_nil(r.signal)
    assert.is_false(r.timeout)
  end)

  it("leaves the file alone that it was told to write to", function()
    local path = sh.tmpfile("before ", ".log")
    sh.ok { "sh", "-c", "echo after", out = path }
    assert.equal("before after\n", sh.read(path))
  end)

  it("that takes too long is ended and said to have", function()
    local r = sh.run { "sleep", "1000", timeout = 0.05 }
    assert.is_true(r.timeout)
    assert.is_nil(r.code)
  end)

  it("that dies by a signal says which", function()
    assert.equal(posix.SIG.ABRT, sh.run { "sh", "-c", "kill -ABRT $$" }.signal)
  end)

  it("that is not there is an error with its name", function()
    assert.error_matches(function() sh.ok { "no-such-program" } end,
      "no%-such%-program")
  end)

  it("sees a changed environment and directory", function()
    local dir = sh.tmpdir()
    assert.equal("v|" .. dir .. "\n", sh.ok {
      "sh", "-c", 'echo "$LUNATE_X|$(pwd -P)${HOME+!}"',
      env = { LUNATE_X = "v", HOME = false }, cwd = dir })
  end)

  it("leaves a daemon alone that it started on purpose", function()
    local pid = tonumber(sh.ok {
      "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!" })
    assert.is_true(alive(pid))
    posix.kill(pid, "KILL")
    gone(pid)
  end)

  it("kept as a server takes along what it left behind", function()
    local p = sh.spawn { "sh", "-c",
      "setsid sleep 1000 >/dev/null 2>&1 & echo $!" }
    assert.same({ code = 0 }, p:wait(20))
    gone(tonumber(p:out()))
  end)
end)

describe("the end of a test run", function()
  -- Another test run, which starts servers and then dies or hangs.
  local function other_run(ending)
    return sh.spawn { "luajit", "-", loose = true, stdin = [[
      package.path = "tests/?.lua;" .. package.path
      local pg = require "support.pg"
      local s = pg.start {}
      local p = require "support.proxy".start { to = s }
      local pid = s:psql "select pg_backend_pid()"
      local held = require "support.sh".spawn { pg.bin "psql", "-XAtqw",
        "-d", p.url, "-c", "select pg_sleep(1000)" }
      require "support.wait".until_(function() return s:backends()[1] end)
      local b = s:backends()[1].pid
      s:signal(b, "STOP")
      print(s:pid(), p:pid(), held.pid, b, s.dir)
      io.flush()
    ]] .. ending }
  end

  local function check_nothing_stays(run)
    local text = wait.until_(function()
      return run:out():match("(%d+.-)\n")
    end, 30, "the other run")
    if run:running() then run:kill("KILL") end
    local dir = text:match("/.*$")
    for pid in text:gsub("/.*$", ""):gmatch("%d+") do gone(tonumber(pid)) end
    wait.until_(function() return not posix.realpath(dir) end, 20,
      "removal of " .. dir)
  end

  it("by a crash leaves no server and no file, even a stopped one", function()
    check_nothing_stays(other_run("require('ffi').cast('int *', 8)[0] = 1"))
  end)

  it("by kill -9 leaves no server and no file", function()
    check_nothing_stays(other_run("require 'support.wait'.sleep(1000)"))
  end)
end)

describe("a PostgreSQL server", function()
  local s
  lazy_setup(function()
    s = pg.start { conf = { max_connections = 17 }, listen_tcp = true,
      hba = { "host all all 127.0.0.1/32 scram-sha-256" } }
  end)
  lazy_teardown(function() s:free() end)

  it("answers with its own settings, as no superuser of the machine", function()
    assert.equal("17|lunate_test|UTF8", s:psql [[
      select current_setting('max_connections') || '|' || current_database()
        || '|' || current_setting('server_encoding')]])
    local owner = sh.ok { "stat", "-c", "%u", "/proc/" .. s:pid() }
    assert.not_equal("0\n", owner)
  end)

  it("is reached by its URLs", function()
    assert.equal("1\n", psql(s.url).out)
    assert.matches("password", psql(s.tcp_url).err)
  end)

  it("raises the message of a statement that fails", function()
    assert.error_matches(function() s:psql "select 1/0" end,
      "division by zero")
  end)

  it("shows its backends and signals them and nobody else", function()
    local p = psql_starts(s.url, "select pg_sleep(1000)")
    local b = wait.until_(function()
      local list = s:backends()
      return #list == 1 and list[1].state == "active" and list[1]
    end)
    assert.equal("psql", b.application_name)
    assert.equal("select pg_sleep(1000)", b.query)
    assert.error_matches(function() s:signal(posix.pid(), "TERM") end,
      "none of")
    s:signal(b.pid, "TERM")
    assert.same({ code = 2 }, p:wait(20))
    assert.matches("terminating connection", p:err())
  end)

  it("keeps its data over stop and start, and takes a new setting", function()
    s:psql "create table kept as select 1 as n"
    s:stop()
    assert.is_false(s:running())
    assert.matches("server running locally", psql(s.url).err)
    s.conf.max_connections = 18
    s:start()
    assert.equal("1|18", s:psql [[
      select n || '|' || current_setting('max_connections') from kept]])
  end)

  it("comes back after kill -9 of all of it", function()
    s:psql "create table crashed as select 2 as n"
    assert.is_true(s:kill("KILL"))
    assert.is_false(s:running())
    assert.is_false(s:kill("KILL"))
    s:start()
    assert.equal("2", s:psql "select n from crashed")
    assert.matches("automatic recovery", s:log())
  end)

  it("has a certificate that a client can verify", function()
    local t = pg.start { tls = true, listen_tcp = true }
    local url = t.tcp_url .. "?sslmode=verify-full&sslrootcert="
    assert.equal("t\n", psql(url .. t.ca,
      "select ssl from pg_stat_ssl where pid = pg_backend_pid()").out)
    assert.matches("certificate", psql(url .. "/none").err)
    -- What is encrypted cannot be followed: the login counts as over.
    local p = proxy.start { to = t, listen = "tcp" }
    assert.equal("1\n", psql(p.url .. "?sslmode=require").out)
    assert.equal(1, p:counts().peak_logins)
    p:free()
    t:free()
  end)

  it("has a replica that follows", function()
    local r = pg.start { replica_of = s }
    s:psql "create table followed as select 3 as n"
    wait.until_(function()
      return r:psql "select to_regclass('followed') is not null" == "t"
    end)
    assert.equal("t|3", r:psql
      "select pg_is_in_recovery()::text::char || '|' || n from followed")
    local dir = r.dir
    r:free()
    assert.is_nil(posix.realpath(dir))
  end)
end)

describe("the shared server", function()
  it("gives a fresh database for a name each time", function()
    local url = pg.database("one")
    assert.equal(0, psql(url, "create table t ()").code)
    assert.equal(url, pg.database("one"))
    assert.matches('"t" does not exist', psql(url, "table t").err)
    assert.equal(pg.shared(), pg.shared())
  end)

  it("is the same in every spec file", function()
    assert.equal(pg, package.loaded["support.pg"])
    assert.not_nil(package.loaded["support.proxy"])
  end)
end)

describe("a Redis server", function()
  it("keeps values, stops, and starts empty", function()
    local r = redis.start { conf = { maxmemory = "2mb" } }
    assert.equal("OK", r:cli("set", "a", "1"))
    assert.equal("1", r:cli("get", "a"))
    assert.matches("2097152", r:cli("config", "get", "maxmemory"))
    r:stop()
    r:start()
    assert.equal("", r:cli("get", "a"))
    local p = proxy.start { to = r, listen = "tcp" }
    assert.equal("PONG\n", sh.ok { "redis-cli", "-u", p.url, "ping" })
    p:free()
    r:free()
  end)

  it("behind a proxy that chops answers piece by piece", function()
    local r = redis.start()
    local p = proxy.start { to = r }
    local fd = posix.connect_unix(p.socket)
    p:set { chunk = 1 }
    posix.write(fd, "PING\r\n")
    local pieces, answer = 0, ""
    while #answer < 7 do
      answer = answer .. assert(posix.read(fd, 10))
      pieces = pieces + 1
    end
    posix.close(fd)
    assert.equal("+PONG\r\n", answer)
    assert.is_true(pieces > 1)
    assert.equal(0, p:counts().logins)
    p:free()
    r:free()
  end)
end)

for _, how in ipairs { "unix", "tcp" } do
  describe("the fault proxy over " .. how, function()
    local s, p
    lazy_setup(function() s = pg.start { listen_tcp = true } end)
    lazy_teardown(function() s:free() end)
    before_each(function() p = proxy.start { to = s, listen = how } end)

    local function terminate_all()
      for _, b in ipairs(s:backends()) do
        pcall(s.signal, s, b.pid, "TERM") -- it may have gone by itself
      end
      wait.until_(function() return #s:backends() == 0 end)
    end

    after_each(function()
      p:free()
      terminate_all()
    end)

    -- A client that waits on the server until tell() is called, and then
    -- runs sql in the same transaction.
    local function waiter(sql)
      s:psql "drop table if exists told; create table told ()"
      local client = psql_starts(p.url, [=[
        do $$ begin
          loop
            exit when exists (select from told);
            perform pg_sleep(0.01);
          end loop;
        end $$;]=] .. sql)
      wait.until_(function()
        local b = s:backends()[1]
        return b and b.state == "active"
      end, 10, "the waiter")
      return client
    end

    local function tell()
      s:psql "insert into told default values"
    end

    local function sleeper()
      local client = psql_starts(p.url, "select pg_sleep(1000)")
      wait.until_(function()
        local b = s:backends()[1]
        return b and b.state == "active"
      end, 10, "the sleeper")
      return client
    end

    it("forwards, and counts what it forwarded", function()
      local big = ("x"):rep(3000000)
      assert.equal(big .. "\n",
        psql(p.url, "select repeat('x', 3000000)").out)
      local c = wait.until_(function()
        local c = p:counts()
        return c.open == 0 and c
      end)
      assert.same({ 1, 1, 0, 1, 0 }, { c.accepted, c.peak_open, c.logins,
        c.peak_logins, c.cancels })
      assert.is_true(c.s2c_bytes > 3000000 and c.c2s_bytes > 50)
    end)

    it("makes answers late", function()
      p:set { delay_ms = 30 }
      -- Startup and query, there and back.
      assert.is_true(psql(p.url).seconds >= 0.12)
    end)

    it("makes a login late and nothing after it", function()
      p:set { login_delay_ms = 150 }
      local many = ("select 1;"):rep(300)
      local args = { pg.bin "psql", "-XAtqw", "-d", p.url, stdin = many,
        env = clean }
      local r = sh.run(args)
      assert.equal(("1\n"):rep(300), r.out)
      assert.is_true(r.seconds >= 0.15 and r.seconds < 20)
      assert.equal(0, p:counts().logins)
    end)

    it("counts the logins that are under way at once", function()
      local clients = {}
      p:set { login_delay_ms = 600000 }
      for i = 1, 5 do clients[i] = psql_starts(p.url, "select 1") end
      wait.until_(function() return p:counts().logins == 5 end)
      p:cut()
      assert.equal(0, p:counts().logins)
      p:set { login_delay_ms = 0 }
      for i = 1, 3 do clients[i] = psql_starts(p.url, "select 1") end
      for i = 1, 3 do assert.same({ code = 0 }, clients[i]:wait(20)) end
      assert.equal(5, p:counts().peak_logins)
      assert.equal(0, p:counts().logins)
    end)

    it("lets through bytes at a given rate", function()
      p:set { rate_bytes = 20000 }
      local r = psql(p.url, "select repeat('x', 8000)")
      assert.equal(8001, #r.out)
      assert.is_true(r.seconds >= 0.35)
    end)

    it("cuts the stream into single bytes without loss", function()
      p:set { chunk = 1 }
      assert.equal(("x"):rep(500) .. "\n",
        psql(p.url, "select repeat('x', 500)").out)
    end)

    it("stalls what runs and what comes, until it goes on", function()
      local held = waiter "select 'held'"
      p:stall()
      tell()
      local late = psql_starts(p.url, "select 'late'")
      wait.until_(function() return p:counts().accepted == 2 end)
      assert.is_nil(late:wait(0.5))
      assert.is_true(held:running())
      assert.equal(2, p:counts().open)
      p:go()
      assert.same({ code = 0 }, held:wait(20))
      assert.same({ code = 0 }, late:wait(20))
      assert.equal("held\nlate\n", held:out() .. late:out())
    end)

    it("stalls one way only", function()
      local client = sleeper()
      p:stall("s2c")
      terminate_all()
      assert.is_nil(client:wait(0.1))
      p:go()
      assert.same({ code = 2 }, client:wait(20))
      assert.matches("terminating connection", client:err())
    end)

    it("cuts all connections, and then serves new ones", function()
      local client = sleeper()
      p:cut()
      assert.same({ code = 2 }, client:wait(20))
      assert.equal(0, p:counts().open)
      terminate_all()
      assert.equal("1\n", psql(p.url).out)
    end)

    if how == "tcp" then
      it("cuts with a reset, and ends without one", function()
        local function reader()
          return sh.spawn { "bash", "-c",
            ("exec 3<>/dev/tcp/127.0.0.1/%d; cat <&3"):format(p.port) }
        end
        for order, said in pairs { cut = "reset by peer", eof = "^$" } do
          local r = reader()
          wait.until_(function() return p:counts().open == 1 end)
          p:command(order)
          r:wait(20)
          assert.matches(said, r:err())
        end
      end)
    end

    it("closes all connections in good order", function()
      local client = sleeper()
      p:eof()
      assert.same({ code = 2 }, client:wait(20))
      assert.matches("closed the connection", client:err())
    end)

    it("refuses, and stops to", function()
      p:refuse("on")
      assert.matches("Connection refused", psql(p.url).err)
      p:refuse("close")
      assert.matches("closed the connection", psql(p.url).err)
      p:refuse("off")
      assert.equal("1\n", psql(p.url).out)
      local c = p:counts()
      assert.same({ 2, 1 }, { c.accepted, c.refused })
    end)

    it("cuts one connection after a number of bytes", function()
      p:cut_after(20, "s2c")
      assert.equal(2, psql(p.url).code)
      assert.equal(20, p:counts().s2c_bytes)
      assert.equal("1\n", psql(p.url).out)
    end)

    it("hides the answer of a commit that was done", function()
      s:psql "drop table if exists doubt; create table doubt (n int)"
      local client = waiter "insert into doubt values (1)"
      p:cut_after(0, "s2c")
      tell()
      assert.same({ code = 2 }, client:wait(20))
      assert.equal("1", s:psql "select n from doubt")
      assert.equal("1\n", psql(p.url).out)
    end)

    it("cuts a request before the server sees it", function()
      p:cut_after(0, "c2s")
      assert.equal(2, psql(p.url).code)
      assert.equal(0, p:counts().c2s_bytes)
    end)

    it("passes the end of the server on", function()
      local client = sleeper()
      terminate_all()
      assert.same({ code = 2 }, client:wait(20))
      wait.until_(function() return p:counts().open == 0 end)
    end)

    it("refuses a command it does not know", function()
      assert.error_matches(function() p:command("fly") end, "no such command")
      assert.error_matches(function() p:set { wings = 2 } end, "error")
    end)
  end)
end

describe("the fake server", function()
  local f
  after_each(function() f:free() end)

  local cases = {
    { "early-eof", "closed the connection unexpectedly" },
    { "garbage", "expected authentication request" },
    { "bad-password", "no password supplied" },
    { "too-many", "too many clients" },
    { "starting-up", "starting up" },
    { "eof-on-query", "closed the connection unexpectedly" },
  }
  for _, case in ipairs(cases) do
    it(case[1] .. " is seen by a client as " .. case[2], function()
      f = fakepg.start { mode = case[1], listen = "tcp" }
      assert.matches(case[2], psql(f.url).err)
      assert.equal(1, f:connections())
    end)
  end

  it("bad-password refuses any password with its SQLSTATE", function()
    f = fakepg.start { mode = "bad-password" }
    local r = sh.run { pg.bin "psql", "-XAtqw", "-d", f.url, "-c", "select 1",
      env = { PGPASSWORD = "secret" } }
    assert.matches("password authentication failed", r.err)
  end)

  it("ssl-no has no TLS for those who insist", function()
    f = fakepg.start { mode = "ssl-no", listen = "tcp" }
    assert.matches("does not support SSL",
      psql(f.url .. "?sslmode=require").err)
  end)

  for _, mode in ipairs { "deaf", "half", "silent", "half-on-query" } do
    it(mode .. " keeps its client waiting", function()
      f = fakepg.start { mode = mode }
      assert.is_true(psql(f.url, "select 1", 0.3).timeout)
    end)
  end

  it("gives way to the real server after a number of connections", function()
    f = fakepg.start { mode = "starting-up", count = 2,
      then_to = pg.shared() }
    assert.matches("starting up", psql(f.url).err)
    assert.matches("starting up", psql(f.url).err)
    assert.equal("1\n", psql(f.url).out)
  end)

  it("stops listening after them when there is no real one", function()
    f = fakepg.start { mode = "starting-up", count = 1 }
    assert.matches("starting up", psql(f.url).err)
    wait.until_(function()
      return psql(f.url).err:match("Connection refused")
    end)
  end)
end)

describe("the runner of unit tests", function()
  local function program(text)
    local path = sh.tmpfile("#!/bin/sh\n" .. text)
    posix.chmod(path, 493)
    return path
  end

  local function run(...)
    local counts = sh.tmpdir() .. "/counts/unit"
    local r = sh.run { "luajit", "tests/support/run-unit.lua", counts, ... }
    return r.code, sh.read(counts), r.out
  end

  it("sums what programs say", function()
    local code, counts, out = run(
      program "printf '1..2\\nok 1 - a\\nok 2 - b\\n1..1\\nok 1 - c\\n'",
      program "printf '1..2\\nok 1 - a\\nnot ok 2 # SKIP b\\n'")
    assert.same({ 0, "4 0 1\n" }, { code, counts })
    assert.matches("4 passed, 0 failed, 1 skipped\n$", out)
  end)

  it("shows the output of a program that fails, and fails", function()
    local code, counts, out = run(
      program "printf '1..1\\nnot ok 1 - a\\n# why\\n'; echo oh >&2; exit 1",
      program "printf '1..1\\nok 1 - a\\n'")
    assert.same({ 1, "1 1 0\n" }, { code, counts })
    assert.matches("# why\noh\n", out)
  end)

  it("counts as failed what a crash kept from running", function()
    local code, counts, out = run(
      program "printf '1..3\\nok 1 - a\\n'; kill -KILL $$")
    assert.same({ 1, "1 2 0\n" }, { code, counts })
    assert.matches("ended by signal 9", out)
  end)

  it("fails a program that tests nothing or ends badly", function()
    local code, counts = run(program "exit 0",
      program "printf '1..1\\nok 1 - a\\n'; exit 23")
    assert.same({ 1, "1 2 0\n" }, { code, counts })
  end)
end)

describe("the output of a spec run", function()
  it("counts passed, failed and skipped tests and broken files", function()
    local dir = sh.tmpdir()
    sh.write(dir .. "/a_spec.lua", [[
      it("passes", function() assert.equal(2, #"ab") end)
      it("fails", function() error("on purpose") end)
      pending("waits")
    ]])
    sh.write(dir .. "/b_spec.lua", "this is no Lua")
    local counts = sh.tmpdir() .. "/live"
    local r = sh.run { "busted", "--keep-going", dir,
      env = { LUNATE_COUNTS = counts } }
    assert.equal("1 2 1\n", sh.read(counts))
    assert.matches("1 passed, 2 failed, 1 skipped\n$", r.out)
    assert.matches("on purpose", r.out)
    assert.not_equal(0, r.code)
  end)
end)
