-- lunate version - of this program and of the LuaJIT that runs it.
local M = { name = "version", summary = "Show the version." }

function M.define(parser)
  parser:flag("--json", "Print it as JSON.")
end

function M.run(args, cli)
  local found, core = pcall(require, "lunate.core")
  if not found then
    return cli.fail("the runtime is not here; build it with: make")
  end
  if args.json then
    print(require("lunate.cli.json").encode { version = core.version,
      luajit = jit.version })
  else
    print(("lunate %s (%s)"):format(core.version, jit.version))
  end
  return 0
end

return M
