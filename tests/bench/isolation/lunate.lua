-- The point read of a tenant, by `lunate run`: BENCH_TASKS tasks over at most
-- BENCH_CONNECTIONS connections.
--
--   BENCH_FOLDER   the policy folder; none: nothing isolates
--   BENCH_TABLE    what is read: visits, or plain
--   BENCH_TENANTS  how many tenants: each task is one tenant's, or
--   BENCH_EACH     1: each operation is that of another tenant
local lunate = require "lunate"

package.path = arg[0]:match("^(.*)/isolation/[^/]*$") .. "/?.lua;"
  .. package.path
local client = require "kit.client"
local data = require "isolation.data"

local ask = client.ask()
local random = math.random
math.randomseed(os.time())

local folder = os.getenv "BENCH_FOLDER" or ""
local db = assert(lunate.open { policies = folder ~= "" and folder,
  schema = "public", pool_max = ask.connections })
local text = ("SELECT balance FROM %s WHERE id = $1"):format(ask.table)
local tenants, each = ask.tenants, ask.each == 1
local scoped = folder ~= ""

-- A row of the i-th tenant.
local function row_of(i)
  return random(0, data.VISITS / data.TENANTS - 1) * data.TENANTS + i
end

-- What each tenant does, made once: the read is measured, not a closure.
local ids, reads = {}, {}
for i = 1, tenants do
  ids[i] = data.tenant(i)
  reads[i] = function()
    local row = assert(db:one(text, row_of(i)))
    assert(row.balance)
  end
end

local now, hist = client.now, client.hist()
local stop = false

local function loop(one)
  while not stop do
    local began = now()
    one()
    hist:add(now() - began)
  end
end

local function other()
  local i = random(tenants)
  if scoped then return db:with_tenant(ids[i], reads[i]) end
  reads[i]()
end

local function chain(n)
  local i = (n - 1) % tenants + 1
  if each then
    loop(other)
  elseif scoped then
    db:with_tenant(ids[i], function() loop(reads[i]) end)
  else
    loop(reads[i])
  end
  return true
end

local tasks = {}
for n = 1, ask.tasks do
  tasks[n] = lunate.spawn(function() return chain(n) end)
end
lunate.sleep(ask.warm)
hist:clear()
local time, used = now(), client.cpu()
lunate.sleep(ask.seconds)
local answer = { ops = hist.n, seconds = (now() - time) / 1e6,
  cpu_us = client.cpu() - used, peak_kb = client.peak(), hist = hist }
client.answer(answer)
stop = true
for _, task in ipairs(tasks) do assert(task:join()) end
