-- lunate.repl.machine - rows for other programs: csv, json, ndjson.
--
-- A row is written when it comes; nothing of the result is kept.
local M = {}

local PIECE = 65536

-- Gathers small texts into writes of PIECE bytes.
local function gatherer(write)
  local parts, size = {}, 0
  local function flush()
    if size == 0 then
      return true
    end
    local text = table.concat(parts)
    parts, size = {}, 0
    return write(text)
  end
  return function(text)
    parts[#parts + 1], size = text, size + #text
    if size < PIECE then
      return true
    end
    return flush()
  end, flush
end

-- ---- csv -------------------------------------------------------------------

---A field by RFC 4180: quoted where it has to be.  NULL is nothing at all, the
---empty text a pair of quotes, as PostgreSQL's COPY tells them apart.
---@param value string?
---@return string
function M.csv_field(value)
  if value == nil then
    return ""
  end
  if value == "" or value:find('[",\r\n]') then
    return '"' .. value:gsub('"', '""') .. '"'
  end
  return value
end

local function csv_line(values, n)
  local fields = {}
  for i = 1, n do
    fields[i] = M.csv_field(values[i])
  end
  return table.concat(fields, ",") .. "\n"
end

---@param columns lunate.repl.Column[]
---@param write fun(text: string): true|nil, string?
---@param options { bare: boolean? }?
function M.csv(columns, write, options)
  local put, flush = gatherer(write)
  local n, names = #columns, {}
  for i, column in ipairs(columns) do
    names[i] = column.name
  end
  if not (options and options.bare) then
    put(csv_line(names, n))
  end
  return {
    row = function(_, row) return put(csv_line(row, n)) end,
    finish = function() return flush() end,
  }
end

-- ---- json ------------------------------------------------------------------

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n",
  ["\r"] = "\\r", ["\t"] = "\\t", ["\b"] = "\\b", ["\f"] = "\\f" }

local function escape(c)
  return ESCAPES[c] or ("\\u%04x"):format(c:byte())
end

---@param text string
---@return string
function M.json_string(text)
  return '"' .. text:gsub('[%c"\\]', escape) .. '"'
end

-- NaN and Infinity are no numbers of JSON.
local function json_number(text)
  return text:find("^%-?%d[%d.eE+-]*$") and text or M.json_string(text)
end

-- White space only: inside of a JSON string no control character stands.
local function json_json(text)
  return (text:gsub("[\r\n\t]", " "))
end

local function json_bool(text)
  return text == "t" and "true" or "false"
end

local BY_TYPE = { [16] = json_bool, [20] = json_number, [21] = json_number,
  [23] = json_number, [26] = json_number, [700] = json_number,
  [701] = json_number, [1700] = json_number, [114] = json_json,
  [3802] = json_json }

-- Array type -> how an element is written.
local ARRAYS = { [1000] = json_bool, [1016] = json_number,
  [1005] = json_number, [1007] = json_number, [1028] = json_number,
  [1021] = json_number, [1022] = json_number, [1231] = json_number,
  [199] = json_json, [3807] = json_json }

-- Of texts: char, name, text, bpchar, varchar, bytea, uuid, date, time,
-- timetz, timestamp, timestamptz, interval, inet, cidr, macaddr, bit, varbit.
for _, oid in ipairs { 1002, 1003, 1009, 1014, 1015, 1001, 2951, 1182, 1183,
  1270, 1115, 1185, 1187, 1041, 651, 1040, 1561, 1563 } do
  ARRAYS[oid] = M.json_string
end

local array

-- One element of an array's text at byte `at`, and where what follows begins.
local function element(text, at, write)
  if text:sub(at, at) == "{" then
    return array(text, at, write)
  end
  if text:sub(at, at) == '"' then
    local last = at
    repeat
      last = text:find('["\\]', last + 1)
      local escaped = text:sub(last, last) == "\\"
      last = escaped and last + 1 or last
    until not escaped
    return write((text:sub(at + 1, last - 1):gsub("\\(.)", "%1"))), last + 1
  end
  local word = text:match("^[^,}]*", at)
  return word == "NULL" and "null" or write(word), at + #word
end

-- The array that begins with "{" at byte `at`.
function array(text, at, write)
  local out = {}
  at = at + 1
  while text:sub(at, at) ~= "}" do
    out[#out + 1], at = element(text, at, write)
    if text:sub(at, at) == "," then
      at = at + 1
    elseif text:sub(at, at) ~= "}" then
      error("an array of the server cannot be read", 0)
    end
  end
  return "[" .. table.concat(out, ",") .. "]", at + 1
end

---A value as JSON: numbers exactly as the server wrote them, json as it is,
---arrays of built-in types as arrays, anything else as a string.
---@param value string?
---@param type integer OID
---@return string
function M.json_value(value, type)
  if value == nil then
    return "null"
  end
  if BY_TYPE[type] then
    return BY_TYPE[type](value)
  end
  if ARRAYS[type] then
    -- "[2:3]={...}": bounds other than from 1 are not kept
    return (array(value, value:find("{", 1, true), ARRAYS[type]))
  end
  return M.json_string(value)
end

---Names of columns that stand in one object: a second "a" becomes "a_2".
---@param columns lunate.repl.Column[]
---@return string[]
function M.unique(columns)
  local taken, names = {}, {}
  for _, column in ipairs(columns) do
    taken[column.name] = true
  end
  local seen = {}
  for i, column in ipairs(columns) do
    local name, n = column.name, 1
    while seen[name] or (n > 1 and taken[name]) do
      n = n + 1
      name = column.name .. "_" .. n
    end
    seen[name], names[i] = true, name
  end
  return names
end

local function object_writer(columns)
  local keys, n = M.unique(columns), #columns
  for i, key in ipairs(keys) do
    keys[i] = M.json_string(key) .. ":"
  end
  return function(row)
    local parts = {}
    for i = 1, n do
      parts[i] = keys[i] .. M.json_value(row[i], columns[i].type)
    end
    return "{" .. table.concat(parts, ",") .. "}"
  end
end

---One array of objects, a line for each.
---@param columns lunate.repl.Column[]
---@param write fun(text: string): true|nil, string?
function M.json(columns, write)
  local put, flush = gatherer(write)
  local object, lead = object_writer(columns), "["
  return {
    row = function(_, row)
      local text = lead .. object(row)
      lead = ",\n"
      return put(text)
    end,
    finish = function()
      put(lead == "[" and "[]\n" or "]\n")
      return flush()
    end,
  }
end

---An object on each line.
---@param columns lunate.repl.Column[]
---@param write fun(text: string): true|nil, string?
function M.ndjson(columns, write)
  local put, flush = gatherer(write)
  local object = object_writer(columns)
  return {
    row = function(_, row) return put(object(row) .. "\n") end,
    finish = function() return flush() end,
  }
end

return M
