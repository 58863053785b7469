-- pg - private PostgreSQL servers. A template made once per build is copied
-- for each; as root they run as an unprivileged user. None outlives the run.
--
--   local s = pg.start { conf = { max_connections = 50 } }
--   s:psql("select 1")   s.url   s:stop()   s:start()   s:free()
local posix = require "support.posix"
local server = require "support.server"
local sh = require "support.sh"

local M = {}

local function bin_dir()
  local dirs = {}
  local found = sh.ok { "sh", "-c",
    "ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null; " ..
    "command -v initdb || true" }
  for dir in found:gmatch("([^\n]+)/initdb") do dirs[#dirs + 1] = dir end
  table.sort(dirs, function(a, b)
    return (tonumber(a:match("%d+")) or 0) > (tonumber(b:match("%d+")) or 0)
  end)
  return os.getenv("LUNATE_PG_BIN") or dirs[1]
    or error("PostgreSQL's server programs are not installed: run make setup")
end

--- Path of one of PostgreSQL's programs.
---@param name string "pg_basebackup"
---@return string
function M.bin(name)
  M.bin_path = M.bin_path or bin_dir()
  return M.bin_path .. "/" .. name
end

-- ---- the template -----------------------------------------------------------

local function make_template(path)
  local dir = server.directory()
  local data = dir .. "/data"
  local user = server.user()
  sh.ok { M.bin "initdb", "-D", data, "-U", "postgres", "-N", "--auth=trust",
    "--locale=C.UTF-8", "--encoding=UTF8", user = user, cwd = dir }
  sh.ok { M.bin "postgres", "--single", "-F", "-D", data, "postgres",
    stdin = "CREATE DATABASE lunate_test\n", user = user, cwd = dir }
  local copy = path .. "." .. posix.pid()
  sh.ok { "mkdir", "-p", path:match("^(.*)/") }
  sh.ok { "cp", "-a", data, copy }
  -- Another run may have been faster: then its template is as good.
  if not os.rename(copy, path) then sh.ok { "rm", "-rf", "--", copy } end
  sh.remove(dir)
end

local function template()
  local version = M.bin("initdb"):match("/(%d+)/") or "x"
  local path = ("%s/pgtemplate/%s-%s"):format(sh.build, version,
    server.user() or "self")
  if not posix.realpath(path .. "/PG_VERSION") then make_template(path) end
  return path
end

-- ---- a server ---------------------------------------------------------------

---@class support.Pg : support.Server
---@field url string of lunate_test over the unix socket, as the superuser
---@field tcp_url string? with listen_tcp
---@field addr string "unix:/path", for the proxy
---@field tcp_addr string? "tcp:port", with listen_tcp
---@field port integer of the socket's name, and of TCP
---@field conf table<string, any> what start() writes to postgresql.conf
---@field ca string? with tls: file of the root certificate
---@field hba string[]? lines of pg_hba.conf after the superuser's own
local Pg = server.class()

--- A URL of a server: host is a socket folder or an address.
---@return string
function M.url(host, port, database, user)
  if host:sub(1, 1) == "/" then
    return ("postgresql:///%s?host=%s&port=%d&user=%s"):format(
      database or "lunate_test", host, port, user or "postgres")
  end
  return ("postgresql://%s@%s:%d/%s"):format(user or "postgres", host, port,
    database or "lunate_test")
end

local defaults = {
  fsync = false, full_page_writes = false, shared_buffers = "64MB",
  logging_collector = false, log_line_prefix = "%m [%p] %a ",
  -- In the data folder: nothing stays behind after a kill.
  dynamic_shared_memory_type = "mmap",
  hot_standby = true, max_wal_senders = 8, wal_keep_size = "64MB",
}

local function literal(v)
  if type(v) == "boolean" then return v and "on" or "off" end
  return "'" .. tostring(v):gsub("'", "''") .. "'"
end

function Pg:write_conf()
  local lines = {}
  local conf = {
    port = self.port, unix_socket_directories = self.dir,
    listen_addresses = self.listen_tcp and "127.0.0.1" or "",
  }
  for _, from in ipairs { defaults, self.conf } do
    for k, v in pairs(from) do conf[k] = v end
  end
  for k, v in pairs(conf) do lines[#lines + 1] = k .. " = " .. literal(v) end
  table.sort(lines)
  sh.write(self.data .. "/postgresql.conf", table.concat(lines, "\n") .. "\n")
  if self.hba then
    sh.write(self.data .. "/pg_hba.conf",
      "local all postgres trust\nlocal replication postgres trust\n"
      .. table.concat(self.hba, "\n") .. "\n")
  end
end

function Pg:copy_data(primary)
  self.data = self.dir .. "/data"
  if not primary then
    sh.ok { "cp", "-a", "--reflink=auto", template(), self.data }
    return
  end
  sh.ok { M.bin "pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-N",
    "-d", primary.url, user = server.user(), cwd = self.dir }
  -- A standby's limits may not be below its primary's.
  local conf = {}
  for k, v in pairs(primary.conf) do conf[k] = v end
  for k, v in pairs(self.conf) do conf[k] = v end
  self.conf = conf
end

-- A certificate that signs itself, so it is its own root.
function Pg:make_certificate()
  self.ca = self.dir .. "/server.crt"
  local key = self.dir .. "/server.key"
  sh.ok { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
    "-days", "2", "-subj", "/CN=localhost", "-addext",
    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
    "-out", self.ca, user = server.user(), cwd = self.dir }
  self.conf.ssl = true
  self.conf.ssl_cert_file, self.conf.ssl_key_file = self.ca, key
end

---@class support.PgOptions
---@field conf table<string, any>?
---@field hba string[]?
---@field listen_tcp boolean?
---@field replica_of support.Pg?
---@field tls boolean? a certificate for localhost and 127.0.0.1, in s.ca

--- Starts a server and waits until it answers.
---@param opts support.PgOptions?
---@return support.Pg
function M.start(opts)
  opts = opts or {}
  local self = setmetatable({ name = "postgres" }, Pg)
  self.dir = server.directory()
  self.log_path = self.dir .. "/log"
  self.port = opts.listen_tcp and posix.free_port() or 5432
  self.listen_tcp, self.hba = opts.listen_tcp, opts.hba
  self.conf = {}
  for k, v in pairs(opts.conf or {}) do self.conf[k] = v end
  self:copy_data(opts.replica_of)
  if opts.tls then self:make_certificate() end
  self.addr = ("unix:%s/.s.PGSQL.%d"):format(self.dir, self.port)
  self.url = M.url(self.dir, self.port)
  if opts.listen_tcp then
    self.tcp_url = M.url("127.0.0.1", self.port)
    self.tcp_addr = "tcp:" .. self.port
  end
  self:start()
  return self
end

-- The server writes its state to line 8 of its pid file.
local function is_ready(self)
  local pid_file = sh.read(self.data .. "/postmaster.pid")
  return pid_file:match("^(%d+)") == tostring(self.proc.pid)
    and pid_file:match("\nready *\n$")
end

--- Starts it again after stop() or kill(), with self.conf as it is now.
function Pg:start()
  assert(not self:running(), "it runs already")
  self:write_conf()
  self:spawn { M.bin "postgres", "-D", self.data, stop = "QUIT" }
  self:wait_ready(function() return is_ready(self) end)
end

local stop_signals = { smart = "TERM", fast = "INT", immediate = "QUIT" }

--- Stops it and waits for that.
---@param mode "smart"|"fast"|"immediate"|nil fast unless told
function Pg:stop(mode)
  self.proc:kill(assert(stop_signals[mode or "fast"], "no such mode"))
  if not self.proc:wait(30) then
    error("postgres did not stop:\n" .. self:log(), 2)
  end
end

--- Runs SQL as the superuser: unaligned text without headings. Raises when
--- a statement fails.
---@param sql string
---@param database string? lunate_test unless told
---@return string text without the last newline
function Pg:psql(sql, database)
  local out = sh.ok { M.bin "psql", "-XAtqw", "-v", "ON_ERROR_STOP=1",
    "-d", M.url(self.dir, self.port, database), stdin = sql }
  return (out:gsub("\n$", ""))
end

---@class support.Backend
---@field pid integer
---@field application_name string
---@field state string
---@field query string
---@field datname string

--- The backends of clients, the one that asks not counted.
---@return support.Backend[]
function Pg:backends()
  local list = {}
  local out = self:psql [[
    select json_build_object('pid', pid, 'datname', datname, 'query', query,
      'application_name', application_name, 'state', coalesce(state, ''))
    from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()
    order by backend_start]]
  for line in out:gmatch("[^\n]+") do
    list[#list + 1] = require("cjson").decode(line)
  end
  return list
end

--- Sends a signal to a process of this server and to no other.
---@param pid integer
---@param sig string|integer
function Pg:signal(pid, sig)
  local stat = sh.read(("/proc/%d/stat"):format(pid))
  local parent = tonumber(stat:match("%) %a (%d+)"))
  if not self:running() or parent ~= self.proc.pid then
    error(("process %d is none of this server"):format(pid), 2)
  end
  posix.kill(pid, sig)
end

--- A URL of one of its databases.
---@param database string?
---@param user string?
---@return string
function Pg:url_of(database, user)
  return M.url(self.dir, self.port, database, user)
end

--- A fresh database; one of that name is dropped first.
---@param name string
---@return string url
function Pg:database(name)
  self:psql(([[
    drop database if exists "%s" with (force);
    create database "%s" template template1]]):format(name, name), "postgres")
  return self:url_of(name)
end

--- Ends it at once and removes all of it.
function Pg:free()
  local free = server.Server.free
  if self.proc then self.proc:free() end
  -- After a kill the server could not remove its shared memory itself.
  local id = sh.read(self.data .. "/postmaster.pid"):match("\n *%d+ +(%d+) *\n")
  if id then posix.remove_shm(tonumber(id)) end
  free(self)
end

-- ---- one for all ------------------------------------------------------------

local shared

--- One server for the whole run, started at first use. Never stop it.
---@return support.Pg
function M.shared()
  if not shared then
    shared = M.start { conf = { max_connections = 200 } }
  end
  return shared
end

--- A fresh database in the shared server.
---@param name string
---@return string url
function M.database(name)
  return M.shared():database(name)
end

return M
