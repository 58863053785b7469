-- lunate.repl.width - how a text looks on a screen: its columns, and what must
-- not reach a terminal as it is.
--
-- Widths are the C library's (wcwidth), in a UTF-8 locale whatever the
-- environment says: the server's text is UTF-8.
local ffi = require "ffi"

local M = {}

ffi.cdef [[
int wcwidth(wchar_t c);
char *setlocale(int category, const char *locale);
char *nl_langinfo(int item);
]]

local LC_CTYPE, CODESET = 0, 14

-- For libedit too, which asks the locale what a character is.
local function use_utf8()
  ffi.C.setlocale(LC_CTYPE, "")
  if ffi.string(ffi.C.nl_langinfo(CODESET)) ~= "UTF-8" then
    ffi.C.setlocale(LC_CTYPE, "C.UTF-8")
  end
end

use_utf8()

local SHORT = { [7] = "\\a", [8] = "\\b", [9] = "\\t", [10] = "\\n",
  [11] = "\\v", [12] = "\\f", [13] = "\\r" }

-- Length of the UTF-8 character at byte i and its number; nil: it is none.
local function decode(text, i)
  local a, b, c, d = text:byte(i, i + 3)
  local function tail(x)
    return x and x >= 0x80 and x < 0xc0
  end
  if a >= 0xc2 and a < 0xe0 and tail(b) then
    return 2, (a - 0xc0) * 64 + b - 0x80
  elseif a >= 0xe0 and a < 0xf0 and tail(b) and tail(c) then
    return 3, ((a - 0xe0) * 64 + b - 0x80) * 64 + c - 0x80
  elseif a >= 0xf0 and a < 0xf5 and tail(b) and tail(c) and tail(d) then
    return 4, (((a - 0xf0) * 64 + b - 0x80) * 64 + c - 0x80) * 64 + d - 0x80
  end
end

-- What would turn the reading order of a whole line around, or is invisible
-- and makes two different names look the same.
local function is_deceit(code)
  return (code >= 0x80 and code < 0xa0) or code == 0xfeff
    or (code >= 0x200b and code <= 0x200f)
    or (code >= 0x202a and code <= 0x202e)
    or (code >= 0x2066 and code <= 0x2069)
end

local ZERO_WIDTH_JOINER = 0x200d

local function of_code(code)
  local n = ffi.C.wcwidth(code)
  return n >= 0 and n or 1 -- newer than the C library: most are narrow
end

-- The character at byte i: how it is shown, its columns, its bytes.
local function shown(text, i)
  local byte = text:byte(i)
  if byte < 0x20 or byte == 0x7f then
    local words = SHORT[byte] or ("\\x%02x"):format(byte)
    return words, #words, 1
  elseif byte < 0x80 then
    return text:sub(i, i), 1, 1
  end
  local size, code = decode(text, i)
  if not size then
    return ("\\x%02x"):format(byte), 4, 1
  end
  if is_deceit(code) and code ~= ZERO_WIDTH_JOINER then
    local words = ("\\u%04x"):format(code)
    return words, #words, size
  end
  return text:sub(i, i + size - 1), of_code(code), size
end

---The text as it may be shown, and its columns.
---@param text string
---@return string shown, integer columns
function M.show(text)
  if not text:find("[^\32-\126]") then
    return text, #text
  end
  local out, columns, i = {}, 0, 1
  while i <= #text do
    local words, n, size = shown(text, i)
    out[#out + 1], columns = words, columns + n
    i = i + size
  end
  return table.concat(out), columns
end

---Columns of a text that show() gave.
---@param text string
---@return integer
function M.of(text)
  if not text:find("[^\32-\126]") then
    return #text
  end
  local _, columns = M.show(text)
  return columns
end

---Tabs become blanks, to the next stop of 8.
---@param text string
---@return string
function M.expand_tabs(text)
  if not text:find("\t", 1, true) then
    return text
  end
  local out, columns = {}, 0
  for part, tab in text:gmatch("([^\t]*)(\t?)") do
    out[#out + 1], columns = part, columns + M.of(part)
    if tab ~= "" then
      local n = 8 - columns % 8
      out[#out + 1], columns = (" "):rep(n), columns + n
    end
  end
  return table.concat(out)
end

---The lines of a value as they may be shown.
---@param text string
---@return string[] lines
function M.lines(text)
  local all = {}
  for line in (text:gsub("\r\n", "\n") .. "\n"):gmatch("([^\n]*)\n") do
    all[#all + 1] = (M.show(M.expand_tabs(line)))
  end
  return all
end

---Pieces of at most `columns` columns each, at least one character.
---@param text string that show() gave
---@param columns integer
---@return string[]
function M.wrap(text, columns)
  if M.of(text) <= columns then
    return { text }
  end
  local all, part, used, i = {}, {}, 0, 1
  while i <= #text do
    local words, n, size = shown(text, i)
    if used + n > columns and used > 0 then
      all[#all + 1] = table.concat(part)
      part, used = {}, 0
    end
    part[#part + 1], used = words, used + n
    i = i + size
  end
  all[#all + 1] = table.concat(part)
  return all
end

return M
