-- Two worlds: through lunate, on the data of A, B and C, a statement gives A
-- what PostgreSQL gives on the data of A alone; and what others do to rows of
-- their own changes nothing of that.
local lane = require "support.worlds.lane"
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local report = require "support.worlds.report"

local COUNT = tonumber(os.getenv "LUNATE_STATEMENTS")
  or (live.prove and 100000 or 300)
local SEED = live.seed()

local SIZES = { { A = 16, B = 40, C = 2 }, { A = 26, B = 6, C = 3 },
  { A = 9, B = 60, C = 1 }, { A = 2, B = 25, C = 20 } }
local TYPES = { "uuid", "int8", "text", "int4" }

-- In the short form one lane, of another kind with each seed.
local function lanes(count, mode, found)
  local list = {}
  for i = 1, count do
    local k = live.prove and i or SEED % 4 + 1
    list[i] = lane.make { server = pg.shared(), number = i, seed = SEED,
      type = TYPES[k], mode = mode, sizes = SIZES[k], report = found }
  end
  return list
end

-- Runs `count` statements over the lanes.
local function run(list, count)
  local each = math.ceil(count / #list)
  local results = live.tasks(#list, function(i)
    list[i]:run(1, each)
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
  after_each(live.close)

  it("are one to A, whatever others own and do", function()
    local found, began = report.new(), lunate.now()
    run(lanes(live.prove and 4 or 1, "rewrite", found), COUNT)
    if live.prove or os.getenv "LUNATE_SEED" then
      print(found:text(true))
    end
    print(("two worlds: seed %d, %.0f s, %s"):format(SEED, lunate.now() - began,
      found:text(false):match "[^\n]*$"))
    assert.equal(0, #found.differences, tell(found))
    assert.is_true(found:share() >= 0.9, found:text(true))
  end)
end)
