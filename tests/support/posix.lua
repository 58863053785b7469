-- posix - the few system calls the harness needs, through the FFI. Names are
-- prefixed, so that they never meet the declarations of what is tested.
local ffi = require "ffi"

ffi.cdef [[
struct lt_pollfd { int fd; short events, revents; };
struct lt_timespec { long sec, nsec; };
struct lt_passwd {
  char *name, *passwd; unsigned uid, gid; char *gecos, *dir, *shell;
};
struct lt_sockaddr_un { unsigned short family; char path[108]; };
struct lt_sockaddr_in {
  unsigned short family, port; unsigned addr; char zero[8];
};
struct lt_spawn_actions { char room[128]; };
extern char **lt_environ __asm__("environ");

int lt_pipe2(int fds[2], int flags) __asm__("pipe2");
int lt_fcntl(int fd, int cmd, ...) __asm__("fcntl");
int lt_close(int fd) __asm__("close");
long lt_read(int fd, void *buf, size_t n) __asm__("read");
long lt_write(int fd, const void *buf, size_t n) __asm__("write");
int lt_poll(struct lt_pollfd *p, unsigned long n, int ms) __asm__("poll");
int lt_kill(int pid, int sig) __asm__("kill");
int lt_waitpid(int pid, int *status, int flags) __asm__("waitpid");
int lt_getpid(void) __asm__("getpid");
unsigned lt_geteuid(void) __asm__("geteuid");
int lt_chown(const char *path, unsigned uid, unsigned gid) __asm__("chown");
int lt_chmod(const char *path, unsigned mode) __asm__("chmod");
int lt_mkdir(const char *path, unsigned mode) __asm__("mkdir");
char *lt_mkdtemp(char *template) __asm__("mkdtemp");
int lt_setenv(const char *name, const char *value, int over)
  __asm__("setenv");
char *lt_realpath(const char *path, char *into) __asm__("realpath");
void lt_free(void *p) __asm__("free");
char *lt_strerror(int n) __asm__("strerror");
int lt_clock_gettime(int clock, struct lt_timespec *t)
  __asm__("clock_gettime");
int lt_shmctl(int id, int cmd, void *buf) __asm__("shmctl");
struct lt_passwd *lt_getpwnam(const char *name) __asm__("getpwnam");
int lt_socket(int family, int type, int proto) __asm__("socket");
int lt_connect(int fd, const void *addr, unsigned len) __asm__("connect");
int lt_bind(int fd, const void *addr, unsigned len) __asm__("bind");
int lt_getsockname(int fd, void *addr, unsigned *len) __asm__("getsockname");
int lt_spawn_init(struct lt_spawn_actions *a)
  __asm__("posix_spawn_file_actions_init");
int lt_spawn_fini(struct lt_spawn_actions *a)
  __asm__("posix_spawn_file_actions_destroy");
int lt_spawn_dup2(struct lt_spawn_actions *a, int from, int to)
  __asm__("posix_spawn_file_actions_adddup2");
int lt_spawn_open(struct lt_spawn_actions *a, int fd, const char *path,
  int flags, unsigned mode) __asm__("posix_spawn_file_actions_addopen");
int lt_spawn_chdir(struct lt_spawn_actions *a, const char *path)
  __asm__("posix_spawn_file_actions_addchdir_np");
int lt_spawn(int *pid, const char *path, const struct lt_spawn_actions *a,
  const void *attr, const char *const argv[], const char *const envp[])
  __asm__("posix_spawn");
]]

local C = ffi.C
local M = {}

-- Linux, every architecture we build for.
M.O_CLOEXEC = 0x80000
M.O_RDONLY, M.O_WRONLY, M.O_RDWR = 0, 1, 2
M.O_CREAT, M.O_APPEND = 0x40, 0x400
M.SIG = {
  HUP = 1, INT = 2, QUIT = 3, ABRT = 6, KILL = 9, USR1 = 10, SEGV = 11,
  USR2 = 12, PIPE = 13, TERM = 15, CONT = 18, STOP = 19,
}
local AF_UNIX, AF_INET, SOCK_STREAM = 1, 2, 1
local F_DUPFD_CLOEXEC = 1030
local EINTR = 4

--- Text of the last failed call.
---@return string
function M.error()
  return ffi.string(C.lt_strerror(ffi.errno()))
end

--- Number of a signal given by name ("KILL") or number.
---@param sig string|integer
---@return integer
function M.signal(sig)
  local n = type(sig) == "number" and sig or M.SIG[sig]
  return n or error("no such signal: " .. tostring(sig), 2)
end

---@return integer read_end, integer write_end both closed on exec, both >= 10
function M.pipe()
  local fds = ffi.new("int[2]")
  assert(C.lt_pipe2(fds, M.O_CLOEXEC) == 0, "pipe")
  local out = {}
  for i = 0, 1 do
    out[i + 1] = C.lt_fcntl(fds[i], F_DUPFD_CLOEXEC, ffi.cast("int", 10))
    C.lt_close(fds[i])
    assert(out[i + 1] >= 10, "fcntl")
  end
  return out[1], out[2]
end

---@param fd integer
function M.close(fd)
  C.lt_close(fd)
end

local buffer = ffi.new("char[65536]")

--- What can be read within `seconds`.
---@return string? bytes "" at the end of the file, nil when time is up
function M.read(fd, seconds)
  local p = ffi.new("struct lt_pollfd[1]", { { fd, 1, 0 } })
  if C.lt_poll(p, 1, math.ceil(math.max(seconds, 0) * 1000)) <= 0 then
    return nil
  end
  local n = C.lt_read(fd, buffer, 65536)
  return n > 0 and ffi.string(buffer, n) or ""
end

---@param fd integer
---@param text string
function M.write(fd, text)
  return C.lt_write(fd, text, #text) == #text
end

--- Monotonic time in seconds.
---@return number
function M.now()
  local t = ffi.new("struct lt_timespec")
  C.lt_clock_gettime(1, t)
  return tonumber(t.sec) + tonumber(t.nsec) / 1e9
end

---@param seconds number
function M.sleep(seconds)
  C.lt_poll(nil, 0, math.ceil(seconds * 1000))
end

--- Reaps a child that has ended or is about to.
---@param pid integer
function M.reap(pid)
  while C.lt_waitpid(pid, nil, 0) < 0 and ffi.errno() == EINTR do end
end

---@return boolean sent
function M.kill(pid, sig)
  assert(pid > 1, "a process id")
  return C.lt_kill(pid, M.signal(sig)) == 0
end

---@return integer
function M.pid()
  return C.lt_getpid()
end

---@return boolean
function M.is_root()
  return C.lt_geteuid() == 0
end

---@param name string
---@return { uid: integer, gid: integer }? user nil when there is none
function M.user(name)
  local pw = C.lt_getpwnam(name)
  return pw ~= nil and { uid = pw.uid, gid = pw.gid } or nil
end

function M.chown(path, user)
  assert(C.lt_chown(path, user.uid, user.gid) == 0, path)
end

function M.chmod(path, mode)
  assert(C.lt_chmod(path, mode) == 0, path)
end

--- False when it is there already.
---@return boolean made
function M.mkdir(path, mode)
  return C.lt_mkdir(path, mode) == 0
end

---@param prefix string
---@return string path of a new directory, 0700
function M.mkdtemp(prefix)
  local text = prefix .. ".XXXXXX"
  local path = ffi.new("char[?]", #text + 1, text)
  assert(C.lt_mkdtemp(path) ~= nil, text)
  return ffi.string(path)
end

---@return string? path absolute; nil when there is no such file
function M.realpath(path)
  local p = C.lt_realpath(path, nil)
  if p == nil then return nil end
  local text = ffi.string(p)
  C.lt_free(p)
  return text
end

--- Removes a System V shared memory segment.
---@param id integer
function M.remove_shm(id)
  C.lt_shmctl(id, 0, nil)
end

--- Connects to a unix socket.
---@return integer? fd
function M.connect_unix(path)
  local addr = ffi.new("struct lt_sockaddr_un", { AF_UNIX, path })
  local fd = C.lt_socket(AF_UNIX, SOCK_STREAM + M.O_CLOEXEC, 0)
  if C.lt_connect(fd, addr, ffi.sizeof(addr)) == 0 then return fd end
  C.lt_close(fd)
  return nil
end

--- A loopback port that is free now.
---@return integer
function M.free_port()
  local bit = require "bit"
  local addr = ffi.new("struct lt_sockaddr_in", { family = AF_INET })
  local len = ffi.new("unsigned[1]", ffi.sizeof(addr))
  local fd = C.lt_socket(AF_INET, SOCK_STREAM + M.O_CLOEXEC, 0)
  addr.addr = ffi.abi("le") and 0x0100007f or 0x7f000001
  assert(C.lt_bind(fd, addr, ffi.sizeof(addr)) == 0, "bind")
  assert(C.lt_getsockname(fd, addr, len) == 0, "getsockname")
  C.lt_close(fd)
  local port = addr.port
  if ffi.abi("le") then
    port = bit.bor(bit.lshift(bit.band(port, 0xff), 8), bit.rshift(port, 8))
  end
  return port
end

local function strings(list)
  local v = ffi.new("const char *[?]", #list + 1)
  for i, s in ipairs(list) do v[i - 1] = s end
  v[#list] = nil
  return v
end

--- Sets a variable of this process, unless it is set.
---@param name string
---@param value string
function M.default_env(name, value)
  C.lt_setenv(name, value, 0)
end

--- This process's environment with changes: a value, or false to unset.
---@param changes table<string, string|false>
---@return string[]
function M.environment(changes)
  local list = {}
  local i = 0
  while C.lt_environ[i] ~= nil do
    local entry = ffi.string(C.lt_environ[i])
    if changes[entry:match("^[^=]*")] == nil then list[#list + 1] = entry end
    i = i + 1
  end
  for k, v in pairs(changes) do
    if v then list[#list + 1] = k .. "=" .. v end
  end
  return list
end

--- Starts a program. `fds` maps the child's descriptors to ours, or to a
--- file: { path, flags }.
---@param argv string[] argv[1] is a path
---@param fds table<integer, integer|table>
---@param env string[]
---@param dir string? where it runs
---@return integer pid
function M.spawn(argv, fds, env, dir)
  local a = ffi.new("struct lt_spawn_actions")
  local pid = ffi.new("int[1]")
  C.lt_spawn_init(a)
  for to, from in pairs(fds) do
    if type(from) == "number" then
      C.lt_spawn_dup2(a, from, to)
    else
      C.lt_spawn_open(a, to, from[1], from[2], 420)
    end
  end
  if dir then C.lt_spawn_chdir(a, dir) end
  local rc = C.lt_spawn(pid, argv[1], a, nil, strings(argv), strings(env))
  C.lt_spawn_fini(a)
  if rc ~= 0 then
    error(("cannot start %s: %s"):format(argv[1],
      ffi.string(C.lt_strerror(rc))), 2)
  end
  return pid[0]
end

return M
