-- lunate policy - checks policy files, and asks the runtimes that obey them.
local json = require "lunate.cli.json"
local runtimes = require "lunate.cli.runtimes"

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
  asking(add(parser, "list", "The generations of a running runtime."))
  asking(add(parser, "reload", "Have the folder read now."))
  local use = add(parser, "use", "Go back to a generation, till the next save.")
  use:argument("generation", "Its number."):args(1)
  asking(use)
  parser:epilog("check, test and rls need no database and exit with 1 when "
    .. "the folder is\nrefused. What rls prints is run by the owner of the "
    .. "tables, and again after each\nchange of isolation.lua or of the "
    .. "tables:\n  lunate policy rls | psql -v ON_ERROR_STOP=1\n"
    .. "What seal-key prints goes the same way, and holds the key.\n"
    .. "list, reload and use ask the runtimes of this user through their "
    .. "control sockets.")
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

function ACTIONS.words(args, cli)
  local core = require "lunate.core"
  local names = {}
  for _, file in ipairs(core.policy_words()) do
    names[#names + 1] = file.name
    if not args.file then
      print(("%-12s %-24s %s"):format(file.name, file.effect, file.meaning))
    elseif args.file == file.name then
      print_file(file)
      return 0
    end
  end
  if not args.file then
    return 0
  end
  local near = core.near(args.file, names)
  return cli.misused(("there is no %s.lua%s"):format(args.file,
    near and "; did you mean " .. near .. "?" or ""), "policy")
end

-- ---- of a running one

local function ask(args, cli, value, show)
  local found, folder = runtimes.find(args.pid)
  if not found then
    return cli.fail(folder)
  elseif #found == 0 then
    return cli.fail("no runtime runs (looked in " .. folder .. ")")
  end
  for _, runtime in ipairs(found) do
    local result, why = runtimes.ask(runtime, "policy", value)
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
  for _, past in ipairs(result.history) do
    print(("  %6d  %s  %s  %s"):format(past.generation,
      os.date("%Y-%m-%d %H:%M:%S", past.at), past.hash, past.why))
  end
end

local function print_generation(runtime, result)
  print(("%d  generation %d"):format(runtime.pid, result.generation))
end

function ACTIONS.list(args, cli)
  return ask(args, cli, nil, print_history)
end

function ACTIONS.reload(args, cli)
  return ask(args, cli, "reload", print_generation)
end

function ACTIONS.use(args, cli)
  local n = tonumber(args.generation)
  if not n or n < 1 or n % 1 ~= 0 then
    return cli.misused("use wants the number of a generation", "policy")
  end
  return ask(args, cli, ("use %d"):format(n), print_generation)
end

function M.run(args, cli)
  return ACTIONS[args.action](args, cli)
end

return M
