-- examples/hot_edit.lua: policies that are edited while clinics are served.
package.path = "examples/?.lua;" .. package.path

local hot_edit = require "hot_edit"
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local function shipped()
  return sh.ok { "sh", "-c", "cat policies/*.lua" }
end

describe("editing a policy file under load", function()
  it("changes what is seen, keeps the rules at a mistake, fails nobody",
    function()
      local before, lines = shipped(), {}
      local n = hot_edit.run { url = pg.database("hot_edit"), tasks = 4,
        tell = function(line) lines[#lines + 1] = line end }
      local text = table.concat(lines, "\n")
      live.says(text, "generation 3 in force", "addresses are hidden",
        "did you mean 'permit'?", "generation 3 stays in force",
        "generation 4 in force", n .. " operations, 0 failed, 0 saw two")
      assert.is_true(n > 12)
      assert.equal(before, shipped())
    end)

  it("runs as a command, on tables that are there already", function()
    local r = sh.run { sh.build .. "/lunate", "run", "examples/hot_edit.lua",
      "--tasks", "2", env = { DATABASE_URL = pg.database("hot_edit") },
      timeout = 60 }
    assert.equal(0, r.code, r.err)
    assert.matches(" operations, 0 failed, 0 saw two generations\n$", r.out)
  end)
end)
