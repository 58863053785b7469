--- A hospital of two clinics for specs of access.lua: patients and visits of
--- clinics A and B, codes of everybody's.
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local M = { A = "00000000-0000-0000-0000-00000000000a",
  B = "00000000-0000-0000-0000-00000000000b" }

M.ISOLATION = [[
tenant { type = "uuid" }
database { mode = "rewrite" }
rows "patients" { by = "clinic_id" }
rows "visits" { by = "clinic_id" }
rows "codes" { shared = "read" }
]]

local db, folder

--- Saves a file of the policy folder, at once as a whole.
---@param name string
---@param text string
function M.save(name, text)
  local path = folder .. "/" .. name .. ".lua"
  sh.write(path .. "~", text)
  assert(os.rename(path .. "~", path))
end

local function make(name)
  local address = pg.database(name)
  pg.shared():psql([[
    create schema healthcare;
    create table healthcare.patients (id int primary key,
      clinic_id uuid not null, name text, ward text, note text);
    create table healthcare.visits (id int, clinic_id uuid not null,
      paid bool not null default false, fee int);
    create table healthcare.codes (kind text, code int);
    insert into healthcare.patients values
      (1, ']] .. M.A .. [[', 'Ada', 'w1', 'n1'),
      (2, ']] .. M.A .. [[', 'Bob', 'w2', 'n2'),
      (3, ']] .. M.B .. [[', 'Cyd', 'w1', 'n3');
    insert into healthcare.visits values
      (1, ']] .. M.A .. [[', false, 10), (2, ']] .. M.A .. [[', true, 20),
      (3, ']] .. M.B .. [[', false, 30);
    insert into healthcare.codes values ('open', 1), ('secret', 2)]], name)
  return address
end

local shared

--- Opens an address under the folder, for as().
---@param address string
---@param options table|nil for lunate.open
---@return lunate.Database db
function M.connect(address, options)
  local all = { policies = folder, schema = "healthcare" }
  for k, v in pairs(options or {}) do
    all[k] = v
  end
  db = live.open(address, all)
  return db
end

--- A database under rules of access: one of its own, when the spec writes into
--- it, else one that all share.
---@param name string|nil of a database of its own
---@param access string
---@param options table|nil for lunate.open
---@return lunate.Database db, string folder
function M.open(name, access, options)
  if not name then
    shared = shared or make "ward"
  end
  folder = sh.tmpdir()
  M.save("isolation", M.ISOLATION)
  M.save("access", access)
  return M.connect(name and make(name) or shared, options), folder
end

--- fn's client is that of somebody of clinic A, unless `who` says more.
---@param role string
---@param fn function
---@param who table|nil
function M.as(role, fn, who)
  local ctx = { tenant = M.A, user = "u", roles = { role } }
  for k, v in pairs(who or {}) do
    ctx[k] = v
  end
  return db:with_context(ctx, fn)
end

--- The cells of a column, "-" for NULL.
---@param rows table
---@param name string
---@return string
function M.column(rows, name)
  local out = {}
  for i, row in ipairs(assert(rows)) do
    out[i] = row[name] == nil and "-" or tostring(row[name])
  end
  return table.concat(out, " ")
end

return M
