-- The development server's PostgreSQL: a cluster and, if asked for, a standby
-- that streams from it.  Sockets only, no TCP port; whoever may enter the
-- folder of the sockets (its owner and root) may connect.
--
-- A cluster is made under another name and renamed when it is complete, so
-- that a half-made one is never mistaken for a cluster.
local place_of = require "lunate.dev.place"
local sys = require "lunate.sys"

local M = {}

local PACKAGE = "postgresql-15"
local START_SECONDS = 120
local STREAM_SECONDS = 15
local LEAVE_SECONDS = 5 -- for backends to notice that their server is gone

-- Comfort over durability where the difference cannot corrupt anything.
local SETTINGS = [[
# Written at every start.  Settings of your own: ALTER SYSTEM, which wins.
listen_addresses = ''
port = %d
unix_socket_directories = '%s'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 128MB
synchronous_commit = off
wal_level = replica
max_wal_senders = 4
max_replication_slots = 4
wal_keep_size = 256MB
hot_standby = on
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%%m [%%p] %%q%%u@%%d '
]]

-- The role of scripts is no superuser: superusers bypass row security, and
-- what works here should work where it will run.  It may make roles: tenants
-- are served as one that owns nothing.
local RIGHTS = "ALTER ROLE lunate CREATEDB CREATEROLE"
local FIRST_STATEMENTS = table.concat({
  "CREATE ROLE lunate LOGIN IN ROLE pg_monitor, pg_signal_backend;",
  RIGHTS .. ";",
  "CREATE DATABASE lunate OWNER lunate;",
  "",
}, "\n")

---@class lunate.dev.server
---@field name string "data" or "replica", its folder
---@field port integer names its socket

---@type lunate.dev.server
M.primary = { name = "data", port = 5432 }
---@type lunate.dev.server
M.replica = { name = "replica", port = 5433 }

local function data_dir(place, server)
  return place.dir .. "/" .. server.name
end

local function log_file(place, server)
  return ("%s/%s.log"):format(place.dir,
    server == M.primary and "postgres" or server.name)
end

-- Debian's folder of that version, or of the newest.
local function debian_bin(version)
  local _, output = sys.run({ "find", "/usr/lib/postgresql", "-mindepth", "2",
    "-maxdepth", "2", "-name", "bin" })
  local best, best_version
  for dir, found in output:gmatch("(/%S+/(%d+)/bin)\n") do
    if sys.exists(dir .. "/initdb") and (not version or found == version)
      and (not best or tonumber(found) > best_version) then
      best, best_version = dir, tonumber(found)
    end
  end
  return best
end

local function path_bin()
  local ok, path = sys.run({ "sh", "-c", "command -v initdb" })
  return ok and path:match("^(.*)/initdb\n$") or nil
end

---The folder of PostgreSQL's programs: LUNATE_PG_BIN, or the one of the
---cluster's version, or the newest, or where the search path leads.
---@param place lunate.dev.place
---@param getenv? fun(name: string): string?
---@return string|nil dir
---@return string|nil err names the package to install
function M.bin(place, getenv)
  local told = (getenv or os.getenv)("LUNATE_PG_BIN")
  local version = sys.read(data_dir(place, M.primary) .. "/PG_VERSION")
  version = version and version:match("%d+")
  local dir = told or debian_bin(version) or path_bin()
  if dir and sys.exists(dir .. "/initdb") and sys.exists(dir .. "/postgres")
  then
    return dir
  end
  return nil, ("PostgreSQL's programs (initdb, postgres) are not %s; install "
    .. "the package %s"):format(told and "in " .. told or "here",
    version and "postgresql-" .. version or PACKAGE)
end

---@param place lunate.dev.place
---@param server lunate.dev.server
---@return boolean
function M.exists(place, server)
  return sys.exists(data_dir(place, server) .. "/PG_VERSION")
end

---How a client names it.
---@param place lunate.dev.place
---@param server lunate.dev.server
---@return string
function M.url(place, server)
  local host = place.run_dir:gsub("[^%w/._~-]", function(c)
    return ("%%%02X"):format(c:byte())
  end)
  return ("postgresql://lunate@/lunate?host=%s&port=%d"):format(host,
    server.port)
end

---@param place lunate.dev.place
---@param bin string
---@param server lunate.dev.server
---@return boolean it accepts connections
function M.ready(place, bin, server)
  return (place_of.run(place, { bin .. "/pg_isready", "-q", "-t", "3", "-h",
    place.run_dir, "-p", tostring(server.port) }))
end

---@param place lunate.dev.place
---@param server lunate.dev.server
---@return integer|nil pid of its postmaster.pid
function M.pid(place, server)
  local text = sys.read(data_dir(place, server) .. "/postmaster.pid")
  return text and tonumber(text:match("^(%d+)"))
end

---Asks the server one thing as its superuser.
---@param place lunate.dev.place
---@param bin string
---@param server lunate.dev.server
---@param sql string
---@return string|nil answer
function M.ask(place, bin, server, sql)
  local ok, output = place_of.run(place, { bin .. "/psql", "-XAtq", "-h",
    place.run_dir, "-p", tostring(server.port), "-U", "postgres", "-d",
    "postgres", "-c", sql })
  return ok and output:match("^(.-)\n?$") or nil
end

local function write_settings(place, server, dir)
  local text = SETTINGS:format(server.port,
    (place.run_dir:gsub("'", "''"):gsub("\\", "\\\\")))
  return place_of.run(place, { "tee", dir .. "/lunate.conf" }, text)
end

-- initdb, then role and database through a server without clients.
local function fill(place, bin, dir)
  local ok, output = place_of.run(place, { bin .. "/initdb", "-D", dir,
    "--username=postgres", "--auth=trust", "--encoding=UTF8",
    "--locale=C.UTF-8", "--no-sync", "--no-instructions" })
  if not ok then
    return false, output
  end
  ok, output = write_settings(place, M.primary, dir)
  if not ok then
    return false, output
  end
  ok, output = place_of.run(place, { "tee", "-a", dir .. "/postgresql.conf" },
    "include 'lunate.conf'\n")
  if not ok then
    return false, output
  end
  ok, output = place_of.run(place, { bin .. "/postgres", "--single", "-D", dir,
    "postgres" }, FIRST_STATEMENTS)
  return ok and not output:find("ERROR:", 1, true), output
end

-- A standby is a copy of the running primary that follows it.
local function copy(place, bin, dir)
  return place_of.run(place, { bin .. "/pg_basebackup", "-D", dir, "-h",
    place.run_dir, "-p", tostring(M.primary.port), "-U", "postgres",
    "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast",
    "--no-sync" })
end

---Makes the cluster, or the standby, which needs the primary running.
---@param place lunate.dev.place
---@param bin string
---@param server lunate.dev.server
---@return boolean|nil ok
---@return string|nil err
function M.create(place, bin, server)
  local dir = data_dir(place, server)
  local new = dir .. ".new"
  place_of.run(place, { "rm", "-rf", new })
  local make = server == M.primary and fill or copy
  local ok, output = make(place, bin, new)
  if ok then
    ok, output = place_of.run(place, { "mv", "-T", new, dir })
  end
  if not ok then
    place_of.run(place, { "rm", "-rf", new })
    return nil, ("cannot make %s: %s"):format(dir,
      place_of.explain(place, output))
  end
  return true
end

-- Is some process at work in this folder?  A server and all of its backends
-- have it as their working folder; the dead that nobody has reaped have none.
local function at_work(dir)
  local _, output = sys.run({ "find", "/proc", "-maxdepth", "2", "-name", "cwd",
    "-lname", (dir:gsub("[*?%[\\]", "\\%0")) })
  return ("\n" .. output):find("\n/proc/%d+/cwd\n") ~= nil
end

-- After a crash, the process id in postmaster.pid may be anybody's by now, or
-- that of a dead process which nobody has reaped, and PostgreSQL would refuse
-- to start for it.  When no process works in the folder, the file is stale.
-- (When no process has that id PostgreSQL finds out for itself.)
local function forget_stale(place, server)
  local pid, dir = M.pid(place, server), data_dir(place, server)
  local command = pid and sys.read(("/proc/%d/cmdline"):format(pid))
  if not command or command:find(dir .. "\0", 1, true) then
    return
  end
  for _ = 1, LEAVE_SECONDS * 10 do
    if not at_work(dir) then
      os.remove(dir .. "/postmaster.pid")
      os.remove(("%s/.s.PGSQL.%d.lock"):format(place.run_dir, server.port))
      return
    end
    sys.sleep(0.1)
  end
end

-- What an earlier version made has fewer rights; they are given once.
local function give_rights(place, bin, server)
  local stamp = data_dir(place, server) .. "/lunate.rights"
  if server ~= M.primary or sys.read(stamp) == RIGHTS then
    return
  end
  if M.ask(place, bin, server, RIGHTS) then
    place_of.run(place, { "tee", stamp }, RIGHTS)
  end
end

---Starts it and waits until it answers; nothing to do when it does already.
---@param place lunate.dev.place
---@param bin string
---@param server lunate.dev.server
---@return boolean|nil ok
---@return string|nil err
function M.start(place, bin, server)
  local dir, log = data_dir(place, server), log_file(place, server)
  if M.ready(place, bin, server) then
    give_rights(place, bin, server)
    return true
  end
  forget_stale(place, server)
  local ok, output = write_settings(place, server, dir)
  if ok then
    place_of.run(place, { "rm", "-f", log })
    ok, output = place_of.run(place, { bin .. "/pg_ctl", "start", "-D", dir,
      "-l", log, "-w", "-s", "-t", tostring(START_SECONDS) })
  end
  if not ok or not M.ready(place, bin, server) then
    return nil, ("PostgreSQL in %s does not start: %s"):format(dir,
      place_of.explain(place, output .. (sys.read(log) or "")))
  end
  give_rights(place, bin, server)
  return true
end

---Waits until the standby follows the primary.
---@param place lunate.dev.place
---@param bin string
---@return boolean
function M.follows(place, bin)
  for _ = 1, STREAM_SECONDS * 5 do
    if M.ask(place, bin, M.replica,
      "SELECT status FROM pg_stat_wal_receiver") == "streaming" then
      return true
    end
    sys.sleep(0.2)
  end
  return false
end

---Stops it, ending its sessions; nothing to do when it does not run.
---@param place lunate.dev.place
---@param bin string
---@param server lunate.dev.server
---@return boolean|nil ok
---@return string|nil err
function M.stop(place, bin, server)
  local dir = data_dir(place, server)
  forget_stale(place, server)
  local runs = M.exists(place, server)
    and place_of.run(place, { bin .. "/pg_ctl", "status", "-D", dir })
  if not runs then
    return true
  end
  local ok, output = place_of.run(place, { bin .. "/pg_ctl", "stop", "-D", dir,
    "-m", "fast", "-w", "-s", "-t", "60" })
  if not ok then
    return nil, ("PostgreSQL in %s does not stop: %s"):format(dir,
      place_of.explain(place, output))
  end
  return true
end

return M
