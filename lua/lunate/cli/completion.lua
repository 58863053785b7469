-- lunate completion - what a shell completes the command line from.
local M = { name = "completion",
  summary = "Print what a shell completes lunate's words from." }

local SHELLS = { "bash", "zsh", "fish" }

function M.define(parser)
  parser:argument("shell", "The shell."):choices(SHELLS):args(1)
  parser:epilog("An installed lunate brings these.  Without one, in bash:\n"
    .. "  source <(lunate completion bash)")
end

function M.run(args, cli)
  local make = cli.parser["get_" .. args.shell .. "_complete"]
  io.stdout:write((make(cli.parser):gsub("\n*$", "\n")))
  return 0
end

return M
