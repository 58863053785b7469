-- `lunate help TOPIC`: printed from the tables that the runtime itself reads.
local cjson = require "cjson"
local host = require "support.host"
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local function help(topic, flag)
  local r = sh.run { sh.build .. "/lunate", "help", topic, flag }
  assert.equal(0, r.code, r.err)
  assert.equal("", r.err)
  for line in r.out:gmatch("[^\n]+") do
    assert.is_true(flag ~= nil or #line <= 160, line)
  end
  return r.out
end

local function has(text, ...)
  for _, word in ipairs { ... } do
    assert.truthy(text:find(word, 1, true), word)
  end
end

describe("lunate help", function()
  it("lists every option with its variables", function()
    has(help("config"), "DATABASE_URL", "DB_POOL_MAX, LUNATE_POOL_MAX",
      "control_socket", "state_dir")
  end)

  it("lists every code of an error, and which may be tried again", function()
    local text = help("errors")
    has(text, "  * pool_exhausted", "    syntax", "    in_doubt",
      "no connection became free in time")
    local n = 0
    for _ in text:gmatch("\n  [ *] [%l_]+ +%l") do
      n = n + 1
    end
    assert.is_true(n >= 30)
  end)

  it("lists every event with its meaning", function()
    has(help("events"), "database.query.critical-slow (critical)",
      "database.connection-pool.near-exhaustion", "database.error")
  end)

  it("lists every figure with its unit", function()
    has(help("metrics"), "p99_query_time", "operations/s", "utilization")
  end)

  it("lists the commands and the topics with a line each", function()
    for _, words in ipairs { { "help" }, { "--help" } } do
      local r = sh.run { sh.build .. "/lunate", unpack(words) }
      assert.equal(0, r.code, r.err)
      for _, name in ipairs { "config", "status", "doctor", "environment",
        "url", "values", "errors", "refusals", "events", "metrics",
        "exit%-codes", "embedding" } do
        assert.truthy(r.out:find("\n   " .. name .. " +%u"), name)
      end
    end
  end)

  it("gives its tables as JSON", function()
    local core = require "lunate.core"
    for topic, rows in pairs { errors = core.error_table(),
      refusals = core.refusal_table(),
      events = core.event_table(), metrics = core.metrics_table() } do
      assert.same(rows, cjson.decode(help(topic, "--json")))
    end
    local options = cjson.decode(help("config", "--json"))
    assert.equal(#core.option_table(), #options)
    assert.same({ "DATABASE_URL", "LUNATE_URL" }, options[1].variables)
    assert.is_nil(options[1].value)
    local r = sh.run { sh.build .. "/lunate", "help", "url", "--json" }
    assert.equal(2, r.code)
    live.says(r.err, "--json goes with config, errors, refusals, events or",
      "metrics")
  end)

  it("shows the command and the table for the one word config", function()
    local text = help("config")
    has(text, "Usage: lunate config ", "--changed", "pool_max = 500")
  end)

  it("explains what a command ends with", function()
    has(help("exit-codes"), "\n  0 ", "\n  1 ", "\n  2 ", "\n  130 ", "doctor")
  end)

  it("names the variables that are no options, and the files", function()
    local text = help("environment")
    has(text, "NO_COLOR", "DATABASE_URL", "XDG_STATE_HOME", "PAGER",
      "lunate/run", "~/.pgpass")
    for _, row in ipairs(require("lunate.core").option_table()) do
      for name in row.variables:gmatch("LUNATE_[%u_]+") do
        assert.is_true(name == "LUNATE_URL"
          or not text:find("\n  [^\n]*" .. name .. "%f[^%u_]"), name)
      end
    end
  end)

  it("shows only URLs that are understood", function()
    local n = 0
    for url in help("url"):gmatch("\n  (%l+[:=]//?[^\n]+)") do
      local r = sh.run { sh.build .. "/lunate", "config", "--url", url }
      assert.equal(0, r.code, url .. ": " .. r.err)
      n = n + 1
    end
    assert.equal(7, n)
  end)

  it("shows a program in C that runs", function()
    local lines = {}
    for line in help("embedding"):gmatch("([^\n]*)\n") do
      if line:find "^    " or line == "" then
        lines[#lines + 1] = line:sub(5)
      end
    end
    local r = host.run { host.compile(sh.tmpfile(
      table.concat(lines, "\n") .. "\n", ".c")),
      env = { DATABASE_URL = pg.database("help") } }
    assert.equal(0, r.code, r.err)
    live.says(r.out, "PostgreSQL 15")
  end)

  it("shows values that are what it says", function()
    local code = help("values"):gsub("\n    local", "\0local")
      :match("%z(local.*)$")
    local r = sh.run { sh.build .. "/lunate", "run", sh.tmpfile(
      "local db = assert(lunate.open())\n" .. code, ".lua"),
      env = { DATABASE_URL = pg.database("help_values") } }
    assert.equal(0, r.code, r.err)
  end)

  it("guesses what was meant", function()
    for word, meant in pairs { urls = "url", metric = "metrics",
      statsu = "status", ["exit-code"] = "exit-codes" } do
      local r = sh.run { sh.build .. "/lunate", "help", word }
      assert.equal(2, r.code)
      live.says(r.err, ("did you mean '%s'?"):format(meant))
    end
  end)

  it("names the topics for a word it does not know", function()
    local r = sh.run { sh.build .. "/lunate", "help", "breakfast" }
    assert.equal(2, r.code)
    for _, word in ipairs { "config", "errors", "events", "metrics", "ctl",
      "doctor" } do
      assert.truthy(r.err:find(word, 1, true), word)
    end
  end)
end)
