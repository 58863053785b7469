-- lunate.cli.topics - what `lunate help` knows beside commands and tables.
return {
  ["exit-codes"] = [[
Every command ends with one of these:

  0    done
  1    it failed; one line on stderr says why, and what to do
  2    it was asked wrongly; `lunate help COMMAND` says how
  130  interrupted

`lunate run` ends with the number that the script returns.  `lunate doctor` and
`lunate status` end with 1 when what they look at is not well.]],

  environment = [[
Options have variables of their own: `lunate help config`, and what is in force:
`lunate config`.  Beside those:

  NO_COLOR        not empty: no colours; also TERM=dumb, or no terminal
  PAGER           shows what is longer than the window; LUNATE_PAGER goes first
  EDITOR          for \\e of `lunate repl`; VISUAL goes first
  XDG_STATE_HOME  below it, in lunate/, lie the development server, the sockets
                  of what runs (run/PID-N.sock) and the history; not set:
                  ~/.local/state.  LUNATE_STATE_DIR says another place
  PGPASSFILE      libpq's file of passwords; not set: ~/.pgpass]],

  url = [[
A database is named by a URL, or by libpq's keyword=value pairs:

  postgres://user:password@host:5432/database?sslmode=verify-full
  postgres:///database                          a unix socket, as this user
  postgres:///database?host=/run/postgresql     in that folder
  postgres://one,two:5433/database              hosts that are tried in order
  host=db.example.org dbname=app user=service

Special characters of a password are written as %XX.  TLS: `ssl` and
`ssl_root_cert` of `lunate help config`, or sslmode of the URL.  The first that
is there counts: --url, the option url, DATABASE_URL.  Passwords are in no log,
no error and no output.]],

  embedding = [[
A C program has the runtime through lunate.h, whose comments are the manual:

  cc host.c $(pkg-config --cflags --libs lunate)

  struct lunate_options o = lunate_defaults();
  struct lunate_error e;
  struct lunate *db;

  if (lunate_open(&o, &db, &e) < 0)
    return fail(e.text);
  struct lunate_call q = lunate_sql("select 1", NULL, 0);
  if (lunate_query(db, &q, &rows, &e) < 0) ...
  lunate_close(&db, 10);

examples/embed has threads, an event loop, C that calls Lua, and Node.js.  From
plain LuaJIT: package.cpath with lunate.so, then require "lunate".]],
}
