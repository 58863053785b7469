-- lunate policy: what it prints without a runtime, and what it asks one that
-- runs: generations, recorded decisions under other rules, shadows, changes
-- that wait to be accepted.
local cjson = require "cjson"
local pg = require "support.pg"
local sh = require "support.sh"
local wait = require "support.wait"

local A = "00000000-0000-0000-0000-00000000000a"

local RULES = [[
tenant { type = "uuid" }
database { mode = "rewrite" }
rows "visits" { by = "clinic_id" }
]]
local NOTES = 'rows "notes" { by = "clinic_id" }\n'

-- Reads its own visits, and asks for notes, which no rule is about.
local LOAD = [[
local A, stop, folder = %q, %q, %q
local db = assert(lunate.open { policies = folder, schema = "public" })
while not io.open(stop) do
  db:with_context({ tenant = A, roles = { "nurse" }, user = "secret" },
    function(c)
      assert(c:query("select n from visits where n > $1 or n = 4711", 0))
      c:query("select * from notes")
    end)
  lunate.sleep(0.005)
end
]]

local FILES = { "isolation", "access", "cache", "encryption", "audit",
  "retention", "routing", "resilience", "optimizer", "alerts" }

local function save(folder, name, text)
  local path = folder .. "/" .. name .. ".lua"
  sh.write(path .. "~", text)
  assert(os.rename(path .. "~", path))
end

local function policy(...)
  return sh.run { sh.build .. "/lunate", "policy", ... }
end

local function holds(r, ...)
  assert.equal(0, r.code, r.out .. r.err)
  for _, part in ipairs { ... } do
    assert.truthy(r.out:find(part, 1, true), part .. " is not in: " .. r.out)
  end
end

describe("lunate policy defaults", function()
  it("prints files that are in order and change nothing", function()
    local folder = sh.tmpdir()
    for _, name in ipairs(FILES) do
      local r = policy("defaults", name)
      holds(r, "-- " .. name .. ".lua: ")
      save(folder, name, r.out)
    end
    holds(policy("check", folder), "in order", "tables are isolated")
    save(folder, "isolation", RULES)
    holds(policy("check", folder), "in order")
    assert.falsy(policy("check", folder).out:find("no effect", 1, true))
  end)

  it("shows examples that are in order", function()
    for _, name in ipairs(FILES) do
      local folder = sh.tmpdir()
      local text = policy("defaults", name).out:gsub("\n%-%- (%l[%w_]* [\"{])",
        "\n%1"):gsub('\n%l[%w_]* "name" { %.%.%. }[^\n]*', "")
        :gsub("\n%l[%w_]* { %.%.%. }[^\n]*", "")
      save(folder, name, text)
      local r = policy("check", folder)
      -- what no build enforces is refused, and only for that
      assert.truthy(r.code == 0
        or r.err:find("nothing in this version enforces", 1, true)
        or name == "isolation", name .. ": " .. r.err .. "\n" .. text)
    end
  end)

  it("knows which files there are", function()
    local r = policy("defaults", "isolatoin")
    assert.equal(2, r.code)
    assert.truthy(r.err:find("did you mean isolation?", 1, true), r.err)
  end)
end)

describe("lunate policy check", function()
  local CASES = {
    { "isolation", "tenant { type = 'uuid' }\n  row 'a' {}", ":2:3: ",
      "did you mean 'rows'?" },
    { "isolation", "tenant { type = 'uid' }", ":1:10: ",
      'did you mean "uuid"?' },
    { "isolation", "rows 'a' { by = 'c', wirte = 'never' }", ":1:22: ",
      "did you mean 'write'?" },
    { "isolation", "tenant { type = 'uuid'", ":1:23: ", "expected" },
    { "isolation", "rows 'a' { by = 'c' }", ":1:7: ", "declare tenant" },
    { "isolation", "local x\nlocal y = x.z", ":2:11: ", "attempt to index" },
    { "access", "permit 'a' { action = 'raed', on = 'any' }", ":1:",
      'did you mean "read"?' },
    { "access", "role 'a' {}\npermit 'p' { role = 'b', action = 'read', "
      .. "on = 'any' }", ":2:", "no role" },
    { "resilience", "class 'raed' {}", ":1:", "read|write|critical" },
  }

  it("says file, line, column and what to do", function()
    for _, case in ipairs(CASES) do
      local folder = sh.tmpdir()
      if case[1] ~= "isolation" then save(folder, "isolation", RULES) end
      save(folder, case[1], case[2])
      local r = policy("check", folder)
      assert.equal(1, r.code, case[2])
      for _, part in ipairs { case[1] .. ".lua" .. case[3], case[4] } do
        assert.truthy(r.err:find(part, 1, true), part .. ": " .. r.err)
      end
      assert.truthy(r.err:find "%.lua:%d+:%d+: ", r.err)
    end
  end)
end)

describe("lunate policy, of a runtime that runs,", function()
  local folder, state, p

  local function start(env)
    local url = pg.database("policy_command")
    pg.shared():psql(([[
      create table visits (clinic_id uuid not null, n int);
      create table notes (clinic_id uuid not null, n int);
      insert into visits values ('%s', 1)]]):format(A), "policy_command")
    folder, state = sh.tmpdir(), sh.tmpdir()
    save(folder, "isolation", RULES)
    local all = { DATABASE_URL = url, XDG_STATE_HOME = state,
      LUNATE_LOG_LEVEL = "error" }
    for k, v in pairs(env or {}) do all[k] = v end
    p = sh.spawn { sh.build .. "/lunate", "run",
      sh.tmpfile(LOAD:format(A, state .. "/stop", folder), ".lua"),
      env = all }
    wait.until_(function()
      return sh.run { "ls", state .. "/lunate/run" }.out:find "%.sock"
    end, 10, "the socket")
  end

  local function ask(...)
    return sh.run { sh.build .. "/lunate", "policy", ...,
      env = { XDG_STATE_HOME = state } }
  end

  local function json(...)
    local args = { sh.build .. "/lunate", "policy", ... }
    args[#args + 1] = "--json"
    args.env = { XDG_STATE_HOME = state }
    local r = sh.run(args)
    assert.equal(0, r.code, r.err)
    return cjson.decode(r.out)
  end

  local function refused(part, ...)
    local args = { sh.build .. "/lunate", "policy", ... }
    args.env = { XDG_STATE_HOME = state }
    local r = sh.run(args)
    assert.equal(1, r.code, r.out)
    assert.truthy(r.err:find(part, 1, true), r.err)
  end

  after_each(function()
    p:free()
  end)

  it("tells which recorded decisions other rules change", function()
    start()
    local other = sh.tmpdir()
    save(other, "isolation", [[
      tenant { type = "uuid" }
      database { mode = "rewrite" }
      rows "notes" { by = "clinic_id" }
      rows "visits" { shared = "read" }]])
    local result
    wait.until_(function()
      result = json("diff", other)
      return result.decided >= 2
    end, 20, "two decisions")
    assert.equal(1, result.counts["now allowed"])
    assert.equal(1, result.counts["other rows or columns"])
    local by = {}
    for _, change in ipairs(result.changes) do
      by[change.change] = change
    end
    local allowed = by["now allowed"]
    assert.equal("select * from notes", allowed.statement)
    assert.same({ "nurse" }, allowed.roles)
    assert.equal("one", allowed.tenants)
    assert.equal("unknown-table", allowed.before.gives)
    assert.equal("scoped", allowed.after.gives)
    assert.equal("open", by["other rows or columns"].after.gives)
    local text = cjson.encode(result)
    for _, secret in ipairs { "secret", "4711", A } do
      assert.falsy(text:find(secret, 1, true), text)
    end
    holds(sh.run { sh.build .. "/lunate", "policy", "diff", other,
      env = { XDG_STATE_HOME = state } }, "2 would change",
      "now allowed: select * from notes", "roles nurse")
    -- the own folder is as it is in force
    assert.equal(0, #json("diff").changes)
    -- and printed defaults change nothing
    local printed = sh.tmpdir()
    for _, name in ipairs { "access", "cache", "resilience", "optimizer" } do
      save(printed, name, policy("defaults", name).out)
    end
    save(printed, "isolation", RULES)
    local same = json("diff", printed)
    assert.is_true(same.decided >= 2)
    assert.equal(0, #same.changes)
    refused("is not kept", "diff", "99")
    refused("is not there", "diff", "/nowhere/at/all")
  end)

  it("says the generation where it tells of an operation", function()
    start { LUNATE_LOG_LEVEL = "info" }
    wait.until_(function() return p:err():find "statement refused" end, 20,
      "a refusal")
    assert.truthy(p:err():find("statement refused why=unknown%-table "
      .. "generation=2 sql="), p:err())
    local r = sh.run { sh.build .. "/lunate", "ctl", "metrics",
      env = { XDG_STATE_HOME = state } }
    assert.truthy(r.out:find "policy_generation%s+2", r.out)
    assert.truthy(r.out:find "refused%s+[1-9]", r.out)
    save(folder, "isolation", RULES .. NOTES)
    wait.until_(function()
      return json("list").generation == 3
    end, 20, "the next generation")
    assert.truthy(sh.run { sh.build .. "/lunate", "ctl", "metrics",
      env = { XDG_STATE_HOME = state } }.out:find "policy_generation%s+3")
  end)

  it("has a shadow decide beside the rules in force", function()
    start()
    local other = sh.tmpdir()
    save(other, "isolation", RULES .. NOTES)
    assert.is_true(json("shadow", other).on)
    local result
    wait.until_(function()
      result = json("shadow")
      return result.changes["now allowed"] > 3
        and result.changes["the same"] > 3
    end, 30, "differences")
    assert.equal(0, result.changes["now refused"])
    holds(ask "list", "generation 2")
    assert.is_false(json("shadow", "off").on)
    assert.is_true(p:running())
    save(other, "isolation", "rows")
    refused("isolation.lua", "shadow", other)
  end)

  it("holds what may allow more until it is accepted", function()
    start { LUNATE_POLICY_CONFIRM = "widening" }
    save(folder, "isolation", RULES .. NOTES)
    local list
    wait.until_(function()
      list = json("list")
      return type(list.held) == "table"
    end, 20, "what is held")
    assert.equal(2, list.generation)
    assert.equal(1, list.held.number)
    assert.truthy(list.held.why:find("notes", 1, true), list.held.why)
    holds(ask "list", "lunate policy accept 1")
    refused("1 is, see", "accept", "9")
    holds(sh.run { sh.build .. "/lunate", "policy", "accept", "1",
      env = { XDG_STATE_HOME = state } }, "generation 3")
    list = json("list")
    assert.equal(cjson.null, list.held)
    assert.equal("accepted 1", list.history[#list.history].why)
    -- less is allowed at once
    save(folder, "isolation", RULES)
    wait.until_(function()
      return json("list").generation == 4
    end, 20, "the narrower rules")
    refused("nothing is held", "accept", "1")
  end)
end)
