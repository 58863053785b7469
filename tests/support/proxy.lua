-- proxy - does to connections what networks do (faultproxy.c).
--
--   local p = proxy.start { to = s, listen = "tcp" }
--   p.url   p:set { delay_ms = 20 }   p:cut()   p:counts().peak_logins
--
-- Over a unix socket, which is the default, a cut is a sudden close; a reset
-- needs listen = "tcp". A server that listens on TCP is then reached by TCP,
-- so TLS and its pg_hba.conf are those of the network.
local pg = require "support.pg"
local posix = require "support.posix"
local server = require "support.server"
local sh = require "support.sh"

local M = {}

---@class support.Proxy : support.Server
---@field url string of the proxied server
---@field dir string
---@field port integer
local Proxy = server.class()

---@class support.ProxyOptions
---@field to support.Pg|support.Redis|string a server; "unix:/path"; "tcp:port"
---@field listen "unix"|"tcp"|nil
---@field database string? of the URL
---@field raw boolean? not PostgreSQL's protocol (known for a Redis)

local function is_raw(opts)
  if opts.raw ~= nil then return opts.raw end
  return type(opts.to) == "table" and opts.to.name == "redis-server"
end

local function url_of(self, opts)
  local host = self.tcp and "127.0.0.1" or self.dir
  if not is_raw(opts) then return pg.url(host, self.port, opts.database) end
  if not self.tcp then return "unix://" .. self.socket end
  return ("redis://127.0.0.1:%d/0"):format(self.port)
end

local function target_of(opts)
  if type(opts.to) == "string" then return opts.to end
  return opts.listen == "tcp" and opts.to.tcp_addr or opts.to.addr
end

---@param opts support.ProxyOptions
---@return support.Proxy
function M.start(opts)
  local self = setmetatable({ name = "faultproxy" }, Proxy)
  self.dir = server.directory()
  self.log_path = self.dir .. "/log"
  self.tcp = opts.listen == "tcp"
  self.socket = self.dir .. "/.s.PGSQL.5432"
  self.addr = self.tcp and "tcp:0" or "unix:" .. self.socket
  self:spawn { sh.build .. "/support/faultproxy", "-l", self.addr,
    "-t", target_of(opts), "-c", "unix:" .. self.dir .. "/control",
    is_raw(opts) and "-r" or nil }
  local port = self:wait_ready(function()
    return tonumber(self:log():match("listening (%d+)"))
  end)
  self.port = self.tcp and port or 5432
  if self.tcp then self.addr = "tcp:" .. port end
  self.url = url_of(self, opts)
  self.control = assert(posix.connect_unix(self.dir .. "/control"))
  return self
end

--- Sends one command of faultproxy.c and gives its answer.
---@param line string
---@return string
function Proxy:command(line)
  local answer = ""
  assert(posix.write(self.control, line .. "\n"), "the proxy is gone")
  while not answer:find("\n") do
    local more = posix.read(self.control, 10)
    assert(more and more ~= "", "the proxy does not answer")
    answer = answer .. more
  end
  answer = answer:gsub("\n$", "")
  if answer:match("^error") then error(answer, 3) end
  return answer
end

--- Changes settings: delay_ms, login_delay_ms, rate_bytes, chunk.
---@param settings table<string, integer>
function Proxy:set(settings)
  for k, v in pairs(settings) do
    self:command(("set %s %d"):format(k, v))
  end
end

--- Forwards nothing any more, keeps all open; new connections wait too.
---@param way "c2s"|"s2c"|nil both unless told
function Proxy:stall(way)
  self:command("stall " .. (way or ""))
end

--- Forwards again.
function Proxy:go()
  self:command("go")
end

--- Resets every connection.
function Proxy:cut()
  self:command("cut")
end

--- Closes every connection in good order.
function Proxy:eof()
  self:command("eof")
end

--- "on": nobody listens; "close": accepts and closes at once; "off".
---@param how "on"|"close"|"off"
function Proxy:refuse(how)
  self:command("refuse " .. how)
end

--- Once: resets the first connection that forwards that many more bytes that
--- way; 0 is just before its next byte.
---@param bytes integer
---@param way "c2s"|"s2c"
function Proxy:cut_after(bytes, way)
  self:command(("cut_after_bytes %d %s"):format(bytes, way))
end

--- accepted, refused, open, peak_open, cancels, logins, peak_logins,
--- c2s_bytes, s2c_bytes.
---@return table<string, integer>
function Proxy:counts()
  return require("cjson").decode(self:command("count"))
end

function Proxy:free()
  if self.control then posix.close(self.control) end
  self.control = nil
  server.Server.free(self)
end

return M
