-- SPDX-License-Identifier: MIT
--
-- check - is a text from a file the value its column wants?
--
-- check.KIND(text) gives the text to store, or nil and the reason.  It finds
-- what people get wrong (a 31st of April, a comma for a decimal point); what
-- only the server can judge (encodings, sizes, constraints) is left to it.

local check = {}

local match = string.match

local DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

--- Is it a day of the (proleptic Gregorian) calendar?
---@param year integer
---@param month integer
---@param day integer
---@return boolean
function check.is_day(year, month, day)
  if month < 1 or month > 12 or day < 1 or year < 1 then
    return false
  end
  local days = month == 2 and is_leap(year) and 29 or DAYS[month]
  return day <= days
end

local H4 = "%x%x%x%x"
local UUID = "^" .. H4 .. H4 .. "%-" .. H4 .. "%-" .. H4 .. "%-" .. H4
  .. "%-" .. H4 .. H4 .. H4 .. "$"

function check.uuid(text)
  if not match(text, UUID) then
    return nil, "is not a uuid"
  end
  return text:lower()
end

function check.date(text)
  local y, m, d = match(text, "^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  if not y then
    return nil, "is not a date (YYYY-MM-DD)"
  end
  if not check.is_day(tonumber(y), tonumber(m), tonumber(d)) then
    return nil, "is not a day of the calendar"
  end
  return text
end

local function is_zone(text)
  if text == "Z" or text == "" then
    return true
  end
  local h, m = match(text, "^[+-](%d%d):?(%d%d)$")
  return h and tonumber(h) <= 15 and tonumber(m) < 60
end

--- A time without a zone is taken as UTC.
function check.timestamp(text)
  local date, h, m, s, rest =
    match(text, "^(%d%d%d%d%-%d%d%-%d%d)[T ](%d%d):(%d%d):(%d%d)(.*)$")
  if not date then
    return nil, "is not a time (YYYY-MM-DDThh:mm:ssZ)"
  end
  local _, reason = check.date(date)
  if reason then
    return nil, reason
  end
  local zone = rest:gsub("^%.%d+", "")
  if tonumber(h) > 23 or tonumber(m) > 59 or tonumber(s) > 59
    or not is_zone(zone) then
    return nil, "is not a time of day"
  end
  return zone == "" and text .. "Z" or text
end

function check.number(text)
  if match(text, "^[+-]?%d+%.?%d*$") or match(text, "^[+-]?%.%d+$")
    or match(text, "^[+-]?%d+%.?%d*[eE][+-]?%d%d?$") then
    return text
  end
  return nil, "is not a number"
end

function check.integer(text)
  if not match(text, "^[+-]?%d+$") then
    return nil, "is not a whole number"
  end
  return text
end

function check.text(text)
  if text:find("\0", 1, true) then
    return nil, "holds a zero byte"
  end
  return text
end

return check
