-- `make install` and `make uninstall`: what comes, that it can be used from
-- there, and that it all goes.
local install = require "support.install"
local sh = require "support.sh"

local VERSION = install.version()
local SANITIZED = install.B:find("/%lsan$")

local PROGRAM = [[
#include <lunate.h>
#include <stdio.h>

/* No server is needed to be told that a URL is none. */
int
main(void)
{
	struct lunate_options o = lunate_defaults();
	struct lunate_error e;
	struct lunate *db;

	o.url = "nonsense";
	if (lunate_open(&o, &db, &e) == 0 || e.text[0] == '\0')
		return 1;
	puts(lunate_version());
	return 0;
}
]]

-- What is installed below a PREFIX.
local function expected(lib)
  local all = {
    "bin/lunate", "include/lunate.h",
    lib .. "/liblunate.a", lib .. "/liblunate.so", lib .. "/liblunate.so.0",
    lib .. "/liblunate.so." .. VERSION, lib .. "/lua/5.1/lunate.so",
    lib .. "/pkgconfig/lunate.pc",
    "share/bash-completion/completions/lunate",
    "share/doc/lunate/LICENSE", "share/doc/lunate/README.md",
    "share/doc/lunate/lua/README.md",
    "share/fish/vendor_completions.d/lunate.fish",
    "share/man/man1/lunate.1", "share/zsh/site-functions/_lunate",
  }
  local function add(from, to)
    for _, path in ipairs(install.files(from)) do
      all[#all + 1] = to .. "/" .. path
    end
  end
  add("examples", "share/doc/lunate/examples")
  add("policies", "share/doc/lunate/policies")
  if sh.run({ "test", "-d", "lua/types" }).code == 0 then
    add("lua/types", "share/lunate/luals")
  end
  table.sort(all)
  return all
end

-- Compiles PROGRAM with the words that a shell makes of `flags`.
local function compile(flags, env)
  local dir = sh.tmpdir()
  sh.write(dir .. "/x.c", PROGRAM)
  sh.ok { "sh", "-c", "cc -Wall -Wextra -Werror x.c " .. flags, cwd = dir,
    env = env }
  return dir .. "/a.out"
end

local function needed(program)
  return sh.ok { "readelf", "-d", program }
end

-- What has to hold below dest .. prefix, for a program that is told env.
local function check_programs(prefix, env)
  local lib = prefix .. "/lib"
  local shared = compile("$(pkg-config --cflags --libs lunate)", env)
  assert.truthy(needed(shared):find("[liblunate.so.0]", 1, true))
  assert.equal(VERSION .. "\n",
    sh.ok { shared, env = { LD_LIBRARY_PATH = lib } })
  local static = compile("-Wl,--as-needed -l:liblunate.a "
    .. "$(pkg-config --static --libs lunate) "
    .. "$(pkg-config --cflags lunate)", env)
  assert.is_nil(needed(static):find("liblunate", 1, true))
  assert.equal(VERSION .. "\n", sh.ok { static })
end

describe("make install", function()
  local dest, prefix

  setup(function()
    dest = sh.tmpdir()
    prefix = dest .. "/usr/local"
    install.ok { "install", "DESTDIR=" .. dest }
  end)

  it("puts exactly what it should below DESTDIR and PREFIX", function()
    assert.same(expected("lib"), install.files(prefix))
    assert.same(#expected("lib"), #install.files(dest))
  end)

  it("links the library's names to the file of this version", function()
    for _, name in ipairs { "liblunate.so", "liblunate.so.0" } do
      assert.equal(prefix .. "/lib/liblunate.so." .. VERSION .. "\n",
        sh.ok { "readlink", "-f", prefix .. "/lib/" .. name })
    end
    assert.truthy(needed(prefix .. "/lib/liblunate.so"):find(
      "soname: [liblunate.so.0]", 1, true))
  end)

  it("lets everybody read, and only the owner write", function()
    assert.equal("", sh.ok { "find", dest .. "/usr", "-not", "-type", "l",
      "(", "-perm", "/022", "-o", "-not", "-perm", "-444", ")" })
    local runnable = sh.ok { "find", dest, "-type", "f", "-perm", "/111" }
    assert.equal(prefix .. "/bin/lunate\n", runnable)
  end)

  it("names no folder of the build in what it writes", function()
    assert.is_nil(sh.read(prefix .. "/lib/pkgconfig/lunate.pc"):find(dest, 1,
      true))
  end)

  it("serves programs that pkg-config compiles, shared and static", function()
    if SANITIZED then return pending("the program is not sanitized") end
    check_programs(prefix, { PKG_CONFIG_SYSROOT_DIR = dest,
      PKG_CONFIG_PATH = prefix .. "/lib/pkgconfig" })
  end)

  it("brings a command that runs from there", function()
    assert.truthy(sh.ok({ prefix .. "/bin/lunate", "--version", cwd = "/" })
      :find("lunate " .. VERSION .. " (", 1, true))
  end)

  it("brings a module that LuaJIT loads, with all of its Lua", function()
    if SANITIZED then return pending("luajit is not sanitized") end
    assert.equal(VERSION .. "\n", sh.ok { "luajit", "-e",
      "require 'lunate'; print(require('lunate.core').version)", cwd = "/",
      env = { LUA_PATH = false,
        LUA_CPATH = prefix .. "/lib/lua/5.1/?.so;;" } })
  end)

  it("may be repeated", function()
    install.ok { "install", "DESTDIR=" .. dest }
    assert.same(expected("lib"), install.files(prefix))
  end)
end)

describe("make install without DESTDIR", function()
  it("serves from PREFIX, wherever the libraries go", function()
    local prefix = sh.tmpdir() .. "/opt/lunate"
    install.ok { "install", "PREFIX=" .. prefix }
    assert.same(expected("lib"), install.files(prefix))
    if not SANITIZED then
      check_programs(prefix, { PKG_CONFIG_PATH = prefix .. "/lib/pkgconfig" })
    end
    install.ok { "uninstall", "PREFIX=" .. prefix }
    assert.same({}, install.files(prefix))
  end)

  it("puts libraries where LIBDIR says", function()
    local dest = sh.tmpdir()
    local words = { "install", "DESTDIR=" .. dest, "PREFIX=/usr",
      "LIBDIR=/usr/lib/some-arch" }
    install.ok(words)
    assert.same(expected("lib/some-arch"), install.files(dest .. "/usr"))
    local env = { PKG_CONFIG_PATH = dest .. "/usr/lib/some-arch/pkgconfig" }
    assert.equal("/usr/lib/some-arch\n", sh.ok { "pkg-config",
      "--variable=libdir", "lunate", env = env })
    assert.equal(VERSION .. "\n",
      sh.ok { "pkg-config", "--modversion", "lunate", env = env })
    words[1] = "uninstall"
    install.ok(words)
    assert.same({}, install.files(dest))
  end)

  it("takes what it installs from the build folder it is told", function()
    local out = sh.ok { "make", "-n", "install", "B=build/elsewhere", "-C",
      sh.root, env = { MAKEFLAGS = false, MAKELEVEL = false } }
    assert.truthy(out:find("B='build/elsewhere'", 1, true))
    assert.is_nil(out:find(" build/lunate", 1, true))
  end)
end)

describe("a PREFIX or LIBDIR", function()
  it("that is relative, empty or has a space is refused", function()
    for _, word in ipairs { "PREFIX=/a b", "PREFIX=a", "PREFIX=", "LIBDIR=lib",
      "LIBDIR=/a /b" } do
      for _, goal in ipairs { "install", "uninstall" } do
        local dest = sh.tmpdir()
        local r = install.make { goal, word, "DESTDIR=" .. dest }
        assert.equal(2, r.code, word)
        assert.truthy(r.err:find(word:match("^%u+")
          .. " has to be an absolute path without spaces", 1, true), r.err)
        assert.same({}, install.files(dest))
      end
    end
  end)

  it("has nothing to do with a DESTDIR that has a space", function()
    local dest = sh.tmpdir() .. "/a b"
    install.ok { "install", "DESTDIR=" .. dest }
    assert.same(expected("lib"), install.files(dest .. "/usr/local"))
    install.ok { "uninstall", "DESTDIR=" .. dest }
    assert.same({}, install.files(dest))
  end)
end)

describe("make uninstall", function()
  it("leaves nothing, and no folder of lunate's own", function()
    local dest = sh.tmpdir()
    install.ok { "install", "DESTDIR=" .. dest }
    install.ok { "uninstall", "DESTDIR=" .. dest }
    assert.same({}, install.files(dest))
    assert.equal("", sh.ok { "find", dest .. "/usr", "-name", "*lunate*" })
  end)

  it("leaves what is somebody else's", function()
    local dest = sh.tmpdir()
    install.ok { "install", "DESTDIR=" .. dest }
    local mine = { "lib/lua/5.1/other.so", "share/doc/lunate/mine.txt" }
    for _, path in ipairs(mine) do
      sh.write(dest .. "/usr/local/" .. path, "mine\n")
    end
    install.ok { "uninstall", "DESTDIR=" .. dest }
    assert.same(mine, install.files(dest .. "/usr/local"))
  end)

  it("is content where nothing was installed", function()
    install.ok { "uninstall", "DESTDIR=" .. sh.tmpdir() }
  end)
end)
