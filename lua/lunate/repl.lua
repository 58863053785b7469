-- lunate.repl - the prompt: SQL first, backslash commands, Lua when asked.
--
-- Lines come from a source (repl/input.lua), the lexer (repl/lex.lua) says what
-- they hold, and each statement runs in the one session (repl/session.lua).
-- The same loop serves a person, a pipe and the files of \i.
local colour = require "lunate.cli.colour"
local commands = require "lunate.repl.commands"
local complain = require "lunate.repl.complain"
local copying = require "lunate.repl.copying"
local core = require "lunate.core"
local execute = require "lunate.repl.execute"
local history = require "lunate.repl.history"
local input = require "lunate.repl.input"
local lex = require "lunate.repl.lex"
local luamode = require "lunate.repl.luamode"
local names = require "lunate.repl.names"
local session_of = require "lunate.repl.session"
local show = require "lunate.repl.show"
local sinks = require "lunate.repl.sink"
local sys = require "lunate.sys"
local tab = require "lunate.repl.tab"
local terminal = require "lunate.terminal"

local M = {}

local DEEPEST = 16 -- files that run files

---@class lunate.repl.Options
---@field url string
---@field stop boolean? at the first error (--on-error-stop)
---@field timing boolean?
---@field expanded boolean|"auto"|nil

---@class lunate.Repl
---@field session lunate.repl.Session
---@field source lunate.repl.Source where lines come from now
---@field lexer lunate.repl.Lexer
---@field last string? the statement that ran last
---@field output lunate.repl.Sink? of \o
---@field once lunate.repl.Sink? of \g FILE
---@field failed boolean something did
---@field over boolean \q
local Repl = {}
Repl.__index = Repl

-- ---- what is said ----------------------------------------------------------

---Messages beside results.
---@param text string
function Repl:say(text) -- luacheck: ignore 212
  io.stdout:write(text)
  io.stdout:flush()
end

---Messages that only a person wants.
---@param text string
function Repl:remark(text)
  if self.source.person then
    self:say(text)
  end
end

---@param err lunate.Error|string
---@param place lunate.repl.Place
function Repl:complain(err, place)
  self.failed = true
  if self.session:is_interrupted() and self.source.person then
    self:say("\n") -- behind the ^C of the terminal
  end
  place.echo = sys.is_terminal(2)
  place.columns = select(2, terminal.size(2))
  io.stdout:flush()
  io.stderr:write(complain.text(err, place, self.err_paint))
end

local function on_notice(self)
  return function(text)
    io.stdout:flush()
    local head, rest = text:match("^(%u+:)(.*)$")
    io.stderr:write(head and self.err_paint.warning(head) .. rest or text, "\n")
  end
end

local function on_reconnect(self)
  return function()
    self.names:forget()
    on_notice(self)("NOTICE: the connection was lost; this is a new one, "
      .. "without the settings and temporary tables of the old")
  end
end

-- ---- where results go ------------------------------------------------------

-- The sink of \o is written by many statements, and closed by \o.
local Lasting = {}
Lasting.__index = Lasting

function Lasting:write(text)
  return self.to:write(text)
end

function Lasting:close()
  return self.to ~= nil
end

local function lasting(sink)
  return setmetatable({ to = sink, waited = 0 }, Lasting)
end

-- Do results go to a window that a person looks at?
local function is_shown(self)
  return self.shown and not self.output and not self.once
end

---Opens what the next result goes to; its user closes it.
---@return lunate.repl.Sink
function Repl:open_sink()
  io.stdout:flush()
  if self.once or self.output then
    return lasting(self.once or self.output)
  end
  local rows, columns = terminal.size(1)
  local pager = self.options.pager
  if not self.shown or not rows or pager == "off" then
    return sinks.fd(1)
  end
  return sinks.pager { rows = rows, columns = columns,
    command = sinks.pager_command(), always = pager == "always" }
end

---How a table is laid out now.
---@return lunate.repl.Settings
function Repl:layout_settings()
  local o = self.options
  local here = is_shown(self)
  return { format = o.format, null = o.null, border = o.border,
    expanded = o.expanded, footer = o.footer and not o.bare, bare = o.bare,
    columns = here and select(2, terminal.size(1)) or nil,
    paint = here and self.paint or colour.new(false),
    gap = here and self.source.person }
end

-- ---- statements ------------------------------------------------------------

local function seconds_text(seconds)
  local ms = ("Time: %.3f ms"):format(seconds * 1000)
  if seconds < 1 then
    return ms .. "\n"
  end
  return ("%s (%02d:%06.3f)\n"):format(ms, math.floor(seconds / 60),
    seconds % 60)
end

-- What changed rows says how many, also when it gave some.
local function has_tag(done)
  local tag = done.tag or ""
  return tag ~= "" and (not done.rows or tag:find("^INSERT") or tag:find("^UPD")
    or tag:find("^DELETE") or tag:find("^MERGE"))
end

local function tell_done(self, done)
  if has_tag(done) and not self.options.bare
    and self.options.format == "table" then
    local sink = self:open_sink()
    local ok, err = sink:write(done.tag .. "\n")
    sink:close()
    self.failed = self.failed or (not ok and err ~= "closed")
  end
  if done.cut == "interrupted" then
    self:say("interrupted\n")
  end
  if self.options.timing then
    self:say(seconds_text(done.seconds))
  end
end

local function run_copy(self, sql, way)
  local began = core.now()
  local ok, err = copying.run(self, { sql = sql, way = way })
  return ok and { seconds = core.now() - began }, err
end

---Runs one statement and shows what it gives.
---@param sql string
---@param place lunate.repl.Place
---@param again boolean? not what a person typed: \watch
---@return boolean ok
function Repl:run_sql(sql, place, again)
  if not again then
    self.last = sql
  end
  place.sql = sql
  local facts, err = core.facts(sql)
  local done
  if facts and facts.copy then
    done, err = run_copy(self, sql, facts.copy)
  elseif facts then
    done, err = execute.run(self.session, { sql = sql },
      self:layout_settings(), function() return self:open_sink() end)
  end
  if not facts or facts.ddl or facts.session or facts.kind == "do"
    or facts.kind == "call" then
    self.names:forget()
  end
  if not done then
    self:complain(err, place)
    return false
  end
  tell_done(self, done)
  return true
end

-- ---- commands and Lua ------------------------------------------------------

local function run_commands(self, text, place)
  local calls, unknown = commands.read(text)
  if not calls then
    self:complain(("there is no command \\%s; \\? lists them"):format(
      unknown:match("^\\?(%S*)")), place)
    return false
  end
  for _, call in ipairs(calls) do
    if self.restricted and call.command ~= commands.by_name.unrestrict then
      self:complain("no commands until \\unrestrict", place)
      return false
    end
    local ok, err = call.command[4](self, call.words, call.plus, call.rest)
    if not ok then
      if err then
        self:complain(err, place)
      end
      return false
    end
  end
  return true
end

---Runs Lua code; nil, err when it failed.
---@param text string
---@return true|nil, string? err
function Repl:run_lua(text)
  local fn, err = self.lua:compile(text)
  if not fn then
    return nil, err
  end
  io.stdout:flush()
  return self.lua:run(fn, function(line) self:say(line) end, self.session)
end

local function take_lua(self, line)
  if line:find("^%s*\\lua%s*$") or (#self.chunk == 0 and line:find("^%s*\\"))
  then
    self.chunk = {}
    return run_commands(self, line:match("\\.*"), {})
  end
  self.chunk[#self.chunk + 1] = line
  local text = table.concat(self.chunk, "\n")
  local fn, err, unfinished = self.lua:compile(text)
  if not fn and unfinished then
    return true
  end
  self.chunk = {}
  self:remember(text)
  local ok = fn ~= nil
  if fn then
    ok, err = self:run_lua(text)
  end
  if not ok then
    self:complain(err, {})
  end
  return ok
end

-- ---- lines -----------------------------------------------------------------

---Keeps what a person typed, on one line.
---@param text string
function Repl:remember(text)
  if not self.editor or not self.source.person then
    return
  end
  if self.history:add(text) then
    self.editor:remember(text)
  end
  if self.history.failed then
    self.history.failed = nil
    on_notice(self)("WARNING: the history cannot be written; LUNATE_HISTORY "
      .. "names another file")
  end
end

-- The lines that were typed since the last entry are one.
local function remember_typed(self)
  local typed = self.typed
  self.typed = {}
  if #typed == 0 then
    return
  end
  local text = table.concat(typed, "\n")
  self:remember(text:find("^%s") and text or lex.flatten(text))
end

-- A command on a line of its own is an entry of its own, also in the middle of
-- a statement; a statement is one when nothing of it is open any more.
local function remember_line(self, line, events)
  if line:find("^%s*\\") then
    self:remember(line)
    return
  end
  self.typed[#self.typed + 1] = line
  if self.lexer:open() == "=" or (events[1] and events[#events].kind
    == "command") then
    remember_typed(self)
  end
end

local BARE_WORDS = {
  quit = function(self) self.over = true end,
  exit = function(self) self.over = true end,
  help = function(self)
    self:say("A statement of SQL ends with ;  Commands begin with \\ : \\? "
      .. "lists them, \\q leaves.\n")
  end,
}

local function bare_word(self, line)
  local word = self.source.person and self.lexer:open() == "="
    and line:match("^%s*(%a+)%s*;?%s*$")
  return word and BARE_WORDS[word:lower()]
end

-- Statements and commands of one line; false: it should go no further.
local function run_events(self, events)
  for i, event in ipairs(events) do
    local place = { from = not self.source.person and (event.from or event.line)
      or nil, file = self.source.name,
      number = self.source.person and #events > 1 and i or nil, of = #events }
    local ok
    if event.kind == "sql" then
      ok = self:run_sql(event.text, place)
    else
      ok = run_commands(self, event.text, place)
    end
    if self.session:is_interrupted() or self.over then
      return self.over or self.source.person or false
    end
    if not ok and self.stop then
      return false
    end
  end
  return true
end

---One line of the input.
---@param line string
---@return boolean goes_on
function Repl:take(line)
  if self.in_lua then
    return take_lua(self, line) or not self.stop
  end
  local word = bare_word(self, line)
  if word then
    word(self)
    return true
  end
  self.lexer:push(line)
  local events = {}
  for event in self.lexer.next, self.lexer do
    events[#events + 1] = event
  end
  if not self.source.person then
    return run_events(self, events)
  end
  remember_line(self, line, events)
  local goes_on = run_events(self, events)
  if self.lexer:open() == "=" then
    remember_typed(self) -- \g has run what had no semicolon
  end
  return goes_on
end

local MARKS = { open = "*", failed = "!", lost = "?", none = "" }

---@return string
function Repl:prompt()
  if self.in_lua then
    return #self.chunk == 0 and "lua> " or "lua>> "
  end
  return ("%s%s%s%s "):format(self.about.database, self.lexer:open(),
    MARKS[self.session:state()] or "", self.about.super and "#" or ">")
end

-- Lines until the source ends; false: they were left.
local function run_source(self)
  while not self.over and not terminal.ending() do
    if self.source.person then
      self.session:fresh()
    end
    local line, why = self.source:line(self.source.person and self:prompt())
    if line then
      if not self:take(line) then
        return false
      end
    elseif why == "signal" then
      if not self.source.person then
        return false
      end
      self:say("^C\n")
      self.lexer:clear()
      self.typed, self.chunk = {}, {}
    else
      break
    end
  end
  return true
end

-- The last statement needs no semicolon where nobody types.
local function run_rest(self)
  local event = not self.source.person and not self.over
    and self.lexer:finish()
  return not event or run_events(self, { event })
end

---Runs what another source gives, with a lexer of its own.
---@param source lunate.repl.Source
---@return boolean|nil ok, string? err
function Repl:include(source)
  self.depth = self.depth + 1
  if self.depth > DEEPEST then
    self.depth = self.depth - 1
    return nil, "files that run files, too deep"
  end
  local outer, lexer, in_lua = self.source, self.lexer, self.in_lua
  self.source, self.lexer, self.in_lua = source, lex.new(), false
  local ran, ok = pcall(function()
    return run_source(self) and run_rest(self)
  end)
  self.source, self.lexer, self.in_lua = outer, lexer, in_lua
  self.depth = self.depth - 1
  if not ran then
    error(ok, 0)
  end
  return ok
end

---Runs a text that an editor left.
---@param text string
---@return boolean|nil ok, string? err
function Repl:take_text(text)
  self:remember(lex.flatten(text))
  local lines = input.text(text)
  local line = lines:line()
  local ok = true
  while line and ok do
    self.lexer:push(line)
    local events = {}
    for event in self.lexer.next, self.lexer do
      events[#events + 1] = event
    end
    ok = run_events(self, events)
    line = lines:line()
  end
  if self.lexer:has_statement() then
    self:say(self.lexer:text() .. "\n")
  end
  return true
end

-- ---- life ------------------------------------------------------------------

---Another session; the old one stays when this fails.
---@param url string
---@return true|nil, lunate.Error? err
function Repl:connect(url)
  -- A prompt asks catalogs, sets and creates: it is its login's, as psql is.
  local session, err = session_of.open { url = url, name = "repl",
    policies = false }
  if not session then
    return nil, err
  end
  session.on_notice = on_notice(self)
  session.on_reconnect = on_reconnect(self)
  local about
  about, err = show.about(session)
  if not about then
    session:close()
    return nil, err
  end
  if self.session then
    self.session:close()
  end
  self.session, self.about, self.url = session, about, url
  self.names = names.new(session)
  self.lua = luamode.new(session.db)
  return true
end

---@return string
function Repl:greeting()
  return ("PostgreSQL %s, database %s as %s (%s%s)\n"):format(
    self.about.version, self.about.database, self.about.user, self.about.host,
    self.about.standby and "; standby: read only" or "")
end

-- Would a script that is started here obey policies?
local function policies_lie_here()
  local named = os.getenv("LUNATE_POLICIES")
  if named and named ~= "" then
    return named ~= "false"
  end
  return sys.exists("policies/isolation.lua")
end

local function greet(self)
  self:say(("lunate %s, %s"):format(core.version, self:greeting()))
  if policies_lie_here() then
    self:say("Policies are not in force at this prompt: it has the rights of "
      .. "its login.\nlunate query --as clinic=ID obeys them.\n")
  end
  self:say("\\? for help, \\q to leave\n")
end

local function open_person(self)
  local editor
  self.source, editor = input.person(tab.completer(self))
  self.history = history.open(history.path())
  for _, entry in ipairs(self.history.entries) do
    editor:remember(entry)
  end
  self.editor = editor
  if history.path() then
    local folder = history.path():match("^(.*)/[^/]*$")
    if folder and not sys.exists(folder) then
      sys.run { "mkdir", "-p", "-m", "700", folder }
    end
  end
end

local function new(options)
  return setmetatable({ lexer = lex.new(), typed = {}, chunk = {}, depth = 0,
    failed = false, over = false, stop = options.stop,
    shown = sys.is_terminal(1), paint = colour.of(1),
    err_paint = colour.of(2),
    options = { format = "table", null = "<null>", border = 1, footer = true,
      pager = "on", timing = options.timing or false, bare = false,
      expanded = options.expanded == nil and "auto" or options.expanded },
  }, Repl)
end

local function exit_code(self, person)
  if terminal.ending() then
    return 128 + terminal.ending()
  end
  if self.session:is_interrupted() and not person then
    return 130
  end
  return self.failed and not person and 1 or 0
end

---Serves standard input until it ends.
---@param options lunate.repl.Options
---@return integer code for the process to exit with
---@return string? err why nothing could be done
function M.run(options)
  local self = new(options)
  local person = sys.is_terminal(0)
  local ok, err = self:connect(options.url)
  if not ok then
    return 1, tostring(err)
  end
  if person then
    open_person(self)
    greet(self)
  else
    self.source = input.descriptor(0)
  end
  if run_source(self) then
    run_rest(self)
  end
  if person and not self.over then
    self:say("\n")
  end
  if self.output then
    self.failed = not self.output:close() or self.failed
  end
  self.session:close()
  return exit_code(self, person)
end

return M
