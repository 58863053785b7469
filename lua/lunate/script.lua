-- lunate.script - what `lunate run` does with a script.
local core = require "lunate.core"
local lunate = require "lunate"
local task = require "lunate.task"

local M = {}

local function complain(err)
  io.stderr:write("lunate: ", tostring(err), "\n")
  if type(err) == "table" and err.traceback then
    io.stderr:write(err.traceback, "\n")
  end
end

local function tell_orphans()
  local any = false
  for _, err in pairs(task.take_orphans()) do
    complain(err)
    any = true
  end
  return any
end

-- A script finds modules beside it: require "helper" reads DIR/helper.lua.
local function find_beside(path)
  local dir = path:match("^(.*)/[^/]*$") or "."
  package.path = dir .. "/?.lua;" .. dir .. "/?/init.lua;" .. package.path
end

---Runs a script as the first task and waits for all tasks it started.
---@param opts { path: string, args: string[], url: string? }
---@return integer exit_code
function M.run_here(opts)
  lunate.defaults.url = opts.url
  local chunk, why = loadfile(opts.path)
  if not chunk then
    complain("the script cannot be read: " .. why)
    return 1
  end
  find_beside(opts.path)
  lunate.worker, lunate.workers = core.worker()
  _G.lunate = lunate
  _G.arg = opts.args or {}
  _G.arg[0] = opts.path
  local first = task.spawn(chunk, unpack(_G.arg))
  core.run_tasks()
  local results = first.results or { raised = true, n = 2, nil,
    "the script was stopped" }
  local failed = results.raised
  if failed then
    task.take_orphans()[first] = nil
    complain(results[2])
  end
  if tell_orphans() then
    failed = true
  end
  if failed then
    return 1
  end
  return type(results[1]) == "number" and results[1] or 0
end

---Runs a script: in this VM, or in several, a thread each, that share what
---they open.
---@param opts { path: string, args: string[], url: string?, workers: integer? }
---@return integer exit_code
function M.run(opts)
  if (opts.workers or 1) == 1 then
    return M.run_here(opts)
  end
  local crowd = core.start_workers(opts, opts.workers)
  local code = M.run_here(opts)
  local others = crowd:join()
  lunate.close_all()
  crowd:free()
  return math.max(code, others)
end

return M
