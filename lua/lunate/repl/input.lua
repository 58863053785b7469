-- lunate.repl.input - where lines come from: a person, a pipe, a file.
--
-- Each source has line(prompt) -> the next line, without its end; nil and "end"
-- or "signal" (Ctrl-C).
local terminal = require "lunate.terminal"

local M = {}

-- A reader of lines over a function that gives pieces of bytes, "" at the end.
local function line_reader(more)
  local rest, over = "", false
  return function()
    while true do
      local line, after = rest:match("^([^\n]*)\n(.*)$")
      if line then
        rest = after
        return (line:gsub("\r$", ""))
      end
      if over then
        line, rest = rest, ""
        if line == "" then
          return nil, "end"
        end
        return line
      end
      local piece, why = more()
      if not piece then
        return nil, why
      end
      over = piece == ""
      rest = rest .. piece
    end
  end
end

---Bytes of a descriptor, in the loop: "" at the end; nil and "signal".
---@param fd integer
---@return fun(): string?, string?
function M.bytes(fd)
  return function()
    local before = terminal.interrupts()
    if terminal.ready(fd, "read") ~= "ready"
      or terminal.interrupts() ~= before then
      return nil, "signal"
    end
    return terminal.get(fd) or ""
  end
end

---@class lunate.repl.Source
---@field name string? of a file
---@field person boolean? somebody types
---@field line fun(self: lunate.repl.Source, prompt: string?): string?, string?

---Lines of a descriptor: standard input that is no terminal.
---@param fd integer
---@return lunate.repl.Source
function M.descriptor(fd)
  local read = line_reader(M.bytes(fd))
  return { line = function() return read() end }
end

---Lines of a file.
---@param path string
---@return lunate.repl.Source|nil, string? err
function M.file(path)
  local file, err = io.open(path, "rb")
  if not file then
    return nil, err
  end
  local read = line_reader(function()
    local piece, why = file:read(65536)
    if why then
      error(why, 0) -- a folder, for one
    end
    return piece or ""
  end)
  return { name = path, line = function() return read() end,
    close = function() file:close() end }
end

---Lines of a text.
---@param text string
---@return lunate.repl.Source
function M.text(text)
  local given = false
  local read = line_reader(function()
    local piece = given and "" or text
    given = true
    return piece
  end)
  return { line = function() return read() end }
end

---A person at the terminal.
---@param complete fun(line: string, at: integer): string?, string?
---@return lunate.repl.Source source, table editor
function M.person(complete)
  local editor = terminal.editor()
  return { person = true, line = function(_, prompt)
    io.stdout:flush()
    return editor:read(prompt or "", complete)
  end }, editor
end

return M
