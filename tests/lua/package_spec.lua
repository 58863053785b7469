-- `make deb`: what the package says and holds, and that it runs from where it
-- is unpacked. runtime/package/try-deb.sh installs it on a bare machine.
local install = require "support.install"
local sh = require "support.sh"

local VERSION = install.version()
local SANITIZED = install.B:find("/%lsan$")

local deb, root, lib

-- What make prints is the package's path.
local function build()
  return (install.ok({ "deb", env = { LD_LIBRARY_PATH = false } })
    :gsub("\n", ""))
end

local function field(name)
  return (sh.ok({ "dpkg-deb", "-f", deb, name }):gsub("\n", ""))
end

local function control(name)
  return sh.ok { "dpkg-deb", "-I", deb, name }
end

-- Package names of a dependency field, without versions; of alternatives all.
local function names(text)
  local all = {}
  for name in text:gsub("%b()", ""):gmatch("[^%s,|]+") do all[name] = true end
  return all
end

setup(function()
  deb = build()
  root = sh.tmpdir()
  sh.ok { "dpkg-deb", "-x", deb, root }
  lib = "usr/lib/" .. sh.ok({ "dpkg-architecture", "-qDEB_HOST_MULTIARCH" })
    :gsub("\n", "")
end)

describe("the Debian package", function()
  it("is named after its version and architecture", function()
    local arch = sh.ok({ "dpkg", "--print-architecture" }):gsub("\n", "")
    assert.equal(("%s/lunate_%s_%s.deb"):format(install.B, VERSION, arch), deb)
    assert.equal("lunate", field "Package")
    assert.equal(VERSION, field "Version")
    assert.equal(arch, field "Architecture")
    assert.truthy(field("Maintainer"):find("^.+ <.+@.+>$"))
    assert.is_true(tonumber(field "Installed-Size") > 1000)
  end)

  it("depends on the package of every library it is linked with", function()
    local depends = names(field "Depends")
    local linked = sh.ok { "sh", "-c", [[
      for f in "$@"; do readelf -d "$f"; done |
      sed -n 's/.*NEEDED.*\[\(lib.*\)\]/\1/p' | sort -u |
      sed "s|^|*/$L/|" | xargs -n 1 dpkg-query -S | cut -d : -f 1 | sort -u]],
      "sh", root .. "/usr/bin/lunate",
      root .. "/" .. lib .. "/liblunate.so." .. VERSION,
      root .. "/" .. lib .. "/lua/5.1/lunate.so",
      env = { L = lib:match("[^/]+$") } }
    local n = 0
    for name in linked:gmatch("%S+") do
      n = n + 1
      assert.is_true(depends[name], name)
    end
    assert.is_true(n >= 7)
    assert.is_true(depends["lua-argparse"] and depends["lua-cjson"])
    assert.is_true(names(field "Recommends")["postgresql-15"])
  end)

  it("needs nothing that only building needs", function()
    for name in pairs(names(field "Depends")) do
      assert.is_nil(name:find("%-dev$"), name)
    end
  end)

  it("holds what make install installs, where Debian wants it", function()
    local have = {}
    for _, path in ipairs(install.files(root)) do have[path] = true end
    for _, path in ipairs { "usr/bin/lunate", "usr/include/lunate.h",
      lib .. "/liblunate.so", lib .. "/liblunate.so.0",
      lib .. "/liblunate.so." .. VERSION, lib .. "/liblunate.a",
      lib .. "/lua/5.1/lunate.so", lib .. "/pkgconfig/lunate.pc",
      "usr/share/man/man1/lunate.1.gz", "usr/share/doc/lunate/copyright",
      "usr/share/doc/lunate/changelog.gz", "usr/share/doc/lunate/README.md",
      "usr/share/doc/lunate/lua/README.md",
      "usr/share/bash-completion/completions/lunate",
      "usr/share/zsh/vendor-completions/_lunate",
      "usr/share/fish/vendor_completions.d/lunate.fish" } do
      assert.is_true(have[path], path)
      have[path] = nil
    end
    for path in pairs(have) do
      assert.truthy(path:find("^usr/share/doc/lunate/examples/")
        or path:find("^usr/share/doc/lunate/policies/")
        or path:find("^usr/share/lunate/luals/"), path)
    end
  end)

  it("belongs to root, and only root may write", function()
    for line in sh.ok({ "dpkg-deb", "-c", deb }):gmatch("[^\n]+") do
      assert.truthy(line:find("^l%S+ root/root ")
        or line:find("^%-rw[x-]r%-[x-]r%-[x-] root/root ")
        or line:find("^drwxr%-xr%-x root/root "), line)
    end
  end)

  it("has the sums of all of its files", function()
    local path = sh.tmpfile(control "md5sums")
    sh.ok { "md5sum", "--check", "--strict", "--quiet", path, cwd = root }
    local files = install.files(root, "-type", "f")
    local _, n = sh.read(path):gsub("\n", "")
    assert.equal(tonumber((sh.ok({ "sh", "-c", "find . -type f | wc -l",
      cwd = root }))), n)
    assert.is_true(#files >= n)
  end)

  it("tells the loader, and those who link the library", function()
    assert.equal("activate-noawait ldconfig\n", control "triggers")
    assert.equal(("liblunate 0 lunate (>= %s)\n"):format(VERSION),
      control "shlibs")
  end)

  it("is stripped", function()
    for _, path in ipairs { "usr/bin/lunate", lib .. "/lua/5.1/lunate.so",
      lib .. "/liblunate.so." .. VERSION } do
      local out = sh.ok { "readelf", "-S", "-W", root .. "/" .. path }
      assert.is_nil(out:find(".debug_info", 1, true), path)
      assert.is_nil(out:find(".symtab", 1, true), path)
    end
  end)

  it("names its licence and its changes", function()
    local doc = root .. "/usr/share/doc/lunate/"
    local copyright = sh.read(doc .. "copyright")
    assert.truthy(copyright:find("License: Expat\n Permission", 1, true))
    assert.truthy(copyright:find(sh.read("LICENSE")
      :match("Copyright %(c%) ([^\n]+)"), 1, true))
    local changes = sh.tmpfile(sh.ok { "gzip", "-dc",
      doc .. "changelog.gz" })
    assert.equal(VERSION .. "\n", sh.ok { "dpkg-parsechangelog", "-l", changes,
      "-S", "Version" })
  end)

  it("names no folder of the machine that made it", function()
    for _, path in ipairs { "usr/bin/lunate", lib .. "/lua/5.1/lunate.so",
      lib .. "/pkgconfig/lunate.pc" } do
      assert.is_nil(sh.read(root .. "/" .. path):find(sh.root, 1, true), path)
    end
  end)

  it("is made of what is built for it where nothing is built", function()
    local out = sh.ok { "make", "-n", "deb", "B=build/elsewhere",
      env = { MAKEFLAGS = false, MAKELEVEL = false } }
    for _, name in ipairs { "lunate", "liblunate.so", "liblunate.a",
      "lunate.so" } do
      assert.truthy(out:find("build/elsewhere/" .. name .. " ", 1, true), name)
    end
    for _, name in ipairs { "lunate.1", "completion/zsh" } do
      assert.truthy(out:find("> build/elsewhere/" .. name, 1, true), name)
    end
  end)

  it("comes out the same a second time", function()
    local before = sh.read(deb)
    assert.equal(deb, build())
    assert.is_true(before == sh.read(deb))
  end)
end)

describe("what the package holds", function()
  it("runs from where it is unpacked", function()
    assert.truthy(sh.ok({ root .. "/usr/bin/lunate", "--version", cwd = "/" })
      :find("lunate " .. VERSION .. " (", 1, true))
  end)

  it("runs an example that needs no server", function()
    local dir = sh.tmpdir()
    sh.ok { root .. "/usr/bin/lunate", "run", "--url", "postgres:///none",
      root .. "/usr/share/doc/lunate/examples/clinic/generate.lua", dir,
      "--patients", "20", cwd = "/" }
    assert.not_equal("", sh.read(dir .. "/patients.csv"))
  end)

  it("is a module that LuaJIT finds below Debian's path", function()
    if SANITIZED then return pending("luajit is not sanitized") end
    assert.equal(VERSION .. "\n", sh.ok { "luajit", "-e",
      "require 'lunate'; print(require('lunate.core').version)", cwd = "/",
      env = { LUA_CPATH = root .. "/" .. lib .. "/lua/5.1/?.so;;" } })
  end)

  it("is a library that a C program finds", function()
    if SANITIZED then return pending("the program is not sanitized") end
    local dir = sh.tmpdir()
    sh.write(dir .. "/x.c", "#include <lunate.h>\n#include <stdio.h>\n"
      .. "int main(void) { return puts(lunate_version()) < 0; }\n")
    sh.ok { "sh", "-c", "cc x.c $(pkg-config --cflags --libs lunate) "
      .. "-I\"$R/usr/include\" -L\"$R/$L\"", cwd = dir, env = { R = root,
      L = lib, PKG_CONFIG_PATH = root .. "/" .. lib .. "/pkgconfig",
      PKG_CONFIG_SYSROOT_DIR = root } }
    assert.equal(VERSION .. "\n", sh.ok { dir .. "/a.out",
      env = { LD_LIBRARY_PATH = root .. "/" .. lib } })
  end)
end)
