-- lunate.context - who asks, and for whom: carried by every operation.
--
-- The context belongs to the task; tasks spawned inside inherit it.  It is
-- encoded once, as JSON, and set in the session with each statement.
local core = require "lunate.core"
local cjson = require "cjson"

local M = {}

local KNOWN = { tenant = true, user = true, roles = true, location = true,
  ip = true, device = true, purpose = true, trace = true, audit = true }

local function check(ctx)
  if type(ctx) ~= "table" then
    error("a context is a table: { tenant = ..., user = ... }", 4)
  end
  for key in pairs(ctx) do
    if not KNOWN[key] then
      error(("a context has no field '%s'"):format(tostring(key)), 4)
    end
  end
end

---The context in force, as a table.
---@return table
function M.current()
  local text = core.context()
  return text and cjson.decode(text) or {}
end

local function restore(before, ok, ...)
  core.context(before or false)
  if ok then
    return ...
  end
  error((...), 0)
end

---Runs fn(...) with ctx laid over the context in force.
---@param ctx table
---@param fn function
---@return any ...
function M.with(ctx, fn, ...)
  check(ctx)
  local all = M.current()
  for k, v in pairs(ctx) do
    all[k] = v
  end
  local before = core.context(cjson.encode(all))
  return restore(before, pcall(fn, ...))
end

return M
