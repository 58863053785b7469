-- lunate.repl.complain - an error as a person reads it: what, and where.
--
-- Where is the line of the statement with a caret under the character that the
-- server, or the parser, points at.  The text of a statement can hold values:
-- it is shown to the one who typed it, and to nobody else (echo).
local width = require "lunate.repl.width"

local M = {}

local LEAST = 20

-- The line of `text` that holds character `position`: its number, the line,
-- and what of it is before that character.
local function find_line(text, position)
  local bytes, left = 1, position - 1
  while left > 0 and bytes <= #text do
    local b = text:byte(bytes)
    bytes = bytes + (b < 0x80 and 1 or b < 0xe0 and 2 or b < 0xf0 and 3 or 4)
    left = left - 1
  end
  local before = text:sub(1, bytes - 1)
  local _, newlines = before:gsub("\n", "")
  local head = before:match("[^\n]*$")
  return newlines + 1, head .. text:sub(bytes):match("^[^\n]*"), head
end

-- A part of a long line with the place in it: the first `columns` from a third
-- of the window before it on.
local function window(line, head, columns)
  line, head = width.show(width.expand_tabs(line)),
    width.show(width.expand_tabs(head))
  if width.of(line) <= columns then
    return line, width.of(head)
  end
  local skip = math.max(width.of(head) - math.floor(columns / 3), 0)
  local lead = skip > 0 and "..." or ""
  if skip > 0 then
    local parts = width.wrap(line, skip)
    line = table.concat(parts, "", 2)
    skip = width.of(parts[1])
  end
  local rest = width.wrap(line, columns - #lead)
  return lead .. rest[1] .. (rest[2] and "..." or ""),
    width.of(head) - skip + #lead
end

---Where in the statement: "LINE 1: selec 1" and the caret below it.
---@param sql string
---@param position integer character, from 1
---@param columns integer? of the window
---@return string two lines, each with its end
function M.pointer(sql, position, columns)
  local number, line, head = find_line(sql, position)
  local label = ("LINE %d: "):format(number)
  local room = math.max((columns or 80) - #label - 4, LEAST)
  local shown, at = window(line, head, room)
  return ("%s%s\n%s^\n"):format(label, shown, (" "):rep(#label + at))
end

---The line of the text that a character is in.
---@param sql string
---@param position integer character, from 1
---@return integer
function M.line_of(sql, position)
  return (find_line(sql, position))
end

---The error on one line; with where in the statement, unless a pointer() below
---it will show that.
---@param err lunate.Error|string
---@param pointed boolean?
---@return string
function M.message(err, pointed)
  local text = tostring(err)
  local position = type(err) == "table" and err.position
  if not position or pointed or text:find("at character", 1, true) then
    return text -- the parser says it itself
  end
  return ("%s at character %d"):format(text, position)
end

---@class lunate.repl.Place
---@field sql string?
---@field number integer? which statement of its line
---@field of integer? how many there are in it
---@field from integer? the line of the input where the text of sql begins
---@field file string?
---@field echo boolean? the reader is who wrote it
---@field columns integer?

-- "file:12: ", "line 12: ", "statement 2 of 3: ", or nothing.
local function place_of(position, place)
  if place.number then
    return ("statement %d of %d: "):format(place.number, place.of)
  elseif not place.from then
    return ""
  end
  local line = place.from
  if position then
    line = line + find_line(place.sql, position) - 1
  end
  return place.file and ("%s:%d: "):format(place.file, line)
    or ("line %d: "):format(line)
end

---The error, and where it is.
---@param err lunate.Error|string a string is one of the prompt's own
---@param place lunate.repl.Place
---@param paint table colours of lunate.cli.colour
---@return string lines, each with its end
function M.text(err, place, paint)
  local position = place.sql and type(err) == "table" and err.position
  local pointed = position and place.echo
  local text = ("%s %s%s\n"):format(paint.error("ERROR"),
    place_of(position, place), M.message(err, pointed or not position))
  if not pointed then
    return text
  end
  return text .. M.pointer(place.sql, position, place.columns)
end

return M
