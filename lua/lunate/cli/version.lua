-- lunate version - of this program and of the LuaJIT that runs it.
local M = { name = "version", summary = "Show the version." }

function M.define(parser)
  parser:flag("--json", "Print an object.")
end

function M.run(args, cli)
  local found, core = pcall(require, "lunate.core")
  if not found then
    return cli.fail("the runtime is not here; build it with: make")
  end
  if args.json then
    return require("lunate.cli.json").print { version = core.version,
      luajit = jit.version, architecture = jit.arch }
  end
  print(("lunate %s (%s)"):format(core.version, jit.version))
  return 0
end

return M
