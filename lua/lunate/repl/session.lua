-- lunate.repl.session - one connection that a person holds.
--
-- The pool gives it and never shares it, so BEGIN, SET, temporary tables and
-- all else of a session work as they do in psql.  Ctrl-C stops the statement
-- that runs and not the session.  When the connection is lost, the next
-- statement is given another one, unless a transaction was open: then it is
-- told that it is gone, once, and nothing is run by mistake outside of it.
local core = require "lunate.core"
local errors = require "lunate.errors"
local lunate = require "lunate"
local terminal = require "lunate.terminal"

local M = {}

local PLAIN, EXEC_CONTROL = 16, 17
-- Idle for longer than this, a connection has to prove that it is there.
local FRESH_SECONDS, PROOF_SECONDS = 30, 5

---@class lunate.repl.Session
---@field db lunate.Database other connections, for the completion
---@field on_notice fun(text: string) what the server says beside its answers
---@field on_reconnect fun() the session is a new one
local Session = {}
Session.__index = Session

local function lease(self)
  local tx, err = core.begin(self.db.ud, { session = true, long = true,
    site = self.name })
  if not tx then
    return nil, err
  end
  tx:soil()
  self.tx, self.used, self.was = tx, core.now(), "none"
  return true
end

-- Ctrl-C calls the function that stops what runs now.
local function watch(self)
  while terminal.interrupt() == "signal" do
    if self.stop then
      lunate.spawn(self.stop)
    end
  end
end

---From here on Ctrl-C is meant for what follows.
function Session:fresh()
  self.heard = terminal.interrupts()
end

---Has Ctrl-C been pressed since fresh()?
---@return boolean
function Session:is_interrupted()
  return terminal.interrupts() ~= self.heard
end

---What runs now, and how Ctrl-C stops it; nil: nothing.
---@param stop fun()?
function Session:running(stop)
  self.stop = stop
  if stop and self:is_interrupted() then
    lunate.spawn(stop) -- it was pressed a moment too early
  end
end

local function ignore()
end

---Opens the database; the connection is made by the first statement.
---@param options { url: string, name: string, policies: false? }
---@return lunate.repl.Session|nil, lunate.Error? err
function M.open(options)
  local quiet = not os.getenv("LUNATE_LOG_LEVEL")
  -- What the environment says of pools is meant for services.
  local db, err = lunate.open { url = options.url, leak_threshold = 0,
    policies = options.policies, pool_min = 0,
    log_level = quiet and "error" or nil }
  if not db then
    return nil, err
  end
  local self = setmetatable({ db = db, name = options.name,
    on_notice = ignore, on_reconnect = ignore }, Session)
  local ok
  ok, err = lease(self)
  if not ok then
    db:close(0)
    return nil, err
  end
  terminal.listen()
  self:fresh()
  self.watcher = lunate.spawn(watch, self)
  return self
end

-- ---- the state of the connection -------------------------------------------

-- A cancel has been sent: until it is over nothing can be, for it to hit.
local function settled(self)
  local state, pid = self.tx:session()
  while state == "fenced" do
    core.sleep(0.005)
    state, pid = self.tx:session()
  end
  return state, pid
end

---"idle", "open" or "failed" (inside BEGIN), "none" (not connected yet),
---"lost"; and the server's process.
---@return string state, integer? pid
function Session:state()
  return settled(self)
end

local function in_transaction(self)
  return self.was == "open" or self.was == "failed"
end

local GONE = "the connection was lost, and the transaction with it: nothing of "
  .. "it was committed"

local function renew(self)
  local had_transaction = in_transaction(self)
  local connected = self.was ~= "none"
  self.tx:finish()
  local ok, err = lease(self)
  if not ok then
    return nil, err
  end
  if had_transaction then
    return nil, errors.new("connection_lost", GONE
      .. ", and this statement was not run")
  end
  if connected then
    self.on_reconnect()
  end
  return true
end

-- After a rest: a network that went away tells nobody.
local function prove(self)
  core.run(self.db.ud, self.tx, EXEC_CONTROL, { timeout = PROOF_SECONDS },
    "show server_version_num")
end

-- Before a statement: is there a connection?
local function ready(self)
  local state = settled(self)
  if state ~= "lost" and state ~= "none"
    and core.now() - self.used > FRESH_SECONDS then
    prove(self)
    state = settled(self)
  end
  if state == "lost" then
    return renew(self)
  end
  return true
end

local LOSSES = { connection_lost = true, in_doubt = true }

-- After a statement: its error, in the light of the transaction that a person
-- opened and lunate does not know.
local function used(self, err, sql)
  self:running(nil)
  local state = settled(self)
  if state ~= "lost" then
    self.was = state
  elseif in_transaction(self) then
    self.was = "idle" -- that it is gone is told here, once
    local facts = sql and core.facts(sql)
    if err and LOSSES[err.code] and not (facts and facts.commits) then
      err = errors.new("connection_lost", GONE)
    elseif not err then
      self.on_notice("WARNING: " .. GONE)
    end
  end
  self.used = core.now()
  return err
end

-- ---- results ---------------------------------------------------------------

---@class lunate.repl.Result
---@field columns lunate.repl.Column[]? nil: the statement gives no rows
---@field tag string? "INSERT 0 3", when it has ended
---@field affected integer?
local Result = {}
Result.__index = Result

local function tell_notices(self)
  for _, text in ipairs(self.stream:notices()) do
    self.session.on_notice(text)
  end
end

local function step(self)
  while true do
    local row, err = self.stream:next()
    tell_notices(self)
    if row ~= false then
      return row, err
    end
  end
end

-- Asks until the server could be asked, or it has ended.
local function stopper(stream)
  return function()
    while not stream:interrupt() do
      core.sleep(0.02)
    end
  end
end

---Starts a statement.  What fails at once, and what fails before the first row,
---is nil, err.
---@param sql string
---@param ... string|nil values of $1, $2 ...: texts, or nil
---@return lunate.repl.Result|nil, lunate.Error? err
function Session:start(sql, ...)
  local ok, err = ready(self)
  if not ok then
    return nil, err
  end
  local stream
  stream, err = core.stream(self.db.ud, self.tx, PLAIN, nil, sql, ...)
  if not stream then
    return nil, err
  end
  self:running(stopper(stream))
  local result = setmetatable({ session = self, stream = stream, sql = sql },
    Result)
  result.first, err = step(result)
  result.columns = stream:columns()
  if err then
    return nil, result:close(err)
  end
  return result
end

---The next row: texts, NULL is a hole; nil at the end; nil, err.
---@return (string|nil)[]|nil, lunate.Error? err
function Result:next()
  local row = self.first
  if row then
    self.first = nil
    return row
  end
  if self.over then
    return nil
  end
  local err
  row, err = step(self)
  self.over = row == nil
  return row, err
end

---Ends it; what it was is known then.
---@param err lunate.Error? how it failed
---@return lunate.Error? err the same, or a better one
function Result:close(err)
  if not self.closed then
    self.closed = true
    self.tag, self.affected = self.stream:outcome()
    self.stream:close()
    err = used(self.session, err, self.sql)
  end
  return err
end

-- Says after a second why nothing seems to happen.
local function explain_wait(session)
  return lunate.spawn(function()
    if core.sleep(1) then
      session.on_notice("reading the rest of the result, since stopping it "
        .. "would end your transaction; Ctrl-C stops it")
    end
  end)
end

---Nobody wants the other rows.  Outside of a transaction the statement is
---stopped; inside, that would end the transaction, so it is let run out.
function Result:abandon()
  local session = self.session
  local stays = in_transaction(session)
  local told = stays and explain_wait(session)
  self.stream:drop()
  self.first = nil
  if not stays then
    session.stop()
  end
  local row, err
  repeat
    row, err = step(self)
  until row == nil
  if told then
    told:cancel()
  end
  self:close(err)
end

-- ---- COPY ------------------------------------------------------------------

-- A COPY hears no cancel on its own connection: another one asks for it.
local function copy_stopper(self)
  local _, pid = settled(self)
  return function()
    self.db:query("select pg_cancel_backend($1)", pid)
  end
end

local function copy_in(copy, source)
  local state, err = copy:next()
  while state == "in" do
    local ok, piece = pcall(source)
    if not ok then
      copy:finish("the input failed")
      return nil, errors.from_caught(piece)
    end
    if piece == false then
      state, err = copy:finish("interrupted")
    elseif piece == nil then
      state, err = copy:finish()
    else
      state, err = copy:put(piece)
    end
  end
  if state == "done" then
    return err
  end
  return nil, err
end

local function copy_out(self, copy, sink)
  local state, bytes = copy:next()
  local ok, why = true, nil
  while state == "out" do
    if ok then
      ok, why = sink(bytes)
      if not ok then
        self.stop()
      end
    end
    state, bytes = copy:next()
  end
  if not ok and why == "closed" then
    return 0 -- nobody reads any more: no failure, as with rows
  end
  if not ok and why ~= "interrupted" then
    return nil, errors.new("io", "the output cannot be written: " .. why)
  end
  if state == "done" then
    return bytes
  end
  return nil, bytes
end

---COPY ... FROM STDIN or TO STDOUT.
---@param sql string
---@param way "in"|"out"
---@param other function in: gives the next bytes, nil at the end, false to
---give up; out: takes bytes, gives true, or nil and why
---@return integer|nil rows, lunate.Error? err
function Session:copy(sql, way, other)
  local ok, err = ready(self)
  if not ok then
    return nil, err
  end
  ok, err = core.run(self.db.ud, self.tx, EXEC_CONTROL, nil,
    "show server_version_num")
  if not ok then
    return nil, err
  end
  local copy
  copy, err = core.copy(self.db.ud, self.tx, sql)
  if not copy then
    return nil, err
  end
  self:running(way == "out" and copy_stopper(self) or nil)
  local rows
  if way == "in" then
    rows, err = copy_in(copy, other)
  else
    rows, err = copy_out(self, copy, other)
  end
  return rows, used(self, err)
end

-- ---- small questions -------------------------------------------------------

---All rows of a small result; in the person's own session.
---@param sql string
---@return (string|nil)[][]|nil rows, lunate.Error|lunate.repl.Column[] err
function Session:all(sql, ...)
  local result, err = self:start(sql, ...)
  if not result then
    return nil, err
  end
  local rows = {}
  local row
  row, err = result:next()
  while row do
    rows[#rows + 1] = row
    row, err = result:next()
  end
  err = result:close(err)
  if err then
    return nil, err
  end
  return rows, result.columns
end

---Gives the connection back.
function Session:close()
  self:running(nil)
  self.tx:finish()
  self.watcher:cancel()
  self.db:close(1)
end

return M
