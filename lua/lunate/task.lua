-- lunate.task - tasks, deadlines and finalizers on the primitives of core.
local core = require "lunate.core"
local errors = require "lunate.errors"

-- fan_out: how many functions of one lunate.all run at once
local M = { fan_out = 20 }

-- Tasks that run, by the identity core knows them under.
local running = {}
local unpack = unpack
local create = coroutine.create
local resume, yield = coroutine.resume, coroutine.yield
local token = core.token

-- An await inside a user's coroutine arrives here as the token: it is passed
-- outward, and the answer is pumped back in.
local function pump(co, ok, first, ...)
  if ok and first == token then
    return pump(co, resume(co, yield(token)))
  end
  return ok, first, ...
end

-- The context in which a coroutine of the user yielded, when that was another
-- one than its resumer's; false: none.  So one that yields inside
-- db:with_tenant leaves its tenant to nobody, and finds it again.
local contexts = setmetatable({}, { __mode = "k" })

local function came_back(co, before, ...)
  if core.context_is(before) then
    contexts[co] = nil
  else
    contexts[co] = core.context() or false
    core.context(before or false)
  end
  return ...
end

local function transparent_resume(co, ...)
  local before, own = core.context(), contexts[co]
  if own ~= nil and coroutine.status(co) == "suspended" then
    core.context(own)
  end
  return came_back(co, before, pump(co, resume(co, ...)))
end

local function pass_on(co, ok, ...)
  if ok then
    return ...
  end
  local err = ...
  if type(err) == "string" then
    err = err .. "\n" .. debug.traceback(co)
  end
  error(err, 0)
end

-- The one change made to the host's globals: without it an await inside a
-- user's coroutine would hand our token to the user as if it were data.
-- luacheck: push ignore 122
coroutine.resume = transparent_resume
coroutine.wrap = function(fn)
  local co = create(fn)
  return function(...)
    return pass_on(co, transparent_resume(co, ...))
  end
end
-- luacheck: pop

---@class lunate.Task
---@field private handle userdata
---@field private results table?
---@field private waiters table
---@field private finalizers table
local Task = {}
Task.__index = Task

-- All values of a call, nil among them too.
local function pack(...)
  return { n = select("#", ...), ... }
end
M.pack = pack

-- Finalizers run to their end even when the task was cancelled, the last one
-- first; one that fails does not keep the others from running.
local function finalize(task)
  local failed
  core.shield(1)
  local before = core.deadline(0)
  for i = #task.finalizers, 1, -1 do
    local one = task.finalizers[i]
    local ok, err
    if type(one) == "table" then
      ok, err = xpcall(one.fn, errors.traced, one.arg)
    else
      ok, err = xpcall(one, errors.traced)
    end
    if not ok then
      failed = failed or err
    end
  end
  core.deadline(before)
  core.shield(-1)
  return failed
end

-- What fn gave, in the form that join() gives: an error that was raised is
-- nil, err.
local function settle(ok, ...)
  if ok then
    return pack(...)
  end
  return { n = 2, nil, (...), raised = true }
end

local orphans = {}

local function main(task, fn, ...)
  local id = core.current()
  running[id] = task
  local results = settle(xpcall(fn, errors.traced, ...))
  local failed = finalize(task)
  if failed and not results.raised then
    results = { n = 2, nil, failed, raised = true }
  end
  running[id] = nil
  task.results = results
  for _, waiter in ipairs(task.waiters) do
    waiter:wake()
  end
  if results.raised and #task.waiters == 0 then
    orphans[task] = results[2]
  end
end

---Starts a task.
---@param fn function
---@param ... any its arguments
---@return lunate.Task
function M.spawn(fn, ...)
  if type(fn) ~= "function" then
    error("spawn wants a function, not a " .. type(fn), 2)
  end
  local task = setmetatable({ waiters = {}, finalizers = {} }, Task)
  task.handle = core.spawn(main, task, fn, ...)
  return task
end

---Waits for the end of the task; what its function returned, or nil, err.
---@return any ...
function Task:join()
  if not self.results then
    local waiter = core.waiter()
    self.waiters[#self.waiters + 1] = waiter
    local ok, err = waiter:wait()
    if not ok then
      return nil, err
    end
  end
  orphans[self] = nil
  return unpack(self.results, 1, self.results.n)
end

---Asks it to end: whatever it waits for ends with `cancelled`.
---@return boolean was_running
function Task:cancel()
  orphans[self] = nil
  self.silent = true
  return self.handle:cancel()
end

---@return "running"|"done"
function Task:status()
  return self.results and "done" or "running"
end

---The errors of tasks that nobody joined, once.
---@return table<lunate.Task, lunate.Error>
function M.take_orphans()
  local taken = {}
  for task, err in pairs(orphans) do
    if not task.silent then
      taken[task] = err
    end
  end
  orphans = {}
  return taken
end

-- Ends all that still run and waits for their finalizers, deaf to the end of
-- the task that waits and to its deadline.
local function put_down(tasks)
  core.shield(1)
  local before = core.deadline(0)
  for _, task in ipairs(tasks) do
    task:cancel()
  end
  for _, task in ipairs(tasks) do
    task:join()
  end
  core.deadline(before)
  core.shield(-1)
end

local function check_functions(n, ...)
  for i = 1, n do
    if type((select(i, ...))) ~= "function" then
      error("lunate.all wants functions", 3)
    end
  end
end

---Runs the functions at once (DB_PARALLEL_QUERIES of them, the others as they
---end); the first result of each, in order.  The first
---failure cancels the others and is nil, err.
---@param ... function
---@return any ...
function M.all(...)
  local n, results, tasks = select("#", ...), {}, {}
  local left, failed, woken = n, nil, core.waiter()
  local next_one = 0
  check_functions(n, ...)
  local fns = { ... }
  local function run(i)
    local ok, value, err = xpcall(fns[i], errors.traced)
    if not ok or (value == nil and err ~= nil) then
      failed = failed or (ok and err or value)
    end
    results[i], left = value, left - 1
    woken:wake()
  end
  local function run_some()
    while #fns > next_one and not failed and not core.is_cancelled() do
      next_one = next_one + 1
      run(next_one)
    end
  end
  for i = 1, math.min(n, M.fan_out) do
    tasks[i] = M.spawn(run_some)
  end
  while left > 0 and not failed do
    local ok, err = woken:wait()
    failed = failed or (not ok and err) or nil
  end
  put_down(tasks)
  if failed then
    return nil, failed
  end
  return unpack(results, 1, n)
end

---Waits.
---@param seconds number
---@return true|nil, lunate.Error?
function M.sleep(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds then
    error("sleep wants seconds, a number", 2)
  end
  return core.sleep(seconds)
end

---Lets other tasks run.
---@return true|nil, lunate.Error?
function M.pause()
  return core.sleep(0)
end

local function restore(before, ok, ...)
  core.deadline(before)
  if ok then
    return ...
  end
  error((...), 0)
end

---Runs fn under a deadline that everything inside inherits.
---@param seconds number
---@param fn function
---@return any ...
function M.deadline(seconds, fn, ...)
  if type(seconds) ~= "number" or type(fn) ~= "function" then
    error("deadline wants seconds and a function", 2)
  end
  local at = core.now() + seconds
  local before = core.deadline()
  if before == 0 or at < before then
    core.deadline(at)
  end
  return restore(before, pcall(fn, ...))
end

-- What a library function must undo when its task ends without it; outside of
-- a task the garbage collector does it.
function M.on_end(fn, arg)
  local task = running[core.current()]
  if task then
    table.insert(task.finalizers, { fn = fn, arg = arg })
  end
end

-- It has been undone: forget the newest entry of on_end().
function M.off_end(fn, arg)
  local task = running[core.current()]
  local list = task and task.finalizers or {}
  for i = #list, 1, -1 do
    local one = list[i]
    if type(one) == "table" and one.fn == fn and one.arg == arg then
      table.remove(list, i)
      return
    end
  end
end

---Runs fn when the current task ends, however it ends.
---@param fn function
function M.finally(fn)
  if type(fn) ~= "function" then
    error("finally wants a function", 2)
  end
  local task = running[core.current()]
  if not task then
    error("finally belongs to a task; outside of one write the code at the "
      .. "end", 2)
  end
  table.insert(task.finalizers, fn)
end

return M
