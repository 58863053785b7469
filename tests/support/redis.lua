-- redis - private Redis servers, on a unix socket and a loopback port.
--
--   local r = redis.start { conf = { maxmemory = "1mb" } }
--   r:cli("set", "a", "1")   r.url   r:stop()   r:start()   r:free()
local posix = require "support.posix"
local server = require "support.server"
local sh = require "support.sh"

local M = {}

---@class support.Redis : support.Server
---@field url string over TCP
---@field unix_url string over the unix socket
---@field addr string "unix:/path", for the proxy
---@field port integer
---@field conf table<string, any>
local Redis = server.class()

--- Starts a server and waits until it answers.
---@param opts { conf: table<string, any>? }?
---@return support.Redis
function M.start(opts)
  local self = setmetatable({ name = "redis-server" }, Redis)
  self.conf = opts and opts.conf or {}
  self.dir = server.directory()
  self.log_path = self.dir .. "/log"
  self.port = posix.free_port()
  self.socket = self.dir .. "/redis.sock"
  self.addr = "unix:" .. self.socket
  self.url = ("redis://127.0.0.1:%d/0"):format(self.port)
  self.unix_url = "unix://" .. self.socket
  self:start()
  return self
end

--- Starts it again after stop() or kill(), empty.
function Redis:start()
  assert(not self:running(), "it runs already")
  local argv = { "redis-server", "--bind", "127.0.0.1", "--port", self.port,
    "--unixsocket", self.socket, "--unixsocketperm", "777", "--save", "",
    "--appendonly", "no", "--daemonize", "no", "--dir", self.dir }
  for k, v in pairs(self.conf) do
    argv[#argv + 1] = "--" .. k
    argv[#argv + 1] = tostring(v)
  end
  os.remove(self.socket)
  self:spawn(argv)
  self:wait_ready(function()
    local fd = posix.connect_unix(self.socket)
    if not fd then return nil end
    posix.write(fd, "PING\r\n")
    local answer = posix.read(fd, 1)
    posix.close(fd)
    -- -NOAUTH is an answer too.
    return answer and answer ~= "" and not answer:match("^%-LOADING")
  end)
end

--- Stops it and waits for that.
function Redis:stop()
  self.proc:kill("TERM")
  assert(self.proc:wait(20), "redis did not stop")
end

--- Runs one command.
---@param ... string|number
---@return string text without the last newline
function Redis:cli(...)
  local argv = { "redis-cli", "-s", self.socket,
    env = { REDISCLI_AUTH = self.conf.requirepass } }
  for _, word in ipairs { ... } do argv[#argv + 1] = tostring(word) end
  return (sh.ok(argv):gsub("\n$", ""))
end

return M
