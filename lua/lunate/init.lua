-- lunate - the module: what `require "lunate"` gives.
local core = require "lunate.core"
local errors = require "lunate.errors"
local cjson = require "cjson"
local ffi = require "ffi"

core.set_error_maker(errors.new)

local json = cjson.new()
json.decode_max_depth(128)
json.encode_max_depth(128)
json.encode_number_precision(14)
core.set_json(json.encode, json.decode)

core.set_int64(function(text)
  local negative, value = text:byte(1) == 45, ffi.new("int64_t", 0)
  for i = negative and 2 or 1, #text do
    value = value * 10 - (text:byte(i) - 48)
  end
  return negative and value or -value
end)

core.set_row_maker(require "lunate.rowmaker")

local task = require "lunate.task"
local db = require "lunate.db"
require "lunate.tx"
require "lunate.stream"
require "lunate.batch"
require "lunate.events"
require "lunate.explain"

---@class lunate
---@field version string
---@field null userdata SQL NULL
---@field now fun(): number seconds, monotonic
---@field defaults table options that open() starts from
---@field worker integer? in `lunate run`: which thread, from 0
---@field workers integer? in `lunate run`: how many threads
local M = {
  version = core.version,
  null = core.null,
  is_error = errors.is_error,
  spawn = task.spawn,
  all = task.all,
  sleep = task.sleep,
  pause = task.pause,
  deadline = task.deadline,
  finally = task.finally,
  now = core.now,
  defaults = {},
}

-- What is opened with the same options in several VMs is one runtime.
local function key_of(options)
  local parts = {}
  for k, v in pairs(options) do
    parts[#parts + 1] = tostring(k) .. "=" .. tostring(v)
  end
  table.sort(parts)
  return table.concat(parts, "\n")
end

-- system = { role = ... } is system_role = ...
local function spread(options)
  local system = options.system
  if type(system) ~= "table" then
    return
  end
  options.system = nil
  for k, v in pairs(system) do
    options["system_" .. tostring(k)] = v
  end
end

-- Open databases of this VM, so that all can be closed at its end.
local opened = setmetatable({}, { __mode = "k" })

---Closes every database of this VM that is still open, without waiting.
function M.close_all()
  for ud in pairs(opened) do
    ud:free()
  end
end

---Opens a database; does not wait for the server.
---@param options table?
---@return lunate.Database|nil, lunate.Error?
function M.open(options)
  if options ~= nil and type(options) ~= "table" then
    error("lunate.open wants a table of options", 2)
  end
  local all = {}
  for k, v in pairs(M.defaults) do
    all[k] = v
  end
  for k, v in pairs(options or {}) do
    all[k] = v
  end
  spread(all)
  local ud, err = core.open(all, key_of(all))
  if not ud then
    return nil, err
  end
  opened[ud] = true
  local settings = core.settings(ud)
  task.fan_out = settings.fan_out
  return setmetatable({ ud = ud, chunk = settings.chunk,
    width = settings.width, retries = settings.retries,
    drain = settings.drain, inside = {} }, db.Database)
end

---The SQL of the database's row policies, from the isolation.lua of a folder:
---what `lunate policy rls` prints.  The owner of the tables runs it, by
---client:script in as_system, and again after each change of rules or tables.
---@param options table folder, and schema, app_role, system_role
---@return string|nil sql, lunate.Error? err
function M.row_policies(options)
  if type(options) ~= "table" or type(options.folder) ~= "string" then
    error("lunate.row_policies wants { folder = ..., app_role = ... }", 2)
  end
  return core.policy_rls(options.folder, options.schema or "healthcare",
    options.app_role, options.system_role)
end

---A parameter that is written as JSON.
---@param value any
---@return table parameter
function M.json(value)
  return { __lunate = "json", value }
end

---A parameter that is an array, of n elements (holes are NULL).
---@param t table
---@param n integer?
---@return table parameter
function M.array(t, n)
  if type(t) ~= "table" then
    error("lunate.array wants a table", 2)
  end
  return { __lunate = "array", t, n or #t }
end

---A parameter of bytes.
---@param s string
---@return table parameter
function M.bytea(s)
  if type(s) ~= "string" then
    error("lunate.bytea wants a string", 2)
  end
  return { __lunate = "bytea", s }
end

return M
