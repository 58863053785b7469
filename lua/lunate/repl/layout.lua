-- lunate.repl.layout - rows as a table, or as one line for each value.
--
-- Rows come one by one; the first LOOK_AHEAD of them (or MAX_BYTES of text)
-- are held back to find the widths, and later ones in lots of the same size.
-- Where a later lot has wider values, the header is repeated, so that values
-- always stand under their names.  So a result of any size takes the memory of
-- one lot.
local width = require "lunate.repl.width"

local M = {}

local LOOK_AHEAD, MAX_BYTES = 10000, 4 * 1024 * 1024

-- int8 2 4, oid, float4 8, money, numeric, xid, xid8: to the right.
local NUMBERS = { [20] = true, [21] = true, [23] = true, [26] = true,
  [28] = true, [700] = true, [701] = true, [790] = true, [1700] = true,
  [5069] = true }

---@class lunate.repl.Column
---@field name string
---@field type integer OID of its type

---@class lunate.repl.LayoutOptions
---@field border integer? 0, 1 (the default) or 2
---@field null string? what NULL looks like
---@field expanded boolean|"auto"|nil
---@field columns integer? of the window; nil: there is none
---@field paint table? colours of lunate.cli.colour
---@field bare boolean? without header and footer

---@class lunate.repl.Layout
local Layout = {}
Layout.__index = Layout

local function no_paint(text)
  return text
end

---@param columns lunate.repl.Column[]
---@param write fun(text: string, columns: integer): true|nil, string?
---@param options lunate.repl.LayoutOptions
---@return lunate.repl.Layout
function M.new(columns, write, options)
  local self = setmetatable({ columns = columns, write = write, lot = {},
    bytes = 0, count = 0, widths = {}, names = {},
    border = options.border or 1, expanded = options.expanded,
    window = options.columns, bare = options.bare }, Layout)
  local paint = options.paint
  self.faint = paint and paint.faint or no_paint
  self.strong = paint and paint.strong or no_paint
  self.null = options.null or "<null>"
  for i, column in ipairs(columns) do
    self.names[i] = width.show(column.name)
    self.widths[i] = options.bare and 0 or width.of(self.names[i])
  end
  return self
end

-- ---- as a table ------------------------------------------------------------

-- A value for the table: its only line, or an array of its lines.
local function lines_of(text)
  if not text:find("[^\32-\126]") then
    return text
  end
  if text:find("[\n\t]") then
    local lines = width.lines(text)
    return #lines == 1 and lines[1] or lines
  end
  return (width.show(text))
end

local function widest(value)
  if type(value) == "string" then
    return width.of(value)
  end
  local most = 0
  for _, line in ipairs(value) do
    most = math.max(most, width.of(line))
  end
  return most
end

-- Room between columns: "a | b", with border 0 "a b".
local function overhead(self)
  local n = #self.columns
  if self.border == 0 then
    return math.max(n - 1, 0)
  end
  return self.border == 1 and 3 * n - 1 or 3 * n + 1
end

local function total(self)
  local sum = overhead(self)
  for i = 1, #self.columns do
    sum = sum + self.widths[i]
  end
  return sum
end

-- How far its lines reach; the only column may go on in the next line.
local function reach(self)
  return #self.columns > 1 and total(self) or 0
end

local function rule(self)
  local dashes = {}
  for i = 1, #self.columns do
    dashes[i] = ("-"):rep(self.widths[i] + (self.border > 0 and 2 or 0))
  end
  if self.border == 0 then
    return table.concat(dashes, " ")
  end
  local line = table.concat(dashes, "+")
  return self.border == 2 and "+" .. line .. "+" or line
end

local function joined(self, cells)
  if self.border == 0 then
    return (table.concat(cells, " "):gsub(" +$", ""))
  end
  local line = " " .. table.concat(cells, " | ")
  if self.border == 2 then
    return "|" .. line .. " |"
  end
  return (line:gsub(" +$", ""))
end

local function padded(self, i, text, columns)
  local fill = (" "):rep(self.widths[i] - columns)
  return NUMBERS[self.columns[i].type] and fill .. text or text .. fill
end

local function header(self, out)
  local cells = {}
  if self.border == 2 then
    out[#out + 1] = rule(self)
  end
  for i, name in ipairs(self.names) do
    cells[i] = padded(self, i, self.strong(name), width.of(name))
  end
  out[#out + 1] = joined(self, cells)
  out[#out + 1] = rule(self)
end

-- Line k of the value in column i; a "+" where another one follows.
local function cell_line(self, value, i, k)
  if value == nil then
    local text = k == 1 and self.null or ""
    local columns = width.of(text)
    return padded(self, i, k == 1 and self.faint(text) or "", columns)
  end
  if type(value) == "string" then
    value = k == 1 and value or ""
    return padded(self, i, value, width.of(value))
  end
  local text = value[k] or ""
  local fill = (" "):rep(self.widths[i] - width.of(text) - 1)
  return text .. fill .. (value[k + 1] and "+" or " ")
end

local function height(row, n)
  local most = 1
  for i = 1, n do
    if type(row[i]) == "table" then
      most = math.max(most, #row[i])
    end
  end
  return most
end

local function measure(self)
  local grew = false
  for _, row in ipairs(self.lot) do
    for i = 1, #self.columns do
      local value = row[i] or self.null
      local columns = widest(value) + (type(value) == "table" and 1 or 0)
      if columns > self.widths[i] then
        self.widths[i], grew = columns, true
      end
    end
  end
  return grew
end

local function flush_table(self)
  local out, n = {}, #self.columns
  local grew = measure(self)
  if not self.bare and (grew or not self.begun) then
    header(self, out)
  end
  self.begun = true
  for _, row in ipairs(self.lot) do
    for k = 1, height(row, n) do
      local cells = {}
      for i = 1, n do
        cells[i] = cell_line(self, row[i], i, k)
      end
      out[#out + 1] = joined(self, cells)
    end
  end
  out[#out + 1] = ""
  return self.write(table.concat(out, "\n"), reach(self))
end

-- ---- one line for each value -----------------------------------------------

local function record_head(self, number, room)
  local text = ("-[ RECORD %d ]"):format(number)
  return self.strong(text .. ("-"):rep(room - #text))
end

local function expanded_value(self, out, name, value)
  local lines = value
  if value == nil then
    lines = { self.faint(self.null) }
  elseif type(value) == "string" then
    lines = { value }
  end
  local first = true
  for _, line in ipairs(lines) do
    for _, part in ipairs(value and self.room
      and width.wrap(line, self.room) or { line }) do
      out[#out + 1] = (first and name or (" "):rep(self.name_width))
        .. " | " .. part
      first = false
    end
  end
end

-- How far the lines of a lot reach, at most to the edge of the window.
local function expanded_width(self)
  local most = self.name_width + 3
  for _, row in ipairs(self.lot) do
    for i = 1, #self.columns do
      most = math.max(most, self.name_width + 3 + widest(row[i] or self.null))
    end
  end
  return math.max(math.min(most, self.window or most), 20)
end

local function flush_expanded(self)
  local out = {}
  self.name_width = 0
  for _, name in ipairs(self.names) do
    self.name_width = math.max(self.name_width, width.of(name))
  end
  local columns = expanded_width(self)
  self.room = self.window
    and math.max(self.window - self.name_width - 3, 10)
  for k, row in ipairs(self.lot) do
    out[#out + 1] = record_head(self, self.count - #self.lot + k, columns)
    for i, name in ipairs(self.names) do
      local fill = (" "):rep(self.name_width - width.of(name))
      expanded_value(self, out, name .. fill, row[i])
    end
  end
  out[#out + 1] = ""
  return self.write(table.concat(out, "\n"), columns)
end

-- ---- both ------------------------------------------------------------------

-- With "auto" the first lot decides, by the width of the window.  One column
-- (a plan, a text) gains nothing by it.
local function decide(self)
  if self.expanded ~= "auto" then
    return
  end
  measure(self)
  self.expanded = self.window ~= nil and #self.lot > 0 and #self.columns > 1
    and total(self) > self.window
end

local function flush(self)
  decide(self)
  local ok, err
  if self.expanded then
    ok, err = flush_expanded(self)
  else
    ok, err = flush_table(self)
  end
  self.lot, self.bytes = {}, 0
  return ok, err
end

---One row; NULL is a hole.
---@param row (string|nil)[]
---@return true|nil, string? err what write() gave
function Layout:row(row)
  local shown = {}
  for i = 1, #self.columns do
    local value = row[i]
    if value then
      shown[i] = lines_of(value)
      self.bytes = self.bytes + #value
    end
  end
  self.lot[#self.lot + 1] = shown
  self.count = self.count + 1
  if #self.lot < LOOK_AHEAD and self.bytes < MAX_BYTES then
    return true
  end
  return flush(self)
end

---No more rows.
---@return true|nil, string?
function Layout:finish()
  local ok, err = true, nil
  if #self.lot > 0 or (self.count == 0 and self.expanded ~= true) then
    ok, err = flush(self)
  end
  if ok and self.border == 2 and not self.expanded then
    return self.write(rule(self) .. "\n", reach(self))
  end
  return ok, err
end

---@param n integer
---@return string
function M.footer(n)
  return n == 1 and "(1 row)\n" or ("(%d rows)\n"):format(n)
end

return M
