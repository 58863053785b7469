-- wait - for what must come true, not for time to pass.
local posix = require "support.posix"

local M = {}

M.now = posix.now
M.sleep = posix.sleep

--- Calls fn until it gives something true, and gives that. Raises when that
--- did not happen within `seconds`.
---@generic T
---@param fn fun(): T?
---@param seconds number? 10 unless told
---@param what string? what is waited for, for the message
---@return T
function M.until_(fn, seconds, what)
  local limit = posix.now() + (seconds or 10)
  local pause = 0.001
  while true do
    local v = fn()
    if v then return v end
    if posix.now() > limit then
      error(("not within %g s: %s"):format(seconds or 10,
        what or "the condition"), 2)
    end
    posix.sleep(pause)
    pause = math.min(pause * 2, 0.02)
  end
end

return M
