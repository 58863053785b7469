-- regress - PostgreSQL's own regression tests as a source of statements.
--
--   local folder, why = regress.fetch()      -- below build/, once
--   regress.load(server, folder, names)      -- its tables and rows
--   for _, sql in ipairs(regress.statements(folder, "join")) do
--
-- Nothing of it lies in the repository: it is Debian's source package of the
-- server.  Without LUNATE_PROVE only what was fetched before is used.
local lex = require "lunate.repl.lex"
local pg = require "support.pg"
local server = require "support.server"
local sh = require "support.sh"

local M = {}

local FOLDER = "build/regress"

--- The folder of src/test/regress, or nil and why there is none.
---@return string?, string?
function M.fetch()
  local folder = FOLDER .. "/regress"
  if sh.read(folder .. "/parallel_schedule") ~= "" then return folder end
  if not os.getenv "LUNATE_PROVE" then
    return nil, "PostgreSQL's source was not fetched; make prove T=regress does"
  end
  local run = sh.run { "bash", "tests/support/regress.sh", FOLDER,
    timeout = 300 }
  if run.code ~= 0 then return nil, "not reachable: " .. run.err end
  return folder
end

--- The names of all test files, in the order in which they build on another.
---@return string[]
function M.schedule(folder)
  local names = {}
  for line in sh.read(folder .. "/parallel_schedule"):gmatch("[^\n]+") do
    for name in (line:match("^test:(.*)") or ""):gmatch("%S+") do
      names[#names + 1] = name
    end
  end
  return names
end

--- Runs test files in database `regression`, whatever fails in them.
---@param s support.Pg
---@param names string[]
function M.load(s, folder, names)
  local at = s.dir .. "/regress"
  sh.ok { "cp", "-r", folder, at }
  sh.ok { "mkdir", "-p", at .. "/results" }
  sh.ok { "chmod", "-R", "a+rwX", at }
  s:psql("create database regression template template0")
  local env = { PG_ABS_SRCDIR = at, PG_ABS_BUILDDIR = at, PG_LIBDIR = at,
    PG_DLSUFFIX = ".so", PGTZ = "PST8PDT", PGDATESTYLE = "Postgres, MDY",
    PGOPTIONS = "-c intervalstyle=postgres_verbose -c statement_timeout=20s" }
  for _, name in ipairs(names) do
    sh.run { pg.bin "psql", "-Xq", "-d", pg.url(s.dir, s.port, "regression"),
      "-f", at .. "/sql/" .. name .. ".sql", env = env, cwd = at,
      user = server.user(), timeout = 300 }
  end
end

-- Commands of psql and the data of COPY are no SQL.
local function plain(text)
  local lines, data = {}, false
  for line in (text .. "\n"):gmatch("(.-)\n") do
    if data then
      data = line ~= "\\."
    elseif not line:find("^%s*\\") then
      lines[#lines + 1] = line:gsub("%s\\g.*$", ";")
      local low = line:lower()
      data = low:find("^%s*copy ") and low:find("from stdin") and true
    end
  end
  return table.concat(lines, "\n")
end

--- The statements of a test file.
---@return string[]
function M.statements(folder, name)
  local list = {}
  local text = plain(sh.read(folder .. "/sql/" .. name .. ".sql"))
  for _, event in ipairs(lex.split(text)) do
    if event.kind == "sql" then list[#list + 1] = event.text end
  end
  return list
end

return M
