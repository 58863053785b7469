-- fakepg - a PostgreSQL server that misbehaves in one chosen way (fakepg.c
-- lists the modes).
--
--   local f = fakepg.start { mode = "early-eof" }
--   f.url   f:connections()   f:free()
local pg = require "support.pg"
local server = require "support.server"
local sh = require "support.sh"

local M = {}

---@class support.Fakepg : support.Server
---@field url string
---@field port integer
local Fakepg = server.class()

---@class support.FakepgOptions
---@field mode string
---@field listen "unix"|"tcp"|nil
---@field count integer? connections that are treated so; all unless told
---@field then_to support.Pg? who serves after them; nobody unless told

---@param opts support.FakepgOptions
---@return support.Fakepg
function M.start(opts)
  local self = setmetatable({ name = "fakepg" }, Fakepg)
  local tcp = opts.listen == "tcp"
  self.dir = server.directory()
  self.log_path = self.dir .. "/log"
  local argv = { sh.build .. "/support/fakepg", "-l",
    tcp and "tcp:0" or "unix:" .. self.dir .. "/.s.PGSQL.5432" }
  if opts.count then
    argv[#argv + 1] = "-n"
    argv[#argv + 1] = opts.count
  end
  if opts.then_to then
    argv[#argv + 1] = "-t"
    argv[#argv + 1] = opts.then_to.addr
  end
  argv[#argv + 1] = opts.mode
  self:spawn(argv)
  local port = self:wait_ready(function()
    return tonumber(self:log():match("listening (%d+)"))
  end)
  self.port = tcp and port or 5432
  self.addr = tcp and "tcp:" .. port
    or "unix:" .. self.dir .. "/.s.PGSQL.5432"
  self.url = pg.url(tcp and "127.0.0.1" or self.dir, self.port)
  return self
end

--- How many connections it has accepted.
---@return integer
function Fakepg:connections()
  return select(2, self:log():gsub("connection\n", ""))
end

return M
