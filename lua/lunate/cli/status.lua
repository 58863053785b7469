-- lunate status - the runtimes of this user on one screen.
local colour = require "lunate.cli.colour"
local json = require "lunate.cli.json"
local runtimes = require "lunate.cli.runtimes"
local sys = require "lunate.sys"
local text = require "lunate.cli.text"

local M = { name = "status", summary = "Show how the running runtimes do." }

local EVERY, PATIENCE = 2, 2
local BAR, INDENT = 24, 15

function M.define(parser)
  parser:option("--pid", "Only the runtimes of this process."):args(1)
    :convert(runtimes.pid)
  parser:mutex(
    parser:option("--watch", "Again every so many seconds (2), until Ctrl-C "
      .. "or Ctrl-D."):argname("<seconds>"):args("?")
      :convert(function(word)
        local n = tonumber(word)
        if n and n >= 0.1 and n <= 86400 then
          return n
        end
        return nil, ("--watch wants seconds, at least 0.1, not '%s'")
          :format(word)
      end),
    parser:flag("--json", "Print an array: status and metrics of each."))
  parser:epilog("In the bar # is a connection that works, = one that is idle, "
    .. "~ a login, . one that\nmay still be opened.  Times are of all "
    .. "operations since the runtime was opened.\n--watch where standard "
    .. "output is no terminal prints once.\n\nExit code 0: something runs and "
    .. "none of it is unwell; 1: nothing runs, one is\nunwell, or one did not "
    .. "answer.")
end

-- ---- asking ----------------------------------------------------------------

-- Its status, and the metrics in a field of that name; or its error.
local function look_at(runtime)
  local one, why = runtimes.ask(runtime, "status", nil, PATIENCE)
  one = one or { pid = runtime.pid }
  if not why then
    one.metrics, why = runtimes.ask(runtime, "metrics", nil, PATIENCE)
  end
  one.socket, one.error = runtime.path, why
  return one
end

local function is_well(one)
  local health = one.health
  return not one.error
    and not (type(health) == "table" and health.is_healthy == false)
end

-- What all say; whether something runs and all of it is well.
local function look(found)
  local all, well = {}, #found > 0
  for i, runtime in ipairs(found) do
    all[i] = look_at(runtime)
    well = well and is_well(all[i])
  end
  return all, well
end

-- ---- showing ---------------------------------------------------------------

-- Parts of a bar: what is there takes at least one character.
local function bar(m)
  local parts, used = {}, 0
  for _, part in ipairs { { "#", m.active }, { "=", m.idle },
    { "~", m.logins } } do
    local n = part[2] > 0
      and math.max(1, math.floor(part[2] / m.max * BAR + 0.5)) or 0
    n = math.min(n, BAR - used)
    used = used + n
    parts[#parts + 1] = part[1]:rep(n)
  end
  return "[" .. table.concat(parts) .. ("."):rep(BAR - used) .. "]"
end

local function health(last, paint)
  if type(last) ~= "table" then
    return "not asked yet"
  end
  local ago = text.duration(math.max(0, os.time() - last.last_health_check))
  if last.is_healthy then
    return paint.good "well" .. (", checked %s ago"):format(ago)
  end
  return paint.error "NOT WELL" .. (", checked %s ago:"):format(ago)
end

-- What a health check found, in lines that fit.
local function complaints(last, columns)
  local lines = {}
  for _, why in ipairs(type(last) == "table" and last.errors or {}) do
    for _, line in ipairs(text.wrap(why, columns)) do
      lines[#lines + 1] = line
    end
  end
  return lines
end

local function share(errors, all)
  return all > 0 and (" (%.2f %%)"):format(errors / all * 100) or ""
end

local function rows_of(one, paint)
  local m = one.metrics
  local errors = ("errors %.0f%s"):format(m.errors,
    share(m.errors, m.total_queries))
  return {
    { "connections", ("%s %.0f active, %.0f idle, %.0f logins; at most %.0f")
      :format(bar(m), m.active, m.idle, m.logins, m.max) },
    { "waiting", (m.waiting > 0 and paint.warning or paint.faint)(
      ("%.0f for a connection"):format(m.waiting)) },
    { "operations", ("%.0f under way, %.0f ended, %.1f/s, %s"):format(
      one.operations, m.total_queries, m.queries_per_second,
      m.errors > 0 and paint.warning(errors) or errors) },
    { "time", ("average %.2f ms, p50 %.2f, p99 %.2f, longest %.2f"):format(
      m.average_query_time, m.p50_query_time, m.p99_query_time,
      m.max_query_time) },
    { "health", health(one.health, paint) },
  }
end

local function lines_of(one, paint, lines)
  if one.error then
    lines[#lines + 1] = paint.strong(("%-8d"):format(one.pid))
      .. paint.error(one.error)
    return
  end
  lines[#lines + 1] = paint.strong(("%-8d%s"):format(one.pid,
    one.application_name)) .. ("  up %s, %d worker%s, lunate %s"):format(
      text.duration(one.uptime), one.workers, one.workers == 1 and "" or "s",
      one.version)
  for _, row in ipairs(rows_of(one, paint)) do
    lines[#lines + 1] = ("  %-12s %s"):format(row[1], row[2])
  end
  local columns = text.columns()
  for _, line in ipairs(complaints(one.health, columns and columns - INDENT)) do
    lines[#lines + 1] = (" "):rep(INDENT) .. line
  end
end

local function screen(all, folder)
  local paint, lines = colour.of(1), {}
  for i, one in ipairs(all) do
    if i > 1 then
      lines[#lines + 1] = ""
    end
    lines_of(one, paint, lines)
  end
  if #all == 0 then
    lines[1] = "no runtime runs (looked in " .. folder .. ")"
  end
  return table.concat(lines, "\n") .. "\n"
end

-- ---- again and again -------------------------------------------------------

-- Waits; true when the person has ended the input.
local function is_over(seconds)
  if not sys.is_terminal(0) then
    sys.sleep(seconds)
    return false
  end
  return sys.readable(0, seconds) and io.stdin:read("*l") == nil
end

-- From the top of the screen, and what was below it is gone.
local HOME, BELOW = "\27[H", "\27[J"

local function watch(args, cli)
  io.stdout:write("\27[2J")
  repeat
    local found, folder = runtimes.find(args.pid)
    if not found then
      return cli.fail(folder)
    end
    local head = ("%s, every %g s; Ctrl-C ends it"):format(
      os.date("%H:%M:%S"), args.watch)
    local page = colour.of(1).faint(head) .. "\n\n"
      .. screen(look(found), folder)
    io.stdout:write(HOME, (page:gsub("\n", "\27[K\n")), BELOW)
    io.stdout:flush()
  until is_over(args.watch)
  return 0
end

function M.run(args, cli)
  if type(args.watch) == "table" then
    args.watch = args.watch[1] or EVERY -- argparse gives a list for "?"
  end
  if args.watch and sys.is_terminal(1) then
    return watch(args, cli)
  end
  local found, folder = runtimes.find(args.pid)
  if not found then
    return cli.fail(folder)
  end
  local all, well = look(found)
  if args.json then
    json.print(all)
  else
    io.stdout:write(screen(all, folder))
  end
  return well and 0 or cli.FAILED
end

return M
