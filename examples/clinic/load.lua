-- SPDX-License-Identifier: MIT
--
-- load - one CSV file into one table.
--
-- Rows are checked here, gathered in chunks, copied into a temporary table of
-- the target's own types and inserted from there.  A row that is in the table
-- already stays as it is, so loading a file again changes nothing.
--
-- A chunk runs inside a savepoint.  If the server refuses it over a value or a
-- constraint, it is halved until the row to blame stands alone; that row is
-- rejected with the server's reason, and all others are kept.  Anything else
-- that fails (no connection, no right, no time) ends the load, and nothing of
-- this file stays.

local check = require "clinic.check"
local csv = require "clinic.csv"

local load = {}

local CHUNK = 2000
local PIECE = 64 * 1024

-- ---- statements -----------------------------------------------------------

local function names(columns)
  local out = {}
  for i, column in ipairs(columns) do
    out[i] = column[2]
  end
  return out
end

local function quote(text)
  return "'" .. text:gsub("'", "''") .. "'"
end

-- A table keyed by a single uuid keeps it; else the id is made of the key.
local function has_own_id(spec)
  return spec.columns[1][2] == "id"
end

local function insert_sql(spec)
  local into, from = names(spec.columns), {}
  for i, name in ipairs(into) do
    from[i] = "s." .. name
  end
  local function also(name, value)
    into[#into + 1], from[#from + 1] = name, value
  end
  if not has_own_id(spec) then
    also("id", "md5(s.row_key)::uuid")
  end
  for name, value in pairs(spec.fixed or {}) do
    also(name, quote(value))
  end
  local join = ""
  if spec.through then
    also("clinic_id", "e.clinic_id")
    join = " join encounters e on e.id = s.encounter_id"
  end
  return ("insert into %s (%s) select %s from stage_rows s%s"
    .. " on conflict (id) do nothing"):format(spec.table,
    table.concat(into, ", "), table.concat(from, ", "), join)
end

local function statements(spec)
  local list = table.concat(names(spec.columns), ", ")
  return {
    stage = ("create temporary table stage_rows on commit drop as select "
      .. "null::text as row_key, %s from %s with no data")
      :format(list, spec.table),
    copy = ("copy stage_rows (row_key, %s) from stdin"):format(list),
    insert = insert_sql(spec),
    clear = "truncate stage_rows",
  }
end

-- ---- checking -------------------------------------------------------------

local ESCAPES = { ["\\"] = "\\\\", ["\t"] = "\\t", ["\n"] = "\\n",
  ["\r"] = "\\r" }

local function escape(text)
  if text:find("[\\\t\n\r]") then
    return (text:gsub("[\\\t\n\r]", ESCAPES))
  end
  return text
end

-- Where each column of the spec stands in this file.
local function places(spec, header)
  local at = {}
  for i, name in ipairs(header) do
    at[name] = at[name] or i
  end
  local columns = {}
  for i, column in ipairs(spec.columns) do
    local place = at[column[1]]
    if not place then
      return nil, ("%s: has no column %s"):format(spec.file, column[1])
    end
    columns[i] = { at = place, from = column[1], check = check[column[3]],
      required = column.required, none = column.none,
      default = column.default, ref = column.ref }
  end
  local key = {}
  for i, name in ipairs(spec.key) do
    key[i] = at[name]
  end
  return columns, key
end

-- The value of one field as COPY wants it; or nil and the reason.
local function field(column, text, known)
  if text == "" or text == column.none then
    if column.required then
      return nil, column.from .. " is missing"
    end
    return column.default or "\\N"
  end
  local value, reason = column.check(text)
  if not value then
    return nil, ("%s %s"):format(column.from, reason)
  end
  if column.ref and not known[column.ref][value] then
    return nil, ("%s is not among the %s"):format(column.from, column.ref)
  end
  return escape(value)
end

local function key_of(self, record)
  local at = self.key
  if #at == 1 then
    return record[at[1]]:lower()
  end
  local out = { self.spec.file }
  for i = 1, #at do
    out[i + 1] = record[at[i]]
  end
  return table.concat(out, "|")
end

-- The record as a line for COPY; or nil and the reason.
local function line_of(self, record)
  if record.reason then
    return nil, record.reason
  end
  if record.n ~= self.width then
    return nil, ("%d fields where the header has %d")
      :format(record.n, self.width)
  end
  local out, columns = {}, self.columns
  for i = 1, #columns do
    local value, reason =
      field(columns[i], record[columns[i].at], self.known)
    if not value then
      return nil, reason
    end
    out[i + 1] = value
  end
  local key = key_of(self, record)
  if self.seen[key] then
    return nil, ("duplicate key, the same as line %d"):format(self.seen[key])
  end
  self.seen[key] = record.line
  out[1] = escape(key)
  return table.concat(out, "\t") .. "\n", key
end

-- ---- storing --------------------------------------------------------------

-- The lines from..to in pieces worth sending.
local function pieces(chunk, from, to)
  return function()
    if from > to then
      return nil
    end
    local out, bytes = {}, 0
    while from <= to and bytes < PIECE do
      out[#out + 1] = chunk[from].line
      bytes = bytes + #chunk[from].line
      from = from + 1
    end
    return table.concat(out)
  end
end

-- Is it the row that is to blame?  Class 22: its values; 23: a constraint.
local function blames_row(err)
  local state = type(err) == "table" and err.sqlstate
  return state and (state:sub(1, 2) == "22" or state:sub(1, 2) == "23")
end

local function reject(self, record, reason)
  self.rejects:add(self.spec.file, record, reason)
  self.rejected = self.rejected + 1
end

local function store(self, chunk, from, to)
  local sql = self.sql
  local count, err = self.tx:transaction(function(savepoint)
    assert(savepoint:copy_in(sql.copy, pieces(chunk, from, to)))
    local inserted = assert(savepoint:exec(sql.insert))
    assert(savepoint:exec(sql.clear))
    return inserted
  end)
  if count then
    self.loaded = self.loaded + count
    self.already = self.already + (to - from + 1 - count)
    return
  end
  if not blames_row(err) then
    error(err, 0)
  end
  if from == to then
    if self.own then
      self.own[chunk[from].key] = nil
    end
    reject(self, chunk[from].record, err.message)
    return
  end
  local middle = math.floor((from + to) / 2)
  store(self, chunk, from, middle)
  store(self, chunk, middle + 1, to)
end

local function flush(self, chunk)
  if #chunk > 0 then
    store(self, chunk, 1, #chunk)
  end
  return {}
end

local function pour(self, reader)
  assert(self.tx:exec(self.sql.stage))
  local chunk = {}
  for record in reader:records() do
    local line, key = line_of(self, record)
    if line then
      if self.own then
        self.own[key] = true
      end
      chunk[#chunk + 1] = { record = record, line = line, key = key }
    else
      reject(self, record, key)
    end
    if #chunk == CHUNK then
      chunk = flush(self, chunk)
      self.progress:at(reader.taken)
    end
  end
  flush(self, chunk)
  return true
end

-- ---- the door -------------------------------------------------------------

local function begin(spec, reader, env)
  local header = reader:read()
  if not header or header.reason then
    return nil, spec.file .. ": has no header"
  end
  local columns, key = places(spec, header)
  if not columns then
    return nil, key
  end
  return {
    spec = spec, columns = columns, key = key, width = header.n,
    known = env.known, own = env.known[spec.table], seen = {},
    rejects = env.rejects, progress = env.progress,
    sql = statements(spec), loaded = 0, already = 0, rejected = 0,
  }
end

--- Loads one file.  env.known holds, for each table that rows refer to, the
--- set of its ids; those of the rows loaded here are added.  Raises when the
--- load cannot go on; then nothing of this file is in the table.
---@param db table
---@param path string
---@param spec clinic.File
---@param env { known: table, rejects: clinic.Rejects,
---             progress: clinic.Progress, bytes: integer }
---@return { loaded: integer, already: integer, rejected: integer }
function load.file(db, path, spec, env)
  local reader = assert(csv.open(path))
  env.progress:start(spec.file, env.bytes)
  local self, reason = begin(spec, reader, env)
  if not self then
    reader:close()
    error(reason, 0)
  end
  -- The file is read once, so the transaction cannot be tried again.
  local ok, err = db:transaction(function(tx)
    self.tx = tx
    return pour(self, reader)
  end, { timeout = 3600, retries = 0 })
  reader:close()
  if not ok then
    env.progress:done("failed; nothing of this file is kept")
    error(err, 0)
  end
  env.progress:done(("%d loaded, %d already there, %d rejected"):format(
    self.loaded, self.already, self.rejected))
  return { loaded = self.loaded, already = self.already,
    rejected = self.rejected }
end

return load
