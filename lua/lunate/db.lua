-- lunate.db - a database handle, and the clients its functions are given.
--
-- A client is a database seen through something: read only, or inside a
-- transaction.  All of them share these methods.
local core = require "lunate.core"
local errors = require "lunate.errors"
local context = require "lunate.context"
local clinics = require "lunate.clinics"

local QUERY = { name = "query", mode = 0 }
local EXEC = { name = "exec", mode = 1 }
local ONE = { name = "one", mode = 2 }

---@class lunate.Client
---@field private ud userdata
---@field private tx userdata?
---@field private options table?
---@field private bits integer beside the mode of a call: 32 for one of db:raw()
local Client = { bits = 0 }
Client.__index = Client

local function raise_misuse(name, value)
  error(("%s wants the SQL text first, or a table of options and then the "
    .. "text; got a %s"):format(name, type(value)), 3)
end

-- The options of this call over those of the client.
local function merged(client, options)
  local base = client.options
  if not base then
    return options
  end
  if not options then
    return base
  end
  local all = {}
  for k, v in pairs(base) do
    all[k] = v
  end
  for k, v in pairs(options) do
    all[k] = v
  end
  return all
end

-- call is { name, mode }
local function run(client, call, first, ...)
  if type(first) == "string" then
    return core.run(client.ud, client.tx, call.mode + client.bits,
      client.options, first, ...)
  end
  if type(first) ~= "table" or type((...)) ~= "string" then
    raise_misuse(call.name, first)
  end
  return core.run(client.ud, client.tx, call.mode + client.bits,
    merged(client, first), ...)
end

---All rows.
---@param sql string|table SQL text, or options before it
---@param ... any values of $1, $2, ...
---@return table[]|nil rows, lunate.Error? err
function Client:query(sql, ...)
  return run(self, QUERY, sql, ...)
end

---How many rows were changed.
---@param sql string|table SQL text, or options before it
---@param ... any values of $1, $2, ...
---@return integer|nil affected, lunate.Error? err
function Client:exec(sql, ...)
  return run(self, EXEC, sql, ...)
end

---The only row; nil, nil when there is none.
---@param sql string|table SQL text, or options before it
---@param ... any values of $1, $2, ...
---@return table|nil row, lunate.Error? err
function Client:one(sql, ...)
  return run(self, ONE, sql, ...)
end

---@class lunate.Statement
---@field private client lunate.Client
---@field private options table
---@field private sql string
---@operator call(...): table[]|nil, lunate.Error?
local Statement = {}
Statement.__index = Statement

---As client:query with its text; also st(...).
---@param ... any
---@return table[]|nil rows, lunate.Error? err
function Statement:query(...)
  return self.client:query(self.options, self.sql, ...)
end

---As client:exec with its text.
---@param ... any
---@return integer|nil affected, lunate.Error? err
function Statement:exec(...)
  return self.client:exec(self.options, self.sql, ...)
end

---As client:one with its text.
---@param ... any
---@return table|nil row, lunate.Error? err
function Statement:one(...)
  return self.client:one(self.options, self.sql, ...)
end

Statement.__call = Statement.query

---A statement with its options, to be run many times.
---@param sql string|table SQL text, or options before it
---@param text string? the SQL text, behind options
---@return lunate.Statement
function Client:prepare(sql, text)
  local options = {}
  if type(sql) == "table" then
    options, sql = sql, text
  end
  if type(sql) ~= "string" then
    raise_misuse("prepare", sql)
  end
  return setmetatable({ client = self, options = options, sql = sql },
    Statement)
end

---@class lunate.Database: lunate.Client
local Database = setmetatable({}, { __index = Client })
Database.__index = Database

-- A client of the same database with other options, outside any transaction.
local function derived(db, options)
  return setmetatable({ ud = db.ud, options = merged(db, options), db = db },
    Client)
end

local function check_function(name, fn)
  if type(fn) ~= "function" then
    error(name .. " wants a function, not a " .. type(fn), 3)
  end
end

---fn(client), where client only reads.
---@param fn fun(client: lunate.Client): ...
---@param options table?
---@return any ...
function Database:read(fn, options)
  check_function("read", fn)
  local all = merged({ options = options }, { read_only = true })
  return fn(derived(self, all))
end

---fn(client) with the context carried by every operation inside.
---@param ctx table
---@param fn fun(client: lunate.Client): ...
---@return any ...
function Database:with_context(ctx, fn)
  check_function("with_context", fn)
  return context.with(ctx, fn, self)
end

local said_so = false

-- Nothing isolates while no policy says how; said once, not to be missed.
local function warn_unisolated(db)
  if said_so or core.isolated(db.ud) then
    return
  end
  said_so = true
  core.warn("with_clinic carries the clinic along, but nothing isolates yet: "
    .. "no isolation policy is configured")
end

---fn(client) for one tenant, or a set of them.
---@param id string|number|table
---@param fn fun(client: lunate.Client): ...
---@return any ...
function Database:with_tenant(id, fn)
  check_function("with_tenant", fn)
  if type(id) ~= "string" and type(id) ~= "number" and type(id) ~= "table" then
    error("with_tenant wants a tenant, or a table of them, first", 2)
  end
  warn_unisolated(self)
  return context.with_tenant(id, fn, self)
end

---The same by the application's word.
Database.with_clinic = Database.with_tenant

---fn(client) as the system: not scoped to tenants, on connections of its own.
---Takes the capability that open() was given; told to the log.
---@param reason string why: for the log, and seen by the database
---@param fn fun(client: lunate.Client): ...
---@return any ...
function Database:as_system(reason, fn)
  if type(reason) ~= "string" or not reason:find("%S") then
    error("as_system wants a reason first, a text that says why", 2)
  end
  check_function("as_system", fn)
  local ok, err = core.as_system(self.ud, reason)
  if not ok then
    return nil, err
  end
  return context.as_system(reason, fn, self)
end

---fn(client) in an emergency: a break_glass rule of access.lua opens the rows
---of one patient, for its time from the first statement on. The context has a
---user and one tenant. What opens stands in the journal before.
---@param glass { rule: string, patient: string|number, reason: string }
---@param fn fun(client: lunate.Client): ...
---@return any ...
function Database:break_glass(glass, fn)
  if type(glass) ~= "table" then
    error("break_glass wants { rule = , patient = , reason = } first", 2)
  end
  check_function("break_glass", fn)
  return context.break_glass(glass, fn, self)
end

local function clinics_of(db)
  local cache = rawget(db, "clinics") or clinics.new()
  rawset(db, "clinics", cache)
  return cache
end

---The active clinic that is meant, nil when there is none; of a user all of
---them.  Asked as the system.
---@param want table one of id, subdomain, location, user
---@return string|string[]|nil clinic, lunate.Error? err
function Database:resolve_clinic(want)
  return clinics.resolve(clinics_of(self), want, function(sql, value)
    return self:as_system("clinic resolution", function(client)
      return client:query(sql, value)
    end)
  end)
end

---Asks the database again for every clinic.
function Database:forget_clinics()
  clinics.forget(clinics_of(self))
end

---A client whose operations go past cache and optimizer, never past isolation.
---Takes the capability that open() was given; told to the log.
---@return lunate.Client|nil client, lunate.Error? err
function Database:raw()
  local ok, err = core.raw(self.ud)
  if not ok then
    return nil, err
  end
  local client = derived(self)
  client.bits = 32
  return client
end

---No new work; waits for what runs, at most `seconds` (30).
---@param seconds number?
---@return true
function Database:close(seconds)
  if self.inside[core.current()] then
    error("close waits for what runs, and would wait for the transaction it "
      .. "is called in; close after it", 2)
  end
  local until_ = core.now() + (seconds or self.drain)
  -- Loops left by break give their connections back: the first round ends a
  -- stream, the second the session that it held.
  collectgarbage()
  collectgarbage()
  self.ud:stop()
  while not self.ud:quiet() and core.now() < until_ do
    core.sleep(0.01)
  end
  self.ud:free()
  return true
end

-- file:line of who borrows a connection, `level` calls up.  A tail call leaves
-- no line of its own: then it is where `fn` was written, or the next caller.
local function site(level, fn)
  local info = debug.getinfo(level + 1, "Sl")
  if fn and not (info and info.currentline > 0) then
    info = debug.getinfo(fn, "S")
    return ("%s:%d"):format(info.short_src, info.linedefined)
  end
  while info and info.currentline < 1 do
    level = level + 1
    info = debug.getinfo(level + 1, "Sl")
  end
  return info and ("%s:%d"):format(info.short_src, info.currentline) or nil
end

return { Client = Client, Database = Database, derived = derived,
  merged = merged, site = site,
  check_function = check_function, errors = errors }
