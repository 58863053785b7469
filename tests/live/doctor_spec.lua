-- `lunate doctor`, and the session settings that the environment overrides.
local cjson = require "cjson"
local pg = require "support.pg"
local pty = require "support.pty"
local sh = require "support.sh"

local function doctor(url, opts)
  opts = opts or {}
  local env = opts.env or {}
  env.DATABASE_URL, env.XDG_STATE_HOME = url, sh.tmpdir()
  local r = sh.run { sh.build .. "/lunate", "doctor", opts.flag or "--json",
    env = env }
  if opts.flag then
    return r
  end
  local all, by_name = cjson.decode(r.out), {}
  for _, finding in ipairs(all.findings) do
    by_name[finding.name] = finding
  end
  return r, by_name, all
end

describe("lunate doctor", function()
  local url = pg.database("doctor")

  it("finds no problem with a server of the usual kind", function()
    local r, found, all = doctor(url)
    assert.equal(0, r.code, r.err)
    assert.is_true(all.ok)
    assert.truthy(found.version.what:find("PostgreSQL 15", 1, true))
    assert.equal("ok", found.role.level)
    assert.equal("ok", found.tls.level)
    assert.equal("ok", found.session.level)
    assert.equal("ok", found.clock.level)
    assert.equal("ok", found.statement_timeout.level)
    assert.equal("advice", found.idle_in_transaction.level)
    assert.equal("advice", found.pg_stat_statements.level)
    assert.equal("advice", found.shared_buffers.level)
    assert.truthy(found.shared_buffers.remedy:find("512MB", 1, true))
    assert.equal("advice", found.user.level) -- the tests are a superuser
  end)

  it("compares pool_max with what the server has left", function()
    local _, found = doctor(url, { env = { DB_POOL_MAX = "180" } })
    assert.equal("ok", found.connections.level)
    _, found = doctor(url, { env = { DB_POOL_MAX = "201" } })
    assert.equal("advice", found.connections.level)
    assert.truthy(found.connections.remedy:find("DB_POOL_MAX=", 1, true))
  end)

  it("sees whether the schema is there", function()
    local _, found = doctor(url)
    assert.equal("advice", found.schema.level)
    assert.truthy(found.schema.remedy:find("CREATE SCHEMA healthcare", 1, true))
    pg.shared():psql("create schema healthcare", "doctor")
    _, found = doctor(url)
    assert.equal("ok", found.schema.level)
  end)

  it("tells rules of access.lua that the tables do not fit", function()
    local folder = sh.tmpdir()
    pg.shared():psql("create table if not exists fits (id int, clinic text "
      .. "not null)", "doctor")
    sh.write(folder .. "/isolation.lua", [[
tenant { type = "text" }
database { mode = "rewrite" }
rows "public.fits" { by = "clinic" }
rows "public.gone" { by = "clinic" }
]])
    local function found(access)
      sh.write(folder .. "/access.lua", access)
      local r, _, all = doctor(url, { env = { LUNATE_POLICIES = folder } })
      local list = {}
      for _, f in ipairs(all.findings) do
        if f.name == "access" then list[#list + 1] = f end
      end
      return list, r.code
    end
    local list, code = found [[
permit "a" { action = "read", on = "public.fits", when = row.id:eq(1) }]]
    assert.equal(0, code)
    assert.equal(1, #list)
    assert.equal("ok", list[1].level)
    list, code = found [[
permit "a" { action = "read", on = "public.fits", when = row.id:eq("x") }
forbid "b" { action = "read", on = "public.fits", columns = "snn" }
permit "c" { action = "read", on = "public.gone" }
break_glass "d" { role = "e", opens = "public.fits",
  patient = { ["public.fits"] = "patient" }, lasts = minutes(1) }
role "e" {}]]
    assert.equal(1, code)
    assert.equal(4, #list)
    local first = list[1].what
    assert.truthy(first:find('access.lua:1: "a" on public.fits', 1, true))
    assert.truthy(first:find("does not fit the column", 1, true), first)
    assert.truthy(list[2].what:find('no column "snn"', 1, true))
    assert.truthy(list[2].remedy:find("every row", 1, true))
    assert.equal("advice", list[3].level)
    assert.truthy(list[3].what:find("no table public.gone", 1, true))
    assert.truthy(list[4].what:find('has no column "patient"', 1, true))
  end)

  it("prints lines for people, with a remedy below each", function()
    local r = doctor(url, { flag = "--url=" .. url })
    assert.equal(0, r.code, r.err)
    assert.truthy(r.out:find("\nadvice   work_mem 4 MB[^\n]*\n +%-> ALTER "
      .. "SYSTEM SET work_mem = '8MB'"))
    assert.truthy(r.out:find("0 problems", 1, true))
  end)

  it("colours the levels at a terminal, unless told not to", function()
    for no_color, coloured in pairs { [""] = true, ["1"] = false } do
      local p = pty.spawn { sh.build .. "/lunate", "doctor", "--url", url,
        columns = 200, env = { NO_COLOR = no_color,
          XDG_STATE_HOME = sh.tmpdir() } }
      p:see("0 problems")
      assert.equal(0, p:wait().code)
      p:free()
      assert.equal(coloured, p.all:find("\27[33madvice \27[0m", 1, true) ~= nil,
        p.all)
    end
  end)

  it("ends with 2 when it is asked wrongly", function()
    local r = doctor(url, { flag = "--jason" })
    assert.equal(2, r.code)
    assert.equal("", r.out)
    assert.truthy(r.err:find("Did you mean", 1, true)
      or r.err:find("did you mean '--json'", 1, true), r.err)
  end)

  it("ends with 1 when there is a problem", function()
    local primary = pg.start {}
    local standby = pg.start { replica_of = primary }
    local r, found, all = doctor(standby.url)
    standby:free()
    primary:free()
    assert.equal(1, r.code, r.err)
    assert.is_false(all.ok)
    assert.equal("problem", found.role.level)
  end)

  it("ends with 1 and the reason when the server cannot be asked", function()
    local r = doctor("postgresql:///x?host=/nowhere/at/all",
      { flag = "--json" })
    assert.equal(1, r.code)
    assert.equal("", r.out)
    assert.truthy(r.err:find("/nowhere/at/all", 1, true))
  end)

  it("names the variables that libpq sends after our settings", function()
    local r, found = doctor(url, { env = { PGTZ = "America/Lima",
      PGDATESTYLE = "SQL, DMY" } })
    assert.equal(0, r.code, r.err)
    assert.equal("advice", found.session.level)
    assert.truthy(found.session.what:find("TimeZone UTC, DateStyle ISO", 1,
      true))
    assert.truthy(found.session.remedy:find("PGTZ, PGDATESTYLE", 1, true))
  end)
end)

describe("a session", function()
  local url = pg.database("session")

  it("is in UTC and ISO whatever PGTZ and PGDATESTYLE say", function()
    local r = sh.run { sh.build .. "/lunate", "run", sh.tmpfile([[
      local db = assert(lunate.open { pool_max = 1 })
      local sql = "select timestamptz '2026-01-31 12:00:00+00' as t"
      print(db:one(sql).t)
      assert(db:transaction(function(tx)
        assert(tx:exec("set timezone to 'Asia/Tokyo'"))
        return true
      end))
      print(db:one(sql).t) -- the session was reset, to what PGTZ says
      local row = db:one("select current_setting('TimeZone') as z")
      print(row.z)
    ]], ".lua"), env = { DATABASE_URL = url, XDG_STATE_HOME = sh.tmpdir(),
      PGTZ = "America/Lima", PGDATESTYLE = "SQL, DMY" } }
    assert.equal(0, r.code, r.err)
    assert.equal("2026-01-31 12:00:00+00\n2026-01-31 12:00:00+00\nUTC\n", r.out)
  end)
end)
