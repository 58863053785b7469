-- Two worlds: through lunate, on the data of A, B and C, a statement gives A
-- what PostgreSQL gives on the data of A alone; and what others do to rows of
-- their own changes nothing of that.
local compare = require "support.worlds.compare"
local core = require "lunate.core"
local lane = require "support.worlds.lane"
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local report = require "support.worlds.report"
local world = require "support.worlds.world"

local COUNT = tonumber(os.getenv "LUNATE_STATEMENTS")
  or (live.prove and 100000 or 300)
local SEED = live.seed()

-- share: of the statements; set: A reads together with C.
local LANES = {
  { type = "uuid", mode = "rewrite", share = 2, sizes = { A = 16, B = 40,
    C = 2 } },
  { type = "int8", mode = "rewrite", share = 1, sizes = { A = 26, B = 6,
    C = 3 } },
  { type = "text", mode = "both", share = 2, sizes = { A = 9, B = 60, C = 1 } },
  { type = "int4", mode = "both", share = 1, sizes = { A = 2, B = 25,
    C = 20 } },
  { type = "uuid", mode = "rls", share = 2, sizes = { A = 14, B = 30, C = 2 } },
  { type = "uuid", mode = "rewrite", share = 1, set = true, sizes = { A = 9,
    B = 30, C = 7 } },
  { type = "text", mode = "both", share = 1, set = true, sizes = { A = 4,
    B = 20, C = 12 } },
}

local function make(number, spec, found)
  local what = { server = pg.shared(), number = number, seed = SEED,
    report = found }
  for k, v in pairs(spec) do what[k] = v end
  return lane.make(what)
end

-- In the short form one lane, of another kind with each seed.
local function lanes(found)
  if not live.prove then
    return { make(1, LANES[SEED % #LANES + 1], found) }
  end
  local list = {}
  for i, spec in ipairs(LANES) do list[i] = make(i, spec, found) end
  return list
end

-- Runs `count` statements over the lanes.
local function run(list, count)
  local shares = 0
  for _, one in ipairs(list) do shares = shares + one.share end
  local results = live.tasks(#list, function(i)
    list[i]:run(1, math.ceil(count * list[i].share / shares))
    return true
  end)
  for i = 1, #list do assert(results[i][1], tostring(results[i][2])) end
end

local function tell(found)
  local texts = {}
  for i = 1, math.min(5, #found.differences) do
    texts[i] = report.tell(found.differences[i])
  end
  return table.concat(texts, "\n\n")
end

describe("two worlds", function()
  after_each(function()
    core.fault("")
    live.close()
  end)

  it("are one to A, whatever others own and do", function()
    local found, began = report.new(), lunate.now()
    run(lanes(found), COUNT)
    if live.prove or os.getenv "LUNATE_SEED" then
      print(found:text(true))
    end
    print(("two worlds: seed %d, %.0f s, %s"):format(SEED, lunate.now() - began,
      found:text(false):match "[^\n]*$"))
    assert.equal(0, #found.differences, tell(found))
    assert.equal(0, #found.faults, found.faults[1] and found.faults[1].text)
    assert.is_true(found.invalid <= COUNT / 1000, found:text(true))
    assert.is_true(found:share() >= 0.9, found:text(true))
  end)

  -- A test that cannot fail is none.
  local UNSCOPED = "isolation.rewrite=always,isolation.check=always"

  local function kinds(found)
    local by = {}
    for _, d in ipairs(found.differences) do
      by[d.kind] = true
      by.guard = by.guard or d.what:find("ZZ001", 1, true)
    end
    return by
  end

  it("are two when texts are not scoped, and when rows are caught at the end",
    function()
    local found = report.new()
    local one = make(1, LANES[1], found)
    one.behind_only, one.looks = true, 1
    assert(core.fault(UNSCOPED .. ",isolation.egress=always"))
    one:run(1, 80)
    local saw = kinds(found)
    assert.is_true(#found.differences > 15, found:text(false))
    assert.truthy(saw.result, "no result differs")
    assert.truthy(saw.guard, "no write of a row of others was seen")
    local all = { text = world.digest, params = {}, returns = true, n = 0 }
    one.recent = { { s = all, x = one.x:run(all) } }
    for _ = 1, 20 do
      one:change_others()
      one:again()
    end
    assert.truthy(kinds(found).interference, "nobody saw others change")
    assert(core.fault(UNSCOPED))
    all.text = "select * from visits"
    local caught = one.x:run(all)
    assert.is_nil(caught.refused)
    live.says(caught.message, "withheld")
  end)
end)

describe("the comparison of two worlds", function()
  local function rows(ordered, ...)
    return compare.rows({ n = select("#", ...), ... }, ordered)
  end

  it("is of multisets, unless rows are in an order", function()
    local a, b = { 1, "x" }, { 2, "y" }
    assert.is_nil(compare.difference(rows(false, a, b), rows(false, b, a)))
    assert.is_string(compare.difference(rows(true, a, b), rows(true, b, a)))
    assert.is_string(compare.difference(rows(false, a, a, b),
      rows(false, a, b, b)))
    assert.is_string(compare.difference(rows(false, a, a), rows(false, a)))
  end)

  it("tells values, NULL, arrays and names apart", function()
    local function differ(a, b)
      assert.is_string(compare.difference(rows(false, a), rows(false, b)))
    end
    differ({ "" }, { core.null })
    differ({ 1 }, { true })
    differ({ "1" }, { "1.0" })
    differ({ { 1, 2 } }, { { 2, 1 } })
    differ({ { 1 } }, { { 1, core.null } })
    differ({ "a", "b" }, { "ab", "" })
    differ({ 1, id = 1 }, { 1, no = 1 })
  end)

  it("tells errors by class, counts, and refusals apart", function()
    local function differ(a, b)
      assert.is_string(compare.difference(a, b))
      assert.is_string(compare.difference(b, a))
    end
    local a = { class = "23", message = "x" }
    assert.is_nil(compare.difference(a, { class = "23", message = "y" }))
    differ(a, { class = "22", message = "x" })
    differ(a, { affected = 0 })
    differ({ affected = 1 }, { affected = 0 })
    differ({ refused = "form" }, { affected = 0 })
    differ({ refused = "form" }, { refused = "upsert" })
  end)
end)
