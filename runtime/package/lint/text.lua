-- What holds for every file whatever it says: width, length, licence line, and
-- no notes about work that was left undone.
local M = {}

local WIDTH, TAB, LENGTH = 80, 8, 600
-- Spelled apart, so that this file passes its own check.
local NOTES = { "TO" .. "DO", "FIX" .. "ME", "X" .. "XX" }
-- One header for hosts is a promise, however long it is.
local ONE_PIECE = "runtime/lunate.h"
local LICENCE = "SPDX-License-Identifier: MIT"

local function is_c(file)
  return file.kind == "c" or file.kind == "h"
end

-- Columns that a line takes on a screen: tabs to the next stop of 8, one for
-- each UTF-8 character.
local function width(line)
  local columns = 0
  for byte in line:gmatch(".") do
    if byte == "\t" then
      columns = columns + TAB - columns % TAB
    elseif byte:byte() < 0x80 or byte:byte() >= 0xc0 then
      columns = columns + 1
    end
  end
  return columns
end

-- A string or a name that stands alone on its line is left whole, so that it
-- can be found by searching; an annotation is one line by its grammar.
local function is_whole(line)
  return line:match("^%-%-%-@")
    or line:match('^%s*"[^"]*"[,;)]*$') or line:match("^%s*[%w_]+[,;)]*$")
end

-- Tables that are laid out by hand may be wider.
local function check_width(file, report)
  local by_hand = false
  for n, line in ipairs(file.lines) do
    if line:find("clang-format off", 1, true) then
      by_hand = true
    elseif line:find("clang-format on", 1, true) then
      by_hand = false
    end
    local columns = width(line)
    if columns > WIDTH and not by_hand and not is_whole(line) then
      report(n, "%d columns wide; keep lines within %d", columns, WIDTH)
    end
  end
end

local function check_notes(file, report)
  for n, line in ipairs(file.lines) do
    for _, note in ipairs(NOTES) do
      if line:find("%f[%w_]" .. note .. "%f[^%w_]") then
        report(n, "%s; do it now, or open an issue and say nothing here", note)
      end
    end
  end
end

function M.check(file, report)
  check_width(file, report)
  check_notes(file, report)
  if #file.lines > LENGTH and file.path ~= ONE_PIECE then
    report(LENGTH + 1, "%d lines; split the file into modules of at most %d",
      #file.lines, LENGTH)
  end
  if is_c(file) and not (file.lines[1] or ""):find(LICENCE, 1, true) then
    report(1, "no licence line; begin with /* %s", LICENCE)
  end
end

return M
