-- `lunate help TOPIC`: printed from the tables that the runtime itself reads.
local sh = require "support.sh"

local function help(topic)
  local r = sh.run { sh.build .. "/lunate", "help", topic }
  assert.equal(0, r.code, r.err)
  assert.equal("", r.err)
  for line in r.out:gmatch("[^\n]+") do
    assert.is_true(#line <= 160, line)
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

  it("names the topics for a word it does not know", function()
    local r = sh.run { sh.build .. "/lunate", "help", "breakfast" }
    assert.equal(2, r.code)
    for _, word in ipairs { "config", "errors", "events", "metrics", "ctl",
      "doctor" } do
      assert.truthy(r.err:find(word, 1, true), word)
    end
  end)
end)
