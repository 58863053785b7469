-- cli - what is printed from the command line's own parser.
--
--   luajit cli.lua bash|zsh|fish    what that shell completes from
--   luajit cli.lua man VERSION DATE the man page; DATE is YYYY-MM-DD
package.path = "lua/?.lua;lua/?/init.lua;runtime/package/?.lua;"
  .. package.path
local completion = require "lunate.cli.completion"
local lunate = require "lunate.cli"

local what, version, released = arg[1], arg[2], arg[3]
local words = { "completion", what }

-- A command is handed the parser of all; here one stands in for that.
if what == "man" then
  words[2] = "bash"
  function completion.run(_, cli)
    io.stdout:write(require("man").page(cli, version, released))
    return 0
  end
end

os.exit(lunate.main(words))
