-- lunate.cli.json - answers for machines: one JSON document on stdout.
local M = {}

---@param value any
---@return string
function M.encode(value)
  return (require("cjson").encode(value):gsub("\\/", "/"))
end

---A list, also when it is empty.
---@param list any[]
---@return string
function M.list(list)
  return #list > 0 and M.encode(list) or "[]"
end

return M
