-- lunate.dev - a private PostgreSQL (and Redis) to develop against.
--
-- Everything lives in one folder of the user's (dev/place.lua says which),
-- listens on unix sockets only and never runs as root.  start, stop and reset
-- take a lock, so two terminals that do the same thing do it once.  Each
-- function gives nil and a message that names the cause and the remedy when it
-- cannot do what was asked.
local place_of = require "lunate.dev.place"
local postgres = require "lunate.dev.postgres"
local redis = require "lunate.dev.redis"
local sys = require "lunate.sys"

local M = {}

local LOCK_SECONDS = 180

---@class lunate.dev.opts
---@field replica? boolean also a standby that streams from the server
---@field redis? boolean also Redis
---@field say? fun(text: string) told of what takes long
---@field getenv? fun(name: string): string? os.getenv, unless given

---@class lunate.dev.started
---@field url string for DATABASE_URL
---@field replica_url string? when asked for
---@field redis_url string? when asked for
---@field dir string

-- Runs fn(place) with the lock held.
local function locked(place, fn)
  local ok, err
  ok, err = place_of.make(place)
  if not ok then
    return nil, err
  end
  local release
  release, err = sys.lock(place.dir .. "/lock", LOCK_SECONDS)
  if not release then
    return nil, err
  end
  local done, result, why = pcall(fn, place)
  release()
  if not done then
    error(result, 0)
  end
  return result, why
end

local function start_server(place, bin, server, say)
  if not postgres.exists(place, server) then
    say(("making %s/%s"):format(place.dir, server.name))
    local ok, err = postgres.create(place, bin, server)
    if not ok then
      return nil, err
    end
  end
  return postgres.start(place, bin, server)
end

-- A standby that was away too long cannot catch up; it is made again.
local function start_replica(place, bin, say)
  local ok, err = start_server(place, bin, postgres.replica, say)
  if not ok then
    return nil, err
  end
  if postgres.follows(place, bin) then
    return true
  end
  say("the replica cannot catch up; making it again")
  ok, err = postgres.stop(place, bin, postgres.replica)
  if not ok then
    return nil, err
  end
  place_of.run(place, { "rm", "-rf", place.dir .. "/replica" })
  ok, err = start_server(place, bin, postgres.replica, say)
  if not ok then
    return nil, err
  end
  if postgres.follows(place, bin) then
    return true
  end
  return nil, ("the replica does not follow the primary; see %s/replica.log")
    :format(place.dir)
end

local function start_all(place, opts)
  local say = opts.say or function() end
  local started = { dir = place.dir }
  local bin, err = postgres.bin(place, opts.getenv)
  if not bin then
    return nil, err
  end
  local ok
  ok, err = start_server(place, bin, postgres.primary, say)
  if ok and opts.replica then
    ok, err = start_replica(place, bin, say)
    started.replica_url = postgres.url(place, postgres.replica)
  end
  if ok and opts.redis then
    ok, err = redis.start(place)
    started.redis_url = redis.url(place)
  end
  if not ok then
    return nil, err
  end
  started.url = postgres.url(place, postgres.primary)
  return started
end

---Starts what is asked for and is not running, making it first where it is
---not there, and waits until it answers.
---@param opts? lunate.dev.opts
---@return lunate.dev.started|nil
---@return string|nil err
function M.start(opts)
  opts = opts or {}
  local place, err = place_of.find(opts.getenv)
  if not place then
    return nil, err
  end
  return locked(place, function()
    return start_all(place, opts)
  end)
end

local function stop_all(place, opts)
  local ok, err = redis.stop(place)
  if not ok then
    return nil, err
  end
  if not postgres.exists(place, postgres.primary) then
    return true
  end
  local bin
  bin, err = postgres.bin(place, opts.getenv)
  if not bin then
    return nil, err
  end
  ok, err = postgres.stop(place, bin, postgres.replica)
  if ok then
    ok, err = postgres.stop(place, bin, postgres.primary)
  end
  return ok, err
end

-- As locked(), where there is something; what was never made is at rest.
local function locked_if_made(opts, fn)
  local place, err = place_of.find(opts.getenv)
  if not place then
    return nil, err
  end
  if not sys.exists(place.dir .. "/lock") then
    return true
  end
  return locked(place, fn)
end

---Stops everything; data stays.
---@param opts? lunate.dev.opts
---@return boolean|nil ok
---@return string|nil err
function M.stop(opts)
  opts = opts or {}
  return locked_if_made(opts, function(place)
    return stop_all(place, opts)
  end)
end

---Stops everything and removes all data.
---@param opts? lunate.dev.opts
---@return boolean|nil ok
---@return string|nil err
function M.reset(opts)
  opts = opts or {}
  return locked_if_made(opts, function(place)
    local ok, err = stop_all(place, opts)
    if not ok then
      return nil, err
    end
    local argv = { "rm", "-rf" }
    for _, name in ipairs { "data", "data.new", "replica", "replica.new",
      "postgres.log", "replica.log", "redis.log" } do
      argv[#argv + 1] = place.dir .. "/" .. name
    end
    local output
    ok, output = sys.run(argv)
    if not ok then
      return nil, "cannot remove all: " .. place_of.explain(place, output)
    end
    return true
  end)
end

local function server_status(place, bin, server)
  local status = { state = "absent", bytes = 0 }
  if not postgres.exists(place, server) then
    return status
  end
  status.state = "stopped"
  status.bytes = place_of.size(place.dir .. "/" .. server.name)
  if bin and postgres.ready(place, bin, server) then
    status.state = "running"
    status.pid = postgres.pid(place, server)
    status.url = postgres.url(place, server)
  end
  return status
end

local function redis_status(place)
  if not redis.exists(place) then
    return { state = "absent" }
  end
  local pid = redis.pid(place)
  if not pid then
    return { state = "stopped" }
  end
  return { state = "running", pid = pid, url = redis.url(place) }
end

---What is there: for each of postgres, replica and redis { state = "running",
---"stopped" or "absent", pid, url, bytes }, and the folder in dir.
---@param opts? lunate.dev.opts
---@return table|nil
---@return string|nil err
function M.status(opts)
  opts = opts or {}
  local place, err = place_of.find(opts.getenv)
  if not place then
    return nil, err
  end
  local bin = postgres.bin(place, opts.getenv)
  return {
    dir = place.dir,
    postgres = server_status(place, bin, postgres.primary),
    replica = server_status(place, bin, postgres.replica),
    redis = redis_status(place),
  }
end

---The URL of the running server, or of the replica or Redis when asked for.
---@param opts? lunate.dev.opts
---@return string|nil url
---@return string|nil err
function M.url(opts)
  opts = opts or {}
  local status, err = M.status(opts)
  if not status then
    return nil, err
  end
  local what, flag = "postgres", ""
  if opts.replica then
    what, flag = "replica", " --replica"
  elseif opts.redis then
    what, flag = "redis", " --redis"
  end
  if not status[what].url then
    return nil, ("%s is not running; start it with: lunate dev start%s")
      :format(what == "postgres" and "the development server" or what, flag)
  end
  return status[what].url
end

return M
