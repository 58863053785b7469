-- Functions of policy files that do not end, want everything, or reach for what
-- is not theirs: on a runtime that works meanwhile.  Each is stopped soon, has
-- no effect, and changes nothing that others see.
local lunate = require "lunate"
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local LONG = os.getenv("LUNATE_PROVE")
local ROUNDS = LONG and 10 or 1
local SOON = 50 -- ms

local A = "00000000-0000-0000-0000-00000000000a"

local RULES = [[
tenant { type = "uuid" }
database { mode = "rewrite" }
functions { add = { "public.conflicts" } }
rows "visits" { by = "clinic_id" }
test "the strings of other files are Lua's" {
  as = { tenant = ("00000000-0000-0000-0000-00000000000a"):lower() },
  sql = ("select * from %s"):format("visits"), gives = "scoped" }
]]

local HOSTILE = {
  { "endless loop", "while true do end" },
  { "loop inside of pcall",
    "while true do pcall(function() while true do end end) end" },
  { "pcall that calls itself",
    "local function f() return pcall(f) end while true do f() end" },
  { "xpcall whose handler does not end",
    "while true do xpcall(error, function() while true do end end) end" },
  { "string of 1 GB", "return #('x'):rep(1e9)" },
  { "string that doubles", "local s = 'x' while true do s = s .. s end" },
  { "table without end", "local t = {} for i = 1, 1e9 do t[i] = {} end" },
  { "pathological pattern",
    "return #('a'):rep(28):match(('a?'):rep(28) .. ('a'):rep(28))" },
  { "patterns in a loop", "while true do pcall(string.find, ('a'):rep(28), "
    .. "('a?'):rep(28) .. ('a'):rep(28)) end" },
  { "string metatable", "getmetatable('').__index = nil return 0" },
  { "string library", "string.format = nil string.lower = nil error 'x'" },
  { "coroutine", "return coroutine.wrap(function() while true do end end)()" },
  { "bytecode", "return loadstring('\\27LJ\\2')()" },
  { "environment", "setfenv(1, {}) return 0" },
}

local folder, db

local function save(name, text)
  local path = folder .. "/" .. name .. ".lua"
  sh.write(path .. "~", text)
  assert(os.rename(path .. "~", path))
end

local function generation()
  return db:pool_metrics().policy_generation
end

-- In force when it returns.
local function saved(text)
  local before = generation()
  save("resilience", text)
  live.until_(function()
    lunate.sleep(0.005)
    return generation() > before
  end, 20, "the next generation")
end

local function hostile(body, note)
  saved(("retry { base = milliseconds(1), cap = milliseconds(1) }\n"
    .. "class 'read' { retries = function(op) %s end } -- %s"):format(body,
    note))
end

local function open()
  local address = pg.database("hostile")
  pg.shared():psql(([[
    create table visits (clinic_id uuid not null, n int);
    insert into visits values ('%s', 1), ('%s', 2);
    create function conflicts() returns int volatile language plpgsql as $$
      begin raise exception 'again' using errcode = '40001'; end $$]])
    :format(A, A), "hostile")
  folder = sh.tmpdir()
  save("isolation", RULES)
  db = live.open(address, { policies = folder, schema = "public" })
end

-- What everybody else sees.
local function is_as_it_was()
  db:with_tenant(A, function(c)
    assert.equal(2, #assert(c:query("select n from visits where n < $1", 9)))
  end)
  assert.equal("ab2", ("%s%d"):format(("AB"):lower(), 2))
end

after_each(live.close)

describe("hostile functions", function()
  it("are stopped soon, without effect, and change nothing", function()
    open()
    local took
    local stop = db:on("policy.failed", function(e)
      took[#took + 1] = e.payload.took
    end)
    for _, attack in ipairs(HOSTILE) do
      local most, runs, soon = 0, 0, 0
      for round = 1, ROUNDS do
        hostile(attack[2], attack[1] .. round)
        took = {}
        -- It is asked after each of the three attempts that hold without it.
        live.refused("conflict", db:query("select conflicts()"))
        live.until_(function()
          lunate.sleep(0.001)
          return #took == 3
        end, 20, attack[1])
        for _, ms in ipairs(took) do
          most, runs = math.max(most, ms), runs + 1
          soon = soon + (ms <= SOON and 1 or 0)
        end
        is_as_it_was()
      end
      if LONG then
        print(("%-36s %7.2f ms at most, %d of %d within %d ms"):format(
          attack[1], most, soon, runs, SOON))
      end
    end
    stop()
  end)
end)
