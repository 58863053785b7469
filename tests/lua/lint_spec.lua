-- The lint refuses small samples that break one rule each, and accepts the
-- same sample without the fault.
local here = io.popen("pwd"):read("*l")
local program = here .. "/runtime/package/lint/main.lua"

local function sh(command)
  local pipe = assert(io.popen(command .. " 2>&1; echo \"rc=$?\""))
  local out = pipe:read("*a")
  pipe:close()
  local text, code = out:match("^(.*)rc=(%d+)\n$")
  return tonumber(code), text
end

local SPDX = "/* SPDX-License-" .. "Identifier: MIT */\n"

-- Runs the lint on { path = text }; gives its exit code and what it printed.
local function lint(files)
  local _, dir = sh("mktemp -d")
  dir = dir:gsub("%s+$", "")
  local names = {}
  for path, text in pairs(files) do
    sh(("mkdir -p '%s/%s'"):format(dir, path:match("^(.*)/")))
    local file = assert(io.open(dir .. "/" .. path, "w"))
    file:write(text)
    file:close()
    names[#names + 1] = path
  end
  table.sort(names)
  local code, text = sh(("cd '%s' && luajit '%s' %s")
    :format(dir, program, table.concat(names, " ")))
  sh(("rm -rf '%s'"):format(dir))
  return code, text
end

local function refuses(files, where, what)
  local code, text = lint(files)
  assert.equal(1, code)
  assert.truthy(text:find(where, 1, true), text)
  assert.truthy(text:find(what, 1, true), text)
end

local function accepts(files)
  local code, text = lint(files)
  assert.equal("", text)
  assert.equal(0, code)
end

local function c_function(body_lines, arguments)
  return SPDX .. "static int\nf(" .. arguments .. ")\n{\n"
    .. ("\tg();\n"):rep(body_lines) .. "}\n"
end

describe("lint", function()
  it("accepts a plain module with its header", function()
    accepts({
      ["runtime/io/wire.h"] = SPDX,
      ["runtime/base/str.h"] = SPDX,
      ["runtime/io/wire.c"] = SPDX
        .. '#include "wire.h"\n\n#include "str.h"\n\n#include <ev.h>\n',
    })
  end)

  it("refuses a function of 51 lines and accepts one of 50", function()
    accepts({ ["runtime/base/a.c"] = c_function(50, "void") })
    refuses({ ["runtime/base/a.c"] = c_function(51, "void") },
      "runtime/base/a.c:3:", "f is 51 lines long; split it")
  end)

  it("refuses a fifth argument and accepts four", function()
    accepts({ ["runtime/base/a.c"] =
      c_function(1, "int a, int b, void (*c)(int, int),\n  int d") })
    refuses({ ["runtime/base/a.c"] =
      c_function(1, "int a, int b, int c,\n  int d, int e") },
      "runtime/base/a.c:3:", "f takes 5 arguments")
  end)

  it("refuses a long Lua function and one of five arguments", function()
    accepts({ ["lua/a.lua"] = "local function f(a, b, c, d)\n"
      .. ("  g()\n"):rep(50) .. "end\nreturn f\n" })
    refuses({ ["lua/a.lua"] = "local M = {}\nfunction M.f(a, b, c, d, e)\n"
      .. ("  g()\n"):rep(51) .. "end\nreturn M\n" },
      "lua/a.lua:2:", "f is 51 lines long")
    refuses({ ["lua/a.lua"] = "function f(a, b, c, d, e) return a end\n"
      .. "local x = function(a, b, c,\n  d, e)\n  return a\nend\n" },
      "lua/a.lua:2:", "x takes 5 arguments")
  end)

  it("refuses a reach upward and one sideways", function()
    refuses({ ["runtime/base/a.c"] = SPDX .. '#include "pool.h"\n',
      ["runtime/pool/pool.h"] = SPDX },
      "runtime/base/a.c:2:", "base may not see pool")
    refuses({ ["runtime/cache/a.c"] = SPDX .. '#include "rls.h"\n',
      ["runtime/guard/rls.h"] = SPDX },
      "runtime/cache/a.c:2:", "cache may not see guard")
  end)

  it("refuses an include by path, in the tests too", function()
    refuses({ ["tests/unit/a.c"] = SPDX .. '#include "../base/str.h"\n' },
      "tests/unit/a.c:2:", "reaches upward")
  end)

  it("refuses a header of no floor and one of two floors", function()
    refuses({ ["runtime/base/a.c"] = SPDX .. '#include "nowhere.h"\n' },
      "runtime/base/a.c:2:", 'no header "nowhere.h"')
    refuses({ ["runtime/io/a.c"] = SPDX .. '#include "one.h"\n',
      ["runtime/io/one.h"] = SPDX, ["runtime/base/one.h"] = SPDX },
      "runtime/io/a.c:2:", "has one name of its own")
  end)

  it("refuses Lua below the policy floor", function()
    accepts({ ["runtime/policy/a.c"] = SPDX .. "#include <lua.h>\n" })
    refuses({ ["runtime/cache/a.c"] = SPDX .. "#include <lua.h>\n" },
      "runtime/cache/a.c:2:", "cache does not speak to LuaJIT")
  end)

  it("refuses a module that includes another header before its own", function()
    refuses({ ["runtime/base/a.c"] = SPDX .. '#include "b.h"\n#include "a.h"\n',
      ["runtime/base/a.h"] = SPDX, ["runtime/base/b.h"] = SPDX },
      "runtime/base/a.c:1:", '"a.h" is not the first include')
  end)

  it("counts a tab as eight columns and a letter as one", function()
    local wide = "/* " .. ("\195\164"):rep(74) .. " */\n" -- 80 columns
    accepts({ ["runtime/base/a.c"] = SPDX .. wide })
    refuses({ ["runtime/base/a.c"] = SPDX .. "\tx " .. ("x"):rep(71) .. "\n" },
      "runtime/base/a.c:2:", "81 columns wide")
  end)

  it("leaves a string or a name whole that fills its line", function()
    local long = ("x"):rep(100)
    accepts({ ["runtime/base/a.c"] = SPDX .. '\t"' .. long .. '",\n\t'
      .. long .. "),\n" })
    refuses({ ["runtime/base/a.c"] = SPDX .. '\tf("' .. long .. '");\n' },
      "runtime/base/a.c:2:", "columns wide")
  end)

  it("lets a table that is laid out by hand be wide", function()
    local wide = "x " .. ("x"):rep(98) .. "\n"
    accepts({ ["runtime/base/a.c"] = SPDX .. "/* clang-format off */\n" .. wide
      .. "/* clang-format on */\n" })
    refuses({ ["runtime/base/a.c"] = SPDX .. "/* clang-format off */\n"
      .. "/* clang-format on */\n" .. wide },
      "runtime/base/a.c:4:", "100 columns wide")
  end)

  it("refuses a file of 601 lines and accepts one of 600", function()
    accepts({ ["runtime/base/a.c"] = SPDX .. ("\n"):rep(598) .. "int x;\n" })
    refuses({ ["runtime/base/a.c"] = SPDX .. ("\n"):rep(599) .. "int x;\n" },
      "runtime/base/a.c:601:", "601 lines")
  end)

  it("refuses notes about undone work, but not words that hold them", function()
    accepts({ ["lua/a.lua"] = "local t = 'mktemp -d /tmp/a.XXXXXX'\n" })
    for _, note in ipairs({ "TO" .. "DO", "FIX" .. "ME", "X" .. "XX" }) do
      refuses({ ["lua/a.lua"] = "\n-- " .. note .. ": later\n" },
        "lua/a.lua:2:", note)
    end
  end)

  it("refuses a C file without its licence line", function()
    refuses({ ["runtime/base/a.c"] = "int x;\n" },
      "runtime/base/a.c:1:", "no licence line")
  end)
end)
