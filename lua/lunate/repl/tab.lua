-- lunate.repl.tab - what the Tab key does at the prompt.
local commands = require "lunate.repl.commands"
local complete = require "lunate.repl.complete"
local lex = require "lunate.repl.lex"
local sys = require "lunate.sys"
local syntax = require "lunate.repl.syntax"
local terminal = require "lunate.terminal"
local width = require "lunate.repl.width"

local M = {}

local SHOWN = 200 -- of a longer list the beginning

-- ---- lists -----------------------------------------------------------------

---Names in columns, as wide as the window.
---@param names string[]
---@param columns integer
---@return string
function M.columns(names, columns)
  local list = {}
  for i = 1, math.min(#names, SHOWN) do
    list[i] = (width.show(names[i]))
  end
  local widest = 0
  for _, name in ipairs(list) do
    widest = math.max(widest, width.of(name))
  end
  local across = math.max(math.floor(columns / (widest + 2)), 1)
  local down = math.ceil(#list / across)
  local lines = {}
  for i = 1, down do
    local parts = {}
    for k = i, #list, down do
      parts[#parts + 1] = list[k]
        .. (" "):rep(widest + 2 - width.of(list[k]))
    end
    lines[i] = table.concat(parts):gsub(" +$", "")
  end
  if #names > SHOWN then
    lines[#lines + 1] = ("... and %d more"):format(#names - SHOWN)
  end
  return table.concat(lines, "\n")
end

-- ---- what stands behind a command ------------------------------------------

local function add(found, list, typed, suffix)
  for _, name in ipairs(list) do
    if name:sub(1, #typed) == typed and not found[name] then
      found[name] = suffix
      found[#found + 1] = name
    end
  end
  return found
end

local function files(found, typed)
  local folder, head = typed:match("^|?(.*/)([^/]*)$")
  local ok, text = sys.run { "ls", "-1Ap", "--", folder or "." }
  folder = folder or ""
  if not ok then
    return found
  end
  for name in text:gmatch("[^\n]+") do
    add(found, { folder .. name }, folder .. (head or typed),
      name:sub(-1) == "/" and "" or " ")
  end
  return found
end

local ABOUT = {
  relation = function(names, found, typed)
    local schema, name = typed:match("^([^.]*)%.(.*)$")
    if schema then
      local list = {}
      for i, one in ipairs(names:relations_of(schema)) do
        list[i] = schema .. "." .. one
      end
      found.typed = schema .. "." .. name
      return add(found, list, found.typed, " ")
    end
    add(found, names:relations(), typed, " ")
    return add(found, names:schemas(), typed, ".")
  end,
  schema = function(names, found, typed)
    return add(found, names:schemas(), typed, " ")
  end,
  ["function"] = function(names, found, typed)
    return add(found, names:functions(), typed, " ")
  end,
  role = function(names, found, typed)
    return add(found, names:roles(), typed, " ")
  end,
  database = function(names, found, typed)
    return add(found, names:databases(), typed, " ")
  end,
  statement = function(_, found, typed)
    return add(found, syntax.names, typed, " ")
  end,
  file = function(_, found, typed)
    return files(found, typed)
  end,
}

local function argument(names, command, rest)
  local typed = rest:match("%S*$")
  local found = { typed = typed }
  local about = command.about
  if not about or (command.about == "file" and rest:find("^%s*%S+%s")) then
    return found
  end
  if ABOUT[about] then
    return ABOUT[about](names, found, typed)
  end
  local list = {}
  for word in about:gmatch("%S+") do
    list[#list + 1] = word
  end
  return add(found, list, typed, " ")
end

-- `text` begins with a backslash and ends at the cursor.
local function of_command(names, text)
  local name, rest = text:match("^\\(%S+)%s+(.*)$")
  if not name then
    local typed = text:sub(2)
    return add({ typed = typed }, commands.names, typed, " ")
  end
  local command = commands.by_name[(name:gsub("%+$", ""))]
  if not command then
    return { typed = "" }
  end
  if command == commands.by_name.copy and rest:find("%s") then
    local typed = rest:match("%S*$")
    local found = files({ typed = typed }, typed)
    return add(found, { "from", "to", "stdin", "stdout", "with" }, typed, " ")
  end
  return argument(names, command, rest)
end

-- ---- Lua -------------------------------------------------------------------

-- What can be indexed by a name: a table, or what its metatable points at.
local function each_field(value, fn)
  for _ = 1, 4 do
    if type(value) == "table" then
      for key in pairs(value) do
        if type(key) == "string" then
          fn(key)
        end
      end
    end
    local meta = getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index") or nil
    if type(value) ~= "table" then
      return
    end
  end
end

---@param env table
---@param before string the line up to the cursor
function M.of_lua(env, before)
  local chain = before:match("[%a_][%w_.:]*$") or ""
  local path, typed = chain:match("^(.*)[.:]([%w_]*)$")
  local value = env
  for name in (path or ""):gmatch("[^.:]+") do
    local ok, inner = pcall(function() return value[name] end)
    if not ok or inner == nil then
      return { typed = "" }
    end
    value = inner
  end
  local list = {}
  each_field(value, function(key) list[#list + 1] = key end)
  table.sort(list)
  return add({ typed = typed or chain }, list, typed or chain, "")
end

-- ---- the key ---------------------------------------------------------------

-- Is there a backslash command in the line, outside of literals?
local function command_in(lexer, line)
  local state, at = { mode = lexer.state.mode, tag = lexer.state.tag,
    depth = lexer.state.depth }, 1
  while at <= #line do
    local kind, last = lex.step(state, line, at)
    if kind == "backslash" then
      return line:sub(at)
    end
    at = last + 1
  end
end

local function candidates(repl, line, at)
  local before = line:sub(1, at)
  if repl.in_lua then
    return M.of_lua(repl.lua.env, before)
  end
  local command = command_in(repl.lexer, before)
  if command then
    return of_command(repl.names, command)
  end
  local typed = repl.lexer:text()
  return complete.sql((typed ~= "" and typed .. "\n" or "") .. before,
    line:sub(at + 1), repl.names)
end

---For the editor: what to insert, and what to list below.  A list is shown at
---the second Tab in the same place.
---@param repl lunate.Repl
---@return fun(line: string, at: integer): string, string?
function M.completer(repl)
  local last
  return function(line, at)
    local found = candidates(repl, line, at)
    local insert, list = complete.decide(found)
    local place = line .. "\0" .. at
    if list and last == place then
      local _, columns = terminal.size(1)
      return "", M.columns(list, columns or 80)
    end
    last = place
    return insert
  end
end

return M
