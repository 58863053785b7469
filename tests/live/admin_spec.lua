-- lunate config, status and the topics of help, as a person and a program ask.
local cjson = require "cjson"
local pg = require "support.pg"
local sh = require "support.sh"
local wait = require "support.wait"

local function lunate(argv)
  table.insert(argv, 1, sh.build .. "/lunate")
  argv.env = argv.env or {}
  argv.env.DATABASE_URL = argv.env.DATABASE_URL or false
  return sh.run(argv)
end

local function option(name, argv)
  argv[#argv + 1] = "--json"
  local r = lunate(argv)
  local list = cjson.decode(r.out)
  for _, one in ipairs(list.options) do
    if one.name == name then return one, list, r end
  end
end

describe("lunate config", function()
  it("says where a value comes from, and what it would be else", function()
    local one = option("pool_max", { "config",
      env = { DB_POOL_MAX = "7" } })
    assert.equal("7", one.value)
    assert.equal("DB_POOL_MAX", one.origin)
    assert.equal("500", one.default)
    assert.equal("default", option("pool_max", { "config" }).origin)
    assert.equal("option", option("url",
      { "config", "--url", "postgres:///x" }).origin)
  end)

  it("hides what may hold a password", function()
    local r = lunate { "config", "--url", "postgres://u:sesame@h/x" }
    assert.equal(0, r.code, r.err)
    assert.is_nil((r.out .. r.err):find("sesame", 1, true))
  end)

  it("shows only what has the pattern, or was changed", function()
    local r = lunate { "config", "pool_m" }
    assert.truthy(r.out:find("pool_max", 1, true))
    assert.is_nil(r.out:find("log_level", 1, true))
    r = lunate { "config", "--changed", env = { LUNATE_LOG_LEVEL = "warn" } }
    assert.truthy(r.out:find("log_level +warn"))
    assert.is_nil(r.out:find("pool_max", 1, true))
    assert.equal(1, lunate({ "config", "no_such" }).code)
  end)

  it("tells of variables that are none, with the nearest", function()
    local _, list = option("url", { "config",
      env = { LUNATE_POL_MAX = "3" } })
    assert.equal(1, #list.notes)
    assert.truthy(list.notes[1]:find("LUNATE_POOL_MAX", 1, true))
  end)

  it("fails where lunate.open would, and says the same", function()
    local r = lunate { "config", "--json", env = { DB_POOL_MAX = "many" } }
    assert.equal(1, r.code)
    assert.truthy(cjson.decode(r.out).problem:find("DB_POOL_MAX", 1, true))
    assert.truthy(r.err:find("DB_POOL_MAX", 1, true))
  end)

  it("writes no colours where nobody looks", function()
    assert.is_nil(lunate({ "config" }).out:find("\27", 1, true))
  end)
end)

describe("lunate status", function()
  local state = sh.tmpdir()
  local env = { LUNATE_STATE_DIR = state }

  it("says that nothing runs", function()
    local r = lunate { "status", env = env }
    assert.equal(1, r.code)
    assert.truthy(r.out:find("no runtime runs", 1, true))
    assert.equal("[]\n", lunate({ "status", "--json", env = env }).out)
  end)

  it("shows a runtime that runs, to people and to programs", function()
    local script = sh.tmpfile([[
      local db = assert(require("lunate").open {
        application_name = "seen from outside" })
      for _ = 1, 5 do assert(db:query("select 1")) end
      assert(db:query("select pg_sleep(60)"))]], ".lua")
    local p = sh.spawn { sh.build .. "/lunate", "run", script, env = {
      LUNATE_STATE_DIR = state, DATABASE_URL = pg.database("admin_spec") } }
    local list = wait.until_(function()
      local all = cjson.decode(lunate({ "status", "--json", env = env }).out)
      return all[1] and all[1].metrics and all[1].metrics.total_queries >= 5
        and all
    end, 30, "the runtime is found")
    assert.equal("seen from outside", list[1].application_name)
    assert.equal(p.pid or list[1].pid, list[1].pid)
    local r = lunate { "status", env = env }
    assert.equal(0, r.code, r.err)
    assert.truthy(r.out:find("seen from outside", 1, true))
    assert.truthy(r.out:find("1 open, 1 work", 1, true), r.out)
    assert.equal(1, lunate({ "status", "--pid", "1", env = env }).code)
    p:kill("KILL")
    p:wait(10)
  end)

  it("refuses to look without a pause", function()
    assert.equal(2, lunate({ "status", "--watch", "0", env = env }).code)
  end)
end)

describe("lunate help", function()
  it("has a text for each of its topics", function()
    local out = lunate({ "help", "help" }).out
    local topics = out:match("Topics: (.*)%."):gsub("%b()", "")
    local n = 0
    for name in topics:gmatch("[%l-]+") do
      local r = lunate { "help", name }
      assert.equal(0, r.code, name)
      assert.truthy(#r.out > 200, name)
      n = n + 1
    end
    assert.is_true(n >= 8)
  end)

  it("shows a program in C that compiles", function()
    local out = lunate({ "help", "embedding" }).out
    for name in out:gmatch("lunate_[%l_]+%f[(]") do
      assert.truthy(sh.read("runtime/lunate.h"):find(name .. "(", 1, true),
        name)
    end
  end)
end)

describe("lunate version --json", function()
  it("is one document", function()
    local v = cjson.decode(lunate({ "version", "--json" }).out)
    assert.truthy(v.version:find("^%d+%.%d+%.%d+$"))
    assert.truthy(v.luajit:find("LuaJIT", 1, true))
  end)
end)
