-- The rockspec: what it says of the tree is so, and luarocks builds from it.
local install = require "support.install"
local sh = require "support.sh"

local VERSION = install.version()
local PATH = "lua/lunate-" .. VERSION .. "-1.rockspec"

local rock

setup(function()
  rock = {}
  setfenv(assert(loadfile(PATH)), rock)()
end)

describe("the rockspec", function()
  it("is the only one, and of this version", function()
    assert.equal(PATH .. "\n", sh.ok { "find", "lua", "-name", "*.rockspec" })
    assert.equal("lunate", rock.package)
    assert.equal(VERSION .. "-1", rock.version)
  end)

  it("names folders, files and targets that exist", function()
    for _, dir in ipairs(rock.build.copy_directories) do
      assert.is_true(#install.files(dir) > 0, dir)
    end
    assert.not_equal("", sh.read(rock.build.makefile))
    for _, goal in ipairs { rock.build.build_target,
      rock.build.install_target } do
      install.ok { "-n", goal }
    end
  end)

  it("pleases luarocks", function()
    sh.ok { "luarocks", "--lua-version", "5.1", "lint", PATH }
  end)

  it("installs the command and the module into a tree", function()
    local tree = sh.tmpdir()
    local headers = sh.ok({ "pkg-config", "--variable=includedir", "luajit" })
    sh.ok { "luarocks", "--lua-version", "5.1", "make", "--tree", tree,
      "--deps-mode", "none", PATH, "LUA_INCDIR=" .. headers:gsub("\n", ""),
      timeout = 300,
      env = { B = install.B, MAKEFLAGS = false, MFLAGS = false,
        MAKELEVEL = false, LD_PRELOAD = false, HOME = tree } }
    assert.truthy(sh.ok({ tree .. "/bin/lunate", "--version", cwd = "/" })
      :find("lunate " .. VERSION .. " (", 1, true))
    if install.B:find("/%lsan$") then return end
    assert.equal(VERSION .. "\n", sh.ok { "luajit", "-e",
      "require 'lunate'; print(require('lunate.core').version)", cwd = "/",
      env = { LUA_CPATH = tree .. "/lib/lua/5.1/?.so;;" } })
  end)
end)
