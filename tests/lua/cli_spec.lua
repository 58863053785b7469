package.path = "tests/support/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path
local command = require "command"
local place = require "lunate.dev.place"
local sys = require "lunate.sys"

-- A runtime that shows what it was asked to do.
local CORE = [[
package.preload["lunate.core"] = function()
  return {
    version = "9.9.9",
    config_help = function() return "DB_POOL_MAX  500\n" end,
    near = function(word, known)
      assert(#known > 10)
      return word == "metrix" and "metrics" or nil
    end,
  }
end
package.preload["lunate.script"] = function()
  return {
    run = function(job)
      print(job.path, job.url, job.workers, table.concat(job.args, "|"))
      return 0
    end,
  }
end
]]

local function lunate(...)
  return command.run({ ... }, { before = CORE,
    env = { DATABASE_URL = "postgresql:///test" } })
end

-- Exit code 2, one line of reason, and where help is.
local function misused(reason, ...)
  local code, out, err = lunate(...)
  assert.equal(2, code)
  assert.equal("", out)
  assert.truthy(err:find("^lunate: [^\n]+\nTry: lunate help[^\n]*\n$"), err)
  assert.truthy(err:find(reason, 1, true), err)
end

describe("the command line", function()
  it("lists its commands", function()
    for _, words in ipairs { { "help" }, { "--help" }, { "-h" } } do
      local code, out, err = lunate(unpack(words))
      assert.equal(0, code)
      assert.equal("", err)
      for _, name in ipairs { "run", "dev", "help", "version" } do
        assert.truthy(out:find("\n   " .. name .. " +%u"), name)
      end
    end
  end)

  it("shows the same help on a command in both ways", function()
    local _, by_word = lunate("help", "dev")
    local code, by_option = lunate("dev", "--help")
    assert.equal(0, code)
    assert.equal(by_word, by_option)
    assert.truthy(by_word:find("Usage: lunate dev", 1, true))
  end)

  it("shows help on an action without its missing arguments", function()
    local code, out = lunate("dev", "start", "--help")
    assert.equal(0, code)
    assert.truthy(out:find("--replica", 1, true))
    code, out = lunate("run", "-h")
    assert.equal(0, code)
    assert.truthy(out:find("<script>", 1, true))
  end)

  it("guesses what was meant", function()
    misused("unknown command 'rnu'; did you mean 'run'?", "rnu", "a.lua")
    misused("unknown command 'strat'; did you mean 'start'?", "dev", "strat")
    misused("no help on 'metrix'; did you mean 'metrics'?", "help", "metrix")
    misused("unknown option '--jsno'; did you mean '--json'?", "status",
      "--jsno")
  end)

  it("refuses what it does not understand", function()
    misused("a command is required")
    misused("a command is required", "dev")
    misused("unknown option '--nope'", "--nope")
    misused("missing argument 'script'", "run")
    misused("too many arguments", "dev", "stop", "now")
    misused("no help on 'nothing'", "help", "nothing")
  end)

  it("names the command whose help would help", function()
    local _, _, err = lunate("dev", "strat")
    assert.truthy(err:find("Try: lunate help dev\n", 1, true))
  end)

  it("prints its version", function()
    for _, word in ipairs { "version", "--version", "-V" } do
      local code, out = lunate(word)
      assert.equal(0, code)
      assert.truthy(out:find("^lunate 9%.9%.9 %(LuaJIT 2%.1"), out)
    end
  end)

  it("prints its version as JSON", function()
    local code, out = lunate("version", "--json")
    assert.equal(0, code)
    local version = require("cjson").decode(out)
    assert.equal("9.9.9", version.version)
    assert.equal(jit.version, version.luajit)
  end)

  it("has topics that need no runtime", function()
    for _, topic in ipairs { "exit-codes", "environment", "url", "values",
      "embedding" } do
      local code, out, err = command.run { "help", topic }
      assert.equal(0, code, err)
      for line in out:gmatch("[^\n]+") do
        assert.is_true(#line < 80, line)
      end
    end
  end)

  it("prints the configuration from the runtime's own table", function()
    local code, out = lunate("help", "config")
    assert.equal(0, code)
    assert.truthy(out:find("^Usage: lunate config "), out)
    assert.truthy(out:find("\nDB_POOL_MAX  500\n$"), out)
  end)

  it("says how to get the runtime where it is not built", function()
    for _, words in ipairs { { "version" }, { "help", "errors" },
      { "config" }, { "status" }, { "ctl" },
      { "run", "/dev/null" } } do
      local code, _, err = command.run(words)
      assert.equal(1, code)
      assert.equal("lunate: the runtime is not here; build it with: make\n",
        err)
    end
  end)
end)

describe("lunate run", function()
  it("hands the script its own words untouched", function()
    local code, out = lunate("run", "/dev/null", "--help", "-x", "--", "a b")
    assert.equal(0, code)
    assert.equal("/dev/null\tpostgresql:///test\tnil\t--help|-x|--|a b\n", out)
  end)

  it("takes its own options before the script only", function()
    local code, out = lunate("run", "--workers", "3", "--url=postgres://h/d",
      "/dev/null", "--workers", "9")
    assert.equal(0, code)
    assert.equal("/dev/null\tpostgres://h/d\t3\t--workers|9\n", out)
  end)

  it("takes a script whose name begins with a dash after --", function()
    local code, _, err = lunate("run", "--", "-odd.lua", "x")
    assert.equal(1, code)
    assert.truthy(err:find("cannot read the script -odd.lua: No such", 1, true))
  end)

  it("names the script that cannot be read", function()
    local code, _, err = lunate("run", "/nowhere/a.lua")
    assert.equal(1, code)
    assert.equal("lunate: cannot read the script /nowhere/a.lua: "
      .. "No such file or directory\n", err)
  end)

  it("refuses a number of workers that is none", function()
    for _, word in ipairs { "x", "0", "1.5" } do
      misused("--workers wants a whole number from 1", "run", "--workers",
        word, "/dev/null")
    end
  end)
end)

describe("lunate dev", function()
  it("does not remove data unless told so", function()
    misused("say so with --yes", "dev", "reset")
  end)

  it("finds its folder as the state directory rules say", function()
    local function found(root, env)
      local real = sys.is_root
      sys.is_root = function() return root end
      local at, err = place.find(function(name) return env[name] end)
      sys.is_root = real
      return at and at.dir, at and at.owner or err
    end
    assert.same({ "/u/a/.local/state/lunate/dev" },
      { found(false, { HOME = "/u/a" }) })
    assert.same({ "/s/lunate/dev" },
      { found(false, { HOME = "/u/a", XDG_STATE_HOME = "/s/" }) })
    assert.same({ "/u/a/.local/state/lunate/dev" },
      { found(false, { HOME = "/u/a", XDG_STATE_HOME = "relative" }) })
    assert.same({ "/var/lib/lunate/dev", "postgres" },
      { found(true, { HOME = "/root" }) })
    assert.same({ "/s/lunate/dev", "postgres" },
      { found(true, { HOME = "/root", XDG_STATE_HOME = "/s" }) })
    local dir, err = found(false, {})
    assert.is_nil(dir)
    assert.truthy(err:find("HOME and XDG_STATE_HOME are both unset", 1, true))
  end)

  it("refuses a folder whose sockets would have too long a name", function()
    local code, _, err = command.run({ "dev", "start" },
      { env = { XDG_STATE_HOME = "/tmp/" .. ("x"):rep(90) } })
    assert.equal(1, code)
    assert.truthy(err:find("too long for a socket; set XDG_STATE_HOME", 1,
      true))
  end)
end)
