-- lunate explain - what would become of a statement, and which rules say so.
local json = require "lunate.cli.json"
local url_of = require "lunate.cli.url"
local who_of = require "lunate.cli.who"

local M = { name = "explain", summary = "Say what would become of a statement, "
  .. "and why." }

local HELP = [[
  lunate explain --as clinic=ID,role=nurse 'select * from visits where id = $1'

The statement goes through every step but the last: it is read, the policies in
force (LUNATE_POLICIES) decide, and only questions for the schema are sent.
Said are the tables with the line of isolation.lua that says whose their rows
are, the text that would be sent and which parameter the tenant is, the rules of
access.lua that permit or deny, and the kind of connection.  Its parameters need
no values, and none is shown.

Exit code: 0: it would be run; 1: it is refused, or the server cannot be asked;
2: it was asked wrongly.]]

function M.define(parser)
  parser:argument("sql", "The text of one statement."):args(1)
  parser:option("--as", "Who asks: clinic=ID,role=NAME,... ("
    .. who_of.WORDS .. ")."):args(1):argname("<who>"):count("*")
  parser:option("--url", "The database, instead of DATABASE_URL."):args(1)
  parser:flag("--json", "Print it as JSON.")
  parser:epilog(HELP)
end

-- ---- for people

local function say(title, text)
  print(("%-12s%s"):format(title, text))
end

local function name_of(t)
  return t.schema and t.schema .. "." .. t.name or t.name
end

local HOW = {
  by = function(rule) return "by " .. rule.column end,
  parent = function(rule) return "as its row of " .. rule.via end,
  through = function(rule) return "through " .. rule.via end,
  shared = function() return "shared" end,
}

local function say_tables(told)
  local title = "tables"
  for _, t in ipairs(told.tables) do
    local does = (t.read and t.written and "read and written")
      or (t.written and "written") or "read"
    local rule = t.rule and ("; %s (%s:%d)"):format(HOW[t.rule.kind](t.rule),
      t.rule.file, t.rule.line) or ""
    say(title, ("%s: %s%s"):format(name_of(t), does, rule))
    title = ""
  end
end

local function say_rules(told)
  if told.isolation == "off" then
    return say("rules", "no policy folder: nothing is isolated")
  end
  say("rules", ("generation %d, isolation %s%s%s"):format(told.generation,
    told.isolation, told.mode and ", mode " .. told.mode or "",
    told.access_rules and ", access.lua" or ""))
end

local function say_verdict(told)
  if told.verdict == "refused" then
    return say("verdict", told.message)
  end
  say("verdict", told.verdict == "scoped" and "scoped to the tenant"
    or told.isolation == "off" and "open: nothing is isolated"
    or "open: it touches no rows of tenants")
  if told.text then
    say("sent", told.text)
  end
  if told.tenant_param then
    say("tenant", "$" .. told.tenant_param)
  end
  if told.limit_params > 0 then
    say("limits", ("%d %s of access.lua in the parameters behind it"):format(
      told.limit_params, told.limit_params == 1 and "value" or "values"))
  end
end

local function say_access(told)
  local title = "access"
  for _, answer in ipairs(told.access) do
    say(title, ("%s: %s of %s%s"):format(
      answer.allowed and "permitted" or "denied", answer.action, answer.on,
      answer.column and ", column " .. answer.column or ""))
    for _, rule in ipairs(answer.decided) do
      say("", ('  %s "%s" (%s:%d)'):format(rule.kind, rule.name, rule.file,
        rule.line))
    end
    title = ""
  end
end

local function say_route(route)
  if route then
    say("route", ("class %s; %s"):format(route.class, route.shared
      and "shares a connection with other reads"
      or route.read and "a connection to itself (a read that is not known to "
        .. "be fast)"
      or "a connection to itself"))
  end
end

local function print_for_people(told)
  say("statement", told.kind)
  say_tables(told)
  if told.functions[1] then
    say("functions", table.concat(told.functions, ", "))
  end
  say_rules(told)
  say_verdict(told)
  say_access(told)
  say_route(told.route)
end

-- An empty list would be an object in JSON, so it is left out.
local function strip(value)
  if type(value) ~= "table" then
    return value
  end
  local kept = {}
  for k, v in pairs(value) do
    kept[k] = strip(v)
  end
  return next(kept) ~= nil and kept or nil
end

-- ---- the command

local function explain(url, who, sql)
  local lunate = require "lunate"
  local db, err = lunate.open { url = url, control_socket = false }
  if not db then
    return nil, err
  end
  local told
  if next(who) then
    told, err = db:with_context(who, function(c) return c:explain(sql) end)
  else
    told, err = db:explain(sql)
  end
  db:close(1)
  return told, err
end

function M.run(args, cli)
  local who, why = who_of.read(args.as)
  if not who then
    return cli.misused(why, M.name)
  end
  if not pcall(require, "lunate.core") then
    return cli.fail("the runtime is not here; build it with: make")
  end
  local url
  url, why = url_of.choose(args.url)
  if not url then
    return cli.fail(why)
  end
  local told, err = explain(url, who, args.sql)
  if not told then
    return cli.fail(tostring(err))
  end
  if args.json then
    json.print(strip(told))
  else
    print_for_people(told)
  end
  return told.verdict == "refused" and cli.FAILED or 0
end

return M
