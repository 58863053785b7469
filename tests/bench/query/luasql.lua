-- lua-sql-postgres under luajit: one connection, one statement at a time. It
-- has no parameters, so values are written into the text.
package.path = arg[0]:match("^(.*)/query/[^/]*$") .. "/?.lua;" .. package.path
local client = require "kit.client"
local sql = require "query.sql"

local ask = client.ask()
local random = math.random
math.randomseed(os.time())

local environment = require("luasql.postgres").postgres()
local db = assert(environment:connect(("host=%s port=%d user=%s dbname=%s")
  :format(ask.host, ask.port, ask.user, ask.database)))
local accounts, pages = ask.accounts, ask.pages

-- "$1" becomes "%d" or "%s", in the order of the parameters.
local function format_of(text, ...)
  local forms = { ... }
  return (text:gsub("%$(%d)", function(i) return forms[tonumber(i)] end))
end

local point = format_of(sql.point, "%d")
local page = format_of(sql.page, "%d")
local insert = format_of(sql.insert, "%d", "'%s'")
-- Here the second parameter comes first.
local update = format_of(sql.update, "%d", "%d")

local operations = {}

function operations.point()
  local cursor = assert(db:execute(point:format(random(accounts))))
  local balance = tonumber(cursor:fetch())
  cursor:close()
  return assert(balance)
end

function operations.page()
  local cursor = assert(db:execute(page:format(random(pages - sql.PAGE))))
  local rows = {}
  local row = cursor:fetch({}, "a")
  while row do
    rows[#rows + 1] = row
    row = cursor:fetch({}, "a")
  end
  cursor:close()
  assert(#rows == sql.PAGE)
end

local NOTE = "a note of the bench"

function operations.insert()
  assert(db:execute(insert:format(random(accounts), NOTE)) == 1)
end

function operations.transaction()
  assert(db:execute("BEGIN"))
  for _ = 1, 5 do operations.point() end
  local first = random(accounts - 3)
  for i = 0, 2 do
    assert(db:execute(update:format(random(100), first + i)) == 1)
  end
  for _ = 1, 2 do assert(db:execute(insert:format(first, NOTE)) == 1) end
  assert(db:execute("COMMIT"))
end

local operation = operations[ask.workload]
local now, hist = client.now, client.hist()

local function run_for(seconds)
  local limit = now() + seconds * 1e6
  local began = now()
  while began < limit do
    operation()
    local ended = now()
    hist:add(ended - began)
    began = ended
  end
end

run_for(ask.warm)
hist:clear()
local time, used = now(), client.cpu()
run_for(ask.seconds)
client.answer { ops = hist.n, seconds = (now() - time) / 1e6,
  cpu_us = client.cpu() - used, peak_kb = client.peak(), hist = hist }
db:close()
