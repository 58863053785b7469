-- `lunate run` as somebody uses it: from an empty folder.
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local url

setup(function() url = pg.database("script_run") end)

-- Runs `lunate run script args` in an empty folder.
local function run(text, args, env)
  local argv = { sh.build .. "/lunate", "run", text and
    sh.tmpfile(text, ".lua") or nil, cwd = sh.tmpdir(),
    env = { DATABASE_URL = url, LUA_PATH = false, LUA_CPATH = false } }
  for k, v in pairs(env or {}) do argv.env[k] = v end
  for _, a in ipairs(args or {}) do argv[#argv + 1] = a end
  return sh.run(argv)
end

describe("lunate run", function()
  it("runs a script against the database of DATABASE_URL", function()
    local r = run [[
      local lunate = require "lunate"
      local db = assert(lunate.open())
      print(assert(db:one("select current_database() as d")).d)
    ]]
    assert.same({ 0, "script_run\n" }, { r.code, r.out }, r.err)
    assert.equal("", r.err)
  end)

  it("gives the script its name and arguments", function()
    local r = run([[
      print(arg[0]:match("[^/]*$"):match("%.lua$"), #arg, ...)
      print(arg[1], arg[2], arg[3])
    ]], { "a", "--flag", "b c" })
    assert.same({ 0, ".lua\t3\ta\t--flag\tb c\na\t--flag\tb c\n" },
      { r.code, r.out }, r.err)
  end)

  it("ends with 0, or with the code of os.exit", function()
    assert.equal(0, run("return").code)
    assert.equal(0, run("").code)
    assert.equal(7, run("os.exit(7)").code)
    assert.equal(0, run("os.exit(true)").code)
    assert.equal(1, run("os.exit(false)").code)
  end)

  it("waits for tasks that the script left", function()
    local r = run [[
      local lunate = require "lunate"
      lunate.spawn(function()
        lunate.sleep(0.05)
        print "task"
      end)
      print "script"
    ]]
    assert.same({ 0, "script\ntask\n" }, { r.code, r.out }, r.err)
  end)

  it("tells an error with file, line and traceback, and fails", function()
    local r = run("local x = 1\nlocal function f()\n  error 'mistake'\n"
      .. "end\nf()\n")
    assert.equal(1, r.code)
    assert.equal("", r.out)
    live.says(r.err, ".lua:3: mistake", "traceback")
  end)

  it("tells an error value of lunate as text", function()
    local r = run [[
      local db = assert(require("lunate").open())
      assert(db:query("select * from nowhere"))
    ]]
    assert.equal(1, r.code)
    live.says(r.err, "undefined", "nowhere", "42P01")
    assert.is_nil(r.err:find("table: 0x", 1, true), r.err)
  end)

  it("tells the error of a task that nobody joined, and fails", function()
    local r = run [[
      require("lunate").spawn(function() error "nobody hears it" end)
      print "script"
    ]]
    assert.equal("script\n", r.out)
    live.says(r.err, "nobody hears it")
    assert.not_equal(0, r.code)
  end)

  it("tells a script that cannot be parsed with its line", function()
    local r = run "local x =\n\nfor\n"
    assert.equal(1, r.code)
    live.says(r.err, ".lua:3:")
  end)

  it("tells a script that is not there, or is a folder", function()
    local r = run(nil, { "/no/such/script.lua" })
    assert.not_equal(0, r.code)
    live.says(r.err, "/no/such/script.lua", "No such file")
    local dir = sh.tmpdir()
    r = run(nil, { dir })
    assert.not_equal(0, r.code)
    live.says(r.err, dir)
  end)

  it("without a script says what it wants", function()
    local r = run()
    assert.not_equal(0, r.code)
    live.says(r.err, "script")
  end)

  it("leaves nothing in the folder where it ran", function()
    local dir = sh.tmpdir()
    local r = sh.run { sh.build .. "/lunate", "run", sh.tmpfile(
      "assert(require('lunate').open():query('select 1'))", ".lua"),
      cwd = dir, env = { DATABASE_URL = url } }
    assert.equal(0, r.code, r.err)
    assert.equal("", sh.ok { "ls", "-A", dir })
  end)

  it("with a bad DATABASE_URL says what is wrong with it", function()
    local r = run("assert(require('lunate').open())", {},
      { DATABASE_URL = "mysql://x" })
    assert.equal(1, r.code)
    live.says(r.err, "DATABASE_URL", "mysql")
  end)

  it("tells of an option that looks wrong, and goes on", function()
    local r = run("assert(require('lunate').open():query('select 1'))", {},
      { LUNATE_POOL_MXA = "3" })
    assert.equal(0, r.code, r.err)
    live.says(r.err, "warn config", "LUNATE_POOL_MXA")
  end)

  it("without the server says where it looked", function()
    local r = run("assert(require('lunate').open():query('select 1'))", {},
      { DATABASE_URL = "postgresql://u@127.0.0.1:1/x" })
    assert.equal(1, r.code)
    live.says(r.err, "connect_failed", "127.0.0.1")
  end)

  it("awaits in the main chunk, in coroutines and in tasks", function()
    local r = run [[
      local lunate = require "lunate"
      local db = assert(lunate.open())
      local function ask(n) return assert(db:one("select $1::int a", n)).a end
      print(ask(1), coroutine.wrap(function() return ask(2) end)(),
        (lunate.spawn(ask, 3):join()))
    ]]
    assert.same({ 0, "1\t2\t3\n" }, { r.code, r.out }, r.err)
  end)

  it("ends by a signal as programs do, and its statement with it", function()
    local p = sh.spawn { sh.build .. "/lunate", "run", sh.tmpfile(
      "require('lunate').open():query('select pg_sleep(60) /* orphan */')",
      ".lua"), env = { DATABASE_URL = url } }
    live.until_(function()
      return pg.shared():psql("select count(*) from pg_stat_activity where "
        .. "query like '%/* orphan%' and pid <> pg_backend_pid()") == "1"
    end)
    p:kill("TERM")
    local ending = p:wait(20)
    assert.truthy(ending and (ending.signal == 15 or ending.code ~= 0))
  end)
end)
