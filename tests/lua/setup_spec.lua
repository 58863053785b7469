-- What `make setup` finds missing, and how it asks for it when it is not root.
package.path = "tests/support/?.lua;" .. package.path
local command = require "command"

local dir

local function write(name, text)
  local file = assert(io.open(dir .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

-- Runs setup as a user who is not root, with a sudo that only shows its words.
local function setup(list, path)
  write("list", list)
  write("sudo", "#!/bin/sh\necho sudo: \"$@\"\n")
  command.shell(("cp runtime/package/setup.sh %s; chmod -R a+rx %s")
    :format(dir, dir))
  local _, uid = command.shell("id -u")
  local user = tonumber(uid) == 0
    and "setpriv --reuid=65534 --regid=65534 --clear-groups " or ""
  return command.shell(("%senv PATH=%s bash %s/setup.sh %s/list")
    :format(user, path or dir .. ":$PATH", dir, dir))
end

describe("setup", function()
  before_each(function()
    local _, out = command.shell("mktemp -d")
    dir = out:gsub("\n", "")
  end)

  after_each(function()
    command.shell("rm -rf " .. dir)
  end)

  it("has nothing to do where everything is installed", function()
    local code, out = setup("# comment\n\ndpkg\nbash # why\n")
    assert.equal(0, code)
    assert.equal("setup: nothing is missing\n", out)
  end)

  it("is content with any of several names", function()
    local code, out = setup("no-such-package-a | bash\n")
    assert.equal(0, code)
    assert.equal("setup: nothing is missing\n", out)
  end)

  it("is content with a file that is named by its path", function()
    local code, out = setup("no-such-package-a | /bin/sh\n")
    assert.equal(0, code)
    assert.equal("setup: nothing is missing\n", out)
    code, out = setup("no-such-package-a | /no/such/file\n")
    assert.equal(0, code)
    assert.truthy(out:find("installing no-such-package-a\n", 1, true), out)
  end)

  it("installs the first of several names, through sudo", function()
    local code, out = setup("bash\nno-such-package-a | no-such-package-b\n"
      .. "no-such-package-c\n")
    assert.equal(0, code)
    assert.equal("setup: installing no-such-package-a no-such-package-c\n"
      .. ("sudo: bash %s/setup.sh %s/list\n"):format(dir, dir), out)
  end)

  it("says what to run where there is neither root nor sudo", function()
    command.shell(("mkdir %s/bin; for p in bash sed awk id dirname dpkg-query; "
      .. "do ln -s $(command -v $p) %s/bin/$p; done"):format(dir, dir))
    local code, _, err = setup("no-such-package-a\n", dir .. "/bin")
    assert.equal(1, code)
    assert.truthy(err:find("not root and no sudo; as root run: apt-get install "
      .. "--no-install-recommends no-such-package-a", 1, true), err)
  end)
end)
