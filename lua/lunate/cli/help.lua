-- lunate help - of the whole, of a command, or of the configuration.
local M = { name = "help", summary = "Show help on a command or a topic." }

-- Texts that are not commands.
local TOPICS = {}

-- The table of all options, printed from the one that the runtime reads.
function TOPICS.config(cli)
  local found, core = pcall(require, "lunate.core")
  if not found then
    return cli.fail("the runtime is not here; build it with: make")
  end
  io.stdout:write(core.config_help())
  return 0
end

function M.define(parser)
  parser:argument("topic", "A command, or config."):args("?")
  parser:epilog("Topics: config (every option, its default and its unit).")
end

-- Every word that help knows something about.
local function names(cli)
  local all = {}
  for name in pairs(cli.commands) do
    all[#all + 1] = name
  end
  for name in pairs(TOPICS) do
    all[#all + 1] = name
  end
  table.sort(all)
  return all
end

function M.run(args, cli)
  local topic = args.topic
  if not topic then
    print(cli.parser:get_help())
    return 0
  end
  if cli.commands[topic] then
    print(cli.commands[topic].parser:get_help())
    return 0
  end
  if TOPICS[topic] then
    return TOPICS[topic](cli)
  end
  return cli.misused(("no help on '%s'; there is help on %s"):format(topic,
    table.concat(names(cli), ", ")))
end

return M
