-- lunate.hosted - scripts that a C host loads, and calls of their functions.
--
-- Each load and each call is a task.  `answer` is the host's: it is given back
-- exactly once, with what the function returned or with an error.
local core = require "lunate.core"
local errors = require "lunate.errors"
local task = require "lunate.task"

local M = {}

local scripts = {} -- id -> the table of functions that the file returned
local running = {} -- answer -> task

-- nil, err is a failure; anything else is what the function gives.
local function give(answer, ok, ...)
  running[answer] = nil
  local first, second = ...
  if not ok then
    return core.hosted_fail(answer, first)
  end
  if first == nil and errors.is_error(second) then
    return core.hosted_fail(answer, second)
  end
  return core.hosted_done(answer, ...)
end

local function find_beside(path)
  local dir = path:match("^(.*)/[^/]*$") or "."
  local entry = dir .. "/?.lua;" .. dir .. "/?/init.lua;"
  if package.path:sub(1, #entry) ~= entry then
    package.path = entry .. package.path
  end
end

local function read(id, path)
  local chunk, why = loadfile(path)
  if not chunk then
    error(errors.new("io", "the script cannot be read: " .. why), 0)
  end
  find_beside(path)
  local functions = chunk()
  if type(functions) ~= "table" then
    error(errors.new("invalid", ("%s returns a %s; a script for a host "
      .. "returns a table of functions"):format(path, type(functions))), 0)
  end
  scripts[id] = functions
end

local function names(functions)
  local all = {}
  for name, fn in pairs(functions) do
    if type(fn) == "function" then
      all[#all + 1] = tostring(name)
    end
  end
  table.sort(all)
  return table.concat(all, ", ")
end

local function find(id, name)
  local functions = scripts[id]
  if not functions then
    error(errors.new("closed", "the script was freed"), 0)
  end
  if type(functions[name]) ~= "function" then
    error(errors.new("undefined", ("the script has no function '%s'; it has "
      .. "%s"):format(name, names(functions))), 0)
  end
  return functions[name]
end

local function run(answer, fn, ...)
  give(answer, xpcall(fn, errors.traced, ...))
end

-- Its own finalizers may still fail behind the answer: that is told nobody.
local function start(answer, fn, ...)
  running[answer] = task.spawn(run, answer, fn, ...)
  running[answer].silent = true
end

function M.load(answer, id, path)
  start(answer, read, id, path)
end

function M.unload(_, id)
  scripts[id] = nil
end

-- Found at once: the script may be freed while the call waits for its turn.
function M.call(answer, id, name, ...)
  local ok, fn = pcall(find, id, name)
  if ok then
    return start(answer, fn, ...)
  end
  return core.hosted_fail(answer, fn)
end

function M.cancel(answer)
  if running[answer] then
    running[answer]:cancel()
  end
end

return M
