-- lunate.repl.pattern - names as people type them after \d: patients, pat*,
-- healthcare.*, "Visits".
local M = {}

-- What regular expressions of the server give a meaning.
local SPECIAL = "[%^%$%(%)%[%]%{%}%.%*%+%?%|\\]"

local function regex_of(char, quoted)
  if not quoted and char == "*" then
    return ".*"
  elseif not quoted and char == "?" then
    return "."
  end
  if not quoted then
    char = char:lower()
  end
  return (char:gsub(SPECIAL, "\\%0"))
end

---A name with * and ? as regular expressions of the server: of the schema (nil
---when none was said) and of the name.  Letters are small ones unless quoted.
---@param text string
---@return string? schema, string name
function M.parse(text)
  local parts, quoted = { {} }, false
  for char in text:gsub(";+%s*$", ""):gmatch("[%z\1-\127\194-\244][\128-\191]*")
  do
    if char == '"' then
      quoted = not quoted
    elseif char == "." and not quoted then
      parts[#parts + 1] = {}
    else
      table.insert(parts[#parts], regex_of(char, quoted))
    end
  end
  local function closed(part)
    return "^(" .. table.concat(part) .. ")$"
  end
  if #parts == 1 then
    return nil, closed(parts[1])
  end
  return closed(parts[#parts - 1]), closed(parts[#parts])
end

return M
