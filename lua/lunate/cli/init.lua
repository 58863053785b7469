-- lunate.cli - the command line: `lunate COMMAND ...`.
--
-- One file per command, each a table:
--   name, summary      what `lunate help` lists
--   define(parser, add_command)
--                      adds arguments and options (lua-argparse), and commands
--                      of its own with add_command(parser, name, summary)
--   run(args, cli)     does it; gives the exit code
--   split(argv, at)    (optional) the last word that is the command's own,
--                      where what follows is somebody else's
--                      (`lunate run script.lua --its-own`)
--   arrange(argv)      (optional) the words as argparse understands them
--
-- Exit codes: 0 done, 1 it failed, 2 it was asked wrongly.  What went wrong is
-- one line on stderr, "lunate: ...".
local argparse = require "argparse"

local M = { OK = 0, FAILED = 1, USAGE = 2 }

local COMMANDS = {
  require "lunate.cli.run",
  require "lunate.cli.query",
  require "lunate.cli.repl",
  require "lunate.cli.dev",
  require "lunate.cli.config",
  require "lunate.cli.status",
  require "lunate.cli.doctor",
  require "lunate.cli.policy",
  require "lunate.cli.why",
  require "lunate.cli.explain",
  require "lunate.cli.ctl",
  require "lunate.cli.completion",
  require "lunate.cli.help",
  require "lunate.cli.version",
}

---Writes "lunate: message" to stderr.
---@param message string
---@return integer code FAILED, so that a command can end with it
function M.fail(message)
  io.stderr:write("lunate: ", message, "\n")
  return M.FAILED
end

---As fail(), and says where help is.
---@param message string
---@param command string? whose help
---@return integer code USAGE
function M.misused(message, command)
  M.fail((message:gsub("\nDid you mean", "; did you mean")))
  io.stderr:write("Try: lunate help", command and " " .. command or "", "\n")
  return M.USAGE
end

---@class lunate.cli
---@field parser table of the whole command line
---@field commands table<string, { command: table, parser: table }>
---@field help string? the text that a --help option asked for
local Cli = {}
Cli.__index = Cli
Cli.fail, Cli.misused, Cli.FAILED = M.fail, M.misused, M.FAILED

-- argparse's own help option ends the process; this one only ends the parsing.
local function add_help(cli, parser)
  parser:add_help(false)
  parser:flag("-h --help", "Show this help."):action(function()
    cli.help = parser:get_help()
    error("help was asked for", 0)
  end)
  return parser
end

local function build()
  local cli = setmetatable({ commands = {} }, Cli)
  cli.parser = add_help(cli, argparse("lunate",
    "Runs Lua scripts against PostgreSQL.")
    :epilog(require("lunate.cli.topics").list()))
  cli.parser:command_target("command")
  local function add_command(parser, name, summary)
    return add_help(cli, parser:command(name)
      :summary(summary):description(summary))
  end
  for _, command in ipairs(COMMANDS) do
    local parser = add_command(cli.parser, command.name, command.summary)
    command.define(parser, add_command)
    cli.commands[command.name] = { command = command, parser = parser }
  end
  return cli
end

-- What belongs to the command line, and what to the script that it runs.
local function divide(cli, argv)
  local entry, last = cli.commands[argv[1]], #argv
  if entry and entry.command.split then
    last = entry.command.split(argv, 2)
  end
  local ours, theirs = {}, {}
  for i = 1, #argv do
    table.insert(i <= last and ours or theirs, argv[i])
  end
  return ours, theirs
end

local function run(argv)
  if argv[1] == "--version" or argv[1] == "-V" then
    argv = { "version" }
  end
  local cli = build()
  local entry = cli.commands[argv[1]]
  if entry and entry.command.arrange then
    argv = entry.command.arrange(argv)
  end
  local ours, theirs = divide(cli, argv)
  local parsed, ok, args = pcall(cli.parser.pparse, cli.parser, ours)
  if cli.help then
    print(cli.help)
    return M.OK
  end
  if not parsed then
    error(ok, 0)
  end
  if not ok then
    return M.misused(args, cli.commands[argv[1]] and argv[1])
  end
  args.rest = theirs
  return cli.commands[args.command].command.run(args, cli)
end

---Does what the words ask for.
---@param argv string[] without the program's name
---@return integer code for the process to exit with
function M.main(argv)
  local ok, result = xpcall(run, debug.traceback, argv)
  if ok then
    return result
  end
  return M.fail("this is a fault of lunate itself: " .. result)
end

return M
