-- lunate.repl.query - what `lunate query` does with its text.
local colour = require "lunate.cli.colour"
local complain = require "lunate.repl.complain"
local context = require "lunate.context"
local core = require "lunate.core"
local execute = require "lunate.repl.execute"
local input = require "lunate.repl.input"
local lex = require "lunate.repl.lex"
local session_of = require "lunate.repl.session"
local sinks = require "lunate.repl.sink"
local sys = require "lunate.sys"
local terminal = require "lunate.terminal"

local M = {}

---@class lunate.repl.QueryJob
---@field text string
---@field values (string|nil)[]
---@field nvalues integer
---@field format string
---@field file string? where the text came from
---@field url string?
---@field who table context of --as

-- ---- before anything is sent -----------------------------------------------

local function gives_rows(sql)
  local facts = core.facts(sql)
  return facts and facts.rows
end

---The statements of the text; nil and why it cannot be run like this.
---@param job lunate.repl.QueryJob
---@return lunate.repl.Event[]|nil parts, string? err
function M.plan(job)
  local parts, with_rows = lex.split(job.text), 0
  if #parts == 0 then
    return nil, "the text holds no statement"
  end
  for _, part in ipairs(parts) do
    if part.kind == "command" then
      return nil, ("%s is a command of lunate repl; here only SQL goes")
        :format(part.text:match("^%S+"))
    end
    with_rows = with_rows + (gives_rows(part.text) and 1 or 0)
  end
  if #parts > 1 and job.nvalues > 0 then
    return nil, ("values go with one statement, and the text has %d")
      :format(#parts)
  end
  if with_rows > 1 and job.format ~= "table" then
    return nil, ("%d statements of the text give rows, and %s has room for one "
      .. "result"):format(with_rows, job.format)
  end
  return parts
end

-- ---- output ----------------------------------------------------------------

local function open_sink(job)
  local rows, columns = terminal.size(1)
  if not sys.is_terminal(1) or not rows or job.no_pager then
    return sinks.fd(1)
  end
  return sinks.pager { rows = rows, columns = columns,
    command = sinks.pager_command() }
end

local function settings_of(job)
  local shown = sys.is_terminal(1)
  local expanded = job.expanded or (shown and "auto") or false
  return { format = job.format, expanded = expanded, border = 1,
    footer = shown and not job.bare, bare = job.bare,
    columns = shown and select(2, terminal.size(1)) or nil,
    paint = colour.of(1) }
end

-- What a statement without rows leaves to say; nil, err.
local function tell_tag(job, done)
  if done.rows or (done.tag or "") == "" or job.bare then
    return true
  end
  if job.format == "table" then
    return sinks.write_all(1, done.tag .. "\n")
  elseif sys.is_terminal(2) then
    io.stderr:write(done.tag, "\n")
  end
  return true
end

-- "file:12: " or "statement 2 of 3: ", where there is more than one.
local function place_of(job, parts, index, err)
  if job.file then
    local part = parts[index]
    local line = err.position and complain.line_of(part.text, err.position) or 1
    return ("%s:%d: "):format(job.file, part.from + line - 1)
  end
  return #parts > 1 and ("statement %d of %d: "):format(index, #parts) or ""
end

local function complain_of(job, parts, index, err)
  local echo = sys.is_terminal(2)
  io.stderr:write(colour.of(2).error("lunate:"), " ",
    place_of(job, parts, index, err), complain.message(err, echo), "\n")
  if echo and err.position then
    io.stderr:write(complain.pointer(parts[index].text, err.position,
      select(2, terminal.size(2))))
  end
  if not job.who.tenant and err.reason == "no-tenant" then
    io.stderr:write("Try: --as clinic=ID; or LUNATE_POLICIES=false, for the "
      .. "rights of the login\n")
  end
end

-- ---- running ---------------------------------------------------------------

local function copy_source()
  local read = input.bytes(0)
  return function()
    local bytes, why = read()
    if why == "signal" then
      return false
    end
    return bytes ~= "" and bytes or nil
  end
end

local function run_copy(session, sql, way)
  if way == "in" then
    return session:copy(sql, "in", copy_source())
  end
  local sink = sinks.fd(1)
  return session:copy(sql, "out", function(bytes) return sink:write(bytes) end)
end

local function run_one(session, job, sql)
  local facts, err = core.facts(sql)
  if not facts then
    return nil, err
  end
  if facts.copy then
    local began = core.now()
    local rows, why = run_copy(session, sql, facts.copy)
    return rows and { rows = rows, seconds = core.now() - began }, why
  end
  return execute.run(session, { sql = sql, params = job.values,
    nparams = job.nvalues }, settings_of(job),
    function() return open_sink(job) end)
end

-- Of what failed: 130 for Ctrl-C, 128 + n when signal n asked us to end.
local function exit_code(session)
  local signal = terminal.ending()
  return signal and 128 + signal or session:is_interrupted() and 130 or 1
end

local function unwritten(cli, session, why)
  if why == "closed" then
    return 0
  end
  return why == "interrupted" and exit_code(session)
    or cli.fail("the output cannot be written: " .. why)
end

-- The exit code; nil: all is well so far.
local function after(job, done, session)
  if job.timing then
    io.stderr:write(("Time: %.3f ms\n"):format(done.seconds * 1000))
  end
  job.wrote = job.wrote or done.rows ~= nil
  local ok, why = tell_tag(job, done)
  why = done.cut or (not ok and why) or nil
  return why and unwritten(job.cli, session, why)
end

local function run_all(session, job, parts)
  for i, part in ipairs(parts) do
    local done, err = run_one(session, job, part.text)
    if not done then
      complain_of(job, parts, i, err)
      return exit_code(session)
    end
    local code = after(job, done, session)
    if code then
      return code
    end
  end
  if job.format == "json" and not job.wrote then
    -- No statement gave rows: still JSON.
    local ok, why = sinks.write_all(1, "[]\n")
    return ok and 0 or unwritten(job.cli, session, why)
  end
  return 0
end

---Runs what plan() gave.
---@param job lunate.repl.QueryJob
---@param parts lunate.repl.Event[]
---@param cli table
---@return integer exit_code
function M.run(job, parts, cli)
  local session, err = session_of.open { url = job.url, name = "query" }
  if not session then
    return cli.fail(tostring(err))
  end
  session.on_notice = function(text) io.stderr:write(text, "\n") end
  job.cli = cli
  local made, code = pcall(context.with, job.who, run_all, session, job, parts)
  session:close()
  return made and code or cli.fail(code)
end

return M
