-- lunate.events - what a database tells, and how it is: db:on, db:health,
-- db:pool_metrics.
local cjson = require "cjson"
local core = require "lunate.core"
local task = require "lunate.task"
local Database = require("lunate.db").Database

-- The names in the envelope are those of the JSON that leaves through the
-- control socket too.
---@class lunate.Event
---@field eventId string
---@field eventType string
---@field category "DATABASE"
---@field priority "CRITICAL"|"HIGH"|"NORMAL"
---@field timestamp string UTC, with milliseconds
---@field source string the application's name
---@field version string
---@field correlationId string
---@field traceId string? the trace of the context of the operation
---@field payload table

local function decode(text)
  local envelope = cjson.decode(text)
  if envelope.traceId == cjson.null then
    envelope.traceId = nil
  end
  return envelope
end

---Calls fn(envelope), in a task of its own, for each event of that name; "*"
---stands for all of them.  `lunate help events` lists the names.
---@param event string
---@param fn fun(envelope: lunate.Event)
---@return fun() off ends it
function Database:on(event, fn)
  if type(event) ~= "string" or type(fn) ~= "function" then
    error("on wants the name of an event and a function", 2)
  end
  local listener, near = core.listen(self.ud, event, function(text)
    task.spawn(fn, decode(text))
  end)
  if not listener then
    error(("there is no event '%s'%s; lunate help events lists them"):format(
      event, near and ("; did you mean '%s'?"):format(near) or ""), 2)
  end
  return function()
    listener:stop()
  end
end

---@class lunate.Health
---@field is_healthy boolean
---@field connection_count integer open connections; 0 when the check failed
---@field active_queries integer
---@field avg_response_time number ms; -1 when the check failed
---@field last_health_check number seconds since 1970
---@field errors string[] why it is not healthy

---Asks the server, at most every ten seconds and for at most two.
---@return lunate.Health|nil, lunate.Error?
function Database:health()
  return core.health(self.ud)
end

---Figures of the pool and of all operations; `lunate help metrics` says what
---each one is.
---@return table<string, number|boolean>
function Database:pool_metrics()
  local metrics = core.metrics(self.ud)
  local last = core.health_last(self.ud)
  if last then
    metrics.is_healthy = last.is_healthy
    metrics.last_health_check = last.last_health_check
  end
  return metrics
end
