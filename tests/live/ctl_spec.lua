-- `lunate ctl`: finding and asking the runtimes that run.
local cjson = require "cjson"
local pg = require "support.pg"
local sh = require "support.sh"
local wait = require "support.wait"

local state

local function lunate(...)
  return sh.run { sh.build .. "/lunate", ...,
    env = { XDG_STATE_HOME = state } }
end

local function ctl(...)
  local argv = { sh.build .. "/lunate", "ctl", ... }
  argv.env = { XDG_STATE_HOME = state }
  return sh.run(argv)
end

local function json(...)
  local argv = { ... }
  argv[#argv + 1] = "--json"
  local r = ctl(unpack(argv))
  assert.equal(0, r.code, r.err)
  return cjson.decode(r.out)
end

local function sockets()
  local found = sh.run { "ls", state .. "/lunate/run" }
  local n = 0
  for _ in found.out:gmatch("%.sock") do
    n = n + 1
  end
  return n
end

-- A script that runs until it is ended, once its socket is there.
local function start(url, script)
  local before = sockets()
  local p = sh.spawn { sh.build .. "/lunate", "run",
    sh.tmpfile(script or [[
      local db = assert(lunate.open { application_name = "ctl-test" })
      while true do
        db:query("select 1")
        lunate.sleep(0.02)
      end]], ".lua"),
    env = { DATABASE_URL = url, XDG_STATE_HOME = state } }
  wait.until_(function() return sockets() > before end, 10, "the socket")
  return p
end

describe("lunate ctl", function()
  local url = pg.database("ctl")
  local p

  before_each(function()
    state = sh.tmpdir()
    p = nil
  end)

  after_each(function()
    if p then p:free() end
  end)

  it("says so when nothing runs", function()
    local r = ctl()
    assert.equal(0, r.code, r.err)
    assert.truthy(r.out:find("no runtime runs", 1, true))
    assert.same({}, json())
    r = ctl("status")
    assert.equal(1, r.code)
    assert.truthy(r.err:find("no runtime runs", 1, true))
  end)

  it("lists what runs and asks it everything", function()
    p = start(url)
    local list = json()
    assert.equal(1, #list)
    assert.equal(p.pid, list[1].pid)
    assert.equal("ctl-test", list[1].application_name)
    assert.is_true(json("ping").pong)
    assert.equal(1, json("pool").total)
    assert.is_true(json("health").is_healthy)
    assert.is_true(json("metrics").total_queries > 0)
    assert.equal(p.pid, json("status").pid)
    local help = ctl("help")
    for _, row in ipairs(json("help").commands) do
      assert.truthy(help.out:find("\n?" .. row.command))
      assert.equal(0, ctl(row.command).code)
    end
  end)

  it("tells the options of the one that runs, and whose they are", function()
    p = start(url)
    local by_name = {}
    for _, row in ipairs(json("config").options) do
      by_name[row.name] = row
    end
    assert.same({ name = "application_name", value = "ctl-test",
      origin = "option" }, by_name.application_name)
    assert.equal("***", by_name.url.value)
    assert.equal("option", by_name.url.origin) -- lunate run hands it over
    assert.equal("default", by_name.pool_max.origin)
    local text = ctl("config").out
    assert.truthy(text:find("\nurl +%*%*%* +option\n")
      or text:find("^url +%*%*%* +option\n"), text)
    assert.falsy(text:find(url, 1, true))
  end)

  it("gives one document for a process with several runtimes", function()
    p = start(url, [[
      local a = assert(lunate.open { application_name = "one" })
      lunate.sleep(0.1)
      local b = assert(lunate.open { application_name = "two" })
      while a and b do lunate.sleep(0.05) end]])
    wait.until_(function() return sockets() == 2 end, 10, "both sockets")
    local both = json("status", "--pid", tostring(p.pid))
    assert.equal(2, #both)
    assert.same({ one = true, two = true }, {
      [both[1].application_name] = true, [both[2].application_name] = true })
  end)

  it("changes the log level of the one that runs", function()
    p = start(url)
    assert.equal("info", json("log_level").log_level)
    assert.equal("debug", json("log_level", "debug").log_level)
    assert.equal("debug", json("log_level").log_level)
    local r = ctl("log_level", "loud")
    assert.equal(1, r.code)
    assert.truthy(r.err:find("debug, info, warn or error", 1, true))
  end)

  it("wants to know which when several run", function()
    p = start(url)
    local other = start(url)
    local r = ctl("ping")
    assert.equal(2, r.code)
    assert.truthy(r.err:find("--pid", 1, true))
    assert.truthy(r.err:find(tostring(other.pid), 1, true))
    assert.equal(2, #json())
    assert.equal(other.pid, json("status", "--pid", other.pid).pid)
    other:free()
    r = ctl("ping", "--pid", "1")
    assert.equal(1, r.code)
    assert.truthy(r.err:find("no runtime of process 1", 1, true))
  end)

  it("removes the socket of one that was killed", function()
    p = start(url)
    assert.equal(1, sockets())
    p:kill("KILL")
    p:wait()
    assert.equal(1, sockets())
    assert.same({}, json())
    assert.equal(0, sockets())
  end)

  it("finds no socket of one that ended by itself, or was short", function()
    local r = sh.run { sh.build .. "/lunate", "run", sh.tmpfile([[
      local db = assert(lunate.open())
      db:query("select 1")
      lunate.sleep(1.2)
      local core = require "lunate.core"
      assert(io.open(core.ctl_path(db.ud)) == nil) -- sockets do not open
      print(core.ctl_path(db.ud))]], ".lua"),
      env = { DATABASE_URL = url, XDG_STATE_HOME = state } }
    assert.equal(0, r.code, r.err)
    assert.truthy(r.out:find("/lunate/run/%d+%-1%.sock\n$"), r.out)
    assert.equal(0, sockets())
    r = lunate("version")
    assert.equal(0, r.code)
    assert.equal(0, sockets())
  end)

  it("keeps others out", function()
    p = start(url)
    local path = json()[1].socket
    assert.equal("600", sh.ok { "stat", "-c", "%a", path }:sub(1, 3))
    assert.equal("700", sh.ok { "stat", "-c", "%a",
      path:match("^(.*)/") }:sub(1, 3))
  end)

  it("goes without a socket when there is no place for one", function()
    local r = sh.run { sh.build .. "/lunate", "run", sh.tmpfile([[
      local db = assert(lunate.open())
      lunate.sleep(1.2)
      print(#assert(db:query("select 1")))]], ".lua"),
      env = { DATABASE_URL = url, XDG_STATE_HOME = "/proc/nothing" } }
    assert.equal(0, r.code, r.err)
    assert.equal("1\n", r.out)
    assert.truthy(r.err:find("no control socket", 1, true), r.err)
  end)

  it("is not there when it is switched off", function()
    local r = sh.run { sh.build .. "/lunate", "run", sh.tmpfile([[
      local db = assert(lunate.open())
      lunate.sleep(1.2)
      print(require("lunate.core").ctl_path(db.ud))]], ".lua"),
      env = { DATABASE_URL = url, XDG_STATE_HOME = state,
        LUNATE_CONTROL_SOCKET = "false" } }
    assert.equal(0, r.code, r.err)
    assert.equal("nil\n", r.out)
    assert.equal("", r.err)
  end)
end)

describe("lunate policy", function()
  local url = pg.database("ctl_policy")
  local p

  local function run(...)
    local argv = { sh.build .. "/lunate", "policy", ... }
    argv.env = { XDG_STATE_HOME = state }
    return sh.run(argv)
  end

  before_each(function() state = sh.tmpdir() end)
  after_each(function()
    if p then p:free() end
    p = nil
  end)

  local GOOD = "tenant { type = 'uuid' }\nrows 'a' { by = 'c' }\n"

  local function folder_of(text)
    local folder = sh.tmpdir()
    sh.write(folder .. "/isolation.lua", text)
    return folder
  end

  it("checks a folder without a database", function()
    local r = run("check", folder_of(GOOD))
    assert.equal(0, r.code, r.err)
    assert.truthy(r.out:find("in order; 0 tests passed", 1, true), r.out)
    r = run("check", folder_of("tenant { type = 'uid' }"))
    assert.equal(1, r.code)
    assert.truthy(r.err:find("isolation.lua:1:", 1, true), r.err)
    r = run("check", folder_of(GOOD .. "accept 'rls-of' { why = 'x' }"))
    assert.equal(1, r.code)
    assert.truthy(r.err:find("did you mean \"rls-off\"?", 1, true), r.err)
    r = run("check", "/nowhere")
    assert.equal(1, r.code)
    assert.truthy(r.err:find("No such file", 1, true), r.err)
  end)

  it("tells each test, and fails when one does", function()
    local r = run("test", folder_of(GOOD
      .. "test 'one' { sql = 'select 1', gives = 'open' }\n"
      .. "test 'two' { sql = 'select 1 from a', gives = 'open' }\n"))
    assert.equal(1, r.code)
    assert.truthy(r.out:find("ok      .*isolation.lua:3  one"), r.out)
    assert.truthy(r.out:find("FAILED  .*isolation.lua:4  two"), r.out)
    assert.truthy(r.out:find("no-tenant", 1, true), r.out)
    assert.truthy(r.out:find("1 passed, 1 failed", 1, true), r.out)
  end)

  it("prints the words of a file", function()
    assert.truthy(run("words").out:find("resilience", 1, true))
    local r = run("words", "isolation")
    assert.truthy(r.out:find('rows "name" { ... }', 1, true), r.out)
    assert.falsy(r.out:find("conditions", 1, true))
    r = run("words", "access")
    assert.truthy(r.out:find('has_role "nurse"', 1, true))
    assert.truthy(r.out:find("ctx.clinic_tz", 1, true))
    r = run("words", "isolaton")
    assert.equal(2, r.code)
    assert.truthy(r.err:find("did you mean isolation?", 1, true), r.err)
  end)

  local function policy(...)
    local r = run(...)
    assert.equal(0, r.code, r.err)
    return r.out ~= "" and cjson.decode(r.out)
  end

  it("lists the tables that the database closes by what it holds", function()
    local folder = folder_of(GOOD)
    p = start(url, ([[
      local db = assert(lunate.open { policies = %q })
      assert(db:query("select 1"))
      while true do lunate.sleep(0.02) end]]):format(folder))
    wait.until_(function()
      return run("list").out:find(
        "closed: all tables: the application's role is a superuser", 1, true)
    end)
    local closed = policy("list", "--json").tables[1]
    assert.equal("role-superuser", closed.lint)
    assert.truthy(closed.remedy:find("NOSUPERUSER", 1, true))
  end)

  it("lists, reloads and goes back", function()
    local folder = folder_of(GOOD)
    p = start(url, ([[
      local db = assert(lunate.open { policies = %q })
      while true do lunate.sleep(0.02) end]]):format(folder))
    local first = policy("list", "--json")
    assert.equal(folder, first.folder)
    assert.equal("start", first.history[1].why)
    sh.write(folder .. "/isolation.lua", GOOD .. "rows 'b' { by = 'c' }")
    local second = policy("reload", "--json").generation
    assert.is_true(second > first.generation)
    local back = policy("use", tostring(first.generation), "--json").generation
    assert.is_true(back > second)
    local now = policy("list", "--json")
    assert.equal(back, now.generation)
    assert.equal(first.hash, now.hash)
    assert.equal("use " .. first.generation, now.history[#now.history].why)
    sh.write(folder .. "/isolation.lua", "broken")
    local r = run("reload")
    assert.equal(1, r.code)
    assert.truthy(r.err:find("isolation.lua:1", 1, true), r.err)
    assert.equal(back, policy("list", "--json").generation)
    r = run("use", "999")
    assert.equal(1, r.code)
    assert.truthy(r.err:find("not kept", 1, true), r.err)
  end)

  it("says that a runtime has no folder", function()
    p = start(url)
    assert.truthy(run("list").out:find("no policy folder", 1, true))
    local r = run("reload")
    assert.equal(1, r.code)
    assert.truthy(r.err:find("without a policy folder", 1, true), r.err)
  end)
end)
