-- Memory: what a program opened is freed at its end, also when it ends in the
-- middle of things.  By hand:
--
--   valgrind --leak-check=full --undef-value-errors=no build/lunate run x.lua
--
-- LuaJIT's own memory is mapped by itself, so valgrind sees only ours; its
-- string compares look at bytes nobody wrote, which is left unsaid
-- (undef-value-errors).  A sanitizer's build cannot run under valgrind.
local pg = require "support.pg"
local sh = require "support.sh"

local url
local have = sh.run({ "sh", "-c", "command -v valgrind" }).code == 0
  and not sh.build:find("san$") and not os.getenv("LD_PRELOAD")

setup(function() url = pg.database("memory_spec") end)

local function check(argv)
  local all = { "valgrind", "-q", "--leak-check=full",
    "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
    "--undef-value-errors=no", "--keep-debuginfo=yes", "--error-exitcode=99",
    cwd = sh.tmpdir(), timeout = 100,
    env = { DATABASE_URL = url, LUA_CPATH = sh.build .. "/?.so;;" } }
  for _, a in ipairs(argv) do all[#all + 1] = a end
  local r = sh.run(all)
  assert.equal(0, r.code, r.err)
  assert.is_nil(r.err:find("definitely lost", 1, true), r.err)
  return r
end

local WHOLE = [[
local lunate = require "lunate"
local db = assert(lunate.open())
assert(db:script("create table vg (a int, b text); select 1"))
for i = 1, 20 do
  assert(db:exec("insert into vg values ($1, $2)", i, "x" .. i))
end
assert(db:query("select * from vg"))
assert(not db:query("select nothing from nowhere"))
assert(not db:query("select $1::int", {}))
assert(not pcall(db.query, db, { bad = 1 }, "select 1"))
local n = 0
for _ in db:rows("select generate_series(1, 3000) as g") do n = n + 1 end
assert(n == 3000)
lunate.spawn(function()
  for _ in db:rows("select generate_series(1, 100000)") do
    lunate.sleep(0.1)
    break
  end
end):join()
assert(db:copy_in("copy vg from stdin", "1\ta\n2\tb\n") == 2)
assert(db:copy_out("copy vg to stdout"))
assert(db:transaction(function(tx)
  db:with_context({ tenant = "a" }, function()
    tx:exec("insert into vg values (1)")
  end)
  for _ in tx:rows("select * from vg") do break end
  tx:transaction(function() error("x") end)
  return true
end))
local ok, err = lunate.deadline(0.2, db.query, db, "select pg_sleep(5)")
assert(not ok and err.code == "deadline")
assert(db:batch({ { operation = function(c)
  return c:query("select 1")
end } }).success)
local w = lunate.spawn(db.query, db, "select pg_sleep(10)")
lunate.sleep(0.1)
w:cancel()
w:join()
db:close()
print "end"
]]

local BROKEN_OFF = [[
local lunate = require "lunate"
local db = assert(lunate.open { control_socket = false })
db:query("select 1")
local function go(fn) lunate.spawn(fn) end
go(function() lunate.sleep(100) end)
go(function() db:query("select pg_sleep(100)") end)
go(function()
  db:transaction(function(tx) tx:query("select pg_sleep(100)") end)
end)
go(function()
  for _ in db:rows("select generate_series(1, 1000000)") do
    lunate.sleep(0.01)
  end
end)
go(function() for _ in db:rows("select pg_sleep(100)") do break end end)
go(function()
  db:copy_out("copy (select generate_series(1, 1000000)) to stdout",
    function() lunate.sleep(100) end)
end)
go(function() db:copy_out("copy (select pg_sleep(100)) to stdout") end)
go(function() lunate.spawn(lunate.sleep, 100):join() end)
lunate.sleep(0.3)
db:query("select $1", setmetatable({}, { __index = function() error("x") end }))
db:query("select $1", print)
local it = db:rows("select generate_series(1, 1000000)")
it()
if arg[1] == "free" then
  pcall(db.transaction, db, function(tx)
    tx:query("select 1")
    db.ud:free()
    assert(not pcall(tx.query, tx, "select 1"))
  end)
  pcall(it)
end
print "end"
]]

describe("memory", function()
  local function with_valgrind(name, fn)
    it(name, function()
      if not have then return pending("needs valgrind") end
      fn()
    end)
  end

  with_valgrind("is freed by a script that did all there is to do", function()
    assert.equal("end\n", check { sh.build .. "/lunate", "run",
      sh.tmpfile(WHOLE, ".lua") }.out)
  end)

  with_valgrind("is freed when a program ends in the middle", function()
    assert.equal("end\n", check { "luajit",
      sh.tmpfile(BROKEN_OFF, ".lua") }.out)
  end)

  with_valgrind("is freed when a database is freed under its users",
    function()
      assert.equal("end\n", check { "luajit",
        sh.tmpfile(BROKEN_OFF, ".lua"), "free" }.out)
    end)
end)
