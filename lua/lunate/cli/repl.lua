-- lunate repl - a prompt for SQL.
local url_of = require "lunate.cli.url"

local M = { name = "repl", summary = "A prompt for SQL, and for Lua." }

function M.define(parser)
  parser:option("--url", "The database, instead of DATABASE_URL."):args(1)
  parser:flag("-x --expanded", "One line for each value (\\x).")
  parser:flag("--timing", "Say how long each statement took (\\timing).")
  parser:flag("--on-error-stop", "Stop at the first error.")
  parser:epilog [[
A statement ends with ; and may go over several lines.  Commands begin with a
backslash: \? lists them, \d shows tables, \q leaves.  They are those of psql,
and \lua for Lua.  With neither --url nor DATABASE_URL the development server is
used.

It works with the rights of its login, as psql does: policies of lunate are not
in force here, those of the database are.  lunate query --as asks as a clinic.

The prompt shows the database and what is open: => ready, -> in a statement, ( '
" $ * inside a parenthesis, a literal, a name, a body, a comment; =*> inside
BEGIN, =!> in a transaction that failed.  # instead of > says superuser.

Keys: Tab completes names of the server, the arrow keys and Ctrl-R find what was
typed before, Ctrl-C drops the line or stops the statement that runs (never the
session), Ctrl-D leaves.  ~/.editrc can bind others (editrc(5)).

Results: a table wider than the window is shown with one line for each value (\x
changes that), and what is longer goes through a pager: LUNATE_PAGER, PAGER, or
less.  Widths are found in the first 10,000 rows (or 4 MiB of text), which is
all of a result that is held in memory.  NO_COLOR=1 switches colours off.

History: what is typed is kept in $LUNATE_HISTORY, by default
~/.local/state/lunate/history (mode 0600), the last 2000 entries.  Statements
can hold data of patients: a line that begins with a blank is not kept, and
LUNATE_HISTORY= (empty) keeps nothing.

Where standard input is no terminal its statements are run in order; exit code
0: all succeeded; 1: one failed (the others were run all the same, unless
--on-error-stop); 130: interrupted.  -f FILE is written: lunate repl < FILE.]]
end

function M.run(args, cli)
  if not pcall(require, "lunate.terminal") then
    return cli.fail("the runtime is not here; build it with: make")
  end
  local url, err = url_of.choose(args.url)
  if not url then
    return cli.fail(err)
  end
  local code, why = require("lunate.repl").run({ url = url,
    stop = args.on_error_stop, timing = args.timing,
    expanded = args.expanded or nil })
  return why and cli.fail(why) or code
end

return M
