-- What the command needs of the operating system and plain Lua does not give:
-- who we are, locks, waiting, and running a program to its end.
--
-- Every FFI function here is a small leaf call.  Nothing here belongs into a
-- script's hot path: run() and sleep() block the thread.
local ffi = require "ffi"

local M = {}

ffi.cdef [[
unsigned getuid(void);
int isatty(int fd);
int open(const char *path, int flags, ...);
int close(int fd);
int flock(int fd, int operation);
struct lunate_pollfd { int fd; short events, revents; };
char *realpath(const char *path, char *resolved);
void free(void *p);
int poll(void *fds, unsigned long n, int timeout_ms);
]]

local O_RDWR, O_CREAT, O_CLOEXEC = 2, 64, 0x80000
local LOCK_EX, LOCK_NB = 2, 4
local EWOULDBLOCK = 11
local POLLIN = 1

-- PostgreSQL's programs would let these override what they are told.
local UNSET = "unset PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD "
  .. "PGPASSFILE PGSERVICE PGSERVICEFILE PGOPTIONS PGDATA PGSSLMODE "
  .. "PGAPPNAME PGCONNECT_TIMEOUT PGTARGETSESSIONATTRS PGCLIENTENCODING; "

---Is this process root's?
---@return boolean
function M.is_root()
  return ffi.C.getuid() == 0
end

---Is a terminal behind this file descriptor?
---@param fd integer
---@return boolean
function M.is_terminal(fd)
  return ffi.C.isatty(fd) == 1
end

---The path from the root, without links; nil when nothing is there.
---@param path string
---@return string?
function M.real_path(path)
  local at = ffi.C.realpath(path, nil)
  if at == nil then
    return nil
  end
  local text = ffi.string(at)
  ffi.C.free(at)
  return text
end

---Blocks the thread.
---@param seconds number
function M.sleep(seconds)
  ffi.C.poll(nil, 0, math.ceil(seconds * 1000))
end

---Blocks the thread until something can be read there, the end included.
---@param fd integer
---@param seconds number at most
---@return boolean
function M.readable(fd, seconds)
  local one = ffi.new("struct lunate_pollfd", { fd = fd, events = POLLIN })
  return ffi.C.poll(one, 1, math.ceil(seconds * 1000)) == 1
end

---Takes the lock file, waiting for others to give it back.  It is given back
---by the function that this gives, or by the end of the process; programs
---that are started meanwhile do not inherit it.
---@param path string
---@param seconds number how long to wait
---@return function|nil release
---@return string|nil err
function M.lock(path, seconds)
  local mode = ffi.cast("int", 384) -- 0600
  local fd = ffi.C.open(path, O_RDWR + O_CREAT + O_CLOEXEC, mode)
  if fd < 0 then
    return nil, ("cannot open the lock file %s: errno %d"):format(path,
      ffi.errno())
  end
  for _ = 0, seconds * 10 do
    if ffi.C.flock(fd, LOCK_EX + LOCK_NB) == 0 then
      return function() ffi.C.close(fd) end
    end
    if ffi.errno() ~= EWOULDBLOCK then
      break
    end
    M.sleep(0.1)
  end
  ffi.C.close(fd)
  return nil, ("another lunate holds %s for more than %d s"):format(path,
    seconds)
end

---The whole text of a file, or nil when it cannot be read.
---@param path string
---@return string|nil
function M.read(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return text
end

---@param path string
---@return boolean
function M.exists(path)
  local file = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

---A word for the shell, whatever is in it.
---@param word string
---@return string
function M.quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

---Runs a program to its end, in English, in the root folder, without the
---caller's PG* variables and with nothing to read unless `input` is given.
---@param argv string[] program and arguments; no shell looks at them
---@param input string? its standard input
---@return boolean ok it ended with status 0
---@return string output all that it printed, errors included
---@return integer status
function M.run(argv, input)
  local words = {}
  for i, word in ipairs(argv) do
    words[i] = M.quote(word)
  end
  local feed = input and "printf %s " .. M.quote(input) .. " | " or ""
  local rest = input and "" or " </dev/null"
  local pipe = assert(io.popen("cd /; " .. UNSET .. "export LC_ALL=C; { "
    .. feed .. table.concat(words, " ") .. rest .. "; } 2>&1; echo \" $?\""))
  local all = pipe:read("*a")
  pipe:close()
  local output, status = all:match("^(.*) (%d+)\n$")
  status = tonumber(status)
  return status == 0, output, status
end

return M
