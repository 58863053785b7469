-- lunate why, and lunate policy reviews: what is told without a database.
local cjson = require "cjson"
local live = require "support.live"
local sh = require "support.sh"

local folder

local ISOLATION = [[
tenant { type = "uuid" }
rows "patients" { by = "clinic_id" }
]]

local ACCESS = [[
role "nurse" {}
role "head nurse" { is = "nurse" }
permit "day shift reads" { role = "nurse", action = "read", on = "patients",
  columns = { "id", "clinic_id", "name", "ward" },
  when = all { hours("07:00-19:00", "UTC"), ip("10.0.0.0/8") } }
permit "notes of the own ward" { role = "nurse", action = "read",
  on = "patients", columns = "note", when = row.ward:one_of(ctx.locations) }
permit "the head writes" { role = "head nurse", action = "update",
  on = "patients" }
forbid "closed charts" { action = { "update", "delete" }, on = "patients",
  when = row.closed:eq(true) }
]]

setup(function()
  folder = sh.tmpdir()
  sh.write(folder .. "/isolation.lua", ISOLATION)
  sh.write(folder .. "/access.lua", ACCESS)
end)

local function why(...)
  return sh.run { sh.build .. "/lunate", "why", "--policies", folder, ... }
end

local NURSE = "tenant=00000000-0000-0000-0000-00000000000a,user=u,roles=nurse"
local NOON, NIGHT = "2026-06-15T12:00Z", "2026-06-15T23:00Z"

describe("lunate why", function()
  it("names the permits that count, their rows, and what is masked", function()
    local r = why("read", "patients", "--as", NURSE .. ",ip=10.1.1.1",
      "--at", NOON)
    assert.equal(0, r.code, r.err)
    live.says(r.out, "permitted: read of patients", '"day shift reads"',
      "access.lua:3", "note reads as NULL")
    r = why("read", "patients", "--as", NURSE .. ",ip=10.1.1.1,locations=w1+w2",
      "--at", NOON, "--row", "ward=w2")
    assert.equal(0, r.code, r.err)
    live.says(r.out, '"notes of the own ward"')
    assert.falsy(r.out:find("note reads", 1, true))
  end)

  it("says what the nearest permits lack", function()
    local r = why("read", "patients", "--as", NURSE .. ",ip=192.0.2.1", "--at",
      NIGHT)
    assert.equal(1, r.code)
    live.says(r.out, "denied: read of patients", "no permit holds",
      'wants hours("07:00-19:00", "UTC")', 'wants ip("10.0.0.0/8")')
    r = why("update", "patients", "--as", NURSE, "--columns", "name")
    assert.equal(1, r.code)
    live.says(r.out, "column name", "is for head nurse")
  end)

  it("names the forbid that decides, and rules at fault", function()
    local r = why("update", "patients", "--as", "role=head nurse", "--columns",
      "name", "--row", "closed=true,name=x")
    assert.equal(1, r.code)
    live.says(r.out, 'forbid "closed charts" (', "access.lua:10")
    r = why("update", "patients", "--as", "role=head nurse", "--columns",
      "name", "--row", "closed=false,name=x")
    assert.equal(0, r.code, r.out)
    r = why("read", "patients", "--as", NURSE .. ",ip=x", "--at", NOON)
    assert.equal(1, r.code)
    live.says(r.out, "at fault", "no IP address")
  end)

  it("gives it as JSON", function()
    local answer = cjson.decode(why("update", "patients", "--json", "--as",
      NURSE).out)
    assert.is_false(answer.allowed)
    assert.same({ "head nurse" }, answer.nearest[1].roles)
    assert.equal(8, answer.nearest[1].line)
  end)

  it("says what is wrong with the question or the folder", function()
    live.says(why("smell", "patients").err, "none of read, insert")
    live.says(why("read", "pets").err, "no rule of isolation.lua names")
    live.says(why("read", "patients", "--at", "noon").err, "is no time")
    local r = why("read", "patients", "--as", "rule=x")
    assert.equal(2, r.code)
    live.says(r.err, "--as knows")
    assert.equal(2, why("read", "patients", "--row", "ward").code)
    r = sh.run { sh.build .. "/lunate", "why", "read", "x", "--policies",
      "/dev/null" }
    assert.equal(1, r.code)
  end)
end)

describe("lunate policy reviews", function()
  local journal

  local function reviews(...)
    return sh.run { sh.build .. "/lunate", "policy", ..., "--journal", journal }
  end

  local function opening(id, due)
    return cjson.encode { opening = id, at = "2026-06-01T10:00:00Z",
      rule = "crash", tenant = "A", user = "u1", patient = "p1",
      reason = "found on the floor", review_due = due } .. "\n"
  end

  it("lists what nobody looked at, and records who did", function()
    journal = sh.tmpdir() .. "/journal"
    assert.equal("[]\n", sh.ok { sh.build .. "/lunate", "policy", "reviews",
      "--json", "--journal", journal })
    sh.write(journal, opening("aa11", "2026-06-04T10:00:00Z")
      .. opening("bb22", "2999-01-01T00:00:00Z"))
    sh.ok { "chmod", "600", journal }
    local r = reviews("reviews")
    live.says(r.out, "aa11", "OVERDUE since 2026-06-04", "bb22", "due 2999",
      "user u1, clinic A, patient p1", "found on the floor", "2 openings")
    r = sh.run { sh.build .. "/lunate", "policy", "review", "aa11", "--by",
      "Dr. Who", "--journal", journal }
    assert.equal(0, r.code, r.err)
    r = reviews("reviews")
    assert.falsy(r.out:find("aa11", 1, true))
    live.says(r.out, "1 opening to review")
    r = sh.run { sh.build .. "/lunate", "policy", "reviews", "--all",
      "--journal", journal }
    live.says(r.out, "aa11", "by Dr. Who")
    r = sh.run { sh.build .. "/lunate", "policy", "review", "aa11", "--by", "x",
      "--journal", journal }
    assert.equal(1, r.code)
    live.says(r.err, "was reviewed")
    r = sh.run { sh.build .. "/lunate", "policy", "review", "cc", "--by", "x",
      "--journal", journal }
    live.says(r.err, "no opening cc")
  end)
end)
