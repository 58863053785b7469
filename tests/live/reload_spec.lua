-- Rules that change all the time, under load: nothing fails, nothing is mixed,
-- nothing broken is obeyed, and memory stays where it is.
local cjson = require "cjson"
local core = require "lunate.core"
local pg = require "support.pg"
local sh = require "support.sh"
local wait = require "support.wait"
local posix = require "support.posix"

local LONG = os.getenv("LUNATE_PROVE")
local GENERATIONS = LONG and 10000 or 150
local SAVES = LONG and 100 or 10

local A = "00000000-0000-0000-0000-00000000000a"
local B = "00000000-0000-0000-0000-00000000000b"

-- Two sets of rules that no statement of the load may see halves of: by the
-- one its two sums are 1 and 10, by the other 2 and 20.
local function rules(column, note)
  return ([[
tenant { type = "uuid" }
database { mode = "rewrite" }
rows "one" { by = "%s" }
rows "ten" { by = "%s" }
-- %s
]]):format(column, column, note)
end

local LOAD = [[
local A, stop = %q, %q
local db = assert(lunate.open { policies = %q, schema = "public",
  pool_max = 8 })
local reads, failed, mixed, over = 0, 0, 0, false
local SQL = "select (select sum(n) from one)::int as a, "
  .. "(select sum(n) from ten)::int as b"
local tasks = {}
for i = 1, 16 do
  tasks[i] = lunate.spawn(function()
    while not over do
      local row, err = db:with_tenant(A, function(c) return c:one(SQL) end)
      reads = reads + 1
      if not row then
        failed = failed + 1
        io.stderr:write(tostring(err), "\n")
      elseif row.b ~= row.a * 10 then
        mixed = mixed + 1
      end
    end
  end)
end
while not io.open(stop) do lunate.sleep(0.05) end
over = true
for _, t in ipairs(tasks) do t:join() end
print(("%%d %%d %%d"):format(reads, failed, mixed))
]]

local function rss_kb(pid)
  return tonumber(sh.read(("/proc/%d/status"):format(pid))
    :match("VmRSS:%s*(%d+)"))
end

describe("rules that change under load", function()
  local folder, state, stop, p, socket

  local function save(text)
    local path = folder .. "/isolation.lua"
    sh.write(path .. "~", text)
    assert(os.rename(path .. "~", path))
  end

  local function ask(command, arg)
    local text = assert(core.ctl_ask(socket,
      cjson.encode { command = command, arg = arg }, 20))
    return cjson.decode(text)
  end

  local function find_socket()
    local found = sh.run { "ls", state .. "/lunate/run" }
    local name = found.out:match("%S+%.sock")
    socket = name and state .. "/lunate/run/" .. name
    return socket
  end

  before_each(function()
    folder, state = sh.tmpdir(), sh.tmpdir()
    stop = state .. "/stop"
    local url = pg.database("reload")
    pg.shared():psql(([[
      create table one (c1 uuid not null, c2 uuid not null, n int);
      create table ten (c1 uuid not null, c2 uuid not null, n int);
      insert into one values ('%s', '%s', 1), ('%s', '%s', 2);
      insert into ten values ('%s', '%s', 10), ('%s', '%s', 20)]]):format(
      A, B, B, A, A, B, B, A), "reload")
    save(rules("c1", "first"))
    -- A generation with functions has VMs of its own.
    sh.write(folder .. "/resilience.lua", "class 'read' { retries = "
      .. "function(op) return op.attempt < 3 and 2 or 0 end }")
    p = sh.spawn { sh.build .. "/lunate", "run",
      sh.tmpfile(LOAD:format(A, stop, folder), ".lua"),
      env = { DATABASE_URL = url, XDG_STATE_HOME = state,
        LUNATE_LOG_LEVEL = "error" } }
    wait.until_(find_socket, 10, "the socket")
  end)

  after_each(function()
    p:free()
  end)

  -- What the load counted: reads, failed, mixed.
  local function ended()
    sh.write(stop, "")
    local done = p:wait(60)
    assert.equal(0, done and done.code, p:err())
    local reads, failed, mixed = p:out():match("(%d+) (%d+) (%d+)")
    return tonumber(reads), tonumber(failed), tonumber(mixed)
  end

  it("fail nothing, mix nothing and leave no memory behind", function()
    local began, published, refused, warm = posix.now(), 0, 0, nil
    local last = ask("policy").result.generation
    for i = 1, GENERATIONS do
      local broken = i % 5 == 0
      save(broken and "rows 'one' {}" or rules(i % 2 == 0 and "c1" or "c2", i))
      local answer = ask("policy", "reload")
      assert.equal(not broken, answer.ok)
      if broken then
        refused = refused + 1
      else
        -- the watcher may have been first
        assert.is_true(answer.result.generation >= last)
        published = published + 1
        last = answer.result.generation
      end
      if i == math.floor(GENERATIONS / 5) then warm = rss_kb(p.pid) end
    end
    local grown = rss_kb(p.pid) - warm
    local seconds = posix.now() - began
    local reads, failed, mixed = ended()
    print(("%d generations and %d broken folders in %.1f s (%.0f/60 s), "
      .. "%d reads, %d failed, %d mixed, %d KiB grown"):format(published,
      refused, seconds, published / seconds * 60, reads, failed, mixed, grown))
    assert.is_true(reads > 100)
    assert.equal(0, failed)
    assert.equal(0, mixed)
    if not sh.build:find("san$") then -- which keeps what was freed
      assert.is_true(grown < 4096, grown .. " KiB")
    end
  end)

  it("are in force soon after they were saved", function()
    local slowest, within = 0, 0
    local last = ask("policy").result.generation
    for i = 1, SAVES do
      save(rules(i % 2 == 0 and "c1" or "c2", i))
      local began = posix.now()
      repeat
        posix.sleep(0.002)
        local now = ask("policy").result.generation
      until now > last or posix.now() - began > 20
      local took = posix.now() - began
      last = ask("policy").result.generation
      slowest = math.max(slowest, took)
      within = within + (took <= 0.3 and 1 or 0)
    end
    local _, failed, mixed = ended()
    print(("%d of %d saves in force within 300 ms, the slowest after %.0f ms")
      :format(within, SAVES, slowest * 1000))
    assert.is_true(slowest < 20, "a save was never obeyed")
    assert.equal(0, failed + mixed)
  end)
end)
