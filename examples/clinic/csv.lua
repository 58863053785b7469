-- SPDX-License-Identifier: MIT
--
-- csv - reads and writes comma separated values as RFC 4180 has them.
--
-- A reader is fed by a function that returns the next piece of the file, and
-- gives one record at a time, so a file of any size passes through a small
-- buffer.  A quoted field may hold commas, doubled quotes and line breaks.
-- Lines may end in LF or CRLF; a byte order mark and empty lines are skipped.
--
-- A record that breaks the rules costs exactly its first line: it comes back
-- with `reason` set, and reading goes on at the next line.  So an opening
-- quote that nobody closed cannot swallow the good rows after it.  A record
-- with quotes may have max_record bytes; a line without has to fit in memory.

local csv = {}

local find, sub, byte, gsub = string.find, string.sub, string.byte, string.gsub
local QUOTE, COMMA, LF, CR = 34, 44, 10, 13

local MAX_RECORD = 64 * 1024
local CHUNK = 64 * 1024

---@class clinic.csv.Record
---@field n integer       how many fields; they stand at 1..n
---@field line integer    where it begins, from 1
---@field raw string      its text, without the line end
---@field reason? string  why it cannot be read; then n is 0

---@class clinic.csv.Reader
---@field taken integer   bytes fed so far
local Reader = {}
Reader.__index = Reader

---@param source fun(): string?  the next piece; nil at the end
---@param opts? { max_record?: integer }  bytes a quoted record may have
---@return clinic.csv.Reader
function csv.reader(source, opts)
  return setmetatable({
    source = source,
    max = opts and opts.max_record or MAX_RECORD,
    buf = "", pos = 1, line = 1, taken = 0, ended = false, begun = false,
  }, Reader)
end

---@param path string
---@param opts? { max_record?: integer }
---@return clinic.csv.Reader?
---@return string? reason
function csv.open(path, opts)
  local file, reason = io.open(path, "rb")
  if not file then
    return nil, reason
  end
  local reader = csv.reader(function()
    return file:read(CHUNK)
  end, opts)
  reader.file = file
  return reader
end

function Reader:close()
  if self.file then
    self.file:close()
    self.file = nil
  end
end

-- Positions in the buffer stay valid: what was read is only dropped between
-- records.
local function fill(self)
  if self.ended then
    return false
  end
  local piece = self.source()
  if not piece then
    self.ended = true
    return false
  end
  self.taken = self.taken + #piece
  self.buf = self.buf .. piece
  return true
end

-- Where `what` stands next, reading on while the record may still grow.
local function seek(self, what, from, max)
  while true do
    local at = find(self.buf, what, from, true)
    if at then
      return at
    end
    from = #self.buf + 1
    if from - self.pos > max or not fill(self) then
      return nil
    end
  end
end

-- The first and the last byte of the line at pos, and where the next begins.
local function line_at(self)
  local lf = find(self.buf, "\n", self.pos, true)
  if not lf then
    self.buf, self.pos = sub(self.buf, self.pos), 1
    lf = seek(self, "\n", 1, math.huge)
  end
  local last = lf and lf - 1 or #self.buf
  local nxt = lf and lf + 1 or last + 1
  if last >= self.pos and byte(self.buf, last) == CR then
    last = last - 1
  end
  return last, nxt
end

local function split(text)
  local record, n, from = {}, 0, 1
  while true do
    local comma = find(text, ",", from, true)
    n = n + 1
    if not comma then
      record[n] = sub(text, from)
      record.n = n
      return record
    end
    record[n] = sub(text, from, comma - 1)
    from = comma + 1
  end
end

-- The byte at `at`, reading on when the buffer ends there.
local function peek(self, at)
  if at > #self.buf then
    fill(self)
  end
  return byte(self.buf, at)
end

-- The value of the quoted field that opens at `at`, and what follows it.
local function quoted(self, at)
  local from = at + 1
  while true do
    local close = seek(self, '"', from, self.max)
    if not close or close - self.pos > self.max then
      return nil, "a quote is opened and not closed"
    end
    if peek(self, close + 1) ~= QUOTE then
      return gsub(sub(self.buf, at + 1, close - 1), '""', '"'), close + 1
    end
    from = close + 2
  end
end

local function unquoted(self, at)
  local stop = find(self.buf, "[,\n]", at)
  if not stop then
    seek(self, "\n", at, math.huge)
    stop = find(self.buf, "[,\n]", at) or #self.buf + 1
  end
  local value = sub(self.buf, at, stop - 1)
  if find(value, '"', 1, true) then
    return nil, "a quote inside a field that is not quoted"
  end
  if byte(value, -1) == CR and byte(self.buf, stop) ~= COMMA then
    value = sub(value, 1, -2)
  end
  return value, stop
end

-- Where the record ends if it ends at `at`: the place after its line end.
local function record_end(self, at)
  local c = peek(self, at)
  if not c then
    return at
  end
  if c == LF then
    return at + 1
  end
  if c == CR and peek(self, at + 1) == LF then
    return at + 2
  end
  return nil
end

-- The record at pos field by field; or nil and the reason.
local function parse(self)
  local record, n, at = {}, 0, self.pos
  while true do
    local value, after
    if peek(self, at) == QUOTE then
      value, after = quoted(self, at)
    else
      value, after = unquoted(self, at)
    end
    if not value then
      return nil, after
    end
    n = n + 1
    record[n] = value
    local stop = record_end(self, after)
    if stop then
      record.n = n
      return record, stop
    end
    if byte(self.buf, after) ~= COMMA then
      return nil, "text after a closing quote"
    end
    at = after + 1
  end
end

local function count_lines(text)
  local _, n = gsub(text, "\n", "\n")
  return n
end

local function drop_mark(self)
  self.begun = true
  while #self.buf < 3 and fill(self) do
  end
  if sub(self.buf, 1, 3) == "\239\187\191" then
    self.pos = 4
  end
end

local function take(self)
  local last, nxt = line_at(self)
  local text = sub(self.buf, self.pos, last)
  local line = self.line
  if not find(text, '"', 1, true) then
    self.pos, self.line = nxt, line + 1
    local record = split(text)
    record.line, record.raw = line, text
    return record
  end
  local record, stop = parse(self)
  if not record then
    self.pos, self.line = nxt, line + 1
    return { n = 0, line = line, raw = text, reason = stop }
  end
  local whole = sub(self.buf, self.pos, stop - 1)
  self.pos = stop
  self.line = line + math.max(count_lines(whole), 1)
  record.line, record.raw = line, (gsub(whole, "\r?\n$", ""))
  return record
end

--- The next record, or nil at the end of the file.
---@return clinic.csv.Record?
function Reader:read()
  if not self.begun then
    drop_mark(self)
  end
  repeat
    if self.pos > #self.buf then
      self.buf, self.pos = "", 1
      if not fill(self) then
        return nil
      end
    end
    local record = take(self)
    if record.n ~= 1 or record[1] ~= "" then
      return record
    end
  until false
end

--- All records that are left.
function Reader:records()
  return self.read, self
end

--- One value as a field: quoted only where it has to be.
---@param value string|number|nil
---@return string
function csv.field(value)
  if value == nil then
    return ""
  end
  local text = tostring(value)
  if find(text, '[",\r\n]') then
    return '"' .. gsub(text, '"', '""') .. '"'
  end
  return text
end

--- The fields 1..n as one line, with its line end.
---@param fields table
---@param n? integer  #fields when not given
---@return string
function csv.line(fields, n)
  local out = {}
  for i = 1, n or #fields do
    out[i] = csv.field(fields[i])
  end
  return table.concat(out, ",") .. "\n"
end

return csv
