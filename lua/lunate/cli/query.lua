-- lunate query - statements, and what they give, for people and programs.
local url_of = require "lunate.cli.url"
local who_of = require "lunate.cli.who"

local M = { name = "query", summary = "Run SQL and print what it gives." }

local FORMATS = { "table", "csv", "json", "ndjson" }
local WITH_VALUE = { ["--url"] = true, ["--format"] = true, ["--null"] = true,
  ["-f"] = true, ["--file"] = true, ["--as"] = true }

local HELP = [[
  lunate query 'select name, born from patients where id = $1' 7
  lunate query --csv 'select * from visits' > visits.csv
  lunate query --null NULL 'insert into t values ($1, $2)' 1 NULL
  lunate query -f report.sql --json
  lunate query --as clinic=ID,role=nurse 'select * from appointments'
  echo 'select 1; select 2' | lunate query

Values are sent as text; the server reads them as what $n stands for.  Options
may stand anywhere; behind -- all words are the text and its values, so that a
value may begin with a dash (negative numbers need no --).  The text - is
standard input, which is also read when nothing else is said.

A text of several statements runs in order, in one session, and stops at the
first that fails; each that is not between BEGIN and COMMIT is then done.  It
takes no values, and csv, json and ndjson want at most one that gives rows.
COPY ... TO STDOUT and FROM STDIN use the standard output and input.

csv is that of RFC 4180, with "\n" at the end of a line; NULL is nothing at all,
the empty text is "".  In json int8 and numeric keep all their digits, json is
embedded, arrays of built-in types are arrays, NaN and Infinity are strings;
a second column "a" is called "a_2".  csv, json and ndjson are written while
rows come; a table holds 10,000 of them, to find how wide its columns are.

Where policies are in force they hold here, too.  --as names the clinic, and
whatever else access rules ask for: role, user, location, ip, device, purpose;
a word may come again.  LUNATE_POLICIES=false works with the rights of the
login, as psql does.

On a terminal a table that is wider than the window is shown with one line for
each value, and what is longer goes through $LUNATE_PAGER, $PAGER or less.
NO_COLOR=1 switches colours off.

Exit code: 0: done; 1: it failed, and stderr says why; 2: it was asked wrongly;
130: interrupted by Ctrl-C, and so was the statement on the server.]]

function M.define(parser)
  parser:usage("Usage: lunate query [OPTION ...] [SQL [VALUE ...]]")
  parser:argument("sql", "The SQL text, then the values of $1, $2, ...")
    :args("*")
  parser:option("-f --file", "Read the SQL text from a file; - is standard "
    .. "input."):args(1)
  parser:option("--url", "The database, instead of DATABASE_URL."):args(1)
  parser:option("--as", "Who asks, as policies see it: clinic=ID,role=NAME,...")
    :args(1):argname("<who>"):count("*")
  local formats = { parser:option("--format",
    "table (the default), csv, json or ndjson."):choices(FORMATS):args(1) }
  for i = 2, #FORMATS do
    formats[i] = parser:flag("--" .. FORMATS[i], "The same as --format "
      .. FORMATS[i] .. ".")
  end
  parser:mutex(unpack(formats))
  parser:option("--null", "A value that is exactly this word is NULL."):args(1)
    :argname("<word>")
  parser:flag("-x --expanded", "One line for each value.")
  parser:flag("--no-header", "Neither header nor footer.")
  parser:flag("--no-pager", "Never a pager.")
  parser:flag("--timing", "Say on stderr how long each statement took.")
  parser:epilog(HELP)
end

local function is_option(word)
  return word:sub(1, 1) == "-" and word ~= "-" and not word:find("^%-[%d.]")
end

---Options first, then the text and its values, whatever they begin with.
---@param argv string[]
---@return string[]
function M.arrange(argv)
  local options, others, at = { argv[1] }, {}, 2
  while argv[at] do
    local word = argv[at]
    if word == "--" then
      for i = at + 1, #argv do
        others[#others + 1] = argv[i]
      end
      break
    end
    if is_option(word) then
      options[#options + 1] = word
      if WITH_VALUE[word] and argv[at + 1] then
        at = at + 1
        options[#options + 1] = argv[at]
      end
    else
      others[#others + 1] = word
    end
    at = at + 1
  end
  options[#options + 1] = "--"
  for _, word in ipairs(others) do
    options[#options + 1] = word
  end
  return options
end

local function read_file(path)
  if path == "-" then
    return io.read("*a")
  end
  local file, err = io.open(path, "rb")
  local text
  if file then
    text, err = file:read("*a")
    file:close()
  end
  return text, err
end

-- The text and its values; nil and why not.
local function read_text(args)
  local words = args.sql
  if args.file then
    if words[1] then
      return nil, "a file takes no values: give the text itself, or no values"
    end
    local text, err = read_file(args.file)
    return text, err and "cannot read " .. err
  end
  if not words[1] and require("lunate.sys").is_terminal(0) then
    return nil, "what shall be run? Give SQL text, or -f FILE"
  end
  if not words[1] or words[1] == "-" then
    return io.read("*a")
  end
  return words[1]
end

-- NULL is a hole.
local function values_of(args)
  local values, n = {}, math.max(#args.sql - 1, 0)
  for i = 1, n do
    local word = args.sql[i + 1]
    if word ~= args.null then
      values[i] = word
    end
  end
  return values, n
end

local function format_of(args)
  return args.format or (args.csv and "csv") or (args.json and "json")
    or (args.ndjson and "ndjson") or "table"
end

function M.run(args, cli)
  local text, why = read_text(args)
  if not text then
    return cli.misused(why, M.name)
  end
  if not pcall(require, "lunate.terminal") then
    return cli.fail("the runtime is not here; build it with: make")
  end
  local who
  who, why = who_of.read(args.as)
  if not who then
    return cli.misused(why, M.name)
  end
  local values, n = values_of(args)
  local job = { text = text, who = who, values = values, nvalues = n,
    format = format_of(args), expanded = args.expanded, bare = args.no_header,
    no_pager = args.no_pager, timing = args.timing,
    file = args.file ~= "-" and args.file or nil }
  local query = require "lunate.repl.query"
  local parts, misuse = query.plan(job)
  if not parts then
    return cli.misused(misuse, M.name)
  end
  job.url, why = url_of.choose(args.url)
  if not job.url then
    return cli.fail(why)
  end
  return query.run(job, parts, cli)
end

return M
