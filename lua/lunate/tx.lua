-- lunate.tx - transactions: BEGIN, a function, COMMIT.
local core = require "lunate.core"
local errors = require "lunate.errors"
local context = require "lunate.context"
local dblib = require "lunate.db"
local task = require "lunate.task"

local Client, Database = dblib.Client, dblib.Database
local EXEC = 1

---@class lunate.TransactionOptions
---@field isolation "read committed"|"repeatable read"|"serializable"|nil
---@field read_only boolean?
---@field deferrable boolean?
---@field critical boolean? the time limit of class critical
---@field retries integer? 3: of serialization failures and deadlocks
---@field timeout number? seconds, for all of it

---@class lunate.Transaction: lunate.Client
local Transaction = setmetatable({}, { __index = Client })
Transaction.__index = Transaction

local KNOWN = { isolation = true, read_only = true, deferrable = true,
  retries = true, timeout = true, critical = true }

local function check_options(options)
  for key in pairs(options) do
    if not KNOWN[key] then
      error(("db:transaction has no option '%s'"):format(tostring(key)), 3)
    end
  end
end

local function control(tx, sql)
  return core.run(tx.ud, tx.tx, EXEC + 16, nil, sql)
end

-- Why the transaction cannot be committed, or nil.
local function objection(tx, results)
  if results.raised then
    return results[1]
  end
  local failure = tx.tx:failure()
  if failure then
    return results[1] == nil and results[2] or failure
  end
  if results[1] == nil and errors.is_error(results[2]) then
    return results[2]
  end
end

local function outcome(ok, ...)
  local results = task.pack(...)
  results.raised = not ok
  return results
end

local function call(fn, tx)
  return outcome(xpcall(fn, errors.traced, tx))
end

local function commit(tx)
  if tx.tx:state() == "fresh" then
    return true
  end
  return control(tx, "COMMIT")
end

-- One attempt: what fn returned, or nil, err.
local function attempt(db, fn, options)
  local handle, err = core.begin(db.ud, options)
  if not handle then
    return { n = 2, nil, err }
  end
  local tx = setmetatable({ ud = db.ud, tx = handle, options = db.options,
    depth = 0, db = db }, Transaction)
  local me = core.current()
  db.inside[me] = (db.inside[me] or 0) + 1
  local results = call(fn, tx)
  db.inside[me] = db.inside[me] > 1 and db.inside[me] - 1 or nil
  err = objection(tx, results)
  if not err then
    local ok
    ok, err = commit(tx)
    err = not ok and err or nil
  end
  handle:finish()
  if err then
    return { n = 2, nil, err }
  end
  return results
end

local function try(db, fn, options, retries)
  local results
  for i = 0, retries do
    results = attempt(db, fn, options)
    local err = results[2]
    if results[1] ~= nil or not errors.is_error(err)
      or err.code ~= "conflict" or i == retries then
      break
    end
    core.sleep(math.random() * 0.02 * 2 ^ i)
  end
  return unpack(results, 1, results.n)
end

---Runs fn(tx) between BEGIN and COMMIT.
---@param fn fun(tx: lunate.Transaction): ...
---@param options lunate.TransactionOptions?
---@return any ...
function Database:transaction(fn, options)
  dblib.check_function("transaction", fn)
  options = options or {}
  check_options(options)
  local begin = { isolation = options.isolation,
    read_only = options.read_only, deferrable = options.deferrable,
    critical = options.critical, site = dblib.site(2, fn) }
  local retries = options.retries or self.retries
  if not options.timeout then
    return try(self, fn, begin, retries)
  end
  return task.deadline(options.timeout, try, self, fn, begin, retries)
end

local function roll_back_to(tx, name, err)
  local ok, why = control(tx, "ROLLBACK TO SAVEPOINT " .. name)
  if not ok then
    return nil, why
  end
  tx.tx:recovered()
  return nil, err
end

---A savepoint: fn(tx); what fails inside is undone up to here.
---@param fn fun(tx: lunate.Transaction): ...
---@return any ...
function Transaction:transaction(fn)
  dblib.check_function("transaction", fn)
  self.depth = self.depth + 1
  local name = "lunate_" .. self.depth
  local ok, err = control(self, "SAVEPOINT " .. name)
  if not ok then
    self.depth = self.depth - 1
    return nil, err
  end
  local results = call(fn, self)
  self.depth = self.depth - 1
  err = objection(self, results)
  if err then
    return roll_back_to(self, name, err)
  end
  ok, err = control(self, "RELEASE SAVEPOINT " .. name)
  if not ok then
    return nil, err
  end
  return unpack(results, 1, results.n)
end

local AUDIT = { user_id = "required", action = "required",
  resource_type = "required", resource_id = "", metadata = "", user_role = "",
  operation = "" }

local function check_audit(audit)
  if type(audit) ~= "table" then
    error("db:write wants the audit info { user_id, action, resource_type }"
      .. " after the function", 3)
  end
  audit.action = audit.action or audit.operation
  for key in pairs(audit) do
    if not AUDIT[key] then
      error(("audit info has no field '%s'"):format(tostring(key)), 3)
    end
  end
  for key, need in pairs(AUDIT) do
    if need == "required" and audit[key] == nil then
      error(("audit info lacks %s"):format(key), 3)
    end
  end
end

---fn(client) in a transaction, with who does what carried along.
---@param fn fun(client: lunate.Transaction): ...
---@param audit table
---@return any ...
function Database:write(fn, audit)
  dblib.check_function("write", fn)
  check_audit(audit)
  return context.with({ audit = audit, user = audit.user_id }, function()
    return self:transaction(fn)
  end)
end

return { Transaction = Transaction }
