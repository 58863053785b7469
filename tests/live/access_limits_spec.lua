-- access.lua in force: limits of operations, and emergencies.
local lunate = require "lunate"
local live = require "support.live"
local sh = require "support.sh"
local ward = require "support.ward"

local A, B, as, column, save = ward.A, ward.B, ward.as, ward.column, ward.save

local db

after_each(live.close)

local function open(access, options)
  db = ward.open(nil, access, options)
end

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
    open(LIMITED)
    for _ = 1, 3 do
      assert(read "x")
    end
    live.says(live.refused("denied", read "x"), "rate", 'limit "few"',
      "come back in 1")
    assert(read("x", { tenant = B }))
    assert.equal(1, db:one("select 1 as n").n)
  end)

  it("counts what is asked without a clinic, too", function()
    open(LIMITED)
    db:with_context({ user = "u" }, function(c)
      for _ = 1, 3 do
        assert(c:query("select * from codes"))
      end
      live.says(live.refused("denied", c:query("select * from codes")), "rate")
    end)
    assert(read "x")
  end)

  it("keeps its count through a reload that leaves it as it is", function()
    open(LIMITED)
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

  it("counts nothing that runs as system, and no rule is about it", function()
    open("limit 'few' { rate = 1, window = hours(1) }",
      { system = { role = "postgres" } })
    live.says(live.refused("denied", read "x"), "no permit")
    live.says(live.refused("denied", read "x"), "rate")
    for _ = 1, 3 do
      assert.equal(3, #assert(db:as_system("a report", function(c)
        return c:query("select * from visits")
      end)))
    end
  end)

  it("counts those of a user, whatever the clinic", function()
    open((LIMITED:gsub('"clinic"', '"user"')))
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

  local function open_glass(lasts, name)
    journal = sh.tmpdir() .. "/journal"
    db = ward.open(name, GLASS:format(lasts or 600),
      { break_glass_journal = journal })
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
    open_glass(nil, "glass_rows")
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
    open_glass()
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
    open_glass()
    local core = require "lunate.core"
    core.fault("journal.write=always")
    local rows, err = broken(names)
    core.fault("")
    assert.is_nil(rows)
    live.says(err, "denied", "nothing was opened", "No space")
    assert.equal("Ada", broken(names))
  end)

  it("lifts no forbid, and is for the roles that are listed", function()
    open_glass()
    live.says(live.refused("denied", broken(names, {}, { roles = "nurse" })),
      "other roles")
    live.says(live.refused("denied", broken(names, { rule = "crush" })),
      "no break_glass")
    assert.is_nil((io.open(journal)))
    live.says(live.refused("denied", broken(names, {}, { device = "night" })),
      "not at night")
  end)

  it("wants a user, one clinic, and a reason of some words", function()
    open_glass()
    assert.has_error(function() broken(names, { reason = "because" }) end)
    assert.has_error(function()
      db:break_glass({ rule = "crash", patient = 1, reason = "a b c" }, names)
    end)
    assert.has_error(function() broken(names, {}, { tenant = { A, B } }) end)
  end)

  it("is over when its time has passed", function()
    open_glass(1)
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
    open_glass()
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
