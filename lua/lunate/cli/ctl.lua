-- lunate ctl - talks to the runtimes of this user that run now.
local json = require "lunate.cli.json"
local runtimes = require "lunate.cli.runtimes"

local M = { name = "ctl", summary = "Ask or change a running runtime." }

function M.define(parser)
  parser:option("--pid", "Which process, when several run."):args(1)
    :convert(runtimes.pid)
  parser:flag("--json", "Print the answer as JSON.")
  parser:argument("request", "help, ping, version, status, config, pool, "
    .. "health, metrics, policy, log_level; without one: list the runtimes.")
    :args("?")
  parser:argument("value", "What the request wants."):args("?")
  parser:epilog("A runtime is found by its socket, STATE_DIR/run/PID-N.sock.  "
    .. "It is there a\nsecond after the runtime was opened, unless "
    .. "control_socket is false.")
end

local function is_plain(value)
  return type(value) ~= "table" and type(value) ~= "userdata"
end

local function in_order(t)
  local keys = {}
  for key in pairs(t) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    return tostring(a) < tostring(b)
  end)
  return keys
end

local function print_table(t, indent)
  for _, key in ipairs(in_order(t)) do
    local value = t[key]
    if type(value) == "table" then
      print(("%s%s"):format(indent, key))
      print_table(value, indent .. "  ")
    elseif is_plain(value) then
      print(("%s%-22s %s"):format(indent, key, type(value) == "number"
        and ("%.6g"):format(value) or tostring(value)))
    end
  end
end

local PRINT = {}

function PRINT.help(result)
  for _, row in ipairs(result.commands) do
    print(("%-34s %s"):format(row.command .. " " .. row.arg, row.help))
  end
end

function PRINT.metrics(result)
  for _, row in ipairs(require("lunate.core").metrics_table()) do
    if result[row.name] then
      print(("%-20s %14.6g  %-13s %s"):format(row.name, result[row.name],
        row.unit, row.help))
    end
  end
end

-- Like lunate config, of the one that runs.
function PRINT.config(result)
  for _, row in ipairs(result.options) do
    print(("%-33s  %-24s  %s"):format(row.name,
      row.value ~= "" and row.value or "-", row.origin))
  end
end

local function show(request, result)
  if PRINT[request] then
    return PRINT[request](result)
  end
  print_table(result, "")
end

-- One line for each that runs.
local function list(found, folder, args)
  local all = {}
  for _, runtime in ipairs(found) do
    local status, why = runtimes.ask(runtime, "status")
    all[#all + 1] = status or { pid = runtime.pid, error = why }
    all[#all].socket = runtime.path
  end
  if args.json then
    return json.print(all)
  end
  for _, one in ipairs(all) do
    print(one.error and ("%-8d %s"):format(one.pid, one.error)
      or ("%-8d %-20s up %.0f s  connections %d/%d  operations %d"):format(
        one.pid, one.application_name, one.uptime, one.active, one.total,
        one.operations))
  end
  if #all == 0 then
    print("no runtime runs (looked in " .. folder .. ")")
  end
  return 0
end

local function pids(found)
  local words = {}
  for i, runtime in ipairs(found) do
    words[i] = tostring(runtime.pid)
  end
  return table.concat(words, ", ")
end

-- A process may have several runtimes: then JSON is an array, so that it is
-- one document.
local function send(found, args, cli)
  local results = {}
  for i, runtime in ipairs(found) do
    local result, why = runtimes.ask(runtime, args.request, args.value)
    if not result then
      return cli.fail(why)
    end
    results[i] = result
  end
  if args.json then
    return json.print(#results == 1 and results[1] or results)
  end
  for _, result in ipairs(results) do
    show(args.request, result)
  end
  return 0
end

function M.run(args, cli)
  local found, folder = runtimes.find(args.pid)
  if not found then
    return cli.fail(folder)
  end
  if not args.request then
    return list(found, folder, args)
  end
  if #found == 0 then
    return cli.fail("no runtime runs (looked in " .. folder .. ")")
  end
  if not args.pid and #found > 1 then
    return cli.misused("several run; choose with --pid: " .. pids(found),
      M.name)
  end
  return send(found, args, cli)
end

return M
