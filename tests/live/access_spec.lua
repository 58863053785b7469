-- access.lua in force: roles, rows and columns on a real server.
local lunate = require "lunate"
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"
local ward = require "support.ward"

local A, B, as, column, save = ward.A, ward.B, ward.as, ward.column, ward.save

local ACCESS = [[
role "staff" {}
role "nurse" { is = "staff" }
role "doctor" { is = "staff" }
role "biller" {}
permit "staff reads codes" { role = "staff", action = "read", on = "codes",
  when = row.kind:eq("open") }
permit "doctor works with charts" { role = "doctor", action = "any",
  on = { "patients", "visits" } }
permit "nurse reads who is here" { role = "nurse", action = "read",
  on = "patients", columns = { "id", "clinic_id", "name", "ward" } }
permit "nurse reads the notes of the own ward" { role = "nurse",
  action = "read", on = "patients", columns = "note",
  when = row.ward:one_of(ctx.locations) }
permit "nurse writes in the own ward" { role = "nurse", action = "update",
  on = "patients", columns = { "name", "ward" },
  when = row.ward:one_of(ctx.locations) }
permit "biller reads visits" { role = "biller",
  action = { "read", "insert" }, on = "visits" }
forbid "paid visits stay" { action = { "update", "delete" }, on = "visits",
  when = row.paid:eq(true) }
forbid "nothing from elsewhere" { action = "any", on = "any",
  unless = any { no { ctx.ip:known() }, ip("10.0.0.0/8") } }
]]

local LONG = os.getenv "LUNATE_PROVE"

local folder, db

-- What a test writes into is its own.
local WRITES = { access_writes = true, access_conflicts = true,
  access_rls = true }

local function open(name, access)
  db, folder = ward.open(WRITES[name] and name, access or ACCESS)
  return db
end

after_each(live.close)

describe("access rules", function()
  it("let nobody do what no permit covers", function()
    open "access_default"
    as("biller", function(c)
      live.says(live.refused("denied", c:query("select * from patients")),
        "access", "read of healthcare.patients", "no permit")
      live.refused("denied", c:exec("delete from visits"))
    end)
    as("cleaner", function(c)
      live.refused("denied", c:query("select * from visits"))
      assert.equal(1, c:one("select 1 as n").n)
    end)
    live.says(live.refused("denied", db:query("select * from codes")),
      "access", "nobody asks")
  end)

  it("let a role read what it and those it inherits from may", function()
    open "access_roles"
    as("doctor", function(c)
      assert.equal("n1 n2",
        column(c:query("select * from patients order by id"), "note"))
      assert.equal("1", column(c:query("select * from codes"), "code"))
    end)
  end)

  it("ask functions of the file, and one that fails denies", function()
    open("access_functions", [[
      role "doctor" {}
      local function mine(ctx) return ctx.locations[1] == "w1" end
      local function typo(ctx) return ctx.usr == "x" end
      permit "doctor" { role = "doctor", action = "read", on = "patients",
        when = mine }
      permit "codes" { action = "read", on = "codes" }
      forbid "broken" { action = "read", on = "codes",
        when = typo }]])
    local faults = {}
    local stop = db:on("access.fault", function(e)
      faults[#faults + 1] = e.payload.message
    end)
    as("doctor", function(c)
      assert.equal("Ada Bob",
        column(c:query("select * from patients order by id"), "name"))
    end, { locations = { "w1" } })
    as("doctor", function(c)
      live.refused("denied", c:query("select * from patients"))
    end, { locations = { "w2" } })
    as("doctor", function(c)
      live.says(live.refused("denied", c:query("select * from codes")),
        'forbid "broken"')
    end)
    live.until_(function()
      lunate.sleep(0.01)
      return faults[1]
    end, 10, "the alarm")
    live.says(faults[1], "access.lua:3", "ctx has no such field",
      "did you mean 'user'?")
    stop()
  end)

  it("mask columns: always, or in the rows where a condition fails", function()
    open "access_masks"
    as("nurse", function(c)
      local rows = c:query("select * from patients order by id")
      assert.equal("Ada Bob", column(rows, "name"))
      assert.equal("n1 -", column(rows, "note"))
      assert.equal("1", column(
        c:query("select id from patients where note is not null"), "id"))
      assert.equal("", column(
        c:query("select id from patients where note = $1", "n2"), "id"))
    end, { locations = { "w1" } })
    as("nurse", function(c)
      assert.equal("- -",
        column(c:query("table patients order by id"), "note"))
    end)
  end)

  it("mask the clinic's own column, too", function()
    open("access_own", [[
permit "names" { action = "read", on = "patients", columns = "name" } ]])
    as("x", function(c)
      local rows = assert(c:query("select * from patients order by name"))
      assert.equal("Ada Bob", column(rows, "name"))
      assert.equal("- -", column(rows, "clinic_id"))
      assert.equal(2, c:one("select count(clinic_id) as n, count(*) as all "
        .. "from patients")["all"])
    end)
  end)

  it("hold for conflicts and merges as for updates", function()
    open("access_conflicts", [[
permit "own ward" { action = { "read", "update" }, on = "patients",
  when = row.ward:one_of(ctx.locations) }
permit "new ones" { action = "insert", on = "patients" }
permit "codes" { action = "read", on = "codes" }
]])
    as("x", function(c)
      local upsert = "insert into patients (id, clinic_id, name) values "
        .. "($1, $2, 'new') on conflict (id, clinic_id) do update "
        .. "set name = excluded.name"
      pg.shared():psql("create unique index on healthcare.patients "
        .. "(id, clinic_id); alter table healthcare.patients drop constraint "
        .. "patients_pkey", "access_conflicts")
      assert.equal(1, c:exec(upsert, 1, A))
      assert.equal(0, c:exec(upsert, 2, A))
      live.says(live.refused("denied", c:exec([[
merge into patients p using codes k on p.id = k.code
when matched then update set name = 'merged']])), "access", "MERGE")
      assert.equal(1, c:exec([[
merge into patients p using codes k on p.id = k.code
when matched then do nothing
when not matched then insert (id, name) values (k.code + 10, k.kind)]]))
    end, { locations = { "w1" } })
    as("x", function(c)
      assert.equal("Bob", column(c:query("select name from patients"), "name"))
    end, { locations = { "w2" } })
  end)

  it("limit rows and columns where row policies isolate alone", function()
    local name, role = "access_rls", "lunate_access"
    open("access_rls")
    db:close()
    pg.shared():psql(([[
      do $$ begin create role ROLE login;
      exception when duplicate_object then null; end $$;
      grant usage on schema healthcare to ROLE;
      grant select, update on all tables in schema healthcare to ROLE]])
      :gsub("ROLE", role), name)
    save("isolation", (ward.ISOLATION:gsub('"rewrite"', '"rls"')))
    pg.shared():psql(sh.ok { sh.build .. "/lunate", "policy", "rls", folder,
      "--schema", "healthcare" }, name)
    db = ward.connect(pg.shared():url_of(name, role))
    as("nurse", function(c)
      local rows = assert(c:query("select * from patients order by id"))
      assert.equal("Ada Bob", column(rows, "name"))
      assert.equal("n1 -", column(rows, "note"))
      assert.equal(1, c:exec("update patients set name = 'X'"))
    end, { locations = { "w1" } })
    as("doctor", function(c)
      assert.equal("n1 n2",
        column(c:query("select * from patients order by id"), "note"))
    end)
  end)

  it("limit what is written to rows and columns", function()
    open "access_writes"
    as("nurse", function(c)
      assert.equal(1, c:exec("update patients set name = 'X'"))
      live.says(live.refused("denied",
        c:exec("update patients set note = 'x' where id = 1")), "note")
      live.says(live.refused("denied",
        c:exec("update patients set ward = 'w2' where id = 1")), "move")
      live.says(live.refused("denied",
        c:exec("update patients set name = 'y' where note = 'n2'")), "masked")
      live.refused("denied", c:exec("update patients set name = 'z' "
        .. "returning *"))
      assert.equal("X", column(c:query("update patients set name = 'Y' || "
        .. "left(name, 0) where name = 'X' returning 'X' as was"), "was"))
      live.refused("denied", c:exec("delete from patients"))
    end, { locations = { "w1" } })
    as("nurse", function(c)
      live.says(live.refused("denied",
        c:query("select id from patients for update")), "FOR UPDATE")
    end, { locations = { "w1" } })
    as("doctor", function(c)
      assert(c:query("select * from patients for update"))
      assert.equal(1, c:exec("delete from visits"))
      assert.equal(0, c:exec("update visits set fee = 0"))
      assert.equal("true", column(c:query("select * from visits"), "paid"))
    end)
    as("biller", function(c)
      assert.equal(1, c:exec("insert into visits (id, fee) values (9, 9)"))
      live.says(live.refused("denied", c:query(
        "select * from visits for update")), "update of healthcare.visits")
    end)
  end)

  it("forbid before they permit, and name the rule that decided", function()
    open "access_forbid"
    as("doctor", function(c)
      assert(c:query("select * from visits"))
    end, { ip = "10.1.2.3" })
    as("doctor", function(c)
      live.says(live.refused("denied", c:query("select * from visits")),
        "forbid \"nothing from elsewhere\"", "access.lua:21")
    end, { ip = "192.0.2.1" })
  end)

  it("count a rule at fault as void, and tell of it", function()
    open "access_fault"
    local told
    local stop = db:on("access.fault", function(e) told = e end)
    as("doctor", function(c)
      live.refused("denied", c:query("select * from visits"))
    end, { ip = "not an address" })
    live.until_(function()
      lunate.sleep(0.01)
      return told
    end, 10, "the event")
    live.says(told.payload.message, "nothing from elsewhere")
    live.hides(told.payload, "not an address")
    stop()
  end)

  it("obey the clock of the clinic", function()
    local now = os.time()
    local function window(from)
      return os.date("!%H:00", now + from * 3600) .. "-"
        .. os.date("!%H:00", now + (from + 2) * 3600)
    end
    open("access_hours", ([[
permit "now" { action = "read", on = "visits",
  when = hours("%s", ctx.clinic_tz) }
permit "later" { action = "read", on = "codes",
  when = hours("%s", ctx.clinic_tz) }
]]):format(window(-1), window(3)))
    as("x", function(c)
      assert(c:query("select * from visits"))
      live.refused("denied", c:query("select * from codes"))
    end, { clinic_tz = "Etc/UTC" })
    as("x", function(c)
      live.refused("denied", c:query("select * from visits"))
    end, { clinic_tz = "Nowhere/Land" })
    as("x", function(c)
      live.refused("denied", c:query("select * from visits"))
    end)
  end)

  it("hold in the next operation once they are saved", function()
    open "access_reload"
    as("doctor", function(c)
      assert(c:query("select * from visits"))
      save("access", (ACCESS:gsub('{ "patients", "visits" }', '"patients"')))
      live.until_(function()
        return not c:query("select * from visits")
      end, 10, "the new rules")
      save("access", ACCESS)
      live.until_(function()
        return c:query("select * from visits")
      end, 10, "the old ones")
    end)
  end)

  it("hold inside transactions, streams and common table expressions",
    function()
      open "access_places"
      as("nurse", function(c)
        local notes = {}
        assert(c:transaction(function(tx)
          notes[1] = column(tx:query("with p as (select * from patients) "
            .. "select note from p order by id"), "note")
          return true
        end))
        for row in c:rows("select note from patients order by id") do
          notes[#notes + 1] = tostring(row.note)
        end
        assert.same({ "- n2", "nil", "n2" }, notes)
      end, { locations = { "w2" } })
    end)

  -- Each asks the same; what each sees is its own, whoever asked before, and
  -- by one set of rules or the other while they change.
  it("never mix clinics, roles or places that ask the same at once",
    function()
      open "access_mixed"
      local want = {
        { A, "doctor", nil, "n1 n2" }, { A, "nurse", "w1", "n1 -" },
        { A, "nurse", "w2", "- n2" }, { A, "nurse", nil, "- -" },
        { B, "doctor", nil, "n3" }, { B, "nurse", "w1", "n3" },
        { B, "nurse", "w2", "-" } }
      local fewer = ACCESS:gsub('{ "patients", "visits" }', '"visits"')
      local left, seen, denied = 14, 0, 0
      local function ask(w)
        local rows, err = as(w[2], function(c)
          return c:query(
            "select note from patients where id > $1 order by id", 0)
        end, { tenant = w[1], locations = w[3] and { w[3] } })
        if rows then
          assert.equal(w[4], column(rows, "note"))
        else
          assert.equal("doctor", w[2])
          live.says(err, "no permit")
        end
        seen, denied = seen + 1, denied + (rows and 0 or 1)
      end
      local tasks = {}
      for i = 1, left do
        tasks[i] = lunate.spawn(function()
          for _ = 1, LONG and 5000 or 20 do
            ask(want[(i - 1) % #want + 1])
          end
          left = left - 1
          return true
        end)
      end
      local saves = 0
      while left > 0 do
        saves = saves + 1
        save("access", saves % 2 == 1 and fewer or ACCESS)
        lunate.sleep(0.15)
      end
      for _, task in ipairs(tasks) do
        assert(task:join())
      end
      if LONG then
        print(("ACCESS %d statements of 7 who ask the same, %d denied, under "
          .. "%d sets of rules: 0 mixed"):format(seen, denied, saves))
      end
    end)
end)
