-- lunate.repl.execute - one statement, and its result written somewhere.
local core = require "lunate.core"
local errors = require "lunate.errors"
local layout = require "lunate.repl.layout"
local machine = require "lunate.repl.machine"

local M = {}

-- format -> makes a writer of rows
local WRITERS = {
  table = layout.new,
  csv = machine.csv,
  json = machine.json,
  ndjson = machine.ndjson,
}

---The formats there are.
M.formats = { "table", "csv", "json", "ndjson" }

---@class lunate.repl.Settings: lunate.repl.LayoutOptions
---@field format "table"|"csv"|"json"|"ndjson"
---@field footer boolean? "(3 rows)" below a table
---@field gap boolean? and an empty line

---@class lunate.repl.Done
---@field rows integer? how many the result has, when it is one
---@field tag string? of the server
---@field seconds number without the time that readers took
---@field cut string? why not all of it was written: "closed", "interrupted"

local function stopped(result, why)
  result:abandon()
  if why == "closed" or why == "interrupted" then
    return { cut = why, rows = 0 }
  end
  return nil, errors.new("io", "the output cannot be written: " .. why)
end

local function pass_rows(result, writer)
  local n = 0
  local row, err = result:next()
  while row do
    local ok, why = writer:row(row)
    if not ok then
      return nil, why, true
    end
    n = n + 1
    row, err = result:next()
  end
  return n, err
end

-- What came before an error is shown, too.
local function finish(job, n, err)
  local ok, why = job.writer:finish()
  local settings = job.settings
  if ok and settings.footer and settings.format == "table" and not err then
    ok, why = job.sink:write(layout.footer(n) .. (settings.gap and "\n" or ""))
  end
  err = job.result:close(err)
  if err then
    return nil, err
  end
  if not ok and why ~= "closed" then
    return nil, errors.new("io", "the output cannot be written: " .. why)
  end
  return { rows = n, tag = job.result.tag, cut = not ok and why or nil }
end

local function write_rows(result, sink, settings)
  local writer = WRITERS[settings.format](result.columns,
    function(text, columns) return sink:write(text, columns) end, settings)
  local n, err, broken = pass_rows(result, writer)
  if broken then
    return stopped(result, err)
  end
  return finish({ result = result, writer = writer, sink = sink,
    settings = settings }, n, err)
end

-- No rows come: a write, a command.
local function run_out(result)
  local row, err
  repeat
    row, err = result:next()
  until not row
  err = result:close(err)
  if err then
    return nil, err
  end
  return { tag = result.tag, affected = result.affected }
end

---Runs one statement and writes what it gives.  A result that is a result of
---rows opens the sink.
---@param session lunate.repl.Session
---@param job { sql: string, params: any[]?, nparams: integer? }
---@param settings lunate.repl.Settings
---@param open fun(): lunate.repl.Sink where rows go
---@return lunate.repl.Done|nil, lunate.Error? err
function M.run(session, job, settings, open)
  local began = core.now()
  local result, err = session:start(job.sql, unpack(job.params or {}, 1,
    job.nparams or 0))
  if not result then
    return nil, err
  end
  local done
  if not result.columns then
    done, err = run_out(result)
    if done then
      done.seconds = core.now() - began
    end
    return done, err
  end
  local sink = open()
  done, err = write_rows(result, sink, settings)
  local took = core.now() - began - sink.waited
  sink:close() -- a pager may be read for long
  if done then
    done.seconds = took
  end
  return done, err
end

return M
