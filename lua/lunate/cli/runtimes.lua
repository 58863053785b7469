-- lunate.cli.runtimes - the runtimes of this user that run now, and how a
-- command asks them.
local M = {}

local SECONDS = 5

---@class lunate.cli.Runtime
---@field pid integer
---@field path string of its control socket

---All of them, or those of one process, by pid.
---@param pid integer?
---@return lunate.cli.Runtime[]|nil runtimes, string folder or why there is none
function M.find(pid)
  local found, core = pcall(require, "lunate.core")
  if not found then
    return nil, "the runtime is not here; build it with: make"
  end
  local all, folder = core.ctl_list()
  if not all then
    return nil, folder.message
  end
  local chosen = {}
  for _, runtime in ipairs(all) do
    if not pid or runtime.pid == pid then
      chosen[#chosen + 1] = runtime
    end
  end
  table.sort(chosen, function(a, b)
    return a.pid < b.pid or a.pid == b.pid and a.path < b.path
  end)
  if pid and #chosen == 0 then
    return nil, ("no runtime of process %d (looked in %s)"):format(pid, folder)
  end
  return chosen, folder
end

---The result of a request; nil and the reason when it was refused.
---@param runtime lunate.cli.Runtime
---@param request string
---@param value string?
---@param seconds number? how long to wait
---@return any result, string? why
function M.ask(runtime, request, value, seconds)
  local core, cjson = require "lunate.core", require "cjson"
  local text, err = core.ctl_ask(runtime.path,
    cjson.encode { command = request, arg = value }, seconds or SECONDS)
  if not text then
    return nil, err.message
  end
  local answer = cjson.decode(text)
  if answer.ok then
    return answer.result
  end
  return nil, answer.error.message
end

---For an option that names a process.
---@param word string
---@return integer?, string?
function M.pid(word)
  local n = tonumber(word)
  if n and n > 0 and n % 1 == 0 then
    return n
  end
  return nil, ("--pid wants the number of a process, not '%s'"):format(word)
end

return M
