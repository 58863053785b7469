-- servers - the private servers of a bench, made with the harness of the tests.
local pg = require "support.pg"
local posix = require "support.posix"
local server = require "support.server"
local sh = require "support.sh"

local M = {}

--- A PostgreSQL with the durability it has by default: what a write waits for
--- is the disk. Nothing that runs by the clock falls into somebody's window.
---@param conf table<string, any>?
---@return support.Pg
function M.postgres(conf)
  local all = {
    fsync = true, full_page_writes = true, shared_buffers = "512MB",
    max_connections = 100, autovacuum = false, checkpoint_timeout = "1h",
    max_wal_size = "8GB",
  }
  for k, v in pairs(conf or {}) do all[k] = v end
  return pg.start { conf = all }
end

local PgBouncer = server.class()

--- PgBouncer in transaction mode before a server, on a unix socket.
---@param to support.Pg
---@param pool integer connections to the server
---@return support.Server bouncer with host and port of its socket
function M.pgbouncer(to, pool)
  local self = setmetatable({ name = "pgbouncer" }, PgBouncer)
  self.dir = server.directory()
  self.host, self.port = self.dir, 6432
  self.log_path = self.dir .. "/log"
  sh.write(self.dir .. "/users", '"postgres" ""\n')
  sh.write(self.dir .. "/ini", ([[
[databases]
* = host=%s port=%d user=postgres
[pgbouncer]
listen_addr =
listen_port = %d
unix_socket_dir = %s
auth_type = any
pool_mode = transaction
default_pool_size = %d
max_client_conn = 200
]]):format(to.dir, to.port, self.port, self.dir, pool))
  sh.ok { "chmod", "a+r", self.dir .. "/ini", self.dir .. "/users" }
  self:spawn { "pgbouncer", self.dir .. "/ini" }
  self:wait_ready(function()
    local fd = posix.connect_unix(("%s/.s.PGSQL.%d"):format(self.dir,
      self.port))
    if fd then posix.close(fd) end
    return fd
  end)
  return self
end

return M
