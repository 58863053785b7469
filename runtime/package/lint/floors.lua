-- Who may include whom.  The compiler enforces the same through its search
-- path; this is the second look, from the architecture and not from the
-- Makefile, and it also knows the libraries.
local M = {}

local SEES = {
  base = {},
  sql = { "base" },
  io = { "base" },
  pool = { "base", "sql", "io" },
  cache = { "base", "io", "pool" },
  guard = { "base", "sql", "io" },
  policy = { "base", "sql", "io", "pool", "cache", "guard" },
  engine = { "base", "sql", "io", "pool", "cache", "guard", "policy" },
  api = { "base", "sql", "io", "pool", "cache", "guard", "policy", "engine" },
}
-- Headers beside the floors: the public one belongs to those who answer it.
local OUTSIDE = { ["lunate.h"] = { api = true } }

-- A library and the floors that may speak to it.
local LIBRARIES = {
  { "^lua%.h", "LuaJIT", "policy engine api" },
  { "^lauxlib%.h", "LuaJIT", "policy engine api" },
  { "^lualib%.h", "LuaJIT", "policy engine api" },
  { "^luajit%.h", "LuaJIT", "policy engine api" },
  { "^pg_query", "libpg_query", "sql" },
  { "^protobuf%-c", "libpg_query", "sql" },
  { "^ev%.h", "libev", "io" },
  { "^hiredis/", "hiredis", "io" },
  { "^libpq", "libpq", "io pool cache guard policy engine api" },
  { "^microhttpd", "libmicrohttpd", "api" },
  { "^curl/", "libcurl", "api" },
  { "^histedit", "libedit", "api" },
  { "^editline/", "libedit", "api" },
}

local function contains(list, wanted)
  for _, one in ipairs(list) do
    if one == wanted then
      return true
    end
  end
  return false
end

local function floor_of(path)
  local floor = path:match("^runtime/(%w+)/[^/]+$")
  return SEES[floor] and floor
end

-- header name -> the floors that have a header of that name
local function homes(files)
  local found = {}
  for _, file in ipairs(files) do
    local floor, name = floor_of(file.path), file.path:match("([^/]+%.h)$")
    if floor and name then
      found[name] = found[name] or {}
      table.insert(found[name], floor)
    end
  end
  return found
end

-- `at` is one include: the floor it is in, the name it asks for, and how to
-- report it.
local function check_header(at, home)
  if OUTSIDE[at.name] and OUTSIDE[at.name][at.floor] then
    return
  end
  if not home then
    at.report('no header "%s" in any floor; write <%s> for a library\'s',
      at.name, at.name)
  elseif #home > 1 then
    at.report('"%s" is in the floors %s; a header has one name of its own',
      at.name, table.concat(home, " and "))
  elseif home[1] ~= at.floor and not contains(SEES[at.floor], home[1]) then
    at.report('%s may not see %s ("%s"); turn the need around: let %s be '
      .. "handed what it asks for", at.floor, home[1], at.name, at.floor)
  end
end

local function check_library(at)
  for _, library in ipairs(LIBRARIES) do
    local pattern, title, floors = library[1], library[2], library[3]
    local allowed = (" " .. floors .. " "):find(" " .. at.floor .. " ", 1, true)
    if at.name:find(pattern) and not allowed then
      at.report("%s does not speak to %s; that is for %s", at.floor, title,
        floors)
    end
  end
end

local function check_include(at, quoted, all_homes)
  if at.name:find("..", 1, true) then
    at.report('"%s" reaches upward; include by name only', at.name)
  elseif at.floor and quoted then
    check_header(at, all_homes[at.name])
  elseif at.floor then
    check_library(at)
  end
end

local known_for, known -- homes() of the last list of files

function M.check(file, report, files)
  if file.kind ~= "c" and file.kind ~= "h" then
    return
  end
  if known_for ~= files then
    known_for, known = files, homes(files)
  end
  local floor, first = floor_of(file.path), nil
  for n, line in ipairs(file.lines) do
    local open, name = line:match('^%s*#%s*include%s*(["<])([^">]+)[">]')
    first = first or name
    if name then
      check_include({ floor = floor, name = name,
        report = function(...) report(n, ...) end }, open == '"', known)
    end
  end
  local own = (file.path:match("([^/]+)%.c$") or "") .. ".h"
  if floor and contains(known[own] or {}, floor) and first ~= own then
    report(1, '"%s" is not the first include; a module shows that its header '
      .. "stands alone", own)
  end
end

return M
