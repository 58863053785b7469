-- What leaves the built libraries: names, and a second LuaJIT never.
local sh = require "support.sh"
local B = os.getenv("LUNATE_BUILD") or "build"

local function names(file, options)
  local found = {}
  local out = sh.run({ "nm", options, "--defined-only", B .. "/" .. file }).out
  for name in out:gmatch("%x+ [TDBRVW] ([%w_.]+)") do
    found[#found + 1] = name
  end
  return found
end

local function needed(file)
  return sh.run({ "readelf", "-d", B .. "/" .. file }).out
end

-- The functions that the public header declares, without those it defines.
local function declared()
  local found = {}
  for decl in sh.read("runtime/lunate.h"):gmatch("\nLUNATE_API([^;]+);") do
    found[#found + 1] = decl:match("(lunate_[%l_]+)%(")
  end
  table.sort(found)
  return found
end

describe("the built libraries", function()
  it("export what lunate.h declares, no more and no less", function()
    local want = declared()
    local shared = names("liblunate.so", "-D")
    table.sort(shared)
    assert.is_true(#want > 50)
    assert.same(want, shared)
    local static = {}
    for _, name in ipairs(names("liblunate.a", "-g")) do
      if name:find("^lunate_") then static[#static + 1] = name end
    end
    table.sort(static)
    assert.same(want, static)
  end)

  it("export lunate_* and nothing else", function()
    local shared = names("liblunate.so", "-D")
    assert.is_true(#shared >= 4)
    for _, name in ipairs(shared) do
      assert.truthy(name:find("^lunate_"), name)
    end
    for _, name in ipairs(names("liblunate.a", "-g")) do
      assert.truthy(name:find("^lunate_") or name:find("^luaopen_lunate"),
        name)
    end
  end)

  it("are opened by Lua through luaopen_lunate alone", function()
    local module = names("lunate.so", "-D")
    table.sort(module)
    assert.same({ "luaopen_lunate", "luaopen_lunate_core" }, module)
  end)

  it("bring no LuaJIT into a process that has one", function()
    assert.is_nil(needed("lunate.so"):find("luajit", 1, true))
    assert.truthy(needed("liblunate.so"):find("luajit", 1, true))
  end)
end)
