-- sh - commands, temporary files and their end. Whatever is started here is
-- the child of a keeper (keeper.c) and ends with this process, however that
-- ends; every file is below one directory that goes last.
local posix = require "support.posix"

local M = {}

--- Absolute path of the build folder.
M.build = assert(posix.realpath(os.getenv("LUNATE_BUILD") or "build"),
  "no build folder: run make support")
M.root = posix.realpath(".")

local keeper = M.build .. "/support/keeper"
local scratch -- { dir, life, held }, made on first use
local procs = {} -- those that run
local serial = 0

local function check_keeper()
  if not posix.realpath(keeper) then
    error(keeper .. " is missing: run make support", 0)
  end
end

local function scratch_dir()
  if scratch and scratch.owner == posix.pid() then return scratch.dir end
  check_keeper()
  local life, held = posix.pipe()
  local dir = posix.mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/lunate-test")
  posix.chmod(dir, 457) -- 0711: the servers' user may pass
  scratch = { dir = dir, held = held, owner = posix.pid() }
  scratch.pid = posix.spawn({ keeper, "-r", dir }, {
    [0] = { "/dev/null", 0 }, [1] = { "/dev/null", 1 }, [3] = life,
  }, posix.environment { LD_PRELOAD = false })
  posix.close(life)
  return dir
end

local function next_name(suffix)
  serial = serial + 1
  return ("%s/%d%s"):format(scratch_dir(), serial, suffix)
end

--- A new empty directory that goes at exit.
---@return string path
function M.tmpdir()
  local path = next_name("")
  assert(posix.mkdir(path, 448), path)
  return path
end

--- A new file with this text that goes at exit.
---@param text string
---@param suffix string? ".sql"
---@return string path
function M.tmpfile(text, suffix)
  local path = next_name(suffix or ".tmp")
  M.write(path, text)
  return path
end

---@param path string
---@param text string
function M.write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  assert(f:close())
end

--- All of a file; "" when there is none.
---@param path string
---@return string
function M.read(path)
  local f = io.open(path, "rb")
  if not f then return "" end
  local text = f:read("*a")
  f:close()
  return text or ""
end

--- A command that runs.
---@class support.Proc
---@field pid integer of the command itself
---@field out_path string
---@field err_path string
local Proc = {}
Proc.__index = Proc

---@class support.Spawn
---@field stdin string? text the command reads
---@field env table<string, string|false>? changes of the environment
---@field cwd string?
---@field user string? who runs it (as root only)
---@field out string? file of its standard output
---@field err string? file of its standard error
---@field stop string|integer? signal that asks it to end ("TERM")
---@field loose boolean? leave what it left behind when it ends
---@field tty string? a terminal: its input, output and errors (support.pty)

local function keeper_argv(opts)
  local argv = { keeper }
  local function add(...)
    for i = 1, select("#", ...) do argv[#argv + 1] = (select(i, ...)) end
  end
  if opts.user then add("-u", opts.user) end
  if opts.stop then add("-s", tostring(posix.signal(opts.stop))) end
  if opts.loose then add("-l") end
  if opts.tty then add("-t") end
  add("--")
  for i = 1, #opts do add(tostring(opts[i])) end
  return argv
end

-- What is preloaded is a sanitizer's library, for LuaJIT as the host of a
-- sanitized module: of no use to other programs, and the end of some.
local function environment(opts)
  local changes = {}
  if not tostring(opts[1]):match("luajit$") then changes.LD_PRELOAD = false end
  for k, v in pairs(opts.env or {}) do changes[k] = v end
  return posix.environment(changes)
end

--- Starts a command: { "prog", "arg", ..., stdin =, env =, ... }.
---@param opts support.Spawn
---@return support.Proc
function M.spawn(opts)
  scratch_dir()
  local self = setmetatable({ rest = "" }, Proc)
  self.out_path = opts.out or next_name(".out")
  self.err_path = opts.err or next_name(".err")
  self.theirs = { [opts.out or 1] = true, [opts.err or 2] = true }
  local life, life_end = posix.pipe()
  local report, report_end = posix.pipe()
  local input = "/dev/null"
  if opts.stdin then input = M.tmpfile(opts.stdin, ".in") end
  local write = posix.O_WRONLY + posix.O_CREAT + posix.O_APPEND
  local tty = opts.tty and { opts.tty, posix.O_RDWR }
  self.keeper = posix.spawn(keeper_argv(opts), {
    [0] = tty or { input, 0 },
    [1] = tty or { self.out_path, write },
    [2] = tty or { self.err_path, write },
    [3] = life, [4] = report_end, [5] = scratch.held,
  }, environment(opts), opts.cwd)
  posix.close(life)
  posix.close(report_end)
  if opts.stdin then self.in_path = input end
  self.life, self.report = life_end, report
  procs[self] = true
  local line = self:line(10)
  self.pid = tonumber(line and line:match("^pid (%d+)"))
  if not self.pid then error("keeper says " .. tostring(line), 2) end
  return self
end

--- The keeper's next line; nil when there is none in time, false at its end.
function Proc:line(seconds)
  local limit = posix.now() + seconds
  while true do
    local line, rest = self.rest:match("^([^\n]*)\n(.*)$")
    if line then
      self.rest = rest
      return line
    end
    local more = posix.read(self.report, limit - posix.now())
    if more == "" then return false end
    if not more then return nil end
    self.rest = self.rest .. more
  end
end

function Proc:finish(line)
  posix.reap(self.keeper)
  posix.close(self.report)
  if self.life then posix.close(self.life) end
  self.life = nil
  procs[self] = nil
  local how, n = (line or ""):match("^(%a+) (%d+)")
  self.done = {
    code = how == "exit" and tonumber(n) or nil,
    signal = how ~= "exit" and (tonumber(n) or 9) or nil,
  }
end

--- Waits for its end: { code =, signal = }, or nil when time is up.
---@param seconds number? 60 unless told
---@return { code: integer?, signal: integer? }?
function Proc:wait(seconds)
  if self.done then return self.done end
  local line = self:line(seconds or 60)
  if line == nil then return nil end
  self:finish(line)
  return self.done
end

---@return boolean
function Proc:running()
  return self:wait(0) == nil
end

--- Sends a signal to the command, if it still runs.
---@param sig string|integer
---@return boolean sent
function Proc:kill(sig)
  return self:running() and posix.kill(self.pid, sig)
end

--- Ends it, the hard way if it does not listen, and waits for that.
function Proc:free()
  if self.done then return end
  if self.life then posix.close(self.life) end
  self.life = nil
  self:wait(30)
end

--- What it has written so far.
---@return string
function Proc:out()
  return M.read(self.out_path)
end

---@return string
function Proc:err()
  return M.read(self.err_path)
end

---@class support.Run : support.Spawn
---@field timeout number? seconds; 60 unless told

---@class support.Result
---@field code integer? nil when a signal ended it
---@field signal integer?
---@field timeout boolean it took too long and was ended
---@field out string
---@field err string
---@field seconds number

--- Runs a command to its end: { "prog", "arg", ..., stdin =, timeout = }.
---@param opts support.Run
---@return support.Result
function M.run(opts)
  local began = posix.now()
  opts.loose = opts.loose ~= false
  local p = M.spawn(opts)
  local done = p:wait(opts.timeout or 60)
  if not done then p:free() end
  local result = {
    code = done and done.code, signal = done and done.signal,
    timeout = done == nil, out = p:out(), err = p:err(),
    seconds = posix.now() - began,
  }
  for _, path in ipairs { p.out_path, p.err_path, p.in_path } do
    if not p.theirs[path] then os.remove(path) end
  end
  return result
end

--- Runs a command that must succeed, and gives its output.
---@param opts support.Run
---@return string out
function M.ok(opts)
  local r = M.run(opts)
  if r.code == 0 then return r.out end
  local how = r.timeout and "took too long"
    or r.signal and "ended by signal " .. r.signal
    or "exit " .. r.code
  error(("%s: %s\n%s%s"):format(tostring(opts[1]), how, r.out, r.err), 2)
end

--- Removes a directory and what is below it.
---@param path string
function M.remove(path)
  assert(scratch and path:sub(1, #scratch.dir + 1) == scratch.dir .. "/",
    "only what is ours is removed")
  M.ok { "rm", "-rf", "--", path }
end

--- At the end of a run: everything started here ends, everything written here
--- is removed. Without it the keepers do the same a little later.
function M.close()
  if not scratch or scratch.owner ~= posix.pid() then return end
  local list = {}
  for p in pairs(procs) do list[#list + 1] = p end
  for _, p in ipairs(list) do
    if p.life then posix.close(p.life) end
    p.life = nil
  end
  for _, p in ipairs(list) do p:wait(30) end
  posix.close(scratch.held)
  posix.reap(scratch.pid)
  scratch = nil
end

return M
