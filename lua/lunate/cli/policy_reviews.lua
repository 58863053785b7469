-- lunate policy reviews, lunate policy review ID: the openings of emergencies
-- (db:break_glass), as their journal has them, and who looked at them.
local cjson = require "cjson"
local core = require "lunate.core"

local M = {}

-- Where a runtime with this environment has it.
local function journal_of(args)
  if args.journal then
    return args.journal
  end
  local values = {}
  for _, row in ipairs(core.config_list() or {}) do
    values[row.name] = row.value ~= "" and row.value or nil
  end
  if values.break_glass_journal then
    return values.break_glass_journal
  end
  return values.state_dir and values.state_dir .. "/break_glass.jsonl"
end

local function add(openings, line)
  local ok, record = pcall(cjson.decode, line)
  if not ok or type(record) ~= "table" or not record.opening then
    return
  end
  local known = openings[record.opening]
  if not record.reviewed then
    openings[record.opening] = record
    openings[#openings + 1] = record
  elseif known then
    known.reviewed, known.by = record.reviewed, record.by
  end
end

---The openings of a journal, in its order, each also by its id.
---@param path string
---@return table[]|nil openings, string? err
function M.read(path)
  local openings = {}
  local file, why, errno = io.open(path)
  if not file then
    return errno == 2 and openings or nil, why -- 2: nothing was opened yet
  end
  for line in file:lines() do
    add(openings, line)
  end
  file:close()
  return openings
end

local function state_of(opening, now)
  if opening.reviewed then
    return ("reviewed %s by %s"):format(opening.reviewed, opening.by)
  end
  return (opening.review_due < now and "OVERDUE since " or "due ")
    .. opening.review_due
end

local function print_opening(opening, now)
  print(("%s  %s  %s\n  user %s, clinic %s, patient %s, rule \"%s\"\n  %s")
    :format(opening.opening, opening.at, state_of(opening, now), opening.user,
      opening.tenant, opening.patient, opening.rule, opening.reason))
end

---Lists those that nobody looked at yet, or all.
function M.list(args, cli)
  local path = journal_of(args)
  local openings, why = M.read(path or "")
  if not path or not openings then
    return cli.fail(why or "no journal is configured; say --journal FILE")
  end
  local now = os.date("!%Y-%m-%dT%H:%M:%SZ")
  local shown = {}
  for _, opening in ipairs(openings) do
    if args.all or not opening.reviewed then
      shown[#shown + 1] = opening
    end
  end
  if args.json then
    setmetatable(shown, cjson.array_mt)
    print(#shown > 0 and cjson.encode(shown) or "[]")
    return 0
  end
  for _, opening in ipairs(shown) do
    print_opening(opening, now)
  end
  print(("%d %s to review in %s"):format(#shown,
    args.all and "openings, reviewed ones too," or #shown == 1 and "opening"
      or "openings", path))
  return 0
end

---Records that somebody looked at an opening.
function M.review(args, cli)
  local path = journal_of(args)
  local openings, why = M.read(path or "")
  if not path or not openings then
    return cli.fail(why or "no journal is configured; say --journal FILE")
  end
  local opening = openings[args.opening]
  if not opening then
    return cli.fail(("%s has no opening %s"):format(path, args.opening))
  elseif opening.reviewed then
    return cli.fail(("%s was reviewed %s by %s"):format(args.opening,
      opening.reviewed, opening.by))
  end
  local ok, err = core.break_glass_review(path, args.opening, args.by)
  if not ok then
    return cli.fail(err.message)
  end
  print(("%s is reviewed by %s"):format(args.opening, args.by))
  return 0
end

return M
