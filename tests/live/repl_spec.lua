-- `lunate repl` as a person uses it, at a terminal, and as a pipe does.
local live = require "support.live"
local pg = require "support.pg"
local pty = require "support.pty"
local sh = require "support.sh"
local wait = require "support.wait"

local server, url, state

setup(function()
  server = pg.shared()
  url = pg.database("repl")
  state = sh.tmpdir()
  local db = live.open(url)
  assert(db:script [[
    create schema clinic;
    create table people (id int primary key, name text not null, born date);
    create table clinic.visits (id bigint, person int references people);
    create view grown as select * from people where born < '2000-01-01';
    create index on people (name);
    create function twice(n int) returns int language sql as 'select 2 * n';
    insert into people values (1, 'Ada', '1815-12-10');
  ]])
  live.close()
end)

local function command(args, env)
  local argv = { sh.build .. "/lunate", "repl", cwd = sh.tmpdir(),
    env = { DATABASE_URL = url, DATABASE_SCHEMA = "public", PAGER = false,
      LUNATE_PAGER = false, XDG_STATE_HOME = state, LUA_PATH = false,
      LUA_CPATH = false, LUNATE_HISTORY = "" } }
  for k, v in pairs(env or {}) do argv.env[k] = v end
  for _, a in ipairs(args or {}) do argv[#argv + 1] = a end
  return argv
end

local function fed(text, ...)
  local argv = command { ... }
  argv.stdin = text
  return sh.run(argv)
end

local function count(condition)
  return tonumber(server:psql("select count(*) from pg_stat_activity where "
    .. "datname = 'repl' and pid <> pg_backend_pid() and " .. condition))
end

describe("lunate repl fed by a pipe", function()
  it("runs statements and commands, the last one without semicolon",
    function()
      local r = fed "select 1 as a,\n 2 as b;\n\\echo between\nselect 3 as c"
      assert.same({ 0, " a | b\n---+---\n 1 | 2\n(1 row)\nbetween\n c\n---\n "
        .. "3\n(1 row)\n", "" }, { r.code, r.out, r.err })
    end)

  it("goes on after a failure, tells its line, and ends with 1", function()
    local r = fed "select 1;\n\nselect\n nothing;\nselect 2 as last;\n"
    assert.equal(1, r.code)
    live.says(r.out, " last\n------\n    2\n")
    live.says(r.err, "ERROR line 4: undefined", "42703")
    r = fed("select nothing;\nselect 2 as last;\n", "--on-error-stop")
    assert.same({ 1, "" }, { r.code, r.out })
  end)

  -- Its questions to the catalogs were refused, and it did not start.
  it("works where a folder of policies lies, with its login's rights",
    function()
      local folder = sh.tmpdir()
      sh.write(folder .. "/isolation.lua", 'tenant { type = "int4" }')
      local argv = command({}, { LUNATE_POLICIES = folder })
      argv.stdin = "\\d people\nselect name from people;"
      local r = sh.run(argv)
      assert.equal(0, r.code, r.err)
      live.says(r.out, "born", "Ada")
    end)

  it("takes the rows of COPY FROM STDIN from its input", function()
    local r = fed("create temp table t (a int, b text);\ncopy t from stdin;\n"
      .. "1\tone\n2\t\\N\n\\.\nselect * from t;\n")
    assert.equal(0, r.code, r.err)
    live.says(r.out, " 1 | one\n 2 | <null>\n", "COPY 2")
  end)

  it("runs files in files, and names them where they fail", function()
    local inner = sh.tmpfile("select 'inner' as x;\nselec;\n", ".sql")
    local outer = sh.tmpfile("\\i " .. inner .. "\nselect 'outer' as y;\n",
      ".sql")
    local r = fed("\\i " .. outer .. "\n\\i /no/such/file\n\\i " .. state)
    assert.equal(1, r.code)
    live.says(r.out, "inner", "outer")
    live.says(r.err, inner .. ":2: syntax", "cannot read /no/such/file",
      "cannot read " .. state)
    local loop = sh.tmpfile("", ".sql")
    sh.write(loop, "\\i " .. loop .. "\n")
    r = fed("\\i " .. loop)
    live.says(r.err, "too deep")
  end)

  it("describes what is there", function()
    local r = fed [[
\d
\d people
\d visi*
\dt clinic.*
\dv
\di
\dn
\df twice
\du
\l repl
\dx
\dT
\dp people
\sf twice
\sv grown
\conninfo
]]
    assert.equal("ERROR line 3: no relation is named visi* (\\d lists all)\n",
      r.err)
    assert.equal(1, r.code)
    live.says(r.out, " public | people | table | ", 'Table "public.people"',
      '"people_pkey" PRIMARY KEY, btree (id)',
      'clinic.visits: "visits_person_fkey" FOREIGN KEY',
      " clinic | visits | table", "people_name_idx", " clinic | ",
      " public | twice | integer", "superuser", "plpgsql",
      "RETURNS integer", "create or replace view grown as",
      "database     repl\n")
  end)

  it("has the formats of lunate query", function()
    local r = fed [[
\pset format csv
select 1 as a, null as b;
\pset format json
select 1 as a;
\pset format table
\pset null (none)
\pset border 2
select null as n;
\t
select 5;
]]
    assert.same({ 0, "" }, { r.code, r.err })
    assert.equal("a,b\n1,\n" .. '[{"a":1}]\n' .. [[
+--------+
| n      |
+--------+
| (none) |
+--------+
(1 row)
| 5 |
+---+
]], r.out)
  end)

  it("writes results where \\o and \\g say", function()
    local dir = sh.tmpdir()
    local r = fed(("\\o %s/o\nselect 1 as a;\n\\o\nselect 2 as b \\g %s/g\n"
      .. "select 3 as c \\g | tr c d > %s/p\n\\copy people to '%s/c' csv\n"
      .. "\\copy (select 7) to stdout\n"):format(dir, dir, dir, dir))
    assert.equal(0, r.code, r.err)
    assert.equal("COPY 1\n7\n", r.out)
    assert.equal(" a\n---\n 1\n(1 row)\n", sh.read(dir .. "/o"))
    assert.equal(" b\n---\n 2\n(1 row)\n", sh.read(dir .. "/g"))
    assert.equal(" d\n---\n 3\n(1 row)\n", sh.read(dir .. "/p"))
    assert.equal("1,Ada,1815-12-10\n", sh.read(dir .. "/c"))
  end)

  it("tells what could not be written", function()
    local r = fed("\\o /dev/full\nselect 1;\n\\o\nselect 2 \\g /dev/full\n"
      .. "\\copy (select 1) to /dev/full\n\\o /no/such/folder/file\n")
    assert.equal(1, r.code)
    live.says(r.err, "line 3: not all could be written: No space",
      "line 4: not all could be written: No space",
      "line 5: the file cannot be written: No space",
      "line 6: cannot write /no/such/folder/file")
  end)

  it("goes to another database and back, and stays where it cannot", function()
    local other = pg.database("repl_other")
    local r = fed(("\\c repl_other\nselect current_database() as d;\n"
      .. "\\c no_such_one\nselect current_database() as d;\n\\c %s\n"
      .. "\\lua db:one('select current_database() as d').d\n"):format(url))
    assert.truthy(other)
    assert.equal(1, r.code)
    local seen = {}
    for name in r.out:gmatch("\n (repl[%l_]*)\n") do seen[#seen + 1] = name end
    assert.same({ "repl_other", "repl_other" }, seen)
    live.says(r.out, '"repl"\n')
    live.says(r.err, "ERROR line 3: connect_failed", "no_such_one")
  end)

  it("runs Lua with the database at hand", function()
    local r = fed [[
\lua db:one("select 6 * 7 as n").n
\lua
rows = db:query("select g from generate_series(1, 2) g")
for _, row in ipairs(rows) do
  print("row", row.g)
end
x = { 1, "two", a = { b = false } }
x
nil, nosuch.field
\lua
select 1 as sql;
]]
    assert.equal(1, r.code)
    live.says(r.out, "42\n", "row\t1\nrow\t2\n",
      '{ 1, "two", a = { b = false } }\n', " sql\n")
    live.says(r.err, "ERROR lua:1: ", "nosuch")
  end)

  it("runs no command of a dump that forbids them", function()
    local r = fed("\\restrict key1\n\\echo never\n\\unrestrict key2\n"
      .. "\\unrestrict key1\n\\echo again\n")
    assert.equal("again\n", r.out)
    live.says(r.err, "line 2: no commands until", "line 3: that is not the key")
  end)

  it("says what it does not know", function()
    local r = fed "\\nonsense\n\\pset format pdf\n\\h nothing\n\\x maybe\n"
    live.says(r.err, "no command \\nonsense", "format is one of table, csv",
      "nothing is known of nothing", "on, off or auto")
  end)

  it("without a server says where it looked", function()
    local r = fed("select 1", "--url", "postgresql://127.0.0.1:1/x")
    assert.equal(1, r.code)
    live.says(r.err, "lunate: connect_failed", "127.0.0.1")
  end)
end)

describe("lunate repl at a terminal", function()
  local p

  after_each(function()
    if p then p:free() end
    p = nil
  end)

  local function start(env, size, ...)
    local argv = command({ ... }, env)
    for k, v in pairs(size or {}) do argv[k] = v end
    p = pty.spawn(argv)
    return p, p:see("repl=# ")
  end

  it("says that policies are not in force, where there are some", function()
    local _, greeting = start { LUNATE_POLICIES = "/some/folder" }
    live.says(greeting, "Policies are not in force at this prompt")
    p:free()
    _, greeting = start { LUNATE_POLICIES = "false" }
    assert.is_nil(greeting:find("Policies", 1, true))
  end)

  -- Types a line; waits for `text`, which is not in the line, and then for the
  -- next prompt, by its marks between name and blank ("=#").
  local function ask(line, text, marks)
    p:send(line .. "\r")
    return p:see(text) .. p:see("repl" .. (marks or "=#") .. " ")
  end

  -- Types the beginning of something, and waits for the prompt that follows.
  local function begin(line, marks)
    p:send(line .. "\r")
    return p:see("repl" .. marks .. " ")
  end

  -- Presses keys, and waits until the editor has shown this.
  local function press(keys, text)
    p:send(keys)
    return p:see(text)
  end

  it("takes a statement of many lines, and shows what is open", function()
    start()
    begin("select 1 as one,", "-#")
    begin("(2", "(#")
    begin(") as two, 'a;", "'#")
    begin("b' as text, $x$ ;", "$#")
    begin("$x$ as body /* ;", "*#")
    local seen = ask("*/;", "(1 row)")
    live.says(seen, " one | two | text | body\n", "   1 |   2 | a; + |  ; +\n")
  end)

  it("ends by \\q, by quit and by Ctrl-D, with 0", function()
    for _, word in ipairs { "\\q\r", "quit\r", "\4" } do
      start()
      p:send(word)
      assert.same({ code = 0 }, p:wait(), word)
      p:free()
    end
    p = nil
  end)

  it("says which statement of a line failed, and goes on", function()
    start()
    local seen = ask("select 1 as first; select nothing; select 3 as third;",
      "     3\n")
    live.says(seen, "\n first\n", "ERROR statement 2 of 3: undefined",
      "LINE 1: select nothing\n" .. (" "):rep(15) .. "^\n", "\n third\n")
  end)

  it("holds a transaction that is typed by hand", function()
    start()
    ask("begin;", "BEGIN\n", "=*#")
    ask("insert into people values (90, 'Mary', null);", "INSERT 0 1", "=*#")
    ask("select 1/0;", "22012", "=!#")
    ask("select 1;", "current transaction is aborted", "=!#")
    ask("rollback;", "ROLLBACK\n")
    ask("begin isolation level serializable; update people set id = id; "
      .. "commit;", "COMMIT\n")
    ask("select count(*) from people where id = 90;", "     0\n")
    ask("create temp table mine (a int);", "CREATE TABLE\n")
    ask("set lock_timeout = '7s'; show lock_timeout;", " 7s\n")
    ask("\\d mine", '.mine"\n')
  end)

  it("by Ctrl-C drops what is typed", function()
    start()
    begin("select 'never", "'#")
    press("and more", "and more")
    press("\3", "repl=# ")
    ask("select 'aft' || 'er' as mark;", " after\n")
  end)

  it("by Ctrl-C stops the statement, and not the session", function()
    start()
    ask("create temp table kept (a int); insert into kept values (5);",
      "INSERT 0 1\n")
    p:send("select pg_sleep(60) /* stopped */;\r")
    wait.until_(function()
      return count("state = 'active' and query like '%/* stopped%'") == 1
    end)
    local pid = server:psql("select pid from pg_stat_activity where query like "
      .. "'%/* stopped%' and pid <> pg_backend_pid()")
    press("\3", "ERROR cancelled")
    p:see("repl=# ")
    ask("select a, pg_backend_pid() = " .. pid .. " as same from kept;",
      " 5 | t\n")
  end)

  it("by Ctrl-C stops a COPY, \\watch and Lua, and not the session", function()
    start()
    ask("create temp table kept ();", "CREATE TABLE\n")
    p:send("copy (select generate_series(1, 2000000000)) to stdout "
      .. "\\g /dev/null\r")
    wait.until_(function()
      return count("state = 'active' and query like 'copy (select gen%'") == 1
    end)
    press("\3", "ERROR cancelled")
    p:see("repl=# ")
    p:send("select 1 as w \\watch 0.01\r")
    p:see(" w\n")
    p:see(" w\n")
    press("\3", "repl=# ")
    p:send("\\lua io.stdout:write('sle', 'eps') io.stdout:flush() "
      .. "lunate.sleep(60)\r")
    p:see("sleeps")
    press("\3", "ERROR interrupted")
    p:see("repl=# ")
    ask("\\d kept", '.kept"\n')
  end)

  it("by Ctrl-C stops a loop in Lua that never waits", function()
    if sh.build:find("tsan$") then -- it keeps signals back until a system call
      return pending("a sanitizer forbids it")
    end
    start()
    p:send("\\lua io.stdout:write('be', 'gun') io.stdout:flush() while true do "
      .. "end\r")
    p:see("begun")
    press("\3", "ERROR interrupted")
    p:see("repl=# ")
    ask("\\lua 6 * 7", "42\n")
  end)

  it("by Ctrl-C stops also the rest of the line", function()
    start()
    p:send("select pg_sleep(60) /* first */; select 'sec' || 'ond';\r")
    wait.until_(function()
      return count("state = 'active' and query like '%/* first%'") == 1
    end)
    press("\3", "ERROR statement 1 of 2: cancelled")
    local seen = p:see("repl=# ")
    assert.is_nil(seen:find("second", 1, true), seen)
  end)

  it("shows 100,000 rows in the pager, all of them", function()
    local file = sh.tmpdir() .. "/seen"
    start { LUNATE_PAGER = "cat > " .. file .. "; echo paged" }
    ask("select g, 'row ' || g as t from generate_series(1, 100000) g;",
      "paged\n")
    local text, n = sh.read(file), 0
    for line in text:gmatch("[^\n]+") do
      local a, b = line:match("^ *(%d+) | row (%d+)$")
      if a then
        n = n + 1
        assert.equal(tostring(n), a)
        assert.equal(a, b)
      end
    end
    assert.equal(100000, n)
    live.says(text:sub(-20), "(100000 rows)")
  end)

  it("outlives a pager that is left early, and ends its statement", function()
    start { LUNATE_PAGER = "head -3" }
    ask("select generate_series(1, 2000000000) as g, 'end' || 'less' as mark;",
      " 1 | endless\n")
    assert.equal(0,
      count("state = 'active' and query like '%generate_series%'"))
    ask("select 'aft' || 'er' as mark;", " after\n")
  end)

  it("keeps a transaction whole when its pager is left early", function()
    start { LUNATE_PAGER = "head -3" }
    ask("begin; insert into people values (91, 'T' || 'x', null);",
      "INSERT 0 1\n", "=*#")
    ask("select g as number from generate_series(1, 300000) g;", " 1\n", "=*#")
    ask("select name from people where id = 91;", " Tx\n", "=*#")
    ask("rollback;", "ROLLBACK\n")
  end)

  it("shows by their values what is wider than the window", function()
    start({}, { columns = 40 })
    local sql = "select 1 as id, repeat('x', 50) as t;"
    local seen = ask(sql, "-[ RECORD 1 ]-")
    live.says(seen, "id | 1\n", "t  | " .. ("x"):rep(35) .. "\n   | "
      .. ("x"):rep(15) .. "\n")
    p:resize(24, 100)
    ask(sql, "  1 | xxx")
    ask("\\x on", "for each value is on\n")
    ask("select 1 as one;", "one | 1\n")
  end)

  it("completes names, also those that were made just now", function()
    start()
    press("select * from peo\t", "people ")
    ask("where id = 1;", " Ada ")
    press("\\d peo\t", "people ")
    ask("", "people_pkey")
    ask("create temp table brand_new (a int);", "CREATE TABLE\n")
    press("select * from brand\t", "brand_new ")
    ask(";", "(0 rows)")
    press("select * from clinic.v\t", "clinic.visits ")
    ask(";", " id | person\n")
    press("select nam", "nam")
    press("\3", "repl=# ")
    press("select gr\t", "\a") -- several: a second Tab lists them
    press("\t", "group")
    press("\3", "repl=# ")
    press("\\pse\t", "pset ")
  end)

  it("takes a tab of pasted text for a blank", function()
    start()
    ask("select\t'pas' ||\t'ted' as word;", " pasted\n")
  end)

  it("keeps a history that only its owner can read", function()
    local file = sh.tmpdir() .. "/history"
    start { LUNATE_HISTORY = file }
    begin("select 'ke' ||", "-#")
    ask("  'pt' as a;", " kept\n")
    ask(" select 'pri' || 'vate' as b;", " private\n")
    begin("select 'a' ||", "-#")
    ask("'b' as c \\gx", "c | ab\n")
    begin("select 'd' || 'e'", "-#")
    ask("\\g", " de\n")
    ask("\\x off", "is off\n")
    p:send("\4")
    p:wait()
    assert.equal("select 'ke' || 'pt' as a;\nselect 'a' || 'b' as c \\\\gx\n"
      .. "\\\\g\nselect 'd' || 'e'\n\\\\x off\n", sh.read(file))
    assert.equal("600", sh.ok({ "stat", "-c", "%a", file }):match("%d+"))
    p:free()
    start { LUNATE_HISTORY = file }
    press("\27[A", "\\x off")
    press("\27[A", "select 'd' || 'e'")
    ask(";", " de\n")
  end)

  it("keeps no history where LUNATE_HISTORY is empty", function()
    local home = sh.tmpdir()
    start { LUNATE_HISTORY = "", XDG_STATE_HOME = home }
    ask("select 1;", "(1 row)")
    p:send("\4")
    p:wait()
    assert.equal("", sh.ok { "find", home, "-name", "history*" })
  end)

  it("opens the editor on what is typed, and runs what it leaves", function()
    start { EDITOR = "sed -i 's/before/after/; $s/$/;/'", VISUAL = false }
    begin("select 'before' as word", "-#")
    ask("\\e", " after\n")
  end)

  it("tells of a lost connection, and what became of its transaction",
    function()
      local function lose()
        server:psql("select pg_terminate_backend(pid) from pg_stat_activity "
          .. "where datname = 'repl'")
        wait.until_(function() return count("true") == 0 end)
      end
      start()
      lose()
      local seen = ask("select 'an' || 'ew' as word;", " anew\n")
      live.says(seen, "NOTICE: the connection was lost; this is a new one")
      ask("begin; insert into people values (92, 'Lost', null);",
        "INSERT 0 1\n", "=*#")
      lose()
      seen = ask("insert into people values (93, 'Not', null);",
        "this statement was not run", "=#")
      live.says(seen, "the transaction with it: nothing of it was committed")
      ask("select count(*) from people where id in (92, 93);", "     0\n")
    end)

  it("says how long a statement took, when asked", function()
    start()
    ask("\\timing", "timing is on\n")
    live.says(ask("select 1;", "(1 row)"), "Time: ")
  end)

  it("leaves the terminal as it was", function()
    local dir = sh.tmpdir()
    local argv = command()
    local line = ("stty -a > %s/a; '%s' repl; stty -a > %s/b"):format(dir,
      argv[1], dir)
    p = pty.spawn { "bash", "-c", line, env = argv.env }
    p:see("repl=# ")
    ask("select 1;", "(1 row)")
    press("sel", "sel")
    press("\3", "repl=# ")
    p:send("\4")
    p:wait()
    assert.not_equal("", sh.read(dir .. "/a"))
    assert.equal(sh.read(dir .. "/a"), sh.read(dir .. "/b"))
  end)

  it("asked to end stops its statement, too", function()
    for _, signal in ipairs { "TERM", "HUP" } do
      start()
      p:send("select pg_sleep(60) /* orphan */;\r")
      wait.until_(function()
        return count("state = 'active' and query like '%/* orphan%'") == 1
      end)
      p.proc:kill(signal)
      assert.same({ code = signal == "TERM" and 143 or 129 }, p:wait())
      wait.until_(function() return count("query like '%orphan%'") == 0 end)
      p:free()
    end
    p = nil
  end)
end)
