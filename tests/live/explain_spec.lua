-- `lunate explain` and db:explain: what would become of a statement, and who
-- says so; and what `lunate doctor` finds of isolation.lua in the database.
local cjson = require "cjson"
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local A = "00000000-0000-4000-8000-00000000000a"
local NURSE = { tenant = A, roles = { "nurse" } }

local ISOLATION = [[
tenant { type = "uuid" }
database { mode = "rewrite" }
rows "visits" { by = "clinic_id" }
rows "items" { parent = "visits", on = { visit_id = "id" } }
rows "codes" { shared = "read" }
]]
local ACCESS = [[
role "nurse" {}
permit "nurses read visits" { role = "nurse", action = "read", on = "visits" }
permit "nurses read the rest" { role = "nurse", action = "read",
  on = { "items", "codes" } }
limit "one an hour" { rate = 1, window = hours(1), per = "clinic" }
]]

local TABLES = [[
  drop schema if exists healthcare cascade;
  create schema healthcare;
  create table healthcare.visits (id int primary key, clinic_id uuid not null,
    n int);
  create index on healthcare.visits (clinic_id);
  create table healthcare.items (visit_id int not null, n int);
  create table healthcare.codes (id int primary key);
  create table healthcare.salaries (id int primary key);
  insert into healthcare.visits values (1, ']] .. A .. [[', 77);
  do $$ begin create role explain_app login;
  exception when duplicate_object then null; end $$;
  grant usage on schema healthcare to explain_app;
  grant select, insert, update, delete on all tables in schema healthcare
    to explain_app]]

local folder, url

local function save(name, text)
  sh.write(folder .. "/" .. name .. ".lua", text)
end

setup(function()
  url = pg.database("explain"):gsub("user=postgres", "user=explain_app")
  pg.shared():psql(TABLES, "explain")
end)

before_each(function()
  folder = sh.tmpdir()
  save("isolation", ISOLATION)
end)

after_each(live.close)

local function open()
  return live.open(url, { policies = folder, schema = "healthcare" })
end

local function command(...)
  return sh.run { env = { DATABASE_URL = url, LUNATE_POLICIES = folder,
    DATABASE_SCHEMA = "healthcare", LUNATE_LOG_LEVEL = "error",
    XDG_STATE_HOME = sh.tmpdir() }, sh.build .. "/lunate", ... }
end

describe("db:explain", function()
  it("tells the text that is sent, and which parameter the tenant is",
    function()
      local db = open()
      local told = db:with_tenant(A, function(c)
        return c:explain("select lower('x'), n from visits where id = $1")
      end)
      assert.equal("scoped", told.verdict)
      assert.equal("select", told.kind)
      assert.equal(1, told.nparams)
      assert.equal(2, told.tenant_param)
      assert.same({ "lower" }, told.functions)
      live.says(told.text, '"healthcare"."visits"', "$2::pg_catalog.uuid",
        "where id = $1")
      assert.equal("rewrite", told.mode)
      assert.equal("read", told.route.class)
      assert.is_true(told.route.read)
      assert.is_nil(cjson.encode(told):find(A, 1, true))
    end)

  it("names for each table the line that says whose its rows are", function()
    local db = open()
    local told = db:with_tenant(A, function(c)
      return c:explain("select * from visits, items, healthcare.codes")
    end)
    local seen = {}
    for _, t in ipairs(told.tables) do
      seen[t.schema .. "." .. t.name] = t.rule.kind .. " " .. t.rule.line
      live.says(t.rule.file, "isolation.lua")
    end
    assert.same({ ["healthcare.visits"] = "by 3", ["healthcare.items"] =
      "parent 4", ["healthcare.codes"] = "shared 5" }, seen)
  end)

  it("tells why a statement is refused, by the word that refuses it",
    function()
      local db = open()
      db:with_tenant(A, function(c)
        for sql, reason in pairs {
          ["select * from salaries"] = "unknown-table",
          ["select * from pg_class"] = "catalog",
          ["select pg_sleep(1)"] = "function",
          ["update visits set clinic_id = $1"] = "move",
          ["create table t (a int)"] = "statement",
        } do
          local told = assert(c:explain(sql))
          assert.equal("refused", told.verdict)
          assert.equal(reason, told.reason)
          assert.is_nil(told.text)
        end
      end)
      assert.equal("no-tenant", db:explain("select * from visits").reason)
      live.refused("syntax", db:explain("selec 1"))
    end)

  it("runs nothing, and is what then happens", function()
    local db = open()
    db:with_tenant(A, function(c)
      assert.equal("scoped", c:explain("delete from visits").verdict)
      assert.equal("write", c:explain("delete from visits").route.class)
      assert.equal(77, assert(c:one("select n from visits")).n)
    end)
  end)

  it("says which rules of access.lua decide", function()
    save("access", ACCESS)
    local db = open()
    db:with_context(NURSE, function(c)
      local told = c:explain("select n from visits where id = 1")
      assert.equal("scoped", told.verdict)
      assert.is_true(told.access[1].allowed)
      assert.equal("nurses read visits", told.access[1].decided[1].name)
      told = c:explain("delete from codes")
      assert.equal("refused", told.verdict)
      assert.equal("access", told.reason)
      local deleted
      for _, answer in ipairs(told.access) do
        deleted = answer.action == "delete" and answer or deleted
      end
      assert.is_false(deleted.allowed)
    end)
  end)

  it("is counted by no limit of access.lua", function()
    save("access", ACCESS)
    local db = open()
    db:with_context(NURSE, function(c)
      for _ = 1, 5 do
        assert.equal("scoped", c:explain("select n from visits").verdict)
      end
      assert(c:query("select n from visits"))
      live.says(live.refused("denied", c:query("select n from visits")),
        "one an hour")
    end)
  end)

  it("without policies says that nothing is isolated", function()
    local db = live.open(url, { policies = false, schema = "healthcare" })
    local told = db:explain("select * from visits")
    assert.equal("open", told.verdict)
    assert.equal("off", told.isolation)
  end)

  it("is asked for one statement, a text", function()
    local db = open()
    assert.has_error(function() db:explain(1) end)
    live.refused("unsupported", db:explain("select 1; select 2"))
  end)
end)

describe("lunate explain", function()
  local AS = "clinic=" .. A .. ",role=nurse"

  it("prints it for people, without a value", function()
    save("access", ACCESS)
    local r = command("explain", "--as", AS,
      "select n from visits where id = $1")
    assert.equal(0, r.code, r.err)
    live.says(r.out, "healthcare.visits: read; by clinic_id",
      "isolation.lua:3", "scoped to the tenant", "$2",
      'permit "nurses read visits"', "access.lua:2", "mode rewrite")
    assert.is_nil(r.out:find(A, 1, true))
  end)

  it("ends with 1 where a statement is refused, and says why", function()
    local r = command("explain", "--as", AS, "select * from salaries")
    assert.equal(1, r.code)
    live.says(r.out, "refused (unknown-table)")
    r = command("explain", "selec 1")
    assert.equal(1, r.code)
    live.says(r.err, "syntax")
    assert.equal(2, command("explain", "--as", "colour=red", "select 1").code)
  end)

  it("prints JSON for programs", function()
    local r = command("explain", "--json", "--as", AS, "select 1 as one")
    local told = cjson.decode(r.out)
    assert.equal("open", told.verdict)
    assert.equal("on", told.isolation)
    assert.is_nil(told.tables)
  end)
end)

describe("lunate doctor with policies", function()
  local function found(name)
    local r = command("doctor", "--json")
    for _, finding in ipairs(cjson.decode(r.out).findings) do
      if finding.name == name then return finding, r end
    end
    return nil, r
  end

  local function mend(sql)
    pg.shared():psql(sql, "explain")
  end

  it("finds a fault that closes a table, and its SQL mends it", function()
    mend "alter table healthcare.visits alter column clinic_id drop not null"
    local finding, r = found("column-nullable")
    assert.equal(1, r.code)
    assert.equal("problem", finding.level)
    assert.equal("visits", finding.table)
    assert.is_true(finding.closes)
    live.says(finding.remedy, "SET NOT NULL")
    r = command("doctor", "--sql")
    assert.equal(1, r.code)
    mend(r.out)
    finding, r = found("column-nullable")
    assert.is_nil(finding)
    assert.equal(0, r.code, r.out)
  end)

  it("prints nothing but SQL and remarks with --sql", function()
    for line in command("doctor", "--sql").out:gmatch("[^\n]+") do
      assert.truthy(line:find("^%-%- ") or line:find("^%u%u"), line)
    end
  end)

  it("keeps a name with a line end inside of its remark", function()
    mend 'create table healthcare."a\n;drop table x" (id int)'
    local out = command("doctor", "--sql").out
    live.says(out, "-- healthcare.a ;drop table x: a table has no rule")
    mend 'drop table healthcare."a\n;drop table x"'
  end)

  it("says so when there is no isolation.lua", function()
    os.remove(folder .. "/isolation.lua")
    save("resilience", 'class "read" { retries = 1 }')
    local finding, r = found("isolation")
    assert.equal("problem", finding.level)
    assert.equal(1, r.code)
  end)

  it("asks nothing of the tables without policies", function()
    folder = "false"
    assert.is_nil((found("table-unruled")))
    assert.equal("", command("doctor", "--sql").out)
  end)
end)
