-- lunate.stream - rows one by one, COPY, and scripts of many statements.
local core = require "lunate.core"
local errors = require "lunate.errors"
local task = require "lunate.task"
local dblib = require "lunate.db"
local Transaction = require("lunate.tx").Transaction

local Client, Database = dblib.Client, dblib.Database
local EXEC, QUERY, CONTROL = 1, 0, 16
local CHUNK = 65536

local function split_options(name, first, ...)
  if type(first) == "string" then
    return nil, first, ...
  end
  if type(first) ~= "table" or type((...)) ~= "string" then
    error(name .. " wants the SQL text, or options and then the text", 3)
  end
  return first, ...
end

-- ---- db:rows ---------------------------------------------------------------

-- Held weakly, so that a loop left by break lets the collector close it.
local weak = { __mode = "v" }

-- Streams that have not come to their end.
local open_streams = setmetatable({}, { __mode = "k" })

local function close_both(held)
  if held.stream then
    held.stream:close()
  end
  if held.session then
    held.session:finish()
  end
end

-- A session of its own; given back at the end of the stream, when it failed,
-- when nobody holds it any more, or when the task ends.
local function open_stream(client, options, sql, ...)
  if next(open_streams) then
    collectgarbage() -- one that was left by break gives its connection back
  end
  local all = dblib.merged(client, options)
  local read_only = all and all.read_only or false
  local session, err = core.begin(client.ud, { session = not read_only,
    read_only = read_only, long = true, site = dblib.site(4) })
  if not session then
    error(err, 0)
  end
  local stream
  stream, err = core.stream(client.ud, session, 0, all, sql, ...)
  if not stream then
    session:finish()
    error(err, 0)
  end
  open_streams[stream] = true
  return stream, setmetatable({ stream = stream, session = session }, weak)
end

-- Only what reads alone is inside BEGIN READ ONLY: without its end the
-- connection could not be used again.
local function end_session(client, session)
  if session:state() == "open" and session:is_transaction() then
    core.run(client.ud, session, EXEC + CONTROL, nil, "ROLLBACK")
  end
  session:finish()
end

---An iterator over a result of any size; a failure inside the loop raises.
---@param sql string|table
---@return fun(): table?
function Client:rows(sql, ...)
  local options, text = split_options("rows", sql, ...)
  local stream, held
  if options then
    stream, held = open_stream(self, options, ...)
  else
    stream, held = open_stream(self, nil, text, ...)
  end
  local session = held.session
  task.on_end(close_both, held)
  return function()
    local row, err = stream:next()
    if row then
      return row
    end
    open_streams[stream] = nil
    stream:close()
    end_session(self, session)
    task.off_end(close_both, held)
    if err then
      error(err, 0)
    end
    return nil
  end
end

-- ---- tx:rows: a cursor, so that other statements may run in the loop ---

local cursors = 0

local function fetcher(tx, options, name)
  local chunk = tx.db.chunk
  local sql = ("FETCH %d FROM %s"):format(chunk, name)
  local rows, at, done = {}, 0, false
  return function()
    at = at + 1
    if not rows[at] and not done then
      local err
      rows, err = core.run(tx.ud, tx.tx, QUERY + CONTROL, options, sql)
      if not rows then
        error(err, 0)
      end
      at, done = 1, rows.n < chunk
    end
    local row = rows[at]
    if not row and name then
      core.run(tx.ud, tx.tx, EXEC + CONTROL, nil, "CLOSE " .. name)
      name, done = nil, true
    end
    return row
  end
end

local function open_cursor(tx, options, sql, ...)
  cursors = cursors + 1
  local name = "lunate_cursor_" .. cursors
  local head = "DECLARE " .. name .. " NO SCROLL CURSOR FOR "
  local ok, err = core.run(tx.ud, tx.tx, EXEC + CONTROL, nil, head .. sql, ...)
  if not ok then
    err.position = err.position and err.position - #head
    error(err, 0)
  end
  return fetcher(tx, options, name)
end

---As db:rows, inside the transaction.
---@param sql string|table
---@return fun(): table?
function Transaction:rows(sql, ...)
  local options = split_options("rows", sql, ...)
  if options then
    return open_cursor(self, options, ...)
  end
  return open_cursor(self, nil, sql, ...)
end

-- ---- COPY ------------------------------------------------------------------

-- Makes the session real: a connection is leased, BEGIN is sent.
local function connect(client, session)
  return core.run(client.ud, session, EXEC + CONTROL, nil, "SELECT 1")
end

-- A reader of `source` that gives pieces of about CHUNK bytes.
local function pieces(source)
  if type(source) == "string" then
    local given = false
    return function()
      if not given then
        given = true
        return source
      end
    end
  end
  local at = 0
  local next_one = type(source) == "function" and source or function()
    at = at + 1
    return source[at]
  end
  return function()
    local part, size = {}, 0
    while size < CHUNK do
      local one = next_one()
      if one == nil then
        break
      end
      if type(one) ~= "string" then
        error("the source of a COPY must give strings, not a "
          .. type(one), 0)
      end
      part[#part + 1], size = one, size + #one
    end
    return part[1] and table.concat(part) or nil
  end
end

local function feed(copy, source)
  local state, err = copy:next()
  local more = pieces(source)
  while state == "in" do
    local ok, piece = pcall(more)
    if not ok then
      copy:finish("the source of the COPY failed")
      return nil, errors.from_caught(piece)
    end
    if piece == nil then
      state, err = copy:finish()
    else
      state, err = copy:put(piece)
    end
  end
  if state == "done" then
    return err
  end
  if state == "out" then
    copy:close()
    return nil, errors.new("invalid", "this is COPY ... TO; use copy_out")
  end
  return nil, err
end

local function drain(copy, sink)
  local kept = {}
  local state, bytes = copy:next()
  while state == "out" do
    if sink then
      local ok, err = pcall(sink, bytes)
      if not ok then
        copy:close()
        return nil, errors.from_caught(err)
      end
    else
      kept[#kept + 1] = bytes
    end
    state, bytes = copy:next()
  end
  if state == "done" then
    return sink and bytes or table.concat(kept)
  end
  if state == "in" then
    copy:finish("this is COPY ... FROM")
    return nil, errors.new("invalid", "this is COPY ... FROM; use copy_in")
  end
  return nil, bytes
end

local function with_copy(client, session, sql, work)
  local ok, err = connect(client, session)
  if not ok then
    return nil, err
  end
  local copy
  copy, err = core.copy(client.ud, session, sql)
  if not copy then
    return nil, err
  end
  return work(copy)
end

-- A context holds for a transaction: with one, COPY stands between BEGIN and
-- COMMIT.
local function copy_and_commit(client, session, sql, work)
  local result, err = with_copy(client, session, sql, work)
  if result == nil then
    return nil, err
  end
  local ok
  ok, err = core.run(client.ud, session, EXEC + CONTROL, nil, "COMMIT")
  if not ok then
    return nil, err
  end
  return result
end

-- Inside a transaction in its connection, else in one of its own.
local function run_copy(client, sql, work)
  if type(sql) ~= "string" then
    error("COPY wants its SQL text first", 3)
  end
  if client.tx then
    return with_copy(client, client.tx, sql, work)
  end
  local bare = core.context() == nil
  local session, err = core.begin(client.ud, { session = bare, long = true,
    site = dblib.site(3) })
  if not session then
    return nil, err
  end
  task.on_end(session.finish, session)
  local result
  result, err = (bare and with_copy or copy_and_commit)(client, session, sql,
    work)
  session:finish()
  task.off_end(session.finish, session)
  return result, err
end

---COPY ... FROM STDIN.
---@param sql string
---@param source string|string[]|fun(): string?
---@return integer|nil rows, lunate.Error?
function Client:copy_in(sql, source)
  local kind = type(source)
  if kind ~= "string" and kind ~= "table" and kind ~= "function" then
    error("copy_in wants a string, an array of strings or a function", 2)
  end
  return run_copy(self, sql, function(copy)
    return feed(copy, source)
  end)
end

---COPY ... TO STDOUT.
---@param sql string
---@param sink fun(bytes: string)?
---@return string|integer|nil all_or_rows, lunate.Error?
function Client:copy_out(sql, sink)
  return run_copy(self, sql, function(copy)
    return drain(copy, sink)
  end)
end

-- ---- scripts ---------------------------------------------------------------

local function run_all(db, session, parts)
  for i, sql in ipairs(parts) do
    local ok, err = core.run(db.ud, session, EXEC + CONTROL, nil, sql)
    if not ok then
      err.message = ("statement %d of %d: %s"):format(i, #parts, err.message)
      return nil, err
    end
  end
  return #parts
end

---Runs a text of several statements in order, in one session.
---@param text string
---@return integer|nil count, lunate.Error?
function Database:script(text)
  if type(text) ~= "string" then
    error("script wants SQL text", 2)
  end
  local parts, err = core.split(text)
  if not parts then
    return nil, err
  end
  local session
  session, err = core.begin(self.ud, { session = true, long = true,
    site = dblib.site(2) })
  if not session then
    return nil, err
  end
  session:soil()
  task.on_end(session.finish, session)
  local count
  count, err = run_all(self, session, parts)
  session:finish()
  task.off_end(session.finish, session)
  return count, err
end

return {}
