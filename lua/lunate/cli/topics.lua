-- lunate.cli.topics - what `lunate help TOPIC` shows besides commands.
--
-- A topic is a row: its name, a line on it, and how it is printed: a text, a
-- list of labelled rows, or a table of core that also goes out as JSON.  The
-- man page has its sections of the same rows.
local text = require "lunate.cli.text"

local M = {}

---@alias lunate.cli.Labelled { [1]: string, [2]: string }

---@type lunate.cli.Labelled[]
M.exit_codes = {
  { "0", "It was done." },
  { "1", "It failed; the reason is one line on standard error." },
  { "2", "It was asked wrongly; standard error says what was not understood." },
  { "130", "repl and query: Ctrl-C; the statement was cancelled on the "
    .. "server, too." },
  { "any", "run: the number that the script returned; the highest of all "
    .. "workers." },
}

-- Of single commands.
M.exit_notes = {
  { "config", "1: lunate.open would refuse this configuration." },
  { "doctor", "1: a problem was found, or the server cannot be asked. Advice "
    .. "alone is 0." },
  { "status", "1: nothing runs, or one is unwell, or one did not answer." },
  { "why", "1: it is denied, or the policy folder is refused." },
}

---@type lunate.cli.Labelled[]
M.environment = {
  { "DATABASE_URL", "The database, where no option names one; LUNATE_URL is "
    .. "the same. With neither, run, repl and query use the development "
    .. "server." },
  { "XDG_STATE_HOME", "Where the development server and the control sockets "
    .. "have their folder, instead of ~/.local/state." },
  { "LUNATE_PG_BIN", "The folder of PostgreSQL's programs, for the "
    .. "development server, where they are not in the usual place." },
  { "NO_COLOR", "Any value but the empty one: no colours. There are none "
    .. "either with TERM=dumb, and where the output is no terminal." },
  { "LUNATE_PAGER, PAGER", "What shows long results of repl and query; else "
    .. "less." },
  { "LUNATE_HISTORY", "The file of what was typed at the prompt; empty: none "
    .. "is kept." },
  { "VISUAL, EDITOR", "What \\e of the prompt opens; else vi." },
  { "SHELL", "What \\! of the prompt starts." },
  { "PGUSER, PGPASSFILE, ...", "libpq reads its own variables for what the "
    .. "URL leaves out. PGTZ and PGDATESTYLE cost time at each login; "
    .. "lunate doctor tells." },
}

---@type lunate.cli.Labelled[]
M.files = {
  { "~/.local/state/lunate/dev", "The development server of this user." },
  { "/var/lib/lunate/dev", "The same for root; it runs as the user postgres." },
  { "~/.local/state/lunate/run", "A socket of mode 0600 for each runtime "
    .. "that runs, for lunate ctl and lunate status." },
  { "~/.local/state/lunate/break_glass.jsonl", "Emergencies of db:break_glass, "
    .. "and who reviewed them, unless an option names another file; mode "
    .. "0600." },
  { "~/.local/state/lunate/history", "What was typed at the prompt; mode "
    .. "0600." },
  { "~/.postgresql/root.crt", "The root certificate that vouches for the "
    .. "server, unless DATABASE_SSL_ROOT_CERT names another." },
  { "~/.pgpass", "Passwords, as libpq reads them." },
}

local URL = [[
DATABASE_URL, --url and lunate.open { url = ... } hold a URL, or libpq's pairs
of keyword=value.  libpq reads both; what is left out comes from its own
variables (PGUSER, ...) and ~/.pgpass.

  postgres://user:password@host:5432/database
  postgres://user@host/database?sslmode=verify-full
  postgres:///database?host=/var/run/postgresql
  postgres://%2Fvar%2Frun%2Fpostgresql/database
  postgres://user@one:5432,two:5433/database
  postgres://user@[::1]:5432/database
  host=/var/run/postgresql dbname=database user=user

Special characters of a user or password are written as %XX: @ is %40, : is
%3A, / is %2F, % is %25.  No message shows a password.

Several hosts    are tried in order, at each login anew; the first that lets us
                 in is used.  target_session_attrs=read-write passes over
                 standbys.  All have to hold the same database.
Unix sockets     host is the folder of the socket, not the socket itself.
sslmode          disable, allow, prefer (the default), require, verify-ca or
                 verify-full.  Only the last two know who answers; they need
                 sslrootcert, or ~/.postgresql/root.crt.  DATABASE_SSL=true
                 refuses what is weaker than require.
Not in a URL     limits, schema and timeouts are options of lunate; a word of
                 other drivers (connection_limit, schema, search_path, ...) is
                 refused, and the message names the option.

`lunate config --url URL` says whether a URL is understood, `lunate doctor
--url URL` whether the server behind it suits.
]]

local VALUES = [[
From PostgreSQL to Lua:

  bool                   boolean
  int2, int4, oid        number
  int8                   number; above 2^53 an error, unless int8 = "int64"
                         (LuaJIT's 64-bit integers) or int8 = "string"
  float4, float8         number
  numeric                string, exact; numeric = "number" for numbers
  json, jsonb            table; json = "string" for the text
  arrays                 table, nested for more dimensions
  bytea                  string of the bytes
  timestamptz            string, in UTC: 2026-01-31 12:00:00.000001+00
  all else               string, as the server writes it
  NULL                   absent from the row; lunate.null with nulls = true

From Lua to PostgreSQL, as $1, $2, ...:

  nil, lunate.null       NULL
  boolean, number        as they are; whole numbers up to 2^53 exactly
  1LL (int64)            int8
  string                 text without zero bytes; lunate.bytea(s) for bytes
  { 1, 2, 3 }            an array; lunate.array(t, n) with nils in it
  { name = "Ada" }       JSON; lunate.json(v) for any value as JSON

The options stand before the SQL text:

    local row = db:one({ int8 = "string" }, "select $1::int8 as n", 7)
    assert(row.n == "7")
]]

local EMBEDDING = [[
A C program has the same runtime.  Installed are lunate.h, which is the manual
(threads, ownership, errors of every call), lunate.pc and the library.

    #include <lunate.h>
    #include <stdio.h>

    int main(void)
    {
        struct lunate_options o = lunate_defaults(); /* DATABASE_URL */
        struct lunate_call q = lunate_sql("select version()", NULL, 0);
        struct lunate_error e;
        struct lunate_rows *rows;
        struct lunate *db;

        if (lunate_open(&o, &db, &e) < 0 ||
            lunate_query(db, &q, &rows, &e) < 0)
            return fprintf(stderr, "%s\n", e.text), 1;
        puts(lunate_rows_text(rows, 0, 0));
        lunate_rows_free(&rows);
        return lunate_close(&db, 10) < 0;
    }

  cc app.c $(pkg-config --cflags --libs lunate)

In a clone the header is runtime/lunate.h and the library build/liblunate.so.
The examples are in share/doc/lunate/examples/embed, and in a clone in
examples/embed: eight threads, an event loop of the host's own, C that calls
Lua, Node.js.
]]

local WIDTH = 79

local function print_labelled(rows)
  local widest = 0
  for _, row in ipairs(rows) do
    widest = math.max(widest, #row[1])
  end
  for _, row in ipairs(rows) do
    local lines = text.wrap(row[2], WIDTH - widest - 4)
    for i, line in ipairs(lines) do
      print(("  %-" .. widest .. "s  %s"):format(i == 1 and row[1] or "", line))
    end
  end
end

local function plain(words)
  return function()
    io.stdout:write(words)
  end
end

local function print_errors(core)
  print("An error is a table; err.code is one of these.  The same call may "
    .. "succeed later\nas it is where * stands.\n")
  for _, row in ipairs(core.error_table()) do
    print(("  %s %-16s %s"):format(row.retryable and "*" or " ", row.code,
      row.meaning))
  end
  print("\nAlso \"script\": a Lua error that was raised in a task.")
end

local function print_refusals(core)
  print("Policies refuse with err.code \"denied\"; err.reason is one of these, "
    .. "and the text\nsays what to do (policies/README.md).\n")
  for _, row in ipairs(core.refusal_table()) do
    print(("  %-14s %s"):format(row.reason, row.meaning))
  end
end

local function print_events(core)
  print("db:on(event, fn) calls fn(envelope) in a task; \"*\" stands for all "
    .. "of them.\n")
  for _, row in ipairs(core.event_table()) do
    print(("  %s (%s)\n      %s"):format(row.name, row.priority:lower(),
      row.meaning))
  end
end

local function print_metrics(core)
  print("db:pool_metrics() and `lunate ctl metrics` give these.\n")
  for _, row in ipairs(core.metrics_table()) do
    print(("  %-20s %-14s %s"):format(row.name, row.unit, row.help))
  end
end

local function print_exit_codes()
  print "Every command ends with one of these.\n"
  print_labelled(M.exit_codes)
  print "\nOf single commands:\n"
  print_labelled(M.exit_notes)
  print("\nWith --json the reason of a failure is on standard error all the "
    .. "same.")
end

local function print_environment()
  print("Every option of the configuration is a variable, too: lunate help "
    .. "config lists\nthem, lunate config shows what they are now.  Besides "
    .. "there are:\n")
  print_labelled(M.environment)
  print "\nFiles:\n"
  print_labelled(M.files)
end

---@class lunate.cli.Topic
---@field name string
---@field about string
---@field show fun(core: table?)
---@field rows? fun(core: table): table what --json prints
---@field plain boolean? needs no runtime

---@type lunate.cli.Topic[]
M.all = {
  { name = "config", about = "every option, its default and its unit",
    show = function(core) io.stdout:write(core.config_help()) end,
    rows = function(core)
      return require("lunate.cli.config").objects(core.option_table())
    end },
  { name = "environment", about = "other variables that are read, and files",
    show = print_environment, plain = true },
  { name = "url", about = "what DATABASE_URL may hold", show = plain(URL),
    plain = true },
  { name = "values", about = "types of PostgreSQL and of Lua",
    show = plain(VALUES), plain = true },
  { name = "errors", about = "codes of errors, and which may be tried again",
    show = print_errors, rows = function(core) return core.error_table() end },
  { name = "refusals", about = "why policies refuse a statement",
    show = print_refusals,
    rows = function(core) return core.refusal_table() end },
  { name = "events", about = "what db:on tells of", show = print_events,
    rows = function(core) return core.event_table() end },
  { name = "metrics", about = "figures of a runtime, with their units",
    show = print_metrics,
    rows = function(core) return core.metrics_table() end },
  { name = "exit-codes", about = "what a command ends with",
    show = print_exit_codes, plain = true },
  { name = "embedding", about = "a C program with lunate inside",
    show = plain(EMBEDDING), plain = true },
}

---@type table<string, lunate.cli.Topic>
M.by_name = {}
for _, topic in ipairs(M.all) do
  M.by_name[topic.name] = topic
end

---The topics with a line each.
---@return string
function M.list()
  local lines = { "Topics (lunate help TOPIC):" }
  for _, topic in ipairs(M.all) do
    lines[#lines + 1] = ("   %-21s %s."):format(topic.name,
      topic.about:gsub("^%l", string.upper))
  end
  return table.concat(lines, "\n")
end

return M
