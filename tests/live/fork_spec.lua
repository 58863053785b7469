-- A child of fork() has the parent's memory and sockets, and must use neither.
local live = require "support.live"
local pg = require "support.pg"

local SCRIPT = [[
local ffi = require "ffi"
ffi.cdef "int fork(void); int waitpid(int, int *, int); int getpid(void);"
local lunate = require "lunate"
local db = assert(lunate.open{ url = arg[1], pool_max = 1,
  control_socket = false })
local before = assert(db:one("select pg_backend_pid() as pid")).pid
local child = ffi.C.fork()
if child == 0 then
  local _, err = db:query("select 1")
  io.stdout:write(tostring(err and err.code), "\n")
  io.stdout:flush()
  os.exit(0, true) -- closes the state, and with it what the child holds
end
ffi.C.waitpid(child, nil, 0)
local after = assert(db:one("select pg_backend_pid() as pid")).pid
print(before == after and "same" or "another")
db:close()
]]

describe("after fork()", function()
  it("the child is told, and the parent's connection lives on", function()
    local r = live.luajit(SCRIPT, {}, pg.database("fork"))
    assert.equal("forked\nsame\n", r.out, r.err)
    assert.equal(0, r.code)
  end)
end)
