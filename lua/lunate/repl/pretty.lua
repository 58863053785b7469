-- lunate.repl.pretty - a Lua value as a person reads it.
local width = require "lunate.repl.width"

local M = {}

local MAX_DEPTH, MAX_ENTRIES, NARROW = 6, 200, 72

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local
  nil not or repeat return then true until while]]):gmatch("%a+") do
  KEYWORDS[word] = true
end

local function quoted(text)
  return '"' .. width.show((text:gsub('[\\"]', "\\%0"))) .. '"'
end

local function plain_key(key)
  return type(key) == "string" and key:find("^[%a_][%w_]*$")
    and not KEYWORDS[key]
end

-- Numbers first, then by name.
local function sorted_keys(t, first)
  local keys = {}
  for key in pairs(t) do
    local in_array = type(key) == "number" and key >= 1 and key <= first
      and key % 1 == 0
    if not in_array then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys, function(a, b)
    local ta, tb = type(a), type(b)
    if ta ~= tb then
      return ta == "number" or (tb ~= "number" and ta < tb)
    end
    if ta == "number" or ta == "string" then
      return a < b
    end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local describe

-- The entries of a table, each a text.
local function entries_of(t, indent, seen)
  local all, n = {}, #t
  for i = 1, math.min(n, MAX_ENTRIES) do
    all[i] = describe(t[i], indent, seen)
  end
  local keys = sorted_keys(t, n)
  for _, key in ipairs(keys) do
    if #all >= MAX_ENTRIES then
      break
    end
    local name = plain_key(key) and key
      or "[" .. describe(key, indent, seen) .. "]"
    all[#all + 1] = name .. " = " .. describe(t[key], indent, seen)
  end
  local left = n + #keys - #all
  if left > 0 then
    all[#all + 1] = ("... %d more"):format(left)
  end
  return all
end

local function describe_table(t, indent, seen)
  if seen[t] then
    return "{ (itself) }"
  end
  if #indent / 2 >= MAX_DEPTH then
    return "{ ... }"
  end
  seen[t] = true
  local inner = indent .. "  "
  local all = entries_of(t, inner, seen)
  seen[t] = nil
  if #all == 0 then
    return "{}"
  end
  local line = "{ " .. table.concat(all, ", ") .. " }"
  if #line + #indent <= NARROW and not line:find("\n", 1, true) then
    return line
  end
  return "{\n" .. inner .. table.concat(all, ",\n" .. inner) .. "\n" .. indent
    .. "}"
end

function describe(value, indent, seen)
  local kind = type(value)
  if kind == "string" then
    return quoted(value)
  elseif kind == "number" then
    return value % 1 == 0 and math.abs(value) < 2 ^ 53
      and ("%d"):format(value) or ("%.14g"):format(value)
  elseif kind == "userdata" and value == require("lunate").null then
    return "null"
  elseif kind ~= "table" then
    return tostring(value)
  end
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__tostring then
    return tostring(value)
  end
  return describe_table(value, indent, seen)
end

---@param value any
---@return string one line, or several
function M.text(value)
  return describe(value, "", {})
end

return M
