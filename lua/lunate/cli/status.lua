-- lunate status - what runs, and how it is.
local colour = require "lunate.cli.colour"
local json = require "lunate.cli.json"
local runtimes_of = require "lunate.cli.runtimes"
local sys = require "lunate.sys"

local M = { name = "status", summary = "Show what runs, and how it is." }

local CLEAR = "\27[H\27[2J"

function M.define(parser)
  parser:option("--pid", "Only this process."):args(1):convert(tonumber)
  parser:option("--watch", "Show it again every so many seconds."):args(1)
    :convert(tonumber)
  parser:flag("--json", "Print it as JSON.")
  parser:epilog("Exit code 0: something runs and none of it is unwell; 1: "
    .. "nothing runs, or it is.\nA runtime is found a second after it was "
    .. "opened (see: lunate help ctl).")
end

-- What is known of one runtime; an error where it cannot be asked.
local function look(runtime)
  local status, why = runtimes_of.ask(runtime, "status")
  if not status then
    return { pid = runtime.pid, error = why }
  end
  local metrics
  metrics, why = runtimes_of.ask(runtime, "metrics")
  status.metrics = metrics
  status.error = why
  return status
end

local function well(one)
  local health = one.health
  return not one.error
    and not (type(health) == "table" and health.is_healthy == false)
end

local function health_word(one, paint)
  local health = one.health
  if type(health) ~= "table" then
    return paint.faint("not asked yet")
  end
  return health.is_healthy and paint.good("well") or paint.error("UNWELL")
end

local function duration(seconds)
  if seconds < 120 then
    return ("%.0f s"):format(seconds)
  end
  if seconds < 7200 then
    return ("%.0f min"):format(seconds / 60)
  end
  return ("%.1f h"):format(seconds / 3600)
end

local function print_one(one, paint)
  if one.error then
    print(("%-8d %s"):format(one.pid, paint.error(one.error)))
    return
  end
  local m = one.metrics
  print(("%s  process %d, up %s, %s"):format(
    paint.strong(one.application_name), one.pid, duration(one.uptime),
    health_word(one, paint)))
  print(("  connections  %d open, %d work, %d idle, %d log in; at most %d"):
    format(m.total, m.active, m.idle, m.logins, m.max))
  print(("  waiting      %d operations; 99 %% waited no more than %.1f ms"):
    format(m.waiting, m.p99_wait_time))
  print(("  operations   %d, %.0f/s, %d failed, %d slow"):format(
    m.total_queries, m.queries_per_second, m.errors, m.slow_queries))
  print(("  time         mean %.2f ms, 99 %% within %.2f ms"):format(
    m.average_query_time, m.p99_query_time))
end

local function once(args, cli, paint)
  local runtimes, folder = runtimes_of.find(args.pid)
  if not runtimes then
    return cli.fail(folder)
  end
  local all, code = {}, #runtimes > 0 and 0 or 1
  for i, runtime in ipairs(runtimes) do
    all[i] = look(runtime)
    code = well(all[i]) and code or 1
  end
  if args.json then
    print(json.list(all))
    return code
  end
  for _, one in ipairs(all) do
    print_one(one, paint)
  end
  if #all == 0 then
    print("no runtime runs (looked in " .. folder .. ")")
  end
  return code
end

-- Until it is interrupted; on a terminal in the same place.
local function watch(args, cli, paint)
  while true do
    if sys.is_terminal(1) and not args.json then
      io.write(CLEAR)
    end
    once(args, cli, paint)
    io.flush()
    sys.sleep(args.watch)
  end
end

function M.run(args, cli)
  if not pcall(require, "lunate.core") then
    return cli.fail("the runtime is not here; build it with: make")
  end
  local paint = colour.of(1)
  if not args.watch then
    return once(args, cli, paint)
  end
  if args.watch < 0.1 then
    return cli.misused("--watch wants seconds, at least 0.1", M.name)
  end
  return watch(args, cli, paint)
end

return M
