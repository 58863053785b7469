-- What editors are told of the module is what it has: every function, every
-- option, every code, and nothing else.
local core = require "lunate.core"
local lunate = require "lunate"
local db = require "lunate.db"
local sh = require "support.sh"
local tx = require "lunate.tx"

local text = sh.read("lua/types/lunate.lua")

-- The functions that a class is given in the file.
local function declared(class, mark)
  local names = {}
  for name in text:gmatch("\nfunction " .. class .. mark .. "([%w_]+)%(") do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function functions(t)
  local names = {}
  for name, value in pairs(t) do
    if type(value) == "function" and not name:find("^__") then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

local function task_class()
  local task = lunate.spawn(function() end)
  task:join()
  return getmetatable(task)
end

describe("lua/types/lunate.lua", function()
  it("is read by Lua", function()
    assert(loadstring(text, "@types"))
  end)

  it("declares the functions that there are", function()
    assert.same(functions(lunate), declared("lunate", "%."))
    assert.same(functions(db.Client), declared("Client", ":"))
    assert.same(functions(db.Database), declared("Database", ":"))
    assert.same(functions(tx.Transaction), declared("Transaction", ":"))
    assert.same(functions(task_class()), declared("Task", ":"))
    local statement = getmetatable(db.Client.prepare({}, "select 1"))
    assert.same(functions(statement), declared("Statement", ":"))
  end)

  it("declares the options that there are", function()
    local class = text:match("class lunate.OpenOptions\n(.-)\n\n")
    local named, known = {}, { system = true } -- = { url =, role = }
    for key in class:gmatch("@field ([%w_]+) ") do named[key] = true end
    for key in core.config_markdown():gmatch("| `([%l%d_]+)` |") do
      known[key] = true
    end
    assert.same(known, named)
  end)

  it("declares the codes that there are", function()
    local alias = text:match("alias lunate.Code\n(.-)\n\n")
    local named, known = {}, { script = true }
    for code in alias:gmatch('"([%l_]+)"') do named[code] = true end
    for _, row in ipairs(core.error_table()) do known[row.code] = true end
    assert.same(known, named)
  end)
end)
