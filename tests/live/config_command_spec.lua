-- `lunate config`: name, value, origin, default, meaning.
local cjson = require "cjson"
local live = require "support.live"
local pty = require "support.pty"
local sh = require "support.sh"

-- Where no folder of policies lies, and none is named.
local function config(env, ...)
  local argv = { sh.build .. "/lunate", "config", ... }
  argv.env, argv.cwd = { LUNATE_POLICIES = false }, "/"
  for name, value in pairs(env or {}) do
    argv.env[name] = value
  end
  return sh.run(argv)
end

-- The rows by name.
local function rows(env, ...)
  local r = config(env, "--json", ...)
  assert.equal(0, r.code, r.err)
  local by_name, list = {}, cjson.decode(r.out)
  for _, row in ipairs(list) do
    by_name[row.name] = row
  end
  return by_name, list, r
end

describe("lunate config", function()
  it("tells the value of every option and who said it", function()
    local by_name, list = rows({ DB_POOL_MAX = "9", LUNATE_CACHE_TTL = "",
      DATABASE_URL = "postgres://u:hidden@h/d" }, "--set", "schema=clinic")
    local help = cjson.decode(sh.ok { sh.build .. "/lunate", "help", "config",
      "--json" })
    assert.equal(#help, #list)
    for i, row in ipairs(list) do
      assert.equal(help[i].name, row.name)
      assert.same(help[i].variables, row.variables)
      assert.is_true(#row.meaning > 0 and #row.section > 0)
    end
    assert.equal("9", by_name.pool_max.value)
    assert.equal("DB_POOL_MAX", by_name.pool_max.origin)
    assert.equal("500", by_name.pool_max.default)
    assert.equal("clinic", by_name.schema.value)
    assert.equal("--set", by_name.schema.origin)
    assert.equal("default", by_name.acquire_timeout.origin)
    assert.equal(by_name.acquire_timeout.default, by_name.acquire_timeout.value)
    assert.equal(cjson.null, by_name.redis_url.value)
  end)

  it("hides what holds a password, wherever it was said", function()
    local env = { DATABASE_URL = "postgres://u:hidden@h/d",
      REDIS_URL = "redis://:hidden@r/0" }
    for _, flag in ipairs { "--json", "--changed" } do
      local r = config(env, flag)
      assert.equal(0, r.code, r.err)
      assert.falsy((r.out .. r.err):find("hidden", 1, true))
      live.says(r.out, "***", "DATABASE_URL")
    end
    local r = sh.run { sh.build .. "/lunate", "config", "--url",
      "postgres://u:hidden@h:no/d" }
    assert.equal(1, r.code)
    assert.falsy(r.err:find("hidden", 1, true))
    assert.equal("--url", rows({}, "--url", "postgres://u@h/d").url.origin)
  end)

  it("shows only what is asked for", function()
    local by_name, list = rows({ DB_POOL_MAX = "9", DB_POOL_MIN = "2" },
      "--changed", "MAX")
    assert.equal(1, #list)
    assert.equal("9", by_name.pool_max.value)
    by_name = rows({}, "circuit_breaker")
    assert.is_nil(by_name.pool_max)
    assert.truthy(next(by_name))
    assert.same({}, select(2, rows({}, "--changed")))
    local r = config({}, "--changed")
    assert.equal("all is as by default\n", r.out)
  end)

  it("guesses what a pattern without any option meant", function()
    local r = config({}, "pool_mux")
    assert.equal(1, r.code)
    assert.equal("", r.out)
    live.says(r.err, "no option has 'pool_mux' in its name",
      "did you mean 'pool_max'?")
  end)

  it("refuses what lunate.open refuses, in the same words", function()
    for _, env in ipairs { { DB_POOL_MAX = "9x" },
      { DB_POOL_MAX = "5", DB_POOL_MIN = "6" },
      { DATABASE_URL = "mysql://h/d" },
      { REDIS_URL = "rediss://h/0" } } do
      local r = config(env)
      env.DATABASE_URL = env.DATABASE_URL or "postgres://u@h/d"
      local open = sh.run { sh.build .. "/lunate", "run", sh.tmpfile([[
        print(select(2, lunate.open()))]], ".lua"), env = env }
      assert.equal(0, open.code, open.err)
      assert.equal(1, r.code)
      assert.equal("", r.out)
      assert.equal("lunate: " .. open.out, r.err)
    end
    local r = config({}, "--set", "pool_mx=3")
    assert.equal(1, r.code)
    live.says(r.err, 'did you mean "pool_max"?')
  end)

  it("notes variables that are none, on standard error", function()
    local _, _, r = rows { LUNATE_POOL_MXA = "1", DB_POOL_MAXX = "7" }
    live.says(r.err, "LUNATE_POOL_MXA is no option",
      "did you mean LUNATE_POOL_MAX?", "DB_POOL_MAXX")
    assert.falsy(r.err:find("\27", 1, true))
  end)

  it("keeps its lines within the terminal, names whole", function()
    for _, columns in ipairs { 60, 80, 140 } do
      local p = pty.spawn { sh.build .. "/lunate", "config", "pool",
        columns = columns, rows = 200, env = { TERM = "xterm",
          DB_POOL_MAX = "9" } }
      local text = pty.plain(p:see("replica_pool_max") .. "replica_pool_max")
      for line in text:gmatch("[^\n]+") do
        assert.is_true(#line <= columns, line)
      end
      live.says(text, "prepared_per_connection", "DB_POOL_MAX")
      p:wait()
      p:free()
    end
  end)

  it("has colours at a terminal, unless they are switched off", function()
    for env, coloured in pairs { [{ NO_COLOR = "" }] = true,
      [{ NO_COLOR = "", TERM = "dumb" }] = false,
      [{ NO_COLOR = "1" }] = false } do
      local p = pty.spawn { sh.build .. "/lunate", "config", "schema",
        env = env }
      p:see("search_path")
      p:wait()
      assert.equal(coloured, p.all:find("\27[", 1, true) ~= nil, p.all)
      p:free()
    end
    assert.falsy(config({ TERM = "xterm" }, "schema").out:find("\27", 1, true))
  end)
end)
