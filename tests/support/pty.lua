-- pty - a command at a terminal: what a person types, and what he sees.
--
--   local p = pty.spawn { "prog", "arg", rows = 24, columns = 80, env = {} }
--   p:send("select 1;\r")
--   p:see("(1 row)")
--   p:free()
local ffi = require "ffi"
local posix = require "support.posix"
local sh = require "support.sh"

local M = {}

ffi.cdef [[
struct lt_winsize { unsigned short rows, columns, x, y; };
int lt_openpt(int flags) __asm__("posix_openpt");
int lt_grantpt(int fd) __asm__("grantpt");
int lt_unlockpt(int fd) __asm__("unlockpt");
int lt_ptsname(int fd, char *name, size_t size) __asm__("ptsname_r");
int lt_ioctl(int fd, unsigned long what, ...) __asm__("ioctl");
]]

local C = ffi.C
local O_RDWR, O_NOCTTY, O_CLOEXEC = 2, 0x100, 0x80000
local TIOCSWINSZ = 0x5414

local function open_terminal()
  local fd = C.lt_openpt(O_RDWR + O_NOCTTY + O_CLOEXEC)
  local name = ffi.new("char[128]")
  assert(fd >= 0 and C.lt_grantpt(fd) == 0 and C.lt_unlockpt(fd) == 0
    and C.lt_ptsname(fd, name, 128) == 0, "no pseudo terminal")
  return fd, ffi.string(name)
end

local function set_size(fd, rows, columns)
  local size = ffi.new("struct lt_winsize", { rows, columns })
  assert(C.lt_ioctl(fd, TIOCSWINSZ, size) == 0, "TIOCSWINSZ")
end

--- A text without colours, cursor motions and carriage returns.
---@param text string
---@return string
function M.plain(text)
  return (text:gsub("\27%[[%d;?]*[%a]", ""):gsub("\27[%(%)=>]%w?", "")
    :gsub("\r", ""))
end

---@class support.Pty
---@field private fd integer
---@field private raw string what came, from the mark on
---@field proc support.Proc
local Pty = {}
Pty.__index = Pty

---@class support.PtySpawn : support.Spawn
---@field rows integer? 24
---@field columns integer? 80

--- Starts a command whose terminal we are.
---@param opts support.PtySpawn
---@return support.Pty
function M.spawn(opts)
  local fd, name = open_terminal()
  set_size(fd, opts.rows or 24, opts.columns or 80)
  opts.tty = name
  local env = { TERM = "xterm", NO_COLOR = "1", LANG = "C.UTF-8" }
  for k, v in pairs(opts.env or {}) do env[k] = v end
  opts.env = env
  local proc = sh.spawn(opts)
  return setmetatable({ fd = fd, raw = "", all = "", proc = proc }, Pty)
end

--- Types it. A line ends with "\r", Ctrl-C is "\3", Tab "\t".
---@param text string
function Pty:send(text)
  assert(posix.write(self.fd, text), "the terminal takes nothing")
end

-- Takes what has come within `seconds`; false at the end.
local function take(self, seconds)
  local more = posix.read(self.fd, seconds)
  if more == "" then return false end
  self.raw = self.raw .. (more or "")
  self.all = self.all .. (more or "")
  return true
end

--- Waits for a text and gives all that was seen up to its end, since the last
--- call; raises when it did not come.
---@param text string plain
---@param seconds number? 20 unless told
---@return string seen without colours and motions
function Pty:see(text, seconds)
  local limit = posix.now() + (seconds or 20)
  while true do
    local seen = M.plain(self.raw)
    local _, last = seen:find(text, 1, true)
    if last then
      self.raw = seen:sub(last + 1)
      return seen:sub(1, last)
    end
    local left = limit - posix.now()
    if left <= 0 or not take(self, math.min(left, 0.1)) then
      error(("%q was not seen in:\n%s"):format(text, seen), 2)
    end
  end
end

--- Waits until nothing more comes for a moment; gives what came meanwhile.
---@param seconds number? of silence
---@return string
function Pty:rest(seconds)
  local before = -1
  while #self.all ~= before do
    before = #self.all
    if not take(self, seconds or 0.3) then break end
  end
  local seen = M.plain(self.raw)
  self.raw = ""
  return seen
end

--- Makes the window another size; the command is told by SIGWINCH.
function Pty:resize(rows, columns)
  set_size(self.fd, rows, columns)
end

--- Waits for its end: { code =, signal = }.
---@param seconds number?
function Pty:wait(seconds)
  local limit = posix.now() + (seconds or 20)
  repeat
    local done = self.proc:wait(0.05)
    if done then return done end
    take(self, 0)
  until posix.now() > limit
  error("it still runs; seen:\n" .. M.plain(self.all), 2)
end

--- Ends it.
function Pty:free()
  self.proc:free()
  posix.close(self.fd)
end

return M
