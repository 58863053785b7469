-- `lunate status`: the runtimes that run, on one screen.
local cjson = require "cjson"
local live = require "support.live"
local pg = require "support.pg"
local pty = require "support.pty"
local sh = require "support.sh"
local wait = require "support.wait"

local state, running

local function status(...)
  local argv = { sh.build .. "/lunate", "status", ... }
  argv.env = { XDG_STATE_HOME = state }
  return sh.run(argv)
end

local function json(...)
  local argv = { ... }
  argv[#argv + 1] = "--json"
  local r = status(unpack(argv))
  assert.equal(r.out == "[]\n" and 1 or 0, r.code, r.err)
  return cjson.decode(r.out)
end

local function sockets()
  local _, n = sh.run({ "ls", state .. "/lunate/run" }).out:gsub("%.sock", "")
  return n
end

-- Asks and fails for ever; one connection is held.
local SCRIPT = [[
  local db = assert(lunate.open { application_name = "status-test",
    pool_max = 4 })
  assert(db:health())
  lunate.spawn(function()
    db:transaction(function() lunate.sleep(1000) end)
  end)
  while true do
    db:query("select 1")
    db:query("select nothing from nowhere")
    lunate.sleep(0.02)
  end]]

local function start(url, text, ...)
  local before = sockets()
  local p = sh.spawn { sh.build .. "/lunate", "run", "--workers",
    tostring(... or 1), sh.tmpfile(text or SCRIPT, ".lua"),
    env = { DATABASE_URL = url, XDG_STATE_HOME = state } }
  running[#running + 1] = p
  wait.until_(function() return sockets() > before end, 10, "the socket")
  return p
end

describe("lunate status", function()
  local url = pg.database("status")

  before_each(function()
    state, running = sh.tmpdir(), {}
  end)

  after_each(function()
    for _, p in ipairs(running) do p:free() end
  end)

  it("says so when nothing runs", function()
    local r = status()
    assert.equal(1, r.code)
    live.says(r.out, "no runtime runs (looked in " .. state)
    assert.same({}, json())
    r = status("--pid", "1")
    assert.equal(1, r.code)
    live.says(r.err, "no runtime of process 1")
  end)

  it("shows connections, work, time and health of each", function()
    local p = start(url)
    wait.until_(function()
      return json()[1].metrics.queries_per_second > 0
    end, 20, "a rate")
    local r = status()
    assert.equal(0, r.code, r.err)
    live.says(r.out, tostring(p.pid), "status-test", "1 worker,",
      "idle", "at most 4", " for a connection", "under way",
      "/s, errors ", "average ", "p99 ", "well, checked ")
    assert.truthy(r.out:find("%[[#=~.]+%] %d active"), r.out)
    assert.falsy(r.out:find("\27", 1, true))
    local one = json()[1]
    assert.equal(p.pid, one.pid)
    assert.is_nil(one.error)
    assert.equal("status-test", one.application_name)
    assert.is_true(one.metrics.errors > 0)
    assert.is_true(one.health.is_healthy)
  end)

  it("ends with 1 when one is unwell, and says why", function()
    start("postgresql:///x?host=/nowhere/at/all", [[
      local db = assert(lunate.open())
      db:health()
      lunate.sleep(1000)]])
    local r
    wait.until_(function()
      r = status()
      return r.out:find("NOT WELL", 1, true)
    end, 20, "the health check")
    assert.equal(1, r.code)
    live.says(r.out, "/nowhere/at/all")
  end)

  it("shows several, or the one that is asked for", function()
    local p, other = start(url), start(url)
    assert.equal(2, #json())
    live.says(status().out, tostring(p.pid), tostring(other.pid))
    local list = json("--pid", tostring(other.pid))
    assert.equal(1, #list)
    assert.equal(other.pid, list[1].pid)
  end)

  it("shows the workers of a runtime as one", function()
    start(url, [[
      local db = assert(lunate.open())
      db:transaction(function(tx)
        assert(tx:query("select 1"))
        lunate.sleep(1000)
      end)]], 3)
    wait.until_(function()
      local list = json()
      return #list == 1 and list[1].metrics.leased == 3
    end, 20, "what all workers hold")
    live.says(status().out, "3 workers", "3 active")
  end)

  it("ends with 1 when one does not answer, and shows the others", function()
    local p = start(url)
    local mute = start(url)
    mute:kill("STOP")
    local r = status()
    mute:kill("CONT")
    assert.equal(1, r.code)
    live.says(r.out, tostring(p.pid), "status-test", "no answer")
  end)

  it("draws again until Ctrl-D or Ctrl-C", function()
    start(url)
    for key, code in pairs { ["\4"] = 0, ["\3"] = false } do
      local p = pty.spawn { sh.build .. "/lunate", "status", "--watch", "0.2",
        env = { XDG_STATE_HOME = state, TERM = "xterm" } }
      for _ = 1, 3 do
        live.says(p:see("health"), "every 0.2 s", "status-test")
      end
      p:send(key)
      local r = p:wait()
      assert.equal(code, r.code == 0 and 0)
      p:free()
    end
  end)

  it("prints once where there is no terminal to draw on", function()
    start(url)
    local r = status("--watch")
    assert.equal(0, r.code, r.err)
    local _, n = r.out:gsub("connections", "")
    assert.equal(1, n)
  end)

  it("refuses what makes no sense", function()
    for reason, words in pairs {
      ["--watch wants seconds"] = { "--watch", "soon" },
      ["at least 0.1"] = { "--watch", "0" },
      ["--pid wants the number"] = { "--pid", "x" },
      ["can not be used together"] = { "--watch", "2", "--json" } } do
      local r = status(unpack(words))
      assert.equal(2, r.code)
      live.says(r.err, reason)
    end
  end)
end)
