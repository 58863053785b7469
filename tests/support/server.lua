-- server - what all servers of the tests have in common: a directory, a
-- process under a keeper, a log.
local sh = require "support.sh"
local posix = require "support.posix"
local wait = require "support.wait"

---@class support.Server
---@field dir string its directory
---@field proc support.Proc?
---@field log_path string
local Server = {}
Server.__index = Server

local M = { Server = Server }

--- Who runs the servers: nil when we are not root and it is ourselves.
---@return string? name
function M.user()
  if not posix.is_root() then return nil end
  return posix.user("postgres") and "postgres" or "nobody"
end

--- A class that has these methods too.
---@return table
function M.class()
  local c = setmetatable({}, { __index = Server })
  c.__index = c
  return c
end

--- A new directory that the servers' user owns.
---@return string path
function M.directory()
  local path = sh.tmpdir()
  local user = M.user()
  if user then posix.chown(path, assert(posix.user(user))) end
  return path
end

--- Starts argv as the servers' user; its output goes to the log.
---@param argv table as for sh.spawn
function Server:spawn(argv)
  argv.user = M.user()
  argv.out, argv.err = self.log_path, self.log_path
  argv.env = { PGUSER = false, PGDATABASE = false }
  argv.cwd = argv.cwd or self.dir
  self.proc = sh.spawn(argv)
end

--- Waits until `ready` gives something true; raises with the log when the
--- process ends first or time is up.
---@generic T
---@param ready fun(): T?
---@param seconds number?
---@return T
function Server:wait_ready(ready, seconds)
  local limit = posix.now() + (seconds or 30)
  local pause = 0.002
  while true do
    local v = ready()
    if v then return v end
    if not self:running() or posix.now() > limit then
      self.proc:free()
      error(("%s did not start:\n%s"):format(self.name, self:log()), 3)
    end
    wait.sleep(pause)
    pause = math.min(pause * 2, 0.02)
  end
end

---@return integer pid of the process
function Server:pid()
  return self.proc.pid
end

---@return boolean
function Server:running()
  return self.proc ~= nil and self.proc:running()
end

--- Sends a signal to the process. Gives true when it was there. After KILL
--- it has ended, and its children too.
---@param sig string|integer
---@return boolean sent
function Server:kill(sig)
  local sent = self.proc ~= nil and self.proc:kill(sig)
  if posix.signal(sig) == posix.SIG.KILL then self.proc:wait(20) end
  return sent
end

--- All that it has logged.
---@return string
function Server:log()
  return sh.read(self.log_path)
end

--- Ends it at once and removes its directory.
function Server:free()
  if self.proc then self.proc:free() end
  if self.dir then sh.remove(self.dir) end
  self.dir = nil
end

return M
