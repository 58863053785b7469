-- compare - what a statement gave, in a form that can be compared.
--
-- An outcome is { rows = text[], names =, n = } | { affected = } |
-- { class =, code =, message = } of an error | { refused = word }.
local core = require "lunate.core"

local M = {}

local NULL = core.null
local SEPARATOR = "\31"

local function value(v)
  local kind = type(v)
  if v == NULL then return "\1NULL" end
  if kind == "string" then return v end
  if kind == "number" then return ("%.17g"):format(v) end
  if kind == "boolean" then return v and "t" or "f" end
  if kind ~= "table" then error("a value of type " .. kind) end
  local last = 0
  for i in pairs(v) do
    if type(i) == "number" and i > last then last = i end
  end
  local parts = {}
  for i = 1, last do parts[i] = v[i] == nil and "\1NULL" or value(v[i]) end
  return "\2" .. table.concat(parts, "\30") .. "\3"
end

local function names(row)
  local list = {}
  for k in pairs(row) do
    if type(k) == "string" then list[#list + 1] = k end
  end
  table.sort(list)
  return table.concat(list, SEPARATOR)
end

--- Rows as lunate gives them with positional and nulls.
---@param ordered boolean is their order a part of the answer?
function M.rows(result, ordered)
  local texts = {}
  for i = 1, result.n do
    local row, cells = result[i], {}
    for k = 1, #row do cells[k] = value(row[k]) end
    texts[i] = table.concat(cells, SEPARATOR)
  end
  if not ordered then table.sort(texts) end
  return { rows = texts, n = result.n,
    names = result.n > 0 and names(result[1]) or "" }
end

--- An error of lunate.
function M.failure(err)
  local word = err.code == "denied" and not err.sqlstate
    and tostring(err):match("refused %(([%w%-]+)%)")
  -- Rows that were caught on their way out are a breach, and no refusal.
  if word and not tostring(err):find("withheld", 1, true) then
    return { refused = word, message = tostring(err) }
  end
  return { class = err.sqlstate and err.sqlstate:sub(1, 2) or err.code,
    code = err.code, message = tostring(err) }
end

local function same_rows(a, b)
  if #a.rows ~= #b.rows then
    return ("%d rows and %d rows"):format(#a.rows, #b.rows)
  end
  if a.names ~= b.names then
    return ("columns %s and %s"):format(a.names, b.names)
  end
  for i = 1, #a.rows do
    if a.rows[i] ~= b.rows[i] then
      return ("row %d of %d: %q and %q"):format(i, #a.rows, a.rows[i],
        b.rows[i])
    end
  end
end

--- What differs between two outcomes, or nil.
---@return string?
function M.difference(a, b)
  if a.refused or b.refused then
    if a.refused ~= b.refused then
      return ("%s and %s"):format(a.refused or "not refused",
        b.refused or "not refused")
    end
    return nil
  end
  if a.class or b.class then
    if a.class ~= b.class then
      return ("%s and %s"):format(a.message or "no error",
        b.message or "no error")
    end
    return nil
  end
  if a.affected ~= b.affected then
    return ("%s and %s affected"):format(a.affected, b.affected)
  end
  return a.rows and same_rows(a, b) or nil
end

return M
