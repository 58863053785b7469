-- lunate.batch - many operations, some at a time, none for the others' sake.
local core = require "lunate.core"
local errors = require "lunate.errors"
local task = require "lunate.task"
local dblib = require "lunate.db"

local Database = dblib.Database
local ORDER = { critical = 1, high = 2, normal = 3, low = 4 }
local BASE, CAP = 0.1, 5

local function check(ops, options)
  if type(ops) ~= "table" then
    error("batch wants an array of { operation = fn, priority = ... }", 3)
  end
  for i, op in ipairs(ops) do
    if type(op) ~= "table" or type(op.operation) ~= "function" then
      error(("batch: entry %d has no operation function"):format(i), 3)
    end
    if op.priority and not ORDER[op.priority] then
      error(("batch: entry %d: unknown priority '%s'")
        :format(i, tostring(op.priority)), 3)
    end
  end
  for key in pairs(options) do
    if key ~= "concurrency" and key ~= "retries" then
      error(("batch has no option '%s'"):format(tostring(key)), 3)
    end
  end
  local width, retries = options.concurrency or 1, options.retries or 0
  if type(width) ~= "number" or width < 1 then
    error("batch: concurrency is a number from 1", 3)
  end
  if type(retries) ~= "number" or retries < 0 then
    error("batch: retries is a number from 0", 3)
  end
end

-- Indexes by priority, within one in the order given.
local function in_order(ops)
  local order = {}
  for i in ipairs(ops) do
    order[i] = i
  end
  table.sort(order, function(a, b)
    local pa = ORDER[ops[a].priority or "normal"]
    local pb = ORDER[ops[b].priority or "normal"]
    if pa ~= pb then
      return pa < pb
    end
    return a < b
  end)
  return order
end

local function once(db, op)
  local client = dblib.derived(db, { priority = op.priority })
  local ok, value, err = xpcall(op.operation, errors.traced, client)
  if not ok then
    return nil, value
  end
  if value == nil and err ~= nil then
    return nil, err
  end
  return value == nil and true or value
end

-- Only what surely left nothing behind is tried again, with full jitter: an
-- error that may be retried, and no write before it in the same operation.
local function with_retries(db, op, retries)
  local value, err
  local before = core.writes()
  for i = 0, retries do
    value, err = once(db, op)
    if value ~= nil or not errors.is_error(err) or not err.retryable
      or i == retries or core.writes() ~= before then
      return value, err
    end
    core.sleep(math.random() * math.min(CAP, BASE * 2 ^ i))
  end
  return value, err
end

local function summary(ops, done, began)
  local total = core.now() - began
  local failed = #done.failed
  return {
    success = failed == 0,
    successful = done.successful,
    failed = done.failed,
    total_count = #ops,
    success_count = #ops - failed,
    failure_count = failed,
    total_execution_time = total * 1000,
    average_execution_time = #ops > 0 and done.spent / #ops * 1000 or 0,
    success_rate = #ops > 0 and (#ops - failed) / #ops * 100 or 100,
  }
end

local function worker(db, ops, done, retries)
  while true do
    local i = done.order[done.next]
    if not i or core.is_cancelled() then
      return
    end
    done.next = done.next + 1
    local began = core.now()
    local value, err = with_retries(db, ops[i], retries)
    done.spent = done.spent + core.now() - began
    if value == nil then
      done.failed[#done.failed + 1] = { error = err, index = i }
    else
      done.results[i] = value
    end
  end
end

---Runs many operations in a sliding window; one failure never stops another.
---@param ops { operation: fun(client: lunate.Client), priority: string? }[]
---@param options { concurrency: integer?, retries: integer? }?
---@return table
function Database:batch(ops, options)
  options = options or {}
  check(ops, options)
  local began = core.now()
  local done = { order = in_order(ops), next = 1, spent = 0, failed = {},
    results = {} }
  local retries = options.retries or 3
  local width = math.min(options.concurrency or self.width, #ops)
  local tasks = {}
  for n = 1, width do
    tasks[n] = task.spawn(worker, self, ops, done, retries)
  end
  for _, t in ipairs(tasks) do
    local _, err = t:join()
    if err then
      for _, other in ipairs(tasks) do
        other:cancel()
      end
      return nil, err
    end
  end
  done.successful = {}
  for i = 1, #ops do
    if done.results[i] ~= nil then
      table.insert(done.successful, done.results[i])
    end
  end
  table.sort(done.failed, function(a, b) return a.index < b.index end)
  return summary(ops, done, began)
end
