-- `lunate dev` against real PostgreSQL and Redis, in a state directory of its
-- own.
package.path = "tests/support/?.lua;" .. package.path
local command = require "command"
local cjson = require "cjson"

local home

local function shell(line)
  local code, out, err = command.shell(line)
  assert.equal(0, code, err)
  return (out:gsub("\n$", ""))
end

local function lunate(...)
  return command.run({ ... }, { env = { XDG_STATE_HOME = home,
    LUNATE_PG_BIN = false, PGPORT = "1", PGHOST = "/nowhere" } })
end

local function done(...)
  local code, out, err = lunate(...)
  assert.equal(0, code, err)
  return out, err
end

local function status()
  return cjson.decode((done("dev", "status", "--json")))
end

local function ask(url, sql)
  return shell(("psql -XAtq '%s' -c \"%s\""):format(url, sql))
end

-- A folder of programs of our own in place of PostgreSQL's.
local function fake_bin(scripts)
  local dir = home .. "/bin"
  shell(("rm -rf %s; mkdir -p %s"):format(dir, dir))
  for name, script in pairs(scripts) do
    local file = assert(io.open(dir .. "/" .. name, "w"))
    file:write("#!/bin/sh\n", script, "\n")
    file:close()
  end
  shell("chmod -R a+rx " .. dir)
  return dir
end

local function fails_with(bin, reason)
  local code, _, err = command.run({ "dev", "start" },
    { env = { XDG_STATE_HOME = home, LUNATE_PG_BIN = bin } })
  assert.equal(1, code)
  assert.truthy(err:find(reason, 1, true), err)
end

describe("lunate dev", function()
  before_each(function()
    home = shell("mktemp -d")
    shell("chmod 711 " .. home)
  end)

  after_each(function()
    command.run({ "dev", "stop" }, { env = { XDG_STATE_HOME = home } })
    shell("rm -rf " .. home)
  end)

  it("starts a server that answers, and only once", function()
    local url = done("dev", "start"):match("^(postgresql://%S+)\n$")
    assert.equal("lunate|lunate|UTF8", ask(url, "SELECT current_user, "
      .. "current_database(), current_setting('server_encoding')"))
    local pid = status().postgres.pid
    assert.equal(url .. "\n", (done("dev", "start")))
    assert.equal(pid, status().postgres.pid)
    assert.equal(url .. "\n", (done("dev", "url")))
  end)

  it("listens on a socket that others cannot reach, and on no port", function()
    local url = done("dev", "start"):gsub("\n", "")
    assert.equal("", ask(url, "SHOW listen_addresses"))
    assert.equal("700", shell(("stat -c %%a %s/lunate/dev/run"):format(home)))
    assert.equal("off", ask(url, "SELECT current_setting('is_superuser')"))
  end)

  it("gives the role of scripts its rights, also where it runs already",
    function()
      local url = done("dev", "start"):gsub("\n", "")
      local sql = "select rolcreaterole, rolsuper from pg_roles"
        .. " where rolname = current_user"
      assert.equal("t|f", ask(url, sql))
      -- As an earlier version left it.
      ask(url:gsub("lunate@", "postgres@"), "alter role lunate nocreaterole")
      shell("rm " .. home .. "/lunate/dev/data/lunate.rights")
      done("dev", "start")
      assert.equal("t|f", ask(url, sql))
    end)

  it("does not run as root", function()
    done("dev", "start")
    local user = shell("stat -c %U /proc/" .. status().postgres.pid)
    assert.not_equal("root", user)
  end)

  it("keeps the data over a stop", function()
    local url = done("dev", "start"):gsub("\n", "")
    ask(url, "CREATE TABLE kept AS SELECT 42 AS a")
    done("dev", "stop")
    assert.equal("stopped", status().postgres.state)
    local code, _, err = lunate("dev", "url")
    assert.equal(1, code)
    assert.truthy(err:find("start it with: lunate dev start", 1, true))
    done("dev", "start")
    assert.equal("42", ask(url, "TABLE kept"))
  end)

  it("removes the data at a reset", function()
    local url = done("dev", "start"):gsub("\n", "")
    ask(url, "CREATE TABLE gone (a int)")
    done("dev", "reset", "--yes")
    assert.equal("absent", status().postgres.state)
    done("dev", "start")
    assert.equal("", ask(url, "SELECT to_regclass('gone')"))
  end)

  it("is content with nothing to stop, reset or show", function()
    done("dev", "stop")
    done("dev", "reset", "--yes")
    assert.equal("absent", status().postgres.state)
    assert.equal("", shell("ls -A " .. home))
  end)

  it("starts once when two ask at once", function()
    local env = { XDG_STATE_HOME = home }
    local line = command.line({ "dev", "start" }, { env = env })
    local out = shell(("%s > %s/1 & %s > %s/2; wait $!; cat %s/1 %s/2")
      :format(line, home, line, home, home, home))
    local first, second = out:match("^(%S+)\n(%S+)$")
    assert.truthy(first and first == second, out)
    assert.equal("1", ask(first, "SELECT 1"))
  end)

  it("starts again after a crash", function()
    local url = done("dev", "start"):gsub("\n", "")
    shell("kill -9 " .. status().postgres.pid)
    done("dev", "start")
    assert.equal("1", ask(url, "SELECT 1"))
  end)

  it("is not stopped by a process id that is somebody else's by now",
    function()
      local url = done("dev", "start"):gsub("\n", "")
      local data = home .. "/lunate/dev/data"
      shell(("cp -p %s/postmaster.pid %s/old"):format(data, home))
      done("dev", "stop")
      local user = shell(("stat -c %%U %s"):format(data))
      local prefix = shell("id -un") == user and ""
        or "setpriv --reuid=" .. user .. " --clear-groups "
      local pid = shell(prefix .. "sleep 60 >/dev/null 2>&1 & echo $!")
      shell(("sed \"1s/.*/%s/\" %s/old > %s/postmaster.pid; "
        .. "chown --reference=%s %s/postmaster.pid"):format(pid, home, data,
        data, data))
      local code, _, err = lunate("dev", "start")
      shell("kill -9 " .. pid)
      assert.equal(0, code, err)
      assert.equal("1", ask(url, "SELECT 1"))
    end)

  it("adds a standby that streams", function()
    local out = done("dev", "start", "--replica")
    local url, replica = out:match("^(%S+)\n(%S+)\n$")
    assert.equal("t", ask(replica, "SELECT pg_is_in_recovery()"))
    assert.equal("1", ask(url, "SELECT count(*) FROM pg_stat_replication "
      .. "WHERE state = 'streaming'"))
    assert.equal(replica .. "\n", (done("dev", "url", "--replica")))
    done("dev", "stop")
    assert.equal("stopped", status().replica.state)
    assert.equal(out, (done("dev", "start", "--replica")))
    assert.equal("t", ask(replica, "SELECT pg_is_in_recovery()"))
  end)

  it("adds a Redis on a socket", function()
    local started = cjson.decode((done("dev", "start", "--redis", "--json")))
    local path = started.redis_url:match("^unix://(/.+)$")
    assert.equal("PONG", shell("redis-cli -s " .. path .. " ping"))
    assert.equal("running", status().redis.state)
    done("dev", "stop")
    assert.equal("stopped", status().redis.state)
    assert.not_equal(0, (command.shell("redis-cli -s " .. path .. " ping")))
  end)

  it("shows what runs to a person", function()
    done("dev", "start")
    local out = done("dev", "status")
    assert.truthy(out:find("postgres +running +%d+ MB +pid %d+ +postgresql:"),
      out)
    assert.truthy(out:find("replica +absent\n"), out)
    assert.truthy(out:find("folder +" .. home .. "/lunate/dev\n"), out)
  end)

  it("names the package when PostgreSQL is not there", function()
    fails_with(fake_bin({}), "install the package postgresql-15")
  end)

  it("says that the disk is full, and leaves nothing half made", function()
    local bin = fake_bin({ postgres = "exit 0", pg_isready = "exit 2",
      initdb = 'mkdir -p "$2"; echo "could not write to file: '
        .. 'No space left on device" >&2; exit 1' })
    fails_with(bin, "the disk is full; free some space")
    assert.equal("", shell(("ls -A %s/lunate/dev | grep data || true")
      :format(home)))
    done("dev", "start")
  end)

  it("shows PostgreSQL's own reason when it does not start", function()
    done("dev", "start")
    done("dev", "stop")
    shell(("echo 'max_connections = lots' >> %s/lunate/dev/data/"
      .. "postgresql.conf"):format(home))
    local code, _, err = lunate("dev", "start")
    assert.equal(1, code)
    assert.truthy(err:find('invalid value for parameter "max_connections"', 1,
      true), err)
  end)

  it("says which folder the servers' user cannot reach", function()
    if shell("id -u") ~= "0" then
      return pending("only root's servers have another user")
    end
    shell("chmod 700 " .. home)
    local code, _, err = lunate("dev", "start")
    shell("chmod 711 " .. home)
    assert.equal(1, code)
    assert.truthy(err:find("cannot reach " .. home .. "/lunate/dev; give "
      .. "everybody leave to pass (chmod a+x)", 1, true), err)
  end)
end)
