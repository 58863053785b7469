-- lunate config - what is in force, and where each value comes from.
local colour = require "lunate.cli.colour"
local json = require "lunate.cli.json"

local M = { name = "config", summary = "Show the configuration in force." }

function M.define(parser)
  parser:argument("pattern", "Only options whose name has this in it.")
    :args("?")
  parser:option("--url", "As the other commands' --url."):args(1)
  parser:flag("--changed", "Only what is not the default.")
  parser:flag("--json", "Print it as JSON.")
  parser:epilog("Exit code 0: it can be used; 1: it cannot, and why.  "
    .. "Values that hold secrets are ***.")
end

-- What the words of the command line leave.
local function chosen(options, args)
  local some = {}
  for _, option in ipairs(options) do
    if (not args.pattern or option.name:find(args.pattern, 1, true))
      and (not args.changed or option.origin ~= "default") then
      some[#some + 1] = option
    end
  end
  return some
end

-- A table has no word for an empty text: left out of JSON, as not set.
local function for_machine(option)
  local row = {}
  for name, value in pairs(option) do
    row[name] = value ~= "" and value or nil
  end
  return row
end

local function print_json(list, options)
  local rows = {}
  for i, option in ipairs(options) do
    rows[i] = for_machine(option)
  end
  print(('{"options":%s,"notes":%s%s}'):format(json.list(rows),
    json.list(list.notes), list.problem
    and (',"problem":' .. json.encode(list.problem)) or ""))
end

-- Words of a text in lines of that width.
local function fold(text, width)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if line ~= "" and #line + 1 + #word > width then
      lines[#lines + 1], line = line, word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return lines
end

local function default_of(option)
  if option.origin == "default" or option.default == "" then
    return ""
  end
  return " (default " .. option.default .. ")"
end

local function print_option(option, paint, width)
  local value = option.value ~= "" and option.value or "not set"
  local name = ("%-32s"):format(option.name)
  local from = option.origin == "default" and paint.faint("default")
    or paint.strong("from " .. option.origin)
  print(("  %s %s  %s%s"):format(name, value, from, default_of(option)))
  for _, line in ipairs(fold(option.meaning, width - 6)) do
    print("      " .. paint.faint(line))
  end
end

local function print_all(options, paint)
  local columns = tonumber(os.getenv "COLUMNS") or 80
  local section
  for _, option in ipairs(options) do
    if option.section ~= section then
      print((section and "\n" or "") .. paint.strong(option.section))
      section = option.section
    end
    print_option(option, paint, columns)
  end
end

function M.run(args, cli)
  local found, core = pcall(require, "lunate.core")
  if not found then
    return cli.fail("the runtime is not here; build it with: make")
  end
  local list = core.config_list(args.url)
  local options = chosen(list.options, args)
  if args.json then
    print_json(list, options)
  else
    print_all(options, colour.of(1))
    for _, note in ipairs(list.notes) do
      io.stderr:write("lunate: doubtful: ", note, "\n")
    end
  end
  if #options == 0 and args.pattern then
    return cli.fail(("no option has '%s' in its name"):format(args.pattern))
  end
  return list.problem and cli.fail(list.problem) or 0
end

return M
