-- lunate.repl.history - what was typed, kept in a file of mode 0600.
--
-- One entry a line; a line end inside of one is written \n, a backslash \\.
-- Entries are added at once, so several programs may share the file.
local ffi = require "ffi"

local M = {}

local KEPT = 2000
local O_WRONLY, O_CREAT, O_APPEND, O_CLOEXEC = 1, 64, 1024, 0x80000
local MODE = 384 -- 0600

ffi.cdef [[
int lunate_history_open(const char *path, int flags, ...) __asm__("open");
int lunate_history_chmod(int fd, unsigned mode) __asm__("fchmod");
long lunate_history_write(int fd, const void *at, size_t n) __asm__("write");
int lunate_history_close(int fd) __asm__("close");
]]

---Where it is kept: LUNATE_HISTORY, else in the state folder; nil: nowhere.
---An empty LUNATE_HISTORY keeps nothing.
---@param getenv? fun(name: string): string? os.getenv, unless given
---@return string?
function M.path(getenv)
  getenv = getenv or os.getenv
  local told = getenv "LUNATE_HISTORY"
  if told then
    return told ~= "" and told or nil
  end
  local folder = getenv "LUNATE_STATE_DIR"
  if folder and folder ~= "" then
    return folder .. "/history"
  end
  local state, home = getenv "XDG_STATE_HOME", getenv "HOME"
  if state and state:sub(1, 1) == "/" then
    return state:gsub("/+$", "") .. "/lunate/history"
  end
  return home and home:sub(1, 1) == "/"
    and home .. "/.local/state/lunate/history" or nil
end

local function encode(entry)
  return (entry:gsub("\\", "\\\\"):gsub("\n", "\\n"))
end

local function decode(line)
  return (line:gsub("\\(.)", function(c)
    return c == "n" and "\n" or c
  end))
end

---@class lunate.repl.History
---@field entries string[] oldest first
---@field private path string?
local History = {}
History.__index = History

local function write(path, flags, text)
  local mode = ffi.cast("int", MODE)
  local fd = ffi.C.lunate_history_open(path, flags + O_CLOEXEC, mode)
  if fd < 0 then
    return false
  end
  ffi.C.lunate_history_chmod(fd, MODE)
  local done = ffi.C.lunate_history_write(fd, text, #text) == #text
  ffi.C.lunate_history_close(fd)
  return done
end

local function read(path)
  local entries = {}
  local file = io.open(path, "rb")
  if file then
    for line in file:lines() do
      entries[#entries + 1] = decode(line)
    end
    file:close()
  end
  return entries
end

-- Beside the file first, so that a crash leaves one of the two whole.
local function shorten(path, entries)
  local lines = {}
  for i = #entries - KEPT + 1, #entries do
    lines[#lines + 1] = encode(entries[i]) .. "\n"
  end
  local new = path .. ".new"
  os.remove(new)
  if write(new, O_WRONLY + O_CREAT, table.concat(lines)) then
    os.rename(new, path)
  end
end

---Reads the history.
---@param path string? nil: nothing is kept
---@return lunate.repl.History
function M.open(path)
  local entries = path and read(path) or {}
  if #entries > 2 * KEPT then
    shorten(path, entries)
  end
  return setmetatable({ path = path, entries = entries }, History)
end

---Keeps an entry: not what begins with a blank, nor the same twice in a row.
---@param entry string
---@return boolean kept
function History:add(entry)
  if entry:find("^%s") or not entry:find("%S")
    or entry == self.entries[#self.entries] then
    return false
  end
  self.entries[#self.entries + 1] = entry
  if self.path and not write(self.path, O_WRONLY + O_CREAT + O_APPEND,
    encode(entry) .. "\n") then
    self.path = nil -- a folder that cannot be written is told of once
    self.failed = true
  end
  return true
end

return M
