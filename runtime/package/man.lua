-- man - the man page lunate(1), from the parser of the command line.
--
-- Commands, options and their texts are the parser's; what no parser knows
-- stands below.  The result is mdoc.
local topics = require "lunate.cli.topics"

local M = {}

local EXAMPLES = {
  { "Run a script against the development server:",
    "lunate run hello.lua" },
  { "Run it against another:",
    "lunate run --url postgres://user@host/app hello.lua" },
  { "See who holds the connections of a runtime:",
    "lunate ctl pool" },
  { "List every option of the configuration:",
    "lunate help config" },
}

local MONTHS = { "January", "February", "March", "April", "May", "June",
  "July", "August", "September", "October", "November", "December" }

-- Text as roff shows it: nothing in it is a request or an escape.
local function plain(text)
  text = text:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (text:gsub("^([.'])", "\\&%1"))
end

-- Text as one argument of a macro, never taken for a macro's name.
local function word(text)
  return '"\\&' .. plain(text):gsub('"', '""') .. '"'
end

local function emit(page, ...)
  for i = 1, select("#", ...) do
    page[#page + 1] = (select(i, ...))
  end
end

-- Lines are filled into paragraphs; one that is indented stands alone.
local function prose(page, text)
  for line in (text .. "\n"):gmatch("(.-)\n") do
    if line == "" then
      emit(page, ".Pp")
    elseif line:find("^%s") then
      emit(page, ".Dl " .. word(line:match("^%s+(.*)$")))
    else
      -- A sentence begins a line, as mdoc wants it.
      for part in line:gsub("([.;:])%s+(%u)", "%1\n%2"):gmatch("[^\n]+") do
        emit(page, plain((part:gsub("%s+$", ""))))
      end
    end
  end
end

-- { { label, text } ... }
local function tagged(page, rows, macro)
  if #rows == 0 then
    return
  end
  emit(page, ".Bl -tag -width Ds")
  for _, row in ipairs(rows) do
    emit(page, (".It %s %s"):format(macro, word(row[1])))
    prose(page, row[2])
  end
  emit(page, ".El")
end

-- "-u, --url <url>"
local function label(element)
  local lines = {}
  for i, line in ipairs(element:_get_label_lines()) do
    lines[i] = line:match("^%s*(.*)$")
  end
  return table.concat(lines, " ")
end

local function rows_of(elements)
  local rows = {}
  for _, element in ipairs(elements) do
    if not element._hidden then
      rows[#rows + 1] = { label(element), element:_get_description() }
    end
  end
  return rows
end

-- The usage without "Usage:", its lines as they are.
local function usage(page, parser)
  emit(page, ".Bd -literal -offset indent -compact")
  for line in (parser:get_usage() .. "\n"):gmatch("(.-)\n") do
    emit(page, plain((line:gsub("^Usage: ", ""):gsub("^       ", "  "))))
  end
  emit(page, ".Ed")
end

local function command(page, name, parser, below)
  emit(page, (".%s %s"):format(below and "Pp\n.Sy" or "Ss", word(name)))
  if below then
    emit(page, ".Pp")
  end
  usage(page, parser)
  emit(page, ".Pp")
  prose(page, parser:_get_description())
  tagged(page, rows_of(parser._arguments), "Ar")
  tagged(page, rows_of(parser._options), "Sy")
  for _, sub in ipairs(parser._commands) do
    command(page, name .. " " .. sub._name, sub, true)
  end
  if parser._epilog then
    emit(page, ".Pp")
    prose(page, parser._epilog)
  end
end

local function head(page, parser, version, released)
  local year, month, day = released:match("^(%d+)-(%d+)-(%d+)$")
  emit(page, (".Dd %s %d, %s"):format(MONTHS[tonumber(month)], day, year),
    ".Dt LUNATE 1", ".Os lunate " .. version,
    ".Sh NAME", ".Nm lunate", ".Nd run Lua scripts against PostgreSQL",
    ".Sh SYNOPSIS", ".Nm", ".Ar command", ".Op Ar argument ...",
    ".Sh DESCRIPTION", ".Nm",
    "runs Lua scripts against PostgreSQL.",
    "Scripts read as straight lines and many of them wait at once:",
    "every call that waits gives its turn to another task.",
    "A script gets the module with",
    '.Ql require \\(dqlunate\\(dq .')
  tagged(page, rows_of(parser._options), "Sy")
end

---The whole page.
---@param cli lunate.cli
---@param version string
---@param released string YYYY-MM-DD
---@return string
function M.page(cli, version, released)
  local page = {}
  head(page, cli.parser, version, released)
  emit(page, ".Sh COMMANDS")
  for _, sub in ipairs(cli.parser._commands) do
    command(page, "lunate " .. sub._name, sub)
  end
  emit(page, ".Sh ENVIRONMENT", "Every option of the configuration can be a "
    .. "variable of the environment;", "lunate help config lists them.",
    "Besides there are:")
  tagged(page, topics.environment, "Ev")
  emit(page, ".Sh FILES")
  tagged(page, topics.files, "Pa")
  emit(page, ".Sh EXIT STATUS")
  tagged(page, topics.exit_codes, "Sy")
  emit(page, ".Sh EXAMPLES")
  for i, example in ipairs(EXAMPLES) do
    emit(page, plain(example[1]), ".Dl " .. word(example[2]),
      i < #EXAMPLES and ".Pp" or nil)
  end
  emit(page, ".Sh SEE ALSO", ".Xr luajit 1 ,", ".Xr psql 1")
  return table.concat(page, "\n") .. "\n"
end

return M
