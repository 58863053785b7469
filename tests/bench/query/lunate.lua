-- lunate from Lua: BENCH_TASKS tasks over at most BENCH_CONNECTIONS
-- connections, run by `lunate run`.
local lunate = require "lunate"

package.path = arg[0]:match("^(.*)/query/[^/]*$") .. "/?.lua;" .. package.path
local client = require "kit.client"
local sql = require "query.sql"

local ask = client.ask()
local random = math.random
math.randomseed(os.time())

local db = assert(lunate.open { policies = false, schema = "public",
  pool_max = ask.connections })
local accounts, pages = ask.accounts, ask.pages

local operations = {}

function operations.point()
  local row = assert(db:one(sql.point, random(accounts)))
  return row.abalance
end

function operations.page()
  local rows = assert(db:query(sql.page, random(pages - sql.PAGE)))
  assert(rows.n == sql.PAGE)
end

function operations.insert()
  assert(db:exec(sql.insert, random(accounts), "a note of the bench"))
end

local function transaction(tx)
  for _ = 1, 5 do assert(tx:one(sql.point, random(accounts))) end
  local first = random(accounts - 3)
  for i = 0, 2 do assert(tx:exec(sql.update, first + i, random(100))) end
  for _ = 1, 2 do
    assert(tx:exec(sql.insert, first, "a note of the bench"))
  end
  return true
end

function operations.transaction()
  assert(db:transaction(transaction))
end

local operation = operations[ask.workload]
local now, hist = client.now, client.hist()
local stop = false

local function chain()
  while not stop do
    local began = now()
    operation()
    hist:add(now() - began)
  end
  return true
end

local tasks = {}
for i = 1, ask.tasks do tasks[i] = lunate.spawn(chain) end
lunate.sleep(ask.warm)
hist:clear()
local time, used = now(), client.cpu()
lunate.sleep(ask.seconds)
local answer = { ops = hist.n, seconds = (now() - time) / 1e6,
  cpu_us = client.cpu() - used, peak_kb = client.peak(), hist = hist }
client.answer(answer)
stop = true
for _, task in ipairs(tasks) do assert(task:join()) end
