-- lunate.errors - failures as values.
--
-- The codes are those of runtime/base/err.h, by their words.  An error is a
-- table that prints as its message; scripts branch on err.code.
local M = {}

---@class lunate.Error
---@field code string one of the closed list
---@field message string cause and remedy, without values
---@field reason string? of "denied": why a statement is refused
---@field sqlstate string? five characters of the server
---@field retryable boolean may the same call succeed later as it is?
---@field constraint string? the constraint that refused
---@field position integer? where it is: character of the statement, from 1
---@field traceback string? where a Lua error was raised
local Error = {}
Error.__index = Error

function Error:__tostring()
  local state = self.sqlstate and " (" .. self.sqlstate .. ")" or ""
  return ("%s: %s%s"):format(self.code, self.message, state)
end

local function filled(text)
  if text ~= "" then
    return text
  end
end

---Makes an error value.
---@param code string
---@param message string
---@param more { sqlstate: string?, retryable: boolean?, constraint: string?,
---position: integer?, reason: string? }?
---@return lunate.Error
function M.new(code, message, more)
  more = more or {}
  return setmetatable({
    code = code,
    message = message,
    reason = more.reason,
    sqlstate = filled(more.sqlstate or ""),
    retryable = more.retryable or false,
    constraint = filled(more.constraint or ""),
    position = (more.position or 0) > 0 and more.position or nil,
  }, Error)
end

---Is it one of ours?
---@param value any
---@return boolean
function M.is_error(value)
  return getmetatable(value) == Error
end

---What pcall caught, as an error value: ours as it is, anything else as the
---code "script" with its text.
---@param caught any
---@param traceback string?
---@return lunate.Error
function M.from_caught(caught, traceback)
  if M.is_error(caught) then
    return caught
  end
  local err = M.new("script", tostring(caught))
  err.traceback = traceback
  return err
end

---A message handler for xpcall: what was raised, as an error value that knows
---where.
---@param caught any
---@return lunate.Error
function M.traced(caught)
  if M.is_error(caught) then
    return caught
  end
  return M.from_caught(caught, debug.traceback(tostring(caught), 2))
end

return M
