-- lunate.context - who asks, and for whom: carried by every operation.
--
-- The context belongs to the task; tasks spawned inside inherit it.  It is
-- immutable and made once; what was made before is found again by its text.
local core = require "lunate.core"
local cjson = require "cjson"

local M = {}

local KNOWN = { tenant = true, user = true, roles = true, location = true,
  locations = true, clinic_tz = true, ip = true, device = true,
  purpose = true, trace = true, audit = true }

local MOST = 1000 -- contexts that are kept

-- By their whole text, and by a tenant alone: never in one table, since a
-- tenant may look like a text.
local by_text, by_tenant = { n = 0, at = {} }, { n = 0, at = {} }

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

local function keep(kept, key, handle)
  if kept.n == MOST then
    kept.at, kept.n = {}, 0
  end
  kept.at[key] = handle
  kept.n = kept.n + 1
  return handle
end

local function make(json)
  local handle, why = core.context_new(json)
  if not handle then
    error(why, 4)
  end
  return keep(by_text, json, handle)
end

local function fields(handle)
  if not handle then
    return {}
  end
  local all = cjson.decode(core.context_text(handle))
  all.tenants = nil -- the form of `tenant` that the database reads
  return all
end

---The context in force, as a table.
---@return table
function M.current()
  return fields(core.context())
end

local function restore(before, ok, ...)
  core.context(before or false)
  if ok then
    return ...
  end
  error((...), 0)
end

local function with(all, fn, ...)
  local json = cjson.encode(all)
  local before = core.context(by_text.at[json] or make(json))
  return restore(before, pcall(fn, ...))
end

---Runs fn(...) with ctx laid over the context in force.  Who names a tenant
---inside as_system works for that tenant.
---@param ctx table
---@param fn function
---@return any ...
function M.with(ctx, fn, ...)
  check(ctx)
  local all = M.current()
  for k, v in pairs(ctx) do
    all[k] = v
  end
  if ctx.tenant ~= nil then
    all.system = nil
  end
  if ctx.tenant ~= nil or ctx.user ~= nil or ctx.roles ~= nil then
    all.break_glass = nil -- it was somebody else's, or elsewhere
  end
  return with(all, fn, ...)
end

---Runs fn(...) as the system, which is no tenant's.  Whether that may be is
---for the engine: an operation without the capability is refused.
---@param reason string
---@param fn function
---@return any ...
function M.as_system(reason, fn, ...)
  local all = M.current()
  all.tenant, all.break_glass, all.system = nil, nil, reason
  return with(all, fn, ...)
end

---Runs fn(...) in an emergency: a break_glass rule opens one patient's rows.
---Whether that may be is for the engine.
---@param glass { rule: string, patient: string|number, reason: string }
---@param fn function
---@return any ...
function M.break_glass(glass, fn, ...)
  local all = M.current()
  local within = all.break_glass
  local patient = tostring(glass.patient)
  if within then
    if within.patient == patient and within.rule == glass.rule then
      return fn(...)
    end
    error("an emergency is open for another patient or rule; end that first",
      3)
  end
  all.break_glass = { rule = glass.rule, patient = patient,
    reason = glass.reason, id = core.random_id() }
  return with(all, fn, ...)
end

---Runs fn(...) for one tenant: the way of most requests, so no JSON is made
---when there is no other context.
---@param id string|integer
---@param fn function
---@return any ...
function M.with_tenant(id, fn, ...)
  if core.context() or type(id) ~= "string" then
    return M.with({ tenant = id }, fn, ...)
  end
  local handle = by_tenant.at[id]
  if not handle then
    handle = core.context_new(cjson.encode({ tenant = id }))
    if not handle then -- says why, as for any other context
      return M.with({ tenant = id }, fn, ...)
    end
    keep(by_tenant, id, handle)
  end
  core.context(handle)
  return restore(nil, pcall(fn, ...))
end

return M
