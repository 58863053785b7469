-- lunate why - which rule of access.lua decides, and what the others lack.
local cjson = require "cjson"
local who_of = require "lunate.cli.who"

local M = { name = "why",
  summary = "Say which rule of access.lua permits or denies." }

function M.define(parser)
  parser:argument("action", "read, insert, update or delete.")
  parser:argument("table", "Its name, with or without the schema.")
  parser:option("--as", "Who asks: tenant=ID,user=ID,roles=a+b,ip=... "
    .. "(" .. who_of.WORDS .. ")."):argname("<who>"):args(1):count("*")
  parser:option("--at", "When: 2026-06-15T10:00Z; else now."):args(1)
  parser:option("--row", "Columns of a row: ward=w1,paid=true; else any row.")
    :argname("<columns>"):args(1):count("*")
  parser:option("--columns", "Those that are written, or looked at: a,b.")
    :args(1)
  parser:option("--policies", "The folder: LUNATE_POLICIES, or policies.")
    :args(1)
  parser:option("--schema", "That of tables named without one."):args(1)
  parser:flag("--json", "Print it as JSON.")
  parser:epilog("It reads the folder and asks no database. A number, true and "
    .. "false of --row are\nvalues of such columns; all else is text.\n\n"
    .. "Exit code 0: it is permitted; 1: it is denied, or the folder is "
    .. "refused.")
end

-- ---- the question

local function words(text)
  local list = {}
  for word in text:gmatch("[^,]+") do
    list[#list + 1] = word
  end
  return list
end

local function value(text)
  if text == "true" or text == "false" then
    return text == "true"
  end
  return text:find("^%-?%d+%.?%d*$") and #text < 16 and tonumber(text) or text
end

local function row_of(args)
  if #args.row == 0 then
    return nil
  end
  local row = {}
  for _, text in ipairs(args.row) do
    for _, word in ipairs(words(text)) do
      local name, of = word:match("^([^=]+)=(.*)$")
      if not name then
        return nil, ("--row takes column=value, not '%s'"):format(word)
      end
      row[name] = value(of)
    end
  end
  return row
end

local function question_of(args)
  local who, why_not = who_of.read(args.as)
  local row, bad = row_of(args)
  if not who or bad then
    return nil, why_not or bad
  end
  return { action = args.action, on = args.table, as = who, row = row,
    at = args.at or os.date("!%Y-%m-%dT%H:%M:%SZ"),
    columns = args.columns and words(args.columns) or nil }
end

-- ---- the answer

local function place(rule)
  return ('%s "%s" (%s:%d)'):format(rule.kind, rule.name, rule.file, rule.line)
end

local function print_rules(rules)
  for _, rule in ipairs(rules) do
    print("  " .. place(rule))
    if rule.when then
      print("    when " .. rule.when)
    end
  end
end

local function print_nearest(rule)
  print("  " .. place(rule))
  if rule.roles then
    print("    is for " .. table.concat(rule.roles, ", "))
  end
  for _, part in ipairs(rule.wants) do
    print("    wants " .. part)
  end
end

local function print_allowed(answer)
  print(("permitted: %s of %s%s"):format(answer.action, answer.on,
    answer.rows == "some" and ", in the rows that the conditions hold for"
      or ""))
  print_rules(answer.decided)
  for _, mask in ipairs(answer.masked) do
    print(("  %s reads as NULL%s"):format(mask.column,
      mask.rows == "some" and " in some rows" or ""))
  end
end

local function print_denied(answer)
  print(("denied: %s of %s%s"):format(answer.action, answer.on,
    answer.column and ", column " .. answer.column or ""))
  print_rules(answer.decided)
  if #answer.decided == 0 then
    print(#answer.nearest == 0 and "  no permit is about it"
      or "  no permit holds:")
  end
  for _, rule in ipairs(answer.nearest) do
    print_nearest(rule)
  end
end

local function print_answer(answer)
  if answer.allowed then
    print_allowed(answer)
  else
    print_denied(answer)
  end
  for _, rule in ipairs(answer.faults) do
    print(("  at fault: %s: %s"):format(place(rule), rule.fault))
  end
end

local function folder_of(args)
  local named = args.policies or os.getenv("LUNATE_POLICIES")
  return named and named ~= "" and named or "policies"
end

function M.run(args, cli)
  local core = require "lunate.core"
  local question, bad = question_of(args)
  if not question then
    return cli.misused(bad, "why")
  end
  local schema = args.schema or os.getenv("DATABASE_SCHEMA")
  local text, err = core.policy_why(folder_of(args),
    schema and schema ~= "" and schema or "healthcare",
    cjson.encode(question))
  if not text then
    return cli.fail(err.message)
  end
  local answer = cjson.decode(text)
  if args.json then
    print(text)
  else
    print_answer(answer)
  end
  return answer.allowed and 0 or cli.FAILED
end

return M
