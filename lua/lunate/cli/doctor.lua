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

function M.define(parser)
  parser:option("--url", "The database, instead of DATABASE_URL."):args(1)
  parser:flag("--json", "Print the findings as JSON.")
  parser:epilog("Exit code 0: no problem; 1: a problem, or the server cannot "
    .. "be asked; 2: it was\nasked wrongly.  Advice is no problem.  Without a "
    .. "URL the development server is\nasked, when it runs.")
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
  local findings
  findings, err = core.doctor(db.ud, overrides())
  db:close(1)
  return findings, err
end

local function print_findings(findings)
  local paint = colour.of(1)
  for _, finding in ipairs(findings) do
    local mark = MARKS[finding.level]
    print(paint[mark[2]](mark[1]) .. "  " .. finding.what)
    if finding.remedy then
      print("         -> " .. finding.remedy)
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
  local findings, err = examine(url)
  if not findings then
    return cli.fail(tostring(err))
  end
  local problems = count(findings, "problem")
  if args.json then
    print_json(findings, problems)
  else
    print_findings(findings)
    print(("%d findings: %d problems, %d pieces of advice"):format(#findings,
      problems, count(findings, "advice")))
  end
  return problems == 0 and 0 or 1
end

return M
