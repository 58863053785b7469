-- lunate doctor - does the server suit the configuration?
local colour = require "lunate.cli.colour"
local json = require "lunate.cli.json"

local M = { name = "doctor", summary = "Check the server against the "
  .. "configuration." }

-- What libpq sends at each login, after our own settings.
local OVERRIDES = { "PGTZ", "PGDATESTYLE" }

local MARKS = {
  ok = { "ok     ", "good" },
  advice = { "advice ", "warning" },
  problem = { "PROBLEM", "error" },
}

local HELP = [[
Where policies are in force (LUNATE_POLICIES) the database is asked, too,
whether it keeps what isolation.lua takes for granted.  A problem found there
closes the table it is of; each finding comes with what mends it, and what --sql
prints is run, when it was read, by the owner of the tables.

Exit code 0: no problem; 1: a problem, or the server cannot be asked; 2: it was
asked wrongly.  Advice is no problem.  Without a URL the development server is
asked, when it runs.]]

function M.define(parser)
  parser:option("--url", "The database, instead of DATABASE_URL."):args(1)
  parser:mutex(parser:flag("--json", "Print the findings as JSON."),
    parser:flag("--sql", "Print the SQL that mends what isolation.lua finds, "
      .. "and nothing else."))
  parser:epilog(HELP)
end

local function choose_url(args)
  local url = args.url or os.getenv("DATABASE_URL") or os.getenv("LUNATE_URL")
  if url and url ~= "" then
    return url
  end
  local dev_url = require("lunate.dev").url({})
  if not dev_url then
    return nil, "no DATABASE_URL, and the development server does not run; "
      .. "say --url"
  end
  return dev_url
end

local function overrides()
  local set = {}
  for _, name in ipairs(OVERRIDES) do
    if os.getenv(name) then
      set[#set + 1] = name
    end
  end
  return table.concat(set, ", ")
end

-- The findings of the server behind the URL; nil, err when it cannot be asked.
local function examine(url)
  local core, lunate = require "lunate.core", require "lunate"
  local db, err = lunate.open { url = url, control_socket = false }
  if not db then
    return nil, err
  end
  local findings, lints
  findings, err = core.doctor(db.ud, overrides())
  if findings then
    lints, err = core.lints(db.ud)
  end
  db:close(1)
  return lints and findings, err, lints
end

-- On one line: a name may hold anything.
local function line(text)
  return (text:gsub("%c", " "))
end

local function remark(text)
  return "-- " .. line(text)
end

local function print_sql(lints)
  local seen = {}
  for _, lint in ipairs(lints) do
    local fix = lint.remedy
    if fix and not seen[fix] then
      seen[fix] = true
      print(remark(lint.what))
      print(lint.sql and fix .. ";" or remark("do: " .. fix))
    end
  end
end

local function append(list, more)
  for _, item in ipairs(more) do
    list[#list + 1] = item
  end
end

local function print_findings(findings)
  local paint = colour.of(1)
  for _, finding in ipairs(findings) do
    local mark = MARKS[finding.level]
    print(paint[mark[2]](mark[1]) .. "  " .. line(finding.what))
    if finding.remedy then
      print("         -> " .. line(finding.remedy))
    end
  end
end

local function count(findings, level)
  local n = 0
  for _, finding in ipairs(findings) do
    n = n + (finding.level == level and 1 or 0)
  end
  return n
end

local function print_json(findings, problems)
  json.print { ok = problems == 0, findings = findings }
end

function M.run(args, cli)
  if not pcall(require, "lunate.core") then
    return cli.fail("the runtime is not here; build it with: make")
  end
  local url, why = choose_url(args)
  if not url then
    return cli.fail(why)
  end
  local findings, err, lints = examine(url)
  if not findings then
    return cli.fail(tostring(err))
  end
  append(findings, lints)
  local problems = count(findings, "problem")
  if args.json then
    print_json(findings, problems)
  elseif args.sql then
    print_sql(lints)
  else
    print_findings(findings)
    print(("%d findings: %d problems, %d pieces of advice"):format(#findings,
      problems, count(findings, "advice")))
  end
  return problems == 0 and 0 or 1
end

return M
