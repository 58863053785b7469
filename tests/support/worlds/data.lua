-- The rows of the worlds: A, B and C of different sizes with the same natural
-- keys, NULLs, other alphabets, and in the rows of B what would raise an error
-- if it were looked at: data {"n": "boom"} and the number 777.
local dice = require "support.worlds.dice"
local schema = require "support.worlds.schema"

local M = {}

M.words = { "", "a", "Anna", "anna", "Ärger", "日本", "naïve ☂", "O'Brien",
  "x\\y", "-- no", "$1", "new", "old", "ß", "100%", "a_b", "Łódź" }
M.codes = { "c1", "c2", "C3", "ü4", "c5", "c6" }

local function quote(s)
  return "'" .. s:gsub("'", "''") .. "'"
end
M.quote = quote

-- A uuid whose first digit says whose it is.
function M.id(mark, kind, n)
  return ("%s%07x-%04x-4000-8000-%012x"):format(mark, kind, n % 65536, n)
end

local function null(d, p, text)
  return d:chance(p) and "null" or text
end

local function word(d)
  return quote(d:pick(M.words))
end

local function day(d)
  return ("'2024-%02d-%02d'"):format(d:int(1, 12), d:int(1, 28))
end

local function money(d)
  return ("%d.%02d"):format(d:int(-9, 99), d:int(0, 99))
end

local function object(d, poison)
  if poison then return [['{"n": "boom", "t": 1}']] end
  return d:pick { "'{}'", [['{"n": 1}']], [['{"n": 2, "t": "ü"}']],
    [['{"t": "x", "a": [1, 2, 3]}']], [['{"n": -4, "a": []}']],
    [['{"n": null}']] }
end

-- A number, in rows of B at times the one that divides by zero.
local function some(d, c, n)
  return c.poison and d:chance(0.3) and 777 or n
end

local Rows = {}
Rows.__index = Rows

function Rows:add(name, ...)
  local list = self.rows[name]
  if not list then
    list = {}
    self.rows[name] = list
  end
  list[#list + 1] = "(" .. table.concat({ ... }, ",") .. ")"
end

function Rows:visit(c, n, patient)
  local d = self.d
  local id = M.id(c.mark, 1, n)
  local no = c.poison and d:chance(0.1) and not c.had777 and 777 or n
  c.had777 = c.had777 or no == 777
  self:add("visits", c.literal, quote(id), quote(patient), no,
    null(d, .2, day(d)), word(d), null(d, .2, money(d)),
    null(d, .2, quote(d:pick(schema.moods))), null(d, .3, word(d)),
    null(d, .2, object(d, c.poison)),
    null(d, .3, d:pick { "'{}'", "'{1,2}'", "'{3}'", "'{1,null,2}'" }),
    null(d, .5, n > 1 and not c.poison and d:int(1, n - 1) or "null"))
  for line = 1, d:int(0, 3) do
    self:add("items", quote(id), line, null(d, .2, quote(d:pick(M.codes))),
      null(d, .2, some(d, c, d:int(0, 50))), null(d, .2, money(d)),
      null(d, .4, word(d)))
    for k = 1, d:int(0, 2) do
      self:add("notes", quote(id), line, k == 2 and some(d, c, k) or k,
        null(d, .2, word(d)),
        null(d, .3, tostring(d:chance(.5))))
    end
  end
end

function Rows:lab(c, n, patient)
  local d = self.d
  local no = c.poison and n == 2 and 777 or n
  self:add("labs", no, null(d, .2, day(d)), null(d, .2, word(d)),
    null(d, .2, money(d)), null(d, .3, d:pick { "'{}'", "'{x,ü}'", "'{old}'" }),
    null(d, .2, quote(patient)), c.literal)
  for k = 1, d:int(0, 3) do
    self:add("lab_values", c.literal, no, k == 3 and some(d, c, k) or k,
      null(d, .2, money(d)),
      null(d, .2, word(d)), null(d, .3, tostring(d:chance(.5))))
  end
end

function Rows:rest(c)
  local d = self.d
  for n = 1, c.size do
    self:add("readings", ("'2024-%02d-%02d'"):format(n % 12 + 1, n % 28 + 1),
      n % 5, null(d, .2, d:int(-5, 50)), c.literal)
  end
  for n = 1, math.floor(c.size * 0.6) do
    self:add("Größen", null(d, .2, word(d)), n, null(d, .2, money(d)),
      c.literal, null(d, .2, day(d)))
  end
end

function Rows:patient(id, c)
  local d = self.d
  self:add("patients", quote(id), word(d), null(d, .2, day(d)),
    null(d, .3, word(d)), null(d, .3, some(d, c, d:int(1, 20))),
    null(d, .3, object(d, c.poison)))
end

function Rows:member(c, id)
  self:add("members", c.literal, quote(id), null(self.d, .2, day(self.d)),
    tostring(self.d:chance(.7)))
  c.patients[#c.patients + 1] = id
end

function Rows:clinic(c)
  local d = self.d
  self:add("clinics", c.literal, word(d), null(d, .2, day(d)),
    null(d, .2, d:int(0, 9)))
  for n = 1, c.size do
    local id = M.id(c.mark, 0, n)
    self:patient(id, c)
    self:member(c, id)
  end
end

function Rows:shared(clinics)
  for n = 1, 5 do
    local id = M.id("e", 0, n)
    self:patient(id, {})
    self:member(clinics[1], id)
    if n < 5 then self:member(clinics[2], id) end
    if n > 3 then self:member(clinics[3], id) end
  end
end

local function codes(rows)
  local d = rows.d
  for i, code in ipairs(M.codes) do
    rows:add("codes", quote(code), word(d), null(d, .2, i),
      null(d, .3, d:pick { "'{}'", "'{x}'", "'{x,ü,x}'" }))
  end
end

--- Rows by table, as texts: everybody's.
---@param seed integer
---@param type string of a tenant
---@param sizes { A: integer, B: integer, C: integer } patients
function M.make(seed, type, sizes)
  local rows = setmetatable({ rows = {}, d = dice.new(seed, 99) }, Rows)
  local clinics = {}
  for i, mark in ipairs { "A", "B", "C" } do
    local id = schema.tenants[type][mark]
    clinics[i] = { literal = quote(id), id = id, mark = mark:lower(),
      size = sizes[mark], patients = {}, poison = mark == "B" }
    rows:clinic(clinics[i])
  end
  codes(rows)
  rows:shared(clinics)
  for _, c in ipairs(clinics) do
    for n = 1, math.floor(c.size * 1.5) do
      rows:visit(c, n, rows.d:pick(c.patients))
    end
    for n = 1, math.floor(c.size * 0.8) do
      rows:lab(c, n, rows.d:pick(c.patients))
    end
    rows:rest(c)
  end
  return rows.rows, clinics
end

--- The text that fills a world with all rows.
function M.insert(rows)
  local parts = { "set session_replication_role = replica;" }
  for _, t in ipairs(schema.list) do
    if rows[t.bare] then
      parts[#parts + 1] = ("insert into clinic.%s values %s;"):format(t.name,
        table.concat(rows[t.bare], ",\n"))
    end
  end
  parts[#parts + 1] = "reset session_replication_role;"
  return table.concat(parts, "\n")
end

-- Leaves only the rows of some; what others have as well is noted.
M.only = [[
set session_replication_role = replica;
insert into clinic.elsewhere
  select patient_id from clinic.members group by 1 having count(*) > 1;
delete from clinic.members where clinic_id not in ($A);
delete from clinic.patients p where not exists
  (select from clinic.members m where m.patient_id = p.id);
delete from clinic.visits where clinic_id not in ($A);
delete from clinic.items where left(visit_id::text, 1) not in ($M);
delete from clinic.notes where left(visit_id::text, 1) not in ($M);
delete from clinic.labs where clinic_id not in ($A);
delete from clinic.lab_values where clinic not in ($A);
delete from clinic.readings where clinic_id not in ($A);
delete from clinic."Größen" where clinic_id not in ($A);
delete from clinic.clinics where id not in ($A);
reset session_replication_role;
]]

--- The text that leaves only rows of these in a world that was filled.
---@param who string[] "A", "C"
function M.reduce(type, who)
  local ids, marks = {}, {}
  for i, name in ipairs(who) do
    ids[i] = quote(schema.tenants[type][name])
    marks[i] = quote(name:lower())
  end
  return (M.only:gsub("%$([AM])", { A = table.concat(ids, ", "),
    M = table.concat(marks, ", ") }))
end

return M
