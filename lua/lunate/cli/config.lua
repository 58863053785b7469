-- lunate config - what is configured here, and where each value comes from.
local colour = require "lunate.cli.colour"
local json = require "lunate.cli.json"
local text = require "lunate.cli.text"

local M = { name = "config",
  summary = "Show what is configured, and by whom." }

local function setting(word)
  local name, value = word:match("^([^=]+)=(.*)$")
  if not name then
    return nil, ("--set wants NAME=VALUE, not '%s'"):format(word)
  end
  return { name = name, value = value }
end

function M.define(parser)
  parser:argument("pattern", "Only what has this in its name, its variables "
    .. "or its section."):args("?")
  parser:flag("--changed", "Only what is not the default.")
  parser:option("--url", "The database, as of lunate run --url."):args(1)
  parser:option("--set", "An option, as lunate.open would get it: would it be "
    .. "taken?"):argname("<name=value>"):args(1):count("*"):convert(setting)
  parser:flag("--json", "Print an array of objects.")
  parser:epilog("Each row is name, value, origin, default and meaning; - is "
    .. "not set, *** a secret.  The\norigin is default, the variable of the "
    .. "environment, --url or --set.  Scripts see the\nsame values, unless "
    .. "lunate.open { ... } says otherwise; a runtime that runs tells its\nown "
    .. "with: lunate ctl config\n\nExit code 0: it can be used; 1: it cannot, "
    .. "and stderr says why, as lunate.open would.")
end

-- What was said on this command line: options, and the word that said each.
local function said(args)
  local options, by = {}, {}
  for _, one in ipairs(args.set) do
    options[one.name], by[one.name] = one.value, "--set"
  end
  if args.url then
    options.url, by.url = args.url, "--url"
  end
  return options, by
end

local function matches(row, pattern)
  if not pattern then
    return true
  end
  local all = table.concat({ row.name, row.variables, row.section }, "\n")
  return all:lower():find(pattern:lower(), 1, true) ~= nil
end

local function choose(rows, args)
  local chosen = {}
  for _, row in ipairs(rows) do
    if matches(row, args.pattern)
      and not (args.changed and row.origin == "default") then
      chosen[#chosen + 1] = row
    end
  end
  return chosen
end

local function names_of(rows)
  local names = {}
  for i, row in ipairs(rows) do
    names[i] = row.name
  end
  return names
end

-- ---- for machines ----------------------------------------------------------

local function split(words)
  local list = {}
  for word in words:gmatch("[^,]+") do
    list[#list + 1] = word
  end
  return list
end

---Rows of core as they go out.
---@param rows table[]
---@return table[]
function M.objects(rows)
  local all = {}
  for i, row in ipairs(rows) do
    all[i] = { name = row.name, value = row.value and json.text(row.value),
      origin = row.origin, default = json.text(row.default),
      variables = split(row.variables), kind = row.kind,
      unit = json.text(row.unit), section = row.section,
      meaning = row.meaning }
  end
  return all
end

-- ---- for people ------------------------------------------------------------

local COLUMNS = { "name", "value", "origin", "default" }

-- The meaning stands beside the rest where that leaves it so much room, else
-- below.
local ROOM, MOST = 30, 24

local function shown(row, column)
  return row[column] ~= "" and row[column] or "-"
end

-- A long value pushes what is behind it; the names are never cut.
local function widths_of(rows)
  local widths = {}
  for _, column in ipairs(COLUMNS) do
    widths[column] = #column
    for _, row in ipairs(rows) do
      local n = #shown(row, column)
      if n <= MOST or column == "name" then
        widths[column] = math.max(widths[column], n)
      end
    end
  end
  return widths
end

local function line_of(row, widths)
  local cells = {}
  for i, column in ipairs(COLUMNS) do
    cells[i] = ("%-" .. widths[column] .. "s"):format(shown(row, column))
  end
  return "  " .. table.concat(cells, "  ")
end

local function print_row(row, widths, columns, paint)
  local line = line_of(row, widths)
  local changed = row.origin ~= "default"
  local beside = not columns or columns - #line - 2 >= ROOM
  local indent = beside and #line + 2 or 6
  local lines = text.wrap(row.meaning, columns and columns - indent)
  local first = beside and "  " .. paint.faint(table.remove(lines, 1)) or ""
  if not beside then
    line = line:gsub("%s+$", "")
  end
  print((changed and paint.strong(line) or line) .. first)
  for _, rest in ipairs(lines) do
    print((" "):rep(indent) .. paint.faint(rest))
  end
end

local function print_rows(rows, paint)
  local widths, columns, section = widths_of(rows), text.columns(), nil
  for _, row in ipairs(rows) do
    if row.section ~= section then
      print((section and "\n" or "") .. paint.strong(row.section))
      section = row.section
    end
    print_row(row, widths, columns, paint)
  end
end

local function tell(notes)
  local paint = colour.of(2)
  for _, note in ipairs(notes) do
    io.stderr:write("lunate: ", paint.warning("doubtful"), ": ", note, "\n")
  end
end

function M.run(args, cli)
  local found, core = pcall(require, "lunate.core")
  if not found then
    return cli.fail("the runtime is not here; build it with: make")
  end
  local options, by = said(args)
  local rows, notes = core.config_list(options)
  if not rows then
    return cli.fail(tostring(notes))
  end
  for _, row in ipairs(rows) do
    row.origin = by[row.name] or row.origin
  end
  local chosen = choose(rows, args)
  if #chosen == 0 and not args.changed then
    return cli.fail(("no option has '%s' in its name%s"):format(args.pattern,
      text.guess(args.pattern, names_of(rows))))
  end
  tell(notes)
  if args.json then
    return json.print(M.objects(chosen))
  end
  if #chosen == 0 then
    print "all is as by default"
  end
  print_rows(chosen, colour.of(1))
  return 0
end

return M
