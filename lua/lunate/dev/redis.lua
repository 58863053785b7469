-- The development server's Redis: on a socket, keeping nothing on disk.
local place_of = require "lunate.dev.place"
local sys = require "lunate.sys"

local M = {}

local START_SECONDS = 10

local function socket(place)
  return place.run_dir .. "/redis.sock"
end

local function log_file(place)
  return place.dir .. "/redis.log"
end

---@param place lunate.dev.place
---@return string
function M.url(place)
  return "unix://" .. socket(place)
end

---@return boolean|nil ok
---@return string|nil err names the package to install
function M.found()
  for _, program in ipairs { "redis-server", "redis-cli" } do
    if not sys.run({ "sh", "-c", "command -v " .. program }) then
      return nil, program .. " is not here; install the package redis-server"
    end
  end
  return true
end

local function ask(place, ...)
  return place_of.run(place, { "redis-cli", "-s", socket(place), ... })
end

---@param place lunate.dev.place
---@return boolean it answers
function M.ready(place)
  local ok, output = ask(place, "ping")
  return ok and output == "PONG\n"
end

---@param place lunate.dev.place
---@return integer|nil pid
function M.pid(place)
  local ok, output = ask(place, "info", "server")
  return ok and tonumber(output:match("process_id:(%d+)")) or nil
end

---Was it ever started here?
---@param place lunate.dev.place
---@return boolean
function M.exists(place)
  return sys.exists(log_file(place))
end

---Starts it and waits until it answers; nothing to do when it does already.
---@param place lunate.dev.place
---@return boolean|nil ok
---@return string|nil err
function M.start(place)
  local ok, why = M.found()
  if not ok then
    return nil, why
  end
  if M.ready(place) then
    return true
  end
  place_of.run(place, { "rm", "-f", log_file(place) })
  local output
  ok, output = place_of.run(place, { "redis-server", "--port", "0",
    "--unixsocket", socket(place), "--unixsocketperm", "700",
    "--dir", place.dir, "--save", "", "--appendonly", "no",
    "--daemonize", "yes", "--logfile", log_file(place) })
  for _ = 1, START_SECONDS * 10 do
    if not ok or M.ready(place) then
      break
    end
    sys.sleep(0.1)
  end
  if ok and M.ready(place) then
    return true
  end
  return nil, ("Redis in %s does not start: %s"):format(place.dir,
    place_of.explain(place, output .. (sys.read(log_file(place)) or "")))
end

---Stops it; nothing to do when it does not run.
---@param place lunate.dev.place
---@return boolean|nil ok
---@return string|nil err
function M.stop(place)
  if not M.exists(place) or not M.ready(place) then
    return true
  end
  ask(place, "shutdown", "nosave")
  for _ = 1, START_SECONDS * 10 do
    if not M.ready(place) then
      return true
    end
    sys.sleep(0.1)
  end
  return nil, "Redis does not stop: " .. socket(place) .. " still answers"
end

return M
