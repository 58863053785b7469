-- lunate.cli.runtimes - the runtimes of this user that run now, by their
-- sockets.
local cjson = require "cjson"

local M = {}

local SECONDS = 5

---The result of a request.
---@param runtime { pid: integer, path: string }
---@param request string
---@param value string?
---@return table|nil result, string? why it was refused
function M.ask(runtime, request, value)
  local text, err = require("lunate.core").ctl_ask(runtime.path,
    cjson.encode { command = request, arg = value }, SECONDS)
  if not text then
    return nil, err.message
  end
  local answer = cjson.decode(text)
  if answer.ok then
    return answer.result
  end
  return nil, answer.error.message
end

---All of them, or those of one process.
---@param pid integer?
---@return { pid: integer, path: string }[]|nil runtimes
---@return string folder where they were looked for; or why they cannot be
function M.find(pid)
  local all, folder = require("lunate.core").ctl_list()
  if not all then
    return nil, folder.message
  end
  local chosen = {}
  for _, runtime in ipairs(all) do
    if not pid or runtime.pid == pid then
      chosen[#chosen + 1] = runtime
    end
  end
  if pid and #chosen == 0 then
    return nil, ("no runtime of process %d (looked in %s)"):format(pid, folder)
  end
  return chosen, folder
end

return M
