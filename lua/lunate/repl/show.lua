-- lunate.repl.show - the commands that show something: \d and its kin, help.
local describe = require "lunate.repl.describe"
local layout = require "lunate.repl.layout"
local pattern = require "lunate.repl.pattern"
local width = require "lunate.repl.width"

local M = {}

-- Writes rows as a table; catalogs are small, whatever they describe.  What has
-- a title is a table in a window that is too narrow, too.
local function write_table(repl, sink, what)
  local settings, title = repl:layout_settings(), what.title
  settings.bare, settings.null = false, ""
  if title and settings.expanded == "auto" then
    settings.expanded = false
  end
  if title then
    sink:write(settings.paint.strong(title) .. "\n")
  end
  local writer = layout.new(what.columns,
    function(text, n) return sink:write(text, not title and n or nil) end,
    settings)
  for _, row in ipairs(what.rows) do
    writer:row(row)
  end
  return writer:finish()
end

---A list of \dt and its kin.
function M.list(repl, letter, plus, name)
  local sql, schema, name_regex = describe.list(letter, plus, name)
  local rows, columns = repl.session:all(sql, schema, name_regex)
  if not rows then
    return nil, columns
  end
  if #rows == 0 then
    repl:say(name and ("nothing here is named %s\n"):format(name)
      or "there is nothing of that kind here\n")
    return true
  end
  local sink = repl:open_sink()
  write_table(repl, sink, { columns = columns, rows = rows })
  sink:write(layout.footer(#rows) .. "\n")
  sink:close()
  return true
end

-- ---- one relation ----------------------------------------------------------

local function write_part(repl, sink, part, oid)
  local rows, err = repl.session:all(part[2], oid)
  if not rows then
    return nil, err
  end
  if #rows == 0 then
    return true
  end
  local lines = {}
  for _, row in ipairs(rows) do
    for _, line in ipairs(width.lines(row[1] or "")) do
      lines[#lines + 1] = line
    end
  end
  local text = #lines == 1 and #lines[1] < 60
    and (" %s\n"):format(lines[1])
    or "\n    " .. table.concat(lines, "\n    ") .. "\n"
  sink:write(part[1] .. ":" .. text)
  return true
end

local function write_parts(repl, sink, parts, oid)
  for _, part in ipairs(parts) do
    local ok, err = write_part(repl, sink, part, oid)
    if not ok then
      return nil, err
    end
  end
  return true
end

local function capital(text)
  return text:sub(1, 1):upper() .. text:sub(2)
end

local function write_relation(repl, sink, found, plus)
  local oid, kind = found[1], found[4]
  local rows, columns = repl.session:all(
    kind == "S" and describe.sequence or describe.columns(plus), oid)
  if not rows then
    return nil, columns
  end
  local ok, err = write_table(repl, sink, { columns = columns, rows = rows,
    title = ('%s "%s.%s"'):format(capital(found[5]), found[2], found[3]) })
  if not ok then
    return nil, err
  end
  ok, err = write_parts(repl, sink, describe.parts, oid)
  if ok and plus then
    ok, err = write_parts(repl, sink, describe.more_parts, oid)
  end
  return ok, err
end

---\d NAME
function M.relation(repl, plus, name)
  local schema, name_regex = pattern.parse(name)
  local found, err = repl.session:all(describe.find, schema, name_regex)
  if not found then
    return nil, err
  end
  if #found == 0 then
    return nil, ("no relation is named %s (\\d lists all)"):format(name)
  end
  local sink = repl:open_sink()
  local ok
  for i, one in ipairs(found) do
    if i > 1 then
      sink:write("\n")
    end
    ok, err = write_relation(repl, sink, one, plus)
    if not ok then
      break
    end
  end
  sink:write("\n")
  sink:close()
  if not ok and err ~= "closed" and err ~= "interrupted" then
    return nil, err
  end
  return true
end

local function show_text(repl, sql, name, what)
  if not name then
    return nil, "the name of a " .. what .. " is missing"
  end
  local schema, name_regex = pattern.parse((name:gsub("%(.*$", "")))
  local rows, err = repl.session:all(sql, schema, name_regex)
  if not rows then
    return nil, err
  end
  if #rows == 0 then
    return nil, ("no %s is named %s"):format(what, name)
  end
  local sink = repl:open_sink()
  for _, row in ipairs(rows) do
    sink:write(row[1]:match("^(.-)\n*$") .. "\n")
  end
  sink:close()
  return true
end

---\sf NAME
function M.function_text(repl, words)
  return show_text(repl, describe.function_text, words[1], "function")
end

---\sv NAME
function M.view_text(repl, words)
  return show_text(repl, describe.view_text, words[1], "view")
end

-- ---- connection and help ---------------------------------------------------

local CONNECTION = [[
select current_database(), current_user, session_user,
  coalesce(pg_catalog.host(pg_catalog.inet_server_addr()), 'unix socket'),
  coalesce(pg_catalog.inet_server_port()::text, ''),
  pg_catalog.current_setting('server_version'),
  (select case when s.ssl then s.version || ', ' || s.cipher else 'none' end
    from pg_catalog.pg_stat_ssl s where s.pid = pg_catalog.pg_backend_pid()),
  pg_catalog.pg_backend_pid(), pg_catalog.current_setting('search_path'),
  pg_catalog.current_setting('is_superuser'),
  pg_catalog.pg_is_in_recovery()::text]]

---Who and where we are.
---@param session lunate.repl.Session
---@return table|nil about, lunate.Error? err
function M.about(session)
  local rows, err = session:all(CONNECTION)
  if not rows then
    return nil, err
  end
  local row = rows[1]
  local port = row[5] ~= "" and ", port " .. row[5] or ""
  return { database = row[1], user = row[2], login = row[3],
    host = row[4] .. port, version = row[6]:match("^%S+"),
    tls = row[7] or "none", pid = row[8], path = row[9],
    super = row[10] == "on", standby = row[11] == "true" }
end

---\conninfo
function M.connection(repl)
  local about, err = M.about(repl.session)
  if not about then
    return nil, err
  end
  repl:say(("database     %s\nuser         %s%s\nserver       PostgreSQL %s%s"
    .. "\nhost         %s\nTLS          %s\nprocess      %s\n"
    .. "search_path  %s\n"):format(about.database, about.user,
    about.login ~= about.user and " (logged in as " .. about.login .. ")" or "",
    about.version, about.standby and " (standby: read only)" or "",
    about.host, about.tls, about.pid, about.path))
  return true
end

local function page(repl, text)
  local sink = repl:open_sink()
  sink:write(text)
  sink:close()
  return true
end

---\?
function M.help(repl)
  return page(repl, require("lunate.repl.commands").help()
    .. "\nA statement ends with ; and may go over several lines.  Tab "
    .. "completes names,\nthe arrow keys and Ctrl-R find what was typed "
    .. "before, Ctrl-C stops a statement.\nMore: lunate help repl\n")
end

---\h [STATEMENT]
function M.syntax(repl, syntax, rest)
  local text = syntax.text(rest)
  if not text then
    return nil, ("nothing is known of %s; \\h alone lists what is"):format(rest)
  end
  return page(repl, text)
end

---\echo
function M.echo(repl, _, _, rest)
  return page(repl, rest:gsub("^'(.*)'$", "%1") .. "\n")
end

return M
