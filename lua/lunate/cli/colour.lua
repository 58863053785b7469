-- lunate.cli.colour - colours where a person looks at a terminal, else none.
--
--   local paint = colour.of(1)
--   io.write(paint.error("ERROR"), ...)
--
-- NO_COLOR (any value but the empty one), TERM=dumb and anything that is no
-- terminal switch them off: then each function gives its text back.
local sys = require "lunate.sys"

local M = {}

-- By what is meant, so that one meaning has one colour everywhere.
local CODES = { error = "31", warning = "33", good = "32", faint = "2",
  strong = "1" }

local function plain(text)
  return text
end

local function painter(code)
  return function(text)
    return ("\27[%sm%s\27[0m"):format(code, text)
  end
end

---@class lunate.colour
---@field on boolean
---@field error fun(text: string): string
---@field warning fun(text: string): string
---@field good fun(text: string): string
---@field faint fun(text: string): string
---@field strong fun(text: string): string

---Colours, or none.
---@param on boolean
---@return lunate.colour
function M.new(on)
  local paint = { on = on }
  for name, code in pairs(CODES) do
    paint[name] = on and painter(code) or plain
  end
  return paint
end

---May what is written there be coloured?
---@param fd integer
---@param getenv? fun(name: string): string? os.getenv, unless given
---@return boolean
function M.wanted(fd, getenv)
  getenv = getenv or os.getenv
  local term = getenv "TERM"
  return (getenv "NO_COLOR" or "") == "" and (term or "") ~= ""
    and term ~= "dumb" and sys.is_terminal(fd)
end

---The colours for a file descriptor.
---@param fd integer
---@return lunate.colour
function M.of(fd)
  return M.new(M.wanted(fd))
end

return M
