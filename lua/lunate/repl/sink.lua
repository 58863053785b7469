-- lunate.repl.sink - where results go: descriptor, pager, file, program.
--
-- All of them have write(text, columns?) and close(); write gives nil and
-- "closed" when nobody reads any more (a pager that was left), nil and
-- "interrupted" at Ctrl-C, else nil and the reason.  Writing waits in the loop,
-- so what the server says meanwhile is heard.
local terminal = require "lunate.terminal"
local core = require "lunate.core"

local M = {}

-- less: keep colours, leave a screen at once when it fits, cut long lines.
local LESS = "less -SRFX"

---Writes all of it, waiting as long as it takes.
---@param fd integer
---@param text string
---@param patient boolean? go on after Ctrl-C: the reader decides
---@return true|nil, string? err
function M.write_all(fd, text, patient)
  local at, before = 1, terminal.interrupts()
  while at <= #text do
    local why = terminal.ready(fd, "write")
    if why ~= "ready" or terminal.interrupts() ~= before then
      if why == "cancelled" or not patient then
        return nil, "interrupted"
      end
      before = terminal.interrupts()
    else
      local n, err = terminal.put(fd, text, at)
      if not n then
        return nil, err
      end
      at = at + n
    end
  end
  return true
end

---@class lunate.repl.Sink
---@field waited number seconds that readers took
local Sink = {}
Sink.__index = Sink

local function timed(self, fn, ...)
  local began = core.now()
  local ok, err = fn(...)
  self.waited = self.waited + core.now() - began
  return ok, err
end

-- Waits for the end of a program, and gives its status.
local function outlive(pid)
  local fd = terminal.watch(pid)
  if fd then
    repeat
      local why = terminal.ready(fd, "read")
    until why ~= "signal"
    terminal.close(fd)
  end
  return terminal.reap(pid)
end

M.outlive = outlive

---Straight to a descriptor; it stays open.
---@param fd integer
---@return lunate.repl.Sink
function M.fd(fd)
  return setmetatable({ fd = fd, waited = 0 }, Sink)
end

---To the standard input of a shell command.
---@param command string
---@return lunate.repl.Sink|nil, string? err
function M.command(command)
  local pid, fd = terminal.spawn(command, true)
  if not pid then
    return nil, fd
  end
  return setmetatable({ fd = fd, pid = pid, waited = 0, patient = true }, Sink)
end

---To a file, made anew.
---@param path string
---@return lunate.repl.Sink|nil, string? err
function M.file(path)
  local file, err = io.open(path, "wb")
  if not file then
    return nil, err
  end
  return setmetatable({ file = file, waited = 0 }, Sink)
end

function Sink:write(text)
  if self.file then
    local ok, err = self.file:write(text)
    return ok and true or nil, err
  end
  return timed(self, M.write_all, self.fd, text, self.patient)
end

---@return true|nil, string? err
function Sink:close()
  if self.file then
    local ok, err = self.file:close()
    return ok and true or nil, err
  end
  if self.pid then
    terminal.close(self.fd)
    timed(self, outlive, self.pid)
  end
  return true
end

-- ---- the pager -------------------------------------------------------------

local function has_program(name)
  for dir in (os.getenv "PATH" or ""):gmatch("[^:]+") do
    local file = io.open(dir .. "/" .. name, "rb")
    if file then
      file:close()
      return true
    end
  end
  return false
end

---The pager to use: LUNATE_PAGER, PAGER, less; nil: none.
---@param getenv? fun(name: string): string? os.getenv, unless given
---@return string?
function M.pager_command(getenv)
  getenv = getenv or os.getenv
  for _, name in ipairs { "LUNATE_PAGER", "PAGER" } do
    local told = getenv(name)
    if told then
      return told:find("%S") and told ~= "cat" and told or nil
    end
  end
  return has_program "less" and LESS or nil
end

---@class lunate.repl.Pager: lunate.repl.Sink
local Pager = {}
Pager.__index = Pager

---To the terminal, through a pager when it is more than the window shows.
---@param options { rows: integer, columns: integer, command: string?,
---always: boolean? }
---@return lunate.repl.Pager
function M.pager(options)
  return setmetatable({ rows = options.rows, window = options.columns,
    command = options.command, always = options.always, held = {}, lines = 0,
    waited = 0 }, Pager)
end

local function start(self)
  local sink = self.command and M.command(self.command) or M.fd(1)
  self.to = sink
  local text = table.concat(self.held)
  self.held = {}
  local ok, err = sink:write(text)
  self.waited = sink.waited
  return ok, err
end

---@param text string
---@param columns integer? of its longest line
function Pager:write(text, columns)
  if self.to then
    local ok, err = self.to:write(text)
    self.waited = self.to.waited
    return ok, err
  end
  self.held[#self.held + 1] = text
  local _, lines = text:gsub("\n", "")
  self.lines = self.lines + lines
  -- The prompt wants a line of its own.
  if self.always or self.lines >= self.rows - 1
    or (columns or 0) > self.window then
    return start(self)
  end
  return true
end

function Pager:close()
  local ok, err = true, nil
  if not self.to then
    self.to = M.fd(1)
    ok, err = self.to:write(table.concat(self.held))
  end
  self.to:close()
  self.waited = self.to.waited
  return ok, err
end

return M
