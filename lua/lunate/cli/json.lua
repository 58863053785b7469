-- lunate.cli.json - one JSON document on standard output, for machines.
local M = {}

---@param value any
---@return string
function M.encode(value)
  if type(value) == "table" and next(value) == nil then
    return "[]" -- what the commands print empty are lists
  end
  return (require("cjson").encode(value):gsub("\\/", "/"))
end

---Prints it, and a newline.
---@param value any
---@return integer code 0, so that a command can end with it
function M.print(value)
  io.stdout:write(M.encode(value), "\n")
  return 0
end

---What stands for nothing: an empty text is no value.
---@param text string?
---@return any
function M.text(text)
  return text ~= nil and text ~= "" and text or require("cjson").null
end

return M
