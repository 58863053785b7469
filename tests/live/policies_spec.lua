-- Policy folders while a runtime runs: in force on save, or the old rules hold.
local lunate = require "lunate"
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local A = "00000000-0000-0000-0000-00000000000a"
local B = "00000000-0000-0000-0000-00000000000b"

local RULES = [[
tenant { type = "uuid" }
database { mode = "rewrite" }
rows "visits" { by = "clinic_id" }
]]

local folder

local function save(name, text)
  local path = folder .. "/" .. name .. ".lua"
  sh.write(path .. "~", text)
  assert(os.rename(path .. "~", path))
end

local function url()
  local address = pg.database("policies")
  pg.shared():psql([[
    create schema healthcare;
    create table healthcare.visits (clinic_id uuid not null, n int);
    create table healthcare.notes (clinic_id uuid not null, n int);
    insert into healthcare.visits values (']] .. A .. [[', 1), (']] .. A
    .. [[', 2), (']] .. B .. [[', 3);
    insert into healthcare.notes values (']] .. A .. [[', 1)]],
    "policies")
  return address
end

local function open()
  return live.open(url(), { policies = folder, schema = "healthcare" })
end

local function sum(db, tenant)
  return db:with_tenant(tenant, function(c)
    local row, err = c:one("select sum(n)::int as n from visits")
    return row and row.n, err
  end)
end

before_each(function()
  folder = sh.tmpdir()
end)

after_each(live.close)

describe("a runtime with a policy folder", function()
  it("shows each clinic its own rows, and nobody's to nobody", function()
    save("isolation", RULES)
    local db = open()
    assert.equal(3, sum(db, A))
    assert.equal(3, sum(db, B))
    assert.equal(6, sum(db, { A, B }))
    live.says(live.refused("denied", db:query("select * from visits")),
      "no-tenant")
    db:with_tenant(A, function(c)
      live.says(live.refused("denied", c:query("select * from notes")),
        "unknown-table")
      live.says(live.refused("denied", c:query("select * from pg_class")),
        "catalog")
      local _, err = c:query("select * from pg_class")
      assert.equal("catalog", err.reason)
      live.says(live.refused("denied", c:query("/* x */ show work_mem")),
        "(statement)", "SHOW is none of SELECT")
    end)
  end)

  it("writes rows as the clinic's, and moves none", function()
    save("isolation", RULES)
    local db = open()
    db:with_tenant(A, function(c)
      assert(c:query("insert into visits (n) values ($1)", 10))
      assert(c:query("update visits set n = n + 1"))
      live.says(live.refused("denied",
        c:query("update visits set clinic_id = $1", B)), "move")
    end)
    assert.equal(16, sum(db, A))
    assert.equal(3, sum(db, B))
  end)

  it("obeys a file that is saved", function()
    save("isolation", RULES)
    local db = open()
    live.refused("denied", db:with_tenant(A, function(c)
      return c:query("select * from notes")
    end))
    save("isolation", RULES .. 'rows "notes" { by = "clinic_id" }')
    live.until_(function()
      return db:with_tenant(A, function(c)
        return c:query("select * from notes")
      end)
    end, 10, "the new rule")
  end)

  it("keeps the rules in force when a file is broken", function()
    save("isolation", RULES)
    local db = open()
    local refused
    local listener = db:on("policy.refused", function(e) refused = e end)
    save("isolation", "tenant { type = 'uuid' }\nrow 'visits' {}")
    live.until_(function()
      lunate.sleep(0.01)
      return refused
    end, 10, "the event")
    live.says(refused.payload.message, "isolation.lua:2",
      "did you mean 'rows'?")
    assert.equal(3, sum(db, A))
    listener()
  end)

  it("closes all tables when it has been broken for too long", function()
    save("isolation", RULES)
    local db = live.open(url(), { policies = folder, schema = "healthcare",
      policies_max_stale = "1s" })
    save("isolation", "nonsense")
    live.until_(function()
      local n, err = sum(db, A)
      return not n and err.message:find("broken for too long", 1, true)
    end, 20, "the end")
    assert.equal(1, db:one("select 1 as n").n)
    save("isolation", RULES)
    live.until_(function() return sum(db, A) == 3 end, 10, "better times")
  end)

  it("without isolation.lua lets no table be touched", function()
    save("resilience", 'class "read" { retries = 1 }')
    local db = open()
    assert.equal(1, db:one("select 1 as n").n)
    local _, err = sum(db, A)
    live.says(err, "closed", "isolation.lua")
  end)

  it("does not start with a folder that it cannot obey", function()
    save("isolation", "rows 'visits' { by = 'clinic_id' }")
    live.says(live.refused("config", lunate.open { url = url(),
      policies = folder }), "isolation.lua:1", "tenant { type")
  end)
end)

describe("a function of a policy file", function()
  local FUNCTIONS = RULES .. [[
functions { add = { "healthcare.conflicts" } }
]]

  -- A statement that always conflicts, and counts how often it was tried.
  local function conflicting()
    local db = open()
    pg.shared():psql([[
      create sequence healthcare.tries;
      create function healthcare.conflicts() returns int volatile
        language plpgsql as $$ begin
          perform nextval('healthcare.tries');
          raise exception 'again' using errcode = '40001';
        end $$]], "policies")
    return db
  end

  local function tried()
    return tonumber(pg.shared():psql([[select case when is_called
      then last_value else 0 end from healthcare.tries]], "policies"))
  end

  local function tries(db)
    local before = tried()
    live.refused("conflict", db:query("select healthcare.conflicts()"))
    return tried() - before
  end

  it("decides how often a statement is tried", function()
    save("isolation", FUNCTIONS)
    save("resilience", [[
      retry { base = milliseconds(1), cap = milliseconds(2) }
      class "read" { retries = function(op)
        return op.kind == "select" and op.class == "read"
          and #op.tables == 0 and op.attempt < 4 and 20 or 0
      end }]])
    local db = conflicting()
    assert.equal(4, tries(db))
    assert.equal(4, tries(db))
  end)

  it("that fails has no effect, and after five gives way", function()
    save("isolation", FUNCTIONS)
    save("resilience", [[
      retry { base = milliseconds(1), cap = milliseconds(2) }
      class "read" { retries = 3 }]])
    local db = conflicting()
    local failed, returned = {}, nil
    local ears = {
      db:on("policy.failed", function(e) failed[#failed + 1] = e.payload end),
      db:on("policy.returned", function(e) returned = e.payload end),
    }
    save("resilience", [[
      class "read" { retries = function(op)
        error("not for the log: " .. op.kind)
      end }]])
    live.until_(function()
      tries(db)
      lunate.sleep(0.01)
      return returned
    end, 20, "the earlier version")
    assert.equal("resilience", returned.file)
    assert.is_true(#failed >= 5)
    assert.equal("resilience", failed[1].file)
    live.says(failed[1].message, "resilience.lua:2", "raised an error")
    assert.is_nil(failed[1].message:find("not for the log", 1, true))
    assert.equal(4, tries(db))
    for _, ear in ipairs(ears) do ear() end
  end)
end)

describe("reloading while statements run", function()
  it("mixes no two generations and fails no operation", function()
    save("isolation", RULES)
    local db = open()
    local over, reads = false, 0
    local readers = {}
    for i = 1, 8 do
      local tenant = i % 2 == 0 and A or B
      readers[i] = lunate.spawn(function()
        while not over do
          assert.equal(3, (assert(sum(db, tenant))))
          reads = reads + 1
        end
        return "done"
      end)
    end
    for i = 1, 12 do
      save("isolation", i % 5 == 0 and "broken" or RULES .. "-- " .. i)
      lunate.sleep(0.12)
    end
    over = true
    for _, reader in ipairs(readers) do
      assert.equal("done", (reader:join()))
    end
    assert.is_true(reads > 100)
  end)
end)
