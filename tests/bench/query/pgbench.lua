-- pgbench as a client of the bench: answers from what it prints and logs. It
-- needs no time to warm up, and does not count that of connecting.
--
-- BENCH_MODE is prepared, extended or pipelined (ten statements at a time,
-- prepared). CPU and memory are pgbench's own, and those of the process
-- BENCH_BESIDE (PgBouncer) where one is named.
package.path = arg[0]:match("^(.*)/query/[^/]*$") .. "/?.lua;" .. package.path
local client = require "kit.client"
local sql = require "query.sql"

local ask = client.ask()
local GROUP = 10

-- "$1" becomes ":name", in the order of the names.
local function with(text, ...)
  local names = { ... }
  return (text:gsub("%$(%d)", function(i) return ":" .. names[tonumber(i)] end)
    :gsub("%s+", " ")) .. ";\n"
end

local function set(name, low, high)
  return ("\\set %s random(%d, %d)\n"):format(name, low, high)
end

local scripts = {}

function scripts.point()
  return set("aid", 1, ask.accounts) .. with(sql.point, "aid")
end

function scripts.page()
  return set("id", 1, ask.pages - sql.PAGE) .. with(sql.page, "id")
end

-- Text and numbers are parameters alike in pgbench; a text has to be quoted,
-- so the note is written out.
local insert = sql.insert:gsub("%$2", "'a note of the bench'")

function scripts.insert()
  return set("aid", 1, ask.accounts) .. with(insert, "aid")
end

-- Its ten statements between BEGIN and COMMIT, one by one or all at once.
function scripts.transaction()
  local t = { "BEGIN;\n", set("first", 1, ask.accounts - 3) }
  local function add(...)
    for i = 1, select("#", ...) do t[#t + 1] = (select(i, ...)) end
  end
  for _ = 1, 5 do
    add(set("aid", 1, ask.accounts), with(sql.point, "aid"))
  end
  for i = 0, 2 do
    add(("\\set aid :first + %d\n"):format(i), set("delta", 1, 100),
      with(sql.update, "aid", "delta"))
  end
  add(with(insert, "first"), with(insert, "first"), "COMMIT;\n")
  return table.concat(t)
end

local function script()
  local text = scripts[ask.workload]()
  if ask.mode ~= "pipelined" then return text, 1 end
  local each = ask.workload == "transaction" and 1 or GROUP
  return "\\startpipeline\n" .. text:rep(each) .. "\\endpipeline\n", each
end

local function write(path, text)
  local f = assert(io.open(path, "w"))
  f:write(text)
  assert(f:close())
end

local function read(path)
  local f = assert(io.open(path))
  local text = f:read("*a")
  f:close()
  return text
end

local dir = ask.dir
local mode = ask.mode == "pipelined" and "prepared" or ask.mode

-- Runs pgbench in the place of a shell, whose end we wait for: then it is our
-- only child, and what it used is known.
local function pgbench()
  -- A log line costs more than the statement that it is about.
  local line = ("cd '%s' && exec env -u LD_PRELOAD '%s' -n -M %s -c %d -T %d "
    .. "-f script -l --log-prefix=log --sampling-rate=%g "
    .. "'host=%s port=%d user=%s dbname=%s' >out 2>err"):format(dir,
    ask.pgbench, mode, ask.tasks, math.ceil(ask.seconds), ask.rate,
    ask.host, ask.port, ask.user, ask.database)
  if os.execute(line) ~= 0 then
    error("pgbench failed:\n" .. read(dir .. "/err"), 0)
  end
  return read(dir .. "/out")
end

-- Fields of a line: client, number of the transaction, its time in us, ...
local function read_log(hist)
  local list = io.popen(("ls '%s'"):format(dir))
  for name in list:lines() do
    if name:match("^log%.") then
      for line in io.lines(dir .. "/" .. name) do
        hist:add(tonumber(line:match("^%d+ %d+ (%d+)")))
      end
    end
  end
  list:close()
end

-- Time on a processor of a process with one thread, in us.
local function time_of(pid)
  return tonumber(read(("/proc/%s/schedstat"):format(pid)):match("^%d+")) / 1e3
end

local text, each = script()
write(dir .. "/script", text)
local beside = ask.beside ~= "" and ask.beside
local before, other = client.cpu(client.CHILDREN), beside and time_of(beside)
local out = pgbench()
local hist = client.hist()
read_log(hist)
local count = tonumber(out:match("transactions actually processed: (%d+)"))
local tps = tonumber(out:match("tps = ([%d.]+)"))
local failed = tonumber(out:match("failed transactions: (%d+)"))
assert(failed == 0, out)
client.answer { ops = count * each, seconds = count / tps, hist = hist,
  cpu_us = client.cpu(client.CHILDREN) - before
    + (beside and time_of(beside) - other or 0),
  peak_kb = client.children_peak() + (beside and client.peak(beside) or 0) }
