-- lunate policy - checks policy files, and asks the runtimes that obey them.
local json = require "lunate.cli.json"
local runtimes = require "lunate.cli.runtimes"
local defaults = require "lunate.cli.policy_defaults"
local sys = require "lunate.sys"

local M = { name = "policy", summary = "Check policy files, or go back to "
  .. "earlier ones." }

local function asking(parser)
  parser:flag("--json", "Print it as JSON.")
  parser:option("--pid", "Which process, when several run."):args(1)
    :convert(runtimes.pid)
end

local function folder_argument(parser)
  parser:argument("folder", "LUNATE_POLICIES, or policies."):args("?")
  parser:option("--schema", "That of tables named without one."):args(1)
end

local function define_reviews(parser, add)
  local reviews = add(parser, "reviews", "Emergencies (db:break_glass) that "
    .. "nobody looked at yet.")
  reviews:flag("--all", "Those that were reviewed, too.")
  reviews:flag("--json", "Print an array of objects.")
  reviews:option("--journal", "LUNATE_BREAK_GLASS_JOURNAL."):args(1)
  local review = add(parser, "review", "Record that an emergency was "
    .. "reviewed.")
  review:argument("opening", "Its id, as reviews shows it."):args(1)
  review:option("--by", "Who did."):args(1):count(1)
  review:option("--journal", "LUNATE_BREAK_GLASS_JOURNAL."):args(1)
end

function M.define(parser, add)
  parser:command_target("action")
  folder_argument(add(parser, "check", "Read a folder as a start would."))
  folder_argument(add(parser, "test", "Run the files' own tests, each told."))
  local rls = add(parser, "rls", "Print the SQL of the database's row "
    .. "policies.")
  folder_argument(rls)
  rls:option("--app-role", "Bind this role and let no other one through; "
    .. "else everybody is bound."):args(1)
  rls:option("--system-role", "With --app-role: the role of work as system, "
    .. "let through."):args(1)
  local key = add(parser, "seal-key", "Print the SQL that gives the database "
    .. "the sealing key.")
  key:flag("--new", "Make a new key first; the one before stays good.")
  key:option("--file", "LUNATE_SEAL_KEY_FILE."):args(1)
  add(parser, "words", "What a file may declare."):argument("file",
    "Of one file: isolation, cache, ..."):args("?")
  add(parser, "defaults", "Print a file that says what holds without one.")
    :argument("file", "Which: isolation, cache, ..."):args(1)
  asking(add(parser, "list", "The generations of a running runtime."))
  asking(add(parser, "reload", "Have the folder read now."))
  local use = add(parser, "use", "Go back to a generation, till the next save.")
  use:argument("generation", "Its number."):args(1)
  asking(use)
  local accept = add(parser, "accept", "Put in force what is held "
    .. "(LUNATE_POLICY_CONFIRM).")
  accept:argument("number", "As list shows it."):args(1)
  asking(accept)
  local diff = add(parser, "diff", "Which recorded decisions other rules "
    .. "would change.")
  diff:argument("rules", "A folder, or the number of a generation; else the "
    .. "runtime's folder as it is on disk."):args("?")
  asking(diff)
  local shadow = add(parser, "shadow", "Have other rules decide too, and count "
    .. "differences.")
  shadow:argument("rules", "A folder, the number of a generation, or off; "
    .. "else what came of it."):args("?")
  asking(shadow)
  define_reviews(parser, add)
  parser:epilog("check, test and rls need no database and exit with 1 when "
    .. "the folder is\nrefused. What rls prints is run by the owner of the "
    .. "tables, and again after each\nchange of isolation.lua or of the "
    .. "tables:\n  lunate policy rls | psql -v ON_ERROR_STOP=1\n"
    .. "What seal-key prints goes the same way, and holds the key.\n"
    .. "list, reload, use, accept, diff and shadow ask the runtimes of this "
    .. "user through\ntheir control sockets.")
end

-- ---- without a runtime

local function folder_of(args)
  local named = args.folder or os.getenv("LUNATE_POLICIES")
  return named and named ~= "" and named or "policies"
end

local function schema_of(args)
  local schema = args.schema or os.getenv("DATABASE_SCHEMA")
  return schema and schema ~= "" and schema or "healthcare"
end

-- The tests, what is in force; tests and the error's text when refused.
local function examine(args)
  local core = require "lunate.core"
  local tests, state, err = core.policy_check(folder_of(args),
    schema_of(args))
  if type(tests) ~= "table" then
    return {}, nil, state
  end
  return tests, state, err
end

local function print_tests(tests)
  for _, test in ipairs(tests) do
    print(("%s  %s:%d  %s"):format(test.failed and "FAILED" or "ok    ",
      test.file, test.line, test.name))
    if test.failed then
      print("        " .. test.failed)
    end
  end
end

local function failures(tests)
  local n = 0
  for _, test in ipairs(tests) do
    n = n + (test.failed and 1 or 0)
  end
  return n
end

local ACTIONS = {}

function ACTIONS.check(args, cli)
  local tests, state, err = examine(args)
  if not state then
    return cli.fail(err.message)
  end
  print(("%s: in order; %d %s passed; %s"):format(folder_of(args), #tests,
    #tests == 1 and "test" or "tests",
    state.isolated and "tables are isolated"
      or "no isolation.lua, so every table is closed"))
  for _, file in ipairs(state.not_yet) do
    print(file .. ".lua declares what has no effect in this version")
  end
  return 0
end

function ACTIONS.test(args, cli)
  local tests, state, err = examine(args)
  print_tests(tests)
  local failed = failures(tests)
  print(("%d passed, %d failed"):format(#tests - failed, failed))
  if not state and failed == 0 then
    return cli.fail(err.message)
  end
  return failed == 0 and 0 or cli.FAILED
end

function ACTIONS.rls(args, cli)
  local core = require "lunate.core"
  local sql, err = core.policy_rls(folder_of(args), schema_of(args),
    args.app_role, args.system_role)
  if not sql then
    return cli.fail(err.message)
  end
  io.write(sql)
  return 0
end

-- What it prints holds the key.
ACTIONS["seal-key"] = function(args, cli)
  local core = require "lunate.core"
  local file = args.file or os.getenv("LUNATE_SEAL_KEY_FILE")
  if not file or file == "" then
    return cli.misused("seal-key wants --file or LUNATE_SEAL_KEY_FILE",
      "policy")
  end
  local done, err = core.policy_seal_key(file, args.new)
  return done and 0 or cli.fail(err.message)
end

local function print_file(file)
  print(("%s.lua: %s (%s)"):format(file.name, file.meaning, file.effect))
  for _, word in ipairs(file.words) do
    print(("  %s%s  -- %s"):format(word.name,
      word.named and ' "name" { ... }' or " { ... }", word.meaning))
    for _, field in ipairs(word.fields) do
      print(("    %-14s %-22s %s%s"):format(field.name, field.type,
        field.meaning, field.required and " (required)" or ""))
    end
  end
  if #file.terms > 0 then
    print("  conditions")
  end
  for _, term in ipairs(file.terms) do
    print(("    %-37s %s"):format(term.form, term.meaning))
  end
end

-- The words of a file, or what to say when there is no such file.
local function words_of(name)
  local core = require "lunate.core"
  local names = {}
  for _, file in ipairs(core.policy_words()) do
    names[#names + 1] = file.name
    if file.name == name then
      return file
    end
  end
  local near = core.near(name, names)
  return nil, ("there is no %s.lua%s"):format(name,
    near and "; did you mean " .. near .. "?" or "")
end

function ACTIONS.words(args, cli)
  if args.file then
    local file, why = words_of(args.file)
    if not file then
      return cli.misused(why, "policy")
    end
    print_file(file)
    return 0
  end
  for _, file in ipairs(require("lunate.core").policy_words()) do
    print(("%-12s %-24s %s"):format(file.name, file.effect, file.meaning))
  end
  return 0
end

function ACTIONS.reviews(args, cli)
  return require("lunate.cli.policy_reviews").list(args, cli)
end

function ACTIONS.review(args, cli)
  return require("lunate.cli.policy_reviews").review(args, cli)
end

function ACTIONS.defaults(args, cli)
  local file, why = words_of(args.file)
  if not file then
    return cli.misused(why, "policy")
  end
  io.write(defaults.text(file, require("lunate.core").policy_defaults()))
  return 0
end

-- ---- of a running one

-- Deciding a thousand recorded decisions again takes about a second.
local SECONDS = 30

local function ask(args, cli, value, show)
  local found, folder = runtimes.find(args.pid)
  if not found then
    return cli.fail(folder)
  elseif #found == 0 then
    return cli.fail("no runtime runs (looked in " .. folder .. ")")
  end
  for _, runtime in ipairs(found) do
    local result, why = runtimes.ask(runtime, "policy", value, SECONDS)
    if not result then
      return cli.fail(why)
    elseif args.json then
      json.print(result)
    else
      show(runtime, result)
    end
  end
  return 0
end

local function print_history(runtime, result)
  print(("%d  %s  generation %d%s"):format(runtime.pid,
    type(result.folder) == "string" and result.folder or "no policy folder",
    result.generation, result.closed and "  CLOSED" or ""))
  if type(result.broken) == "string" then
    print(("  broken for %.0f s: %s"):format(result.broken_for, result.broken))
  end
  if type(result.held) == "table" then
    print(("  held %d since %s: %s; put it in force with: lunate policy "
      .. "accept %d"):format(result.held.number,
      os.date("%Y-%m-%d %H:%M:%S", result.held.at), result.held.why,
      result.held.number))
  end
  for _, closed in ipairs(result.tables or {}) do
    print(("  closed: %s: %s (%s)%s"):format(closed.table, closed.what,
      closed.lint, closed.remedy ~= "" and "; as the owner: " .. closed.remedy
        or ""))
  end
  for _, past in ipairs(result.history) do
    print(("  %6d  %s  %s  %s"):format(past.generation,
      os.date("%Y-%m-%d %H:%M:%S", past.at), past.hash, past.why))
  end
end

local function print_generation(runtime, result)
  print(("%d  generation %d%s"):format(runtime.pid, result.generation,
    result.held > 0 and ("; %d is held, see lunate policy list"):format(
      result.held) or ""))
end

local function print_ruling(name, ruling)
  print(("      %-7s %s%s"):format(name, ruling.gives,
    type(ruling.message) == "string" and ": " .. ruling.message or ""))
end

local function print_diff(runtime, result)
  local n = 0
  for change, count in pairs(result.counts) do
    n = n + (change == "the same" and 0 or count)
  end
  print(("%d  %d recorded decisions, %d would change"):format(runtime.pid,
    result.decided, n))
  for _, change in ipairs(result.changes) do
    print(("  %s: %s"):format(change.change, change.statement))
    print(("      asked   %s tenant%s%s%s"):format(
      change.tenants == "none" and "no" or change.tenants,
      change.tenants == "several" and "s" or "",
      #change.roles > 0 and ", roles " .. table.concat(change.roles, ", ")
        or "", change.depends and "; it depends on more" or ""))
    print_ruling("before", change.before)
    print_ruling("after", change.after)
  end
  if n > #result.changes then
    print(("  and %d more"):format(n - #result.changes))
  end
end

local function print_shadow(runtime, result)
  if not result.on and result.decided == 0 then
    print(("%d  no shadow"):format(runtime.pid))
    return
  end
  print(("%d  %s%s: %d decisions, one operation in %d"):format(runtime.pid,
    result.name, result.on and "" or " (off)", result.decided, result.every))
  local kinds = {}
  for kind in pairs(result.changes) do
    kinds[#kinds + 1] = kind
  end
  table.sort(kinds)
  for _, kind in ipairs(kinds) do
    print(("  %8d  %s"):format(result.changes[kind], kind))
  end
end

function ACTIONS.list(args, cli)
  return ask(args, cli, nil, print_history)
end

function ACTIONS.reload(args, cli)
  return ask(args, cli, "reload", print_generation)
end

local function numbered(args, cli, verb, text)
  local n = tonumber(text)
  if not n or n < 1 or n % 1 ~= 0 then
    return cli.misused(verb .. " wants a number; see lunate policy list",
      "policy")
  end
  return ask(args, cli, ("%s %d"):format(verb, n), print_generation)
end

function ACTIONS.use(args, cli)
  return numbered(args, cli, "use", args.generation)
end

function ACTIONS.accept(args, cli)
  return numbered(args, cli, "accept", args.number)
end

-- The runtime has a working directory of its own.
local function rules_of(args)
  if not args.rules or args.rules:find "^%d+$" then
    return args.rules
  end
  return sys.real_path(args.rules) or nil, args.rules .. " is not there"
end

function ACTIONS.diff(args, cli)
  local rules, why = rules_of(args)
  if args.rules and not rules then
    return cli.fail(why)
  end
  return ask(args, cli, "diff" .. (rules and " " .. rules or ""), print_diff)
end

function ACTIONS.shadow(args, cli)
  if args.rules == "off" then
    return ask(args, cli, "shadow off", print_shadow)
  end
  local rules, why = rules_of(args)
  if args.rules and not rules then
    return cli.fail(why)
  end
  return ask(args, cli, "shadow" .. (rules and " " .. rules or ""),
    print_shadow)
end

function M.run(args, cli)
  return ACTIONS[args.action](args, cli)
end

return M
