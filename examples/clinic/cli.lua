-- SPDX-License-Identifier: MIT
--
-- cli - what the scripts of this folder share: arguments, folders, text for
-- people.

local cli = {}

--- Was this file started as a script (and not required by another)?
---@param name string  "import" for import.lua
---@return boolean
function cli.is_main(name)
  local started = arg and arg[0] and arg[0]:match("([^/]+)%.lua$")
  return started == name
end

local function number(name, text)
  local n = tonumber(text)
  if not n then
    error(("--%s takes a number, not %q"):format(name, text), 0)
  end
  return n
end

--- `--name value` by what `known` says of the name ("text", "number" or
--- "flag"); the rest stays in order.  Raises a message for the user.
---@param argv string[]
---@param known table<string, "text"|"number"|"flag">
---@return table<string, any> opts
---@return string[] rest
function cli.parse(argv, known)
  local opts, rest, i = {}, {}, 1
  while i <= #argv do
    local name = argv[i]:match("^%-%-(.+)$")
    local kind = name and known[name]
    if name and not kind then
      error("no option is called " .. argv[i], 0)
    end
    if not name then
      rest[#rest + 1] = argv[i]
    elseif kind == "flag" then
      opts[name] = true
    else
      i = i + 1
      if not argv[i] then
        error(("--%s wants a value"):format(name), 0)
      end
      opts[name] = kind == "number" and number(name, argv[i]) or argv[i]
    end
    i = i + 1
  end
  return opts, rest
end

--- Makes a folder, and those above it.  Raises a message for the user.
---@param path string
function cli.make_dir(path)
  local quoted = "'" .. path:gsub("'", "'\\''") .. "'"
  local code = os.execute("mkdir -p " .. quoted)
  if code ~= 0 and code ~= true then
    error("cannot make the folder " .. path, 0)
  end
end

-- Columns on the screen of a UTF-8 text: every byte but the continuations.
local function width(text)
  local _, n = text:gsub("[^\128-\191]", "")
  return n
end

local function cut(text, most)
  if width(text) <= most then
    return text
  end
  local out = {}
  for char in text:gmatch("[%z\1-\127\194-\244][\128-\191]*") do
    out[#out + 1] = char
    if #out == most - 1 then
      break
    end
  end
  return table.concat(out) .. "~"
end

local function cells(rows, columns)
  local text, wide = {}, {}
  for c, column in ipairs(columns) do
    wide[c] = width(column[2])
  end
  for r, row in ipairs(rows) do
    text[r] = {}
    for c, column in ipairs(columns) do
      local value = row[column[1]]
      text[r][c] = cut(value == nil and "-" or tostring(value), 44)
      wide[c] = math.max(wide[c], width(text[r][c]))
    end
  end
  return text, wide
end

--- Rows as a table for the eye.  A column is { field, title, right }.
---@param rows table[]
---@param columns { [1]: string, [2]: string, right?: boolean }[]
---@return string
function cli.table(rows, columns)
  local text, wide = cells(rows, columns)
  local function line(values)
    local out = {}
    for c, column in ipairs(columns) do
      local pad = (" "):rep(wide[c] - width(values[c]))
      out[c] = column.right and pad .. values[c] or values[c] .. pad
    end
    return "  " .. table.concat(out, "  "):gsub("%s+$", "")
  end
  local titles, rule = {}, {}
  for c, column in ipairs(columns) do
    titles[c], rule[c] = column[2], ("-"):rep(wide[c])
  end
  local out = { line(titles), line(rule) }
  for _, values in ipairs(text) do
    out[#out + 1] = line(values)
  end
  if #rows == 0 then
    out[#out + 1] = "  (none)"
  end
  return table.concat(out, "\n") .. "\n"
end

return cli
