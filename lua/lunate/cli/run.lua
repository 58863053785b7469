-- lunate run - a script against the database.
local url_of = require "lunate.cli.url"

local M = { name = "run", summary = "Run a Lua script." }

-- Options that are followed by a value, so that the script is found.
local WITH_VALUE = { ["--url"] = true, ["--workers"] = true }

function M.define(parser)
  parser:argument("script", "The script."):args(1)
  parser:option("--url", "The database, instead of DATABASE_URL."):args(1)
  parser:option("--workers", "How many threads run tasks."):args(1)
    :convert(function(word)
      local n = tonumber(word)
      if n and n >= 1 and n % 1 == 0 then
        return n
      end
      return nil, ("--workers wants a whole number from 1, not '%s'")
        :format(word)
    end)
  parser:epilog("Words after the script are the script's own: it finds them "
    .. "in arg[1..n].\nWith neither --url nor DATABASE_URL the development "
    .. "server is used,\nand started where it does not run (lunate dev).")
end

---The script is the last word that is ours.
---@param argv string[]
---@param at integer the first word after "run"
---@return integer last
function M.split(argv, at)
  while argv[at] and argv[at]:sub(1, 1) == "-" and argv[at] ~= "--" do
    at = at + (WITH_VALUE[argv[at]] and 2 or 1)
  end
  if argv[at] == "--" then
    at = at + 1
  end
  return at
end

function M.run(args, cli)
  local file, why = io.open(args.script, "rb")
  if not file then
    return cli.fail("cannot read the script " .. why)
  end
  file:close()
  local found, script = pcall(require, "lunate.script")
  if not found then
    return cli.fail("the runtime is not here; build it with: make")
  end
  local url, err = url_of.choose(args.url)
  if not url then
    return cli.fail(err)
  end
  return script.run({ path = args.script, args = args.rest, url = url,
    workers = args.workers })
end

return M
