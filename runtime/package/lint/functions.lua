-- A function does one thing: at most 50 lines and at most 4 arguments.
--
-- The formatter has run before, so a C function's body is what lies between
-- a "{" and a "}" in the first column, and a Lua function ends with the "end"
-- that is indented like its beginning.
local M = {}

local LINES, ARGUMENTS = 50, 4

-- Functions whose arguments another library dictates, by file and name, with
-- the reason.  Keep it empty where that can be done.
local DICTATED = {}

-- The number of arguments in "(...)" at the start of `text`.
local function count_arguments(text)
  local list = text:match("^%b()")
  list = list and list:sub(2, -2):gsub("%b()", "") or ""
  if list:match("^%s*$") or list:match("^%s*void%s*$") then
    return 0
  end
  return select(2, list:gsub(",", "")) + 1
end

-- `fn` is { name, line, arguments, length }.
local function check_function(file, report, fn)
  local dictated = DICTATED[file.path] and DICTATED[file.path][fn.name]
  if fn.arguments > ARGUMENTS and not dictated then
    report(fn.line, "%s takes %d arguments; pass a struct or table, at most %d",
      fn.name, fn.arguments, ARGUMENTS)
  end
  if fn.length > LINES then
    report(fn.line, "%s is %d lines long; split it, at most %d", fn.name,
      fn.length, LINES)
  end
end

-- Where the signature of the body that opens on line `open` begins.
local function signature_start(lines, open)
  local first = open
  while first > 1 and lines[first - 1]:match("%S")
    and not lines[first - 1]:match("[;}#/]%s*$")
    and not lines[first - 1]:match("^[#}]") do
    first = first - 1
  end
  return first
end

local function check_c_body(file, report, open, close)
  local first = signature_start(file.lines, open)
  local text = table.concat(file.lines, "\n", first, open - 1)
  for at = first, open - 1 do
    local name = file.lines[at]:match("^([%a_][%w_]*)%(")
    if name then
      local arguments = text:match("%f[%w_]" .. name .. "(%(.*)$")
      check_function(file, report, { name = name, line = at,
        arguments = count_arguments(arguments), length = close - open - 1 })
      return
    end
  end
end

local function check_c(file, report)
  local open
  for n, line in ipairs(file.lines) do
    if line == "{" then
      open = n
    elseif open and line:match("^}") then
      check_c_body(file, report, open, n)
      open = nil
    end
  end
end

local function lua_end(lines, first, indent)
  for n = first + 1, #lines do
    local spaces, word = lines[n]:match("^( *)(%a+)")
    if word == "end" and #spaces == indent then
      return n
    end
  end
  return first
end

-- Named functions only: the blocks of a test file are lists, not functions.
local function check_lua(file, report)
  for n, line in ipairs(file.lines) do
    local indent, name = line:match("^( *)local function ([%w_]+)%s*%(")
    if not indent then
      indent, name = line:match("^( *)function ([%w_.:]+)%s*%(")
    end
    if not indent then
      indent, name = line:match("^( *)[%w_. ]-([%w_]+) = function%s*%(")
    end
    if indent and not line:match("%f[%w_]end%f[^%w_][,;)}]*%s*$") then
      local close = lua_end(file.lines, n, #indent)
      local rest = table.concat(file.lines, "\n", n, close)
      check_function(file, report, { name = name, line = n,
        arguments = count_arguments(rest:match("function[^(]*(.*)$")),
        length = close - n - 1 })
    end
  end
end

function M.check(file, report)
  if file.kind == "c" or file.kind == "h" then
    check_c(file, report)
  elseif file.kind == "lua" then
    check_lua(file, report)
  end
end

return M
