-- lunate dev - the private PostgreSQL to develop against.
local dev = require "lunate.dev"
local json = require "lunate.cli.json"
local sys = require "lunate.sys"

local M = { name = "dev", summary = "A private PostgreSQL to develop against." }

local ACTIONS = {}

function M.define(parser, add)
  parser:command_target("action")
  local start = add(parser, "start", "Start it, making it first.")
  start:flag("--replica", "Also a standby that streams from it.")
  start:flag("--redis", "Also a Redis.")
  start:flag("--json", "Say what was started as JSON.")
  add(parser, "stop", "Stop all of it; the data stays.")
  add(parser, "status", "Say what runs, where, and how big it is.")
    :flag("--json", "Say it as JSON.")
  add(parser, "reset", "Stop all of it and remove all data.")
    :flag("--yes", "Do not ask.")
  local url = add(parser, "url", "Print the URL of the running server.")
  url:mutex(url:flag("--replica", "The replica's."),
    url:flag("--redis", "Redis'."))
  url:flag("--json", "Print an object that holds it.")
  parser:epilog("Its data is in $XDG_STATE_HOME/lunate/dev (by default "
    .. "~/.local/state/lunate/dev;\nroot's is in /var/lib/lunate/dev and runs "
    .. "as the user postgres).  It listens on\nunix sockets that only you can "
    .. "reach.  LUNATE_PG_BIN names the folder of\nPostgreSQL's programs where "
    .. "they are not in the usual place.")
end

local function say(text)
  io.stderr:write("lunate: ", text, "\n")
end

function ACTIONS.start(args, cli)
  local started, err = dev.start({ replica = args.replica, redis = args.redis,
    say = say })
  if not started then
    return cli.fail(err)
  end
  if args.json then
    return json.print(started)
  end
  print(started.url)
  if started.replica_url then
    print(started.replica_url)
  end
  if started.redis_url then
    print(started.redis_url)
  end
  return 0
end

function ACTIONS.stop(_, cli)
  local ok, err = dev.stop()
  return ok and 0 or cli.fail(err)
end

local function confirmed(dir)
  io.stderr:write(("Remove all data in %s? [y/N] "):format(dir))
  local answer = io.read("*l")
  return answer ~= nil and answer:lower():match("^%s*y") ~= nil
end

function ACTIONS.reset(args, cli)
  local status, err = dev.status()
  if not status then
    return cli.fail(err)
  end
  if not args.yes and not sys.is_terminal(0) then
    return cli.misused("reset removes all data in " .. status.dir
      .. "; say so with --yes", M.name)
  end
  if not args.yes and not confirmed(status.dir) then
    return cli.fail("nothing was removed")
  end
  local ok
  ok, err = dev.reset()
  return ok and 0 or cli.fail(err)
end

local function print_server(name, server)
  local words = { ("%-10s %-8s"):format(name, server.state) }
  if server.bytes and server.bytes > 0 then
    words[#words + 1] = ("%d MB"):format(math.ceil(server.bytes / 1048576))
  end
  if server.pid then
    words[#words + 1] = "pid " .. server.pid
  end
  words[#words + 1] = server.url
  print((table.concat(words, "  "):gsub("%s+$", "")))
end

function ACTIONS.status(args, cli)
  local status, err = dev.status()
  if not status then
    return cli.fail(err)
  end
  if args.json then
    return json.print(status)
  end
  for _, name in ipairs { "postgres", "replica", "redis" } do
    print_server(name, status[name])
  end
  print(("%-10s %s"):format("folder", status.dir))
  return 0
end

function ACTIONS.url(args, cli)
  local url, err = dev.url({ replica = args.replica, redis = args.redis })
  if not url then
    return cli.fail(err)
  end
  if args.json then
    return json.print { url = url }
  end
  print(url)
  return 0
end

function M.run(args, cli)
  return ACTIONS[args.action](args, cli)
end

return M
