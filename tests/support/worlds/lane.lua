-- lane - a pair of worlds, and statements compared in both.
--
-- Lanes share nothing, so several run at once.  In each, what others own
-- changes all the time; what A sees does not.
local compare = require "support.worlds.compare"
local data = require "support.worlds.data"
local dice = require "support.worlds.dice"
local live = require "support.live"
local others = require "support.worlds.others"
local schema = require "support.worlds.schema"
local statement = require "support.worlds.statement"
local world = require "support.worlds.world"

local Lane = {}
Lane.__index = Lane

local M = {}

-- After so many statements others change, and so many are run again.
local ROUND, AGAIN = 40, 12

local function literal(text)
  return data.quote(text)
end

-- What the generator is told.
local function facts(self, rows, clinics)
  local items, labs = {}, {}
  for _, row in ipairs(rows.items or {}) do
    local id, line = row:match "^%('(a[%x%-]+)',(%d+),"
    if id then items[#items + 1] = { id, line } end
  end
  local n = math.floor(self.sizes.A * 0.8)
  for i = 1, n do labs[i] = tostring(i) end
  return { type = self.type, tenants = schema.tenants[self.type],
    patients = clinics[1].patients, others = { data.id("b", 0, 1),
      data.id("b", 1, 1), data.id("c", 0, 1) }, items = items, labs = labs,
    visits = math.floor(self.sizes.A * 1.5), reads_only = self.set,
    policies_only = self.mode == "rls",
    size = self.sizes.A + 5 + (self.set and self.sizes.C or 0) }
end

--- what: { server =, number =, seed =, type =, mode =, sizes =, report =,
--- set = does A read together with C?, behind_only = do others change nothing
--- through lunate themselves? }
function M.make(what)
  local self = setmetatable(what, Lane)
  local rows, clinics = data.make(self.seed + self.number, self.type,
    self.sizes)
  local who = schema.tenants[self.type]
  self.who = who
  self.literals = { A = literal(who.A), B = literal(who.B) }
  self.lane = facts(self, rows, clinics)
  self.x = world.make { server = self.server, name = "x" .. self.number,
    type = self.type, rows = rows, mode = self.mode,
    policies = world.folder(self.type, self.mode),
    tenant = self.set and { who.A, who.C } or who.A }
  self.y = world.make { server = self.server, name = "y" .. self.number,
    type = self.type, rows = rows, policies = false,
    alone = self.set and { "A", "C" } or { "A" } }
  self.admin = live.open(self.server:url_of("x" .. self.number),
    { policies = false, pool_max = 2, schema = "clinic", log_level = "error" })
  self.d = dice.new(self.seed, self.number, 0)
  self.recent = {}
  self.owned = { [who.B] = self.x:owned(who.B) }
  return self
end

--- The statement of this number.
function Lane:statement(n)
  return statement.make(self.lane, { self.seed, self.number, n })
end

-- ---- one statement ---------------------------------------------------------

local function tell(self, s, a, b)
  self.report:difference { seed = self.seed, lane = self.number, n = s.n,
    text = s.text, params = s.params, what = a, mode = self.mode, kind = b }
end

local function check_after(self, s, x, y)
  local what = compare.difference(x.after, y.after)
  if what then return tell(self, s, "afterwards: " .. what, "contents") end
  self.report:add "contents compared"
  if not x.others then return end
  what = compare.difference(x.others, self.owned[x.who])
  if what then return tell(self, s, "others: " .. what, "rows of others") end
  self.report:add "rows of others compared"
end

--- Runs one in both worlds.
function Lane:compare(n)
  local s = self:statement(n)
  s.n = n
  local look = s.writes and self.d:chance(self.looks or 0.3)
    and { others = { self.who.B } } or nil
  local x = self.x:run(s, look)
  self.report:statement(s, x)
  if x.refused then return end
  local y = self.y:run(s, look)
  self.report:plain(s, y)
  local what = compare.difference(x, y)
  if what then return tell(self, s, what, "result") end
  if x.after then check_after(self, s, x, y) end
  self.recent[#self.recent + 1] = { s = s, x = x }
  if #self.recent > 3 * AGAIN then table.remove(self.recent, 1) end
end

-- ---- others change ---------------------------------------------------------

-- A key that B would have twice is B's own affair: then nothing happens.
local function check_change(text, done, err)
  if not done and err.code ~= "constraint" then
    error(text .. ": " .. tostring(err))
  end
end

function Lane:change_others()
  local text = others.pick(self.d, others.behind, self.literals)
  check_change(text, self.admin:transaction(function(tx)
    assert(tx:exec "set local session_replication_role = replica")
    for one in text:gmatch "[^;]+" do
      local n, err = tx:exec(one)
      if not n then return nil, err end
    end
    return true
  end))
  if not self.behind_only and self.d:chance(0.5) then
    local own = others.pick(self.d, others.as_b, self.literals)
    check_change(own, self.x:as(self.who.B, function(c) return c:exec(own) end))
    self.report:add "changes by others through lunate"
  end
  self.report:add "changes of rows of others"
  self.owned[self.who.B] = self.x:owned(self.who.B)
end

--- What A has seen A sees again.
function Lane:again()
  for _ = 1, math.min(AGAIN, #self.recent) do
    local one = self.d:pick(self.recent)
    local what = compare.difference(self.x:run(one.s), one.x)
    if what then tell(self, one.s, what, "interference") end
    self.report:add "non-interference checks"
  end
end

--- Statements first to last.
function Lane:run(first, last)
  for n = first, last do
    self:compare(n)
    if n % ROUND == 0 or n == last then
      self:change_others()
      self:again()
    end
  end
end

return M
