-- judge - runs a case with some layers on and the others off, and says what
-- came of it.
--
-- What came of it is an outcome: rows as a multiset, and for a statement that
-- writes what is then A's and what is everybody else's; or an error. It leaks
-- unless it is an error, or the very outcome of PostgreSQL on A's rows alone.
local core = require "lunate.core"
local live = require "support.live"
local world = require "live.adversarial.world"

local M = {}

--- Which layers a mode has, in the order in which they come. With the layer
--- "errors" on, rules hide details, and then none can be switched off.
M.layers = {
  rewrite = { "gate", "rewrite", "egress", "errors" },
  rls = { "gate", "rls", "egress", "errors" },
  both = { "gate", "rewrite", "rls", "egress", "errors" },
}

M.modes = { "rewrite", "rls", "both" }

-- ---- the state of the database ---------------------------------------------

local OF_A = {
  clinics = "x.id = '$A'",
  rx_items = "exists (select from rx r where r.id = x.rx_id "
    .. "and r.clinic_id = '$A')",
  forms = "exists (select from rx r where r.id = x.rx_id "
    .. "and r.clinic_id = '$A')",
  people = "exists (select from members m where m.person_id = x.id "
    .. "and m.clinic_id = '$A')",
  icd = "true",
}

local function state_sql()
  local parts = {}
  for _, name in ipairs(world.tables) do
    parts[#parts + 1] = ("select %s as mine, '%s' || x::text as r from %s x")
      :format(OF_A[name] or "x.clinic_id = '$A'", name:sub(1, 9), name)
  end
  return world.named("select coalesce(mine, false) as mine, "
    .. "string_agg(r, chr(10) order by r) as rows from ("
    .. table.concat(parts, " union all ") .. ") s group by 1")
end

local STATE = state_sql()

-- { mine = text, rest = text }
local function state(db)
  local s = { mine = "", rest = "" }
  for _, row in ipairs(assert(db:query(STATE))) do
    s[row.mine and "mine" or "rest"] = row.rows
  end
  return s
end

local function restore_sql()
  local parts = { "set session_replication_role = replica" }
  for _, name in ipairs(world.tables) do
    parts[#parts + 1] = "delete from " .. name
    parts[#parts + 1] = ("insert into %s overriding system value "
      .. "select * from kept.%s"):format(name, name)
  end
  parts[#parts + 1] = "reset session_replication_role"
  return table.concat(parts, ";\n")
end

local RESTORE = restore_sql()

-- ---- one run ---------------------------------------------------------------

local HOW = { positional = true, nulls = true, json = "string" }

local function text_of(v)
  if type(v) ~= "table" then return tostring(v) end
  local parts = {}
  for i = 1, #v do parts[i] = text_of(v[i]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- A multiset as a text.
local function bag(rows)
  local lines = {}
  for i, row in ipairs(rows) do
    local cells = {}
    for k = 1, #row do cells[k] = text_of(row[k]) end
    lines[i] = table.concat(cells, "|")
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

local function params_of(case)
  local out = {}
  for i, v in ipairs(case.params or {}) do
    out[i] = type(v) == "string" and world.named(v) or v
  end
  return out
end

local WRITES = { "insert", "update", "delete", "merge", "truncate", "call",
  "do " }

local function writes(case)
  local s = case.sql:lower()
  for _, word in ipairs(WRITES) do
    if s:find(word, 1, true) then return true end
  end
  return false
end

local function ask(client, case, sql)
  return client:query(HOW, sql, unpack(params_of(case)))
end

-- undone: what it leaves in the session or the schema does not stay.
local function in_transaction(db, case, sql)
  local rows, err
  db:transaction(function(tx)
    rows, err = ask(tx, case, sql)
    if case.undone then error("undo", 0) end
    return rows, err
  end)
  return rows, err
end

-- ---- outcomes --------------------------------------------------------------

---@class adversarial.Outcome
---@field rows string?
---@field mine string? what is A's afterwards
---@field rest string? what is not
---@field err lunate.Error?
---@field reason string? of a refusal

local function outcome(rows, err)
  if rows then return { rows = bag(rows) } end
  return { err = err, reason = err.message:match("refused %(([%w-]+)%)") }
end

function M.same(a, b)
  if a.err or b.err then
    return a.err and b.err and a.err.code == b.err.code or false
  end
  return a.rows == b.rows and a.mine == b.mine and a.rest == b.rest
end

--- For people.
function M.tell(o)
  if not o then return "nothing to compare with" end
  if o.err then return (o.reason or o.err.code) .. ": " .. o.err.message end
  return "rows:\n" .. o.rows .. (o.mine and "\nA's:\n" .. o.mine
    .. "\nothers':\n" .. o.rest or "")
end

-- ---- the judge -------------------------------------------------------------

---@class adversarial.Judge
local Judge = {}
Judge.__index = Judge

---@return adversarial.Judge
function M.new()
  local self = setmetatable({ handles = {}, oracles = {} }, Judge)
  local dbs = world.open()
  self.x, self.y = dbs.x, dbs.y
  self.base = state(self.x)
  local only = state(self.y)
  assert(only.rest == "" and only.mine == self.base.mine,
    "the worlds differ in what is A's")
  return self
end

--- What PostgreSQL gives on A's rows alone; false: nothing to compare with.
---@param case table
---@return adversarial.Outcome|false
function Judge:oracle(case)
  if case.plain == false then return false end
  if not self.oracles[case] then
    local out
    self.y:transaction(function(tx)
      out = outcome(ask(tx, case, world.named(case.plain or case.sql)))
      if not out.err and writes(case) then
        out.mine, out.rest = state(tx).mine, self.base.rest
      end
      error("undo", 0)
    end)
    self.oracles[case] = out
  end
  return self.oracles[case]
end

-- A handle of its own for each set of layers: what a statement becomes is
-- remembered.
function Judge:handle(mode, on)
  local names = {}
  for _, layer in ipairs(M.layers[mode]) do
    if on[layer] then names[#names + 1] = layer end
  end
  local key = mode .. " " .. table.concat(names, "+")
    .. (on.unchecked and " unchecked" or "")
  if not self.handles[key] then
    self.handles[key] = live.open(world.url(not on.rls), {
      application_name = key, pool_max = 4, log_level = "error",
      policies = world.folder(mode, not on.errors) })
  end
  return self.handles[key]
end

local function points(mode, on)
  local off = { on.unchecked and "isolation.check=always" }
  for _, layer in ipairs(M.layers[mode]) do
    if not on[layer] then
      off[#off + 1] = "isolation." .. layer .. "=always"
    end
  end
  return table.concat(off, ",")
end

-- What a write left behind, also one whose rows were withheld.
function Judge:look_at(case, out)
  if writes(case) and (not out.err or out.reason == "tenant") then
    local s = state(self.x)
    if s.mine ~= self.base.mine or s.rest ~= self.base.rest then
      assert(self.x:script(RESTORE))
      self.x:exec("alter sequence slots_id_seq restart with 50")
    end
    out.mine, out.rest = s.mine, s.rest
  end
  if case.undo and not out.err then assert(self.x:script(case.undo)) end
end

--- Runs a case as the clinic A, with these layers on and no others; unchecked:
--- and without the checker behind the rewrite.
---@param case table
---@param mode string
---@param on table<string, boolean>
---@return adversarial.Outcome
function Judge:run(case, mode, on)
  local db, out = self:handle(mode, on), nil
  assert(core.fault(points(mode, on)))
  db:with_tenant(world.A, function()
    local how = case.tx and in_transaction or ask
    out = outcome(how(db, case, world.named(case.sql)))
  end)
  core.fault("")
  self:look_at(case, out)
  return out
end

--- Did more come of it than should?
---@param case table
---@param o adversarial.Outcome
---@return boolean
function Judge:leaks(case, o)
  if o.err then
    if o.mine and (o.mine ~= self.base.mine or o.rest ~= self.base.rest) then
      return true
    end
    return case.tells ~= nil
      and (o.err.code == case.tells or o.err.sqlstate == case.tells)
  end
  if case.ran then return true end
  local want = self:oracle(case)
  return not want or not M.same(o, want)
end

return M
