-- lunate help - of the whole, of a command, or of the configuration.
local M = { name = "help", summary = "Show help on a command or a topic." }

-- Texts that are not commands: each writes one, from a table of core.
local TOPICS = {}

for name, text in pairs(require "lunate.cli.topics") do
  TOPICS[name] = function()
    print(text)
  end
end

-- The table of all options, printed from the one that the runtime reads.
function TOPICS.config(core)
  io.stdout:write(core.config_help())
end

function TOPICS.errors(core)
  print("An error is a table; err.code is one of these.  The same call may "
    .. "succeed later\nas it is where * stands.\n")
  for _, row in ipairs(core.error_table()) do
    print(("  %s %-16s %s"):format(row.retryable and "*" or " ", row.code,
      row.meaning))
  end
  print("\nAlso \"script\": a Lua error that was raised in a task.")
end

function TOPICS.events(core)
  print("db:on(event, fn) calls fn(envelope) in a task; \"*\" stands for all "
    .. "of them.\n")
  for _, row in ipairs(core.event_table()) do
    print(("  %s (%s)\n      %s"):format(row.name, row.priority:lower(),
      row.meaning))
  end
end

function TOPICS.metrics(core)
  print("db:pool_metrics() and `lunate ctl metrics` give these.\n")
  for _, row in ipairs(core.metrics_table()) do
    print(("  %-20s %-14s %s"):format(row.name, row.unit, row.help))
  end
end

local function show_topic(topic, cli)
  local found, core = pcall(require, "lunate.core")
  if not found then
    return cli.fail("the runtime is not here; build it with: make")
  end
  TOPICS[topic](core)
  return 0
end

function M.define(parser)
  parser:argument("topic", "A command, or a topic."):args("?")
  parser:epilog("Topics: config (every option, its default and its unit), "
    .. "errors, events,\nmetrics, exit-codes, environment, url, embedding.")
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
  if TOPICS[topic] then -- config is both: `lunate config --help`
    return show_topic(topic, cli)
  end
  if cli.commands[topic] then
    print(cli.commands[topic].parser:get_help())
    return 0
  end
  return cli.misused(("no help on '%s'; there is help on %s"):format(topic,
    table.concat(names(cli), ", ")))
end

return M
