-- fences - the fenced blocks of a Markdown file, for the specs that run them.
local sh = require "support.sh"

local M = {}

---@class support.Fence
---@field file string
---@field line integer of its first line of text
---@field info string[] words behind the opening fence: { "lua", "fragment" }
---@field text string

local function words(text)
  local all = {}
  for word in text:gmatch("%S+") do all[#all + 1] = word end
  return all
end

--- All fenced blocks of a file, in order.
---@param path string
---@return support.Fence[]
function M.of(path)
  local all, open, at = {}, nil, 0
  for line in (sh.read(path) .. "\n"):gmatch("(.-)\n") do
    at = at + 1
    local info = line:match("^```(.*)$")
    if info and open then
      open.text = table.concat(open.lines, "\n") .. "\n"
      all[#all + 1], open = open, nil
    elseif info then
      open = { file = path, line = at + 1, info = words(info), lines = {} }
    elseif open then
      open.lines[#open.lines + 1] = line
    end
  end
  assert(not open, path .. ": a block is not closed")
  return all
end

--- Those whose first word is one of these.
---@param fences support.Fence[]
---@return support.Fence[]
function M.only(fences, ...)
  local wanted, some = {}, {}
  for _, kind in ipairs { ... } do wanted[kind] = true end
  for _, f in ipairs(fences) do
    if wanted[f.info[1] or ""] then some[#some + 1] = f end
  end
  return some
end

--- What stands in a file between <!-- name --> and <!-- /name -->.
---@param path string
---@param name string
---@return string
function M.between(path, name)
  local _, from = sh.read(path):find("<!-- " .. name .. " -->\n", 1, true)
  local to = sh.read(path):find("<!-- /" .. name .. " -->", 1, true)
  assert(from and to and to > from, path .. " has no part " .. name)
  return sh.read(path):sub(from + 1, to - 1)
end

return M
