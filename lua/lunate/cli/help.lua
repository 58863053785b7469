-- lunate help - of the whole, of a command, or of a topic.
local json = require "lunate.cli.json"
local text = require "lunate.cli.text"
local topics = require "lunate.cli.topics"

local M = { name = "help", summary = "Show help on a command or a topic." }

function M.define(parser)
  parser:argument("topic", "A command, or a topic."):args("?")
  parser:flag("--json", "Print the table of config, errors, events or metrics "
    .. "as an array.")
  parser:epilog(topics.list())
end

-- Every word that help knows something about.
local function names(cli)
  local all = {}
  for name in pairs(cli.commands) do
    all[#all + 1] = name
  end
  for _, topic in ipairs(topics.all) do
    if not cli.commands[topic.name] then
      all[#all + 1] = topic.name
    end
  end
  table.sort(all)
  return all
end

local function show_topic(topic, as_json, cli)
  local found, core = pcall(require, "lunate.core")
  if not found and not topic.plain then
    return cli.fail("the runtime is not here; build it with: make")
  end
  if as_json then
    return json.print(topic.rows(core))
  end
  topic.show(core)
  return 0
end

local function unknown(word, cli)
  local all = names(cli)
  local guess = text.guess(word, all)
  if guess == "" then
    guess = "; there is help on " .. table.concat(all, ", ")
  end
  return cli.misused(("no help on '%s'%s"):format(word, guess))
end

function M.run(args, cli)
  local topic, entry = topics.by_name[args.topic], cli.commands[args.topic]
  if args.json and not (topic and topic.rows) then
    return cli.misused("--json goes with config, errors, refusals, events or "
      .. "metrics",
      M.name)
  end
  if not args.topic or entry and not args.json then
    print((entry or cli).parser:get_help())
    -- One word for both: the table follows where the runtime is there.
    return topic and pcall(require, "lunate.core")
      and show_topic(topic, false, cli) or 0
  end
  return topic and show_topic(topic, args.json, cli) or unknown(args.topic, cli)
end

return M
