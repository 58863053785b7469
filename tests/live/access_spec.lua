-- access.lua in force: roles, rows and columns on a real server.
local lunate = require "lunate"
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local A = "00000000-0000-0000-0000-00000000000a"
local B = "00000000-0000-0000-0000-00000000000b"

local ISOLATION = [[
tenant { type = "uuid" }
database { mode = "rewrite" }
rows "patients" { by = "clinic_id" }
rows "visits" { by = "clinic_id" }
rows "codes" { shared = "read" }
]]

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

local folder, db

local function save(name, text)
  local path = folder .. "/" .. name .. ".lua"
  sh.write(path .. "~", text)
  assert(os.rename(path .. "~", path))
end

-- What tests write into is theirs alone; the others share a database.
local WRITES = { access_writes = true, access_conflicts = true,
  access_rls = true, glass_rows = true }
local shared

local function make(name)
  local address = pg.database(name)
  pg.shared():psql([[
    create schema healthcare;
    create table healthcare.patients (id int primary key,
      clinic_id uuid not null, name text, ward text, note text);
    create table healthcare.visits (id int, clinic_id uuid not null,
      paid bool not null default false, fee int);
    create table healthcare.codes (kind text, code int);
    insert into healthcare.patients values
      (1, ']] .. A .. [[', 'Ada', 'w1', 'n1'),
      (2, ']] .. A .. [[', 'Bob', 'w2', 'n2'),
      (3, ']] .. B .. [[', 'Cyd', 'w1', 'n3');
    insert into healthcare.visits values
      (1, ']] .. A .. [[', false, 10), (2, ']] .. A .. [[', true, 20),
      (3, ']] .. B .. [[', false, 30);
    insert into healthcare.codes values ('open', 1), ('secret', 2)]], name)
  return address
end

local function url(name)
  if WRITES[name] then
    return make(name)
  end
  shared = shared or make "access"
  return shared
end

local function open(name, access)
  folder = sh.tmpdir()
  save("isolation", ISOLATION)
  save("access", access or ACCESS)
  db = live.open(url(name), { policies = folder, schema = "healthcare" })
  return db
end

-- fn's client is that of somebody of clinic A, unless `who` says more.
local function as(role, fn, who)
  local ctx = { tenant = A, user = "u", roles = { role } }
  for k, v in pairs(who or {}) do
    ctx[k] = v
  end
  return db:with_context(ctx, fn)
end

local function column(rows, name)
  local out = {}
  for i, row in ipairs(assert(rows)) do
    out[i] = row[name] == nil and "-" or tostring(row[name])
  end
  return table.concat(out, " ")
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
    live.says(faults[1], "access.lua:3", "there is no 'usr' in it",
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
    save("isolation", (ISOLATION:gsub('"rewrite"', '"rls"')))
    pg.shared():psql(sh.ok { sh.build .. "/lunate", "policy", "rls", folder,
      "--schema", "healthcare" }, name)
    db = live.open(pg.shared():url_of(name, role), { policies = folder,
      schema = "healthcare" })
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

  it("never mix clinics, roles or places that ask the same at once",
    function()
      open "access_mixed"
      local want = {
        { A, "doctor", nil, "n1 n2" }, { A, "nurse", "w1", "n1 -" },
        { A, "nurse", "w2", "- n2" }, { A, "nurse", nil, "- -" },
        { B, "doctor", nil, "n3" }, { B, "nurse", "w1", "n3" },
        { B, "nurse", "w2", "-" } }
      local tasks = {}
      for i = 1, 14 do
        local w = want[(i - 1) % #want + 1]
        tasks[i] = lunate.spawn(function()
          for _ = 1, 10 do
            assert.equal(w[4], as(w[2], function(c)
              return column(c:query(
                "select note from patients where id > $1 order by id", 0),
                "note")
            end, { tenant = w[1], locations = w[3] and { w[3] } }))
          end
          return true
        end)
      end
      for _, task in ipairs(tasks) do
        assert(task:join())
      end
    end)
end)

local LIMITED = [[
permit "all" { action = "any", on = "any" }
limit "few" { rate = 3, window = hours(1), per = "clinic" }
]]

describe("a limit of operations", function()
  local function read(role, who)
    return as(role, function(c)
      return c:query("select * from visits")
    end, who)
  end

  it("counts those of a clinic, and tells when to come back", function()
    open("access_rate", LIMITED)
    for _ = 1, 3 do
      assert(read "x")
    end
    live.says(live.refused("denied", read "x"), "rate", 'limit "few"',
      "come back in 1")
    assert(read("x", { tenant = B }))
    assert.equal(1, db:one("select 1 as n").n)
  end)

  it("keeps its count through a reload that leaves it as it is", function()
    open("access_rate_reload", LIMITED)
    for _ = 1, 3 do
      assert(read "x")
    end
    local loaded = 0
    local stop = db:on("policy.loaded", function() loaded = loaded + 1 end)
    local function saved(text, n)
      save("access", text)
      live.until_(function()
        lunate.sleep(0.01)
        return loaded == n
      end, 10, "the new rules")
    end
    saved(LIMITED .. "-- no change", 1)
    live.refused("denied", read "x")
    saved((LIMITED:gsub("rate = 3", "rate = 4")), 2)
    assert(read "x")
    stop()
  end)

  it("counts those of a user, whatever the clinic", function()
    open("access_rate_user", (LIMITED:gsub('"clinic"', '"user"')))
    assert(read("x", { user = "u1" }))
    assert(read("x", { user = "u1", tenant = B }))
    assert(read("x", { user = "u1" }))
    live.refused("denied", read("x", { user = "u1", tenant = B }))
    assert(read("x", { user = "u2" }))
  end)
end)

local GLASS = [[
role "doctor" {}
role "nurse" {}
permit "visits" { role = { "doctor", "nurse" }, action = "read",
  on = "visits" }
break_glass "crash" { role = "doctor", opens = { "patients", "visits" },
  patient = { patients = "id", visits = "id" }, lasts = seconds(%d),
  never = "delete", review_within = hours(1) }
forbid "not at night" { action = "any", on = "patients",
  when = all { ctx.device:known(), ctx.device:eq("night") } }
]]

describe("break glass", function()
  local journal

  local function open_glass(name, lasts, options)
    folder = sh.tmpdir()
    journal = sh.tmpdir() .. "/journal"
    save("isolation", ISOLATION)
    save("access", GLASS:format(lasts or 600))
    local all = { policies = folder, schema = "healthcare",
      break_glass_journal = journal }
    for k, v in pairs(options or {}) do
      all[k] = v
    end
    db = live.open(url(name), all)
  end

  local function broken(fn, glass, who)
    local all = { rule = "crash", patient = 1, reason = "found on the floor" }
    for k, v in pairs(glass or {}) do
      all[k] = v
    end
    return as("doctor", function()
      return db:break_glass(all, fn)
    end, who)
  end

  local function names(c)
    local rows, err = c:query("select * from patients order by id")
    return rows and column(rows, "name"), err
  end

  it("opens one patient's rows, in the own clinic alone", function()
    open_glass "glass_rows"
    as("doctor", function(c)
      live.refused("denied", names(c))
    end)
    assert.equal("Ada", broken(names))
    assert.equal("", broken(names, { patient = 3 }))
    assert.equal("Ada", broken(names))
    as("doctor", function(c)
      live.refused("denied", names(c))
    end)
    broken(function(c)
      assert.equal(1, c:exec("update patients set note = 'seen'"))
      live.refused("denied", c:exec("delete from patients"))
      assert.equal(2, #assert(c:query("select * from visits")))
    end)
  end)

  it("stands in the journal before it opens, and is told", function()
    open_glass "glass_journal"
    local told
    local stop = db:on("access.break_glass", function(e) told = e end)
    assert.equal("Ada", broken(function(c)
      names(c)
      return names(c)
    end))
    live.until_(function()
      lunate.sleep(0.01)
      return told
    end, 10, "the event")
    assert.equal("u", told.payload.user)
    assert.equal("crash", told.payload.rule)
    live.hides(told.payload, "floor", "Ada")
    local text = sh.read(journal)
    assert.equal(1, select(2, text:gsub("\n", "")))
    live.says(text, '"reason":"found on the floor"', '"patient":"1"',
      told.payload.opening)
    stop()
  end)

  it("opens nothing when the journal cannot be written", function()
    open_glass "glass_full"
    local core = require "lunate.core"
    core.fault("journal.write=always")
    local rows, err = broken(names)
    core.fault("")
    assert.is_nil(rows)
    live.says(err, "denied", "nothing was opened", "No space")
    assert.equal("Ada", broken(names))
  end)

  it("lifts no forbid, and is for the roles that are listed", function()
    open_glass "glass_forbid"
    live.says(live.refused("denied", broken(names, {}, { roles = "nurse" })),
      "other roles")
    live.says(live.refused("denied", broken(names, { rule = "crush" })),
      "no break_glass")
    assert.is_nil((io.open(journal)))
    live.says(live.refused("denied", broken(names, {}, { device = "night" })),
      "not at night")
  end)

  it("wants a user, one clinic, and a reason of some words", function()
    open_glass "glass_reason"
    assert.has_error(function() broken(names, { reason = "because" }) end)
    assert.has_error(function()
      db:break_glass({ rule = "crash", patient = 1, reason = "a b c" }, names)
    end)
    assert.has_error(function() broken(names, {}, { tenant = { A, B } }) end)
  end)

  it("is over when its time has passed", function()
    open_glass("glass_over", 1)
    broken(function(c)
      assert.equal("Ada", names(c))
      live.until_(function()
        local _, err = names(c)
        return err and err.message:find("is over", 1, true)
      end, 10, "the end")
    end)
    assert.equal("Ada", broken(names))
  end)

  it("is not nested in another, and left by who becomes another", function()
    open_glass "glass_nested"
    broken(function(c)
      assert.equal("Ada", names(c))
      assert.has_error(function()
        db:break_glass({ rule = "crash", patient = 2,
          reason = "the one next to it" }, names)
      end)
      db:break_glass({ rule = "crash", patient = 1, reason = "x" },
        function(inner) assert.equal("Ada", names(inner)) end)
      db:with_context({ user = "other" }, function(other)
        live.refused("denied", names(other))
      end)
    end)
    assert.equal(1, select(2, sh.read(journal):gsub("\n", "")))
  end)
end)
