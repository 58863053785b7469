-- Where the development servers live and as whom they run.
--
--   DIR/lock          one start, stop or reset at a time
--   DIR/data          the PostgreSQL cluster; DIR/replica its standby
--   DIR/redis         Redis' folder
--   DIR/run           the sockets; nobody else can enter
--   DIR/*.log
--
-- DIR is $XDG_STATE_HOME/lunate/dev, or ~/.local/state/lunate/dev.  PostgreSQL
-- refuses to run as root, so root's servers run as the user postgres, and
-- without XDG_STATE_HOME in /var/lib/lunate/dev, which that user can reach.
local sys = require "lunate.sys"

local M = {}

local OWNER = "postgres"
-- A socket's path must fit into sockaddr_un with its closing zero.
local LONGEST_SOCKET = 107

---@class lunate.dev.place
---@field dir string
---@field run_dir string where the sockets are
---@field owner string? the user that the servers run as, when not ourselves

local function state_dir(getenv)
  local state = getenv("XDG_STATE_HOME")
  if state and state:sub(1, 1) == "/" then -- relative ones are to be ignored
    return (state:gsub("/+$", "")) .. "/lunate/dev"
  end
  if sys.is_root() then
    return "/var/lib/lunate/dev"
  end
  local home = getenv("HOME")
  if not home or home:sub(1, 1) ~= "/" then
    return nil, "HOME and XDG_STATE_HOME are both unset: "
      .. "no place for the development server; set one"
  end
  return home .. "/.local/state/lunate/dev"
end

---Where it is; nothing is made.
---@param getenv? fun(name: string): string?
---@return lunate.dev.place|nil
---@return string|nil err
function M.find(getenv)
  local dir, err = state_dir(getenv or os.getenv)
  if not dir then
    return nil, err
  end
  local place = { dir = dir, run_dir = dir .. "/run",
    owner = sys.is_root() and OWNER or nil }
  if #place.run_dir + #"/.s.PGSQL.5432" > LONGEST_SOCKET then
    return nil, ("the path %s is too long for a socket; set XDG_STATE_HOME "
      .. "to a shorter one"):format(place.run_dir)
  end
  return place
end

---Runs a program as the servers' user; otherwise as sys.run().
---@param place lunate.dev.place
---@param argv string[]
---@param input string?
function M.run(place, argv, input)
  if not place.owner then
    return sys.run(argv, input)
  end
  local words = { "setpriv", "--reuid=" .. place.owner,
    "--regid=" .. place.owner, "--init-groups", "--" }
  for _, word in ipairs(argv) do
    words[#words + 1] = word
  end
  return sys.run(words, input)
end

-- Parents as usual, the folder itself for the owner's eyes only.
local function make_private(place, dir)
  local argv = { "install", "-d", "-m", "700", dir }
  if place.owner then
    argv = { "install", "-d", "-m", "700", "-o", place.owner, "-g",
      place.owner, dir }
  end
  return sys.run(argv)
end

---Makes the folders.
---@param place lunate.dev.place
---@return boolean|nil ok
---@return string|nil err
function M.make(place)
  if place.owner and not sys.run({ "id", "-u", place.owner }) then
    return nil, "PostgreSQL does not run as root and there is no user "
      .. "postgres; install the package postgresql-15, or be another user"
  end
  for _, dir in ipairs { place.dir, place.run_dir } do
    local ok, why = make_private(place, dir)
    if not ok then
      return nil, ("cannot make %s: %s"):format(dir, M.explain(place, why))
    end
  end
  if not M.run(place, { "test", "-w", place.run_dir }) then
    return nil, ("the user %s cannot reach %s; give everybody leave to pass "
      .. "(chmod a+x) through the folders above it, or unset XDG_STATE_HOME")
      :format(place.owner or "you", place.dir)
  end
  return true
end

---What a program printed, as a reason: the last lines, and the remedy where
---there is a usual one.
---@param place lunate.dev.place
---@param output string
---@return string
function M.explain(place, output)
  if output:find("No space left on device", 1, true)
    or output:find("Disk quota exceeded", 1, true) then
    return ("the disk is full; free some space on the file system of %s")
      :format(place.dir)
  end
  local lines = {}
  for line in output:gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n  ", math.max(1, #lines - 4))
end

---Bytes that a folder takes on disk; 0 when there is none.
---@param path string
---@return integer
function M.size(path)
  local _, output = sys.run({ "du", "-sk", path })
  return (tonumber(output:match("^(%d+)")) or 0) * 1024
end

return M
