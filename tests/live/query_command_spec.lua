-- `lunate query` as people and programs use it.
local cjson = require "cjson"
local live = require "support.live"
local pg = require "support.pg"
local pty = require "support.pty"
local sh = require "support.sh"
local wait = require "support.wait"

local url

setup(function()
  url = pg.database("query_command")
  local db = live.open(url)
  assert(db:script [[
    create table people (id int primary key, name text, born date);
    insert into people values (1, 'Ada', '1815-12-10'), (2, null, null);
  ]])
  live.close()
end)

local function command(args, env)
  local argv = { sh.build .. "/lunate", "query", cwd = sh.tmpdir(),
    env = { DATABASE_URL = url, DATABASE_SCHEMA = "public", PAGER = false,
      LUNATE_PAGER = false, LUA_PATH = false, LUA_CPATH = false } }
  for k, v in pairs(env or {}) do argv.env[k] = v end
  for _, a in ipairs(args) do argv[#argv + 1] = a end
  return argv
end

local function query(...)
  return sh.run(command { ... })
end

-- Runs it with this text as its standard input.
local function fed(text, ...)
  local argv = command { ... }
  argv.stdin = text
  return sh.run(argv)
end

-- Its output; it must succeed and say nothing else.
local function out(...)
  local r = query(...)
  assert.equal(0, r.code, r.err)
  assert.equal("", r.err)
  return r.out
end

local function failed(code, r, ...)
  assert.equal(code, r.code, r.out)
  assert.truthy(r.err:find("^lunate: "), r.err)
  live.says(r.err, ...)
end

describe("lunate query", function()
  it("prints a table, and what a command changed", function()
    assert.equal(" id | name   | born\n----+--------+------------\n"
      .. "  1 | Ada    | 1815-12-10\n  2 | <null> | <null>\n",
      out "select * from people order by id")
    assert.equal("UPDATE 1\n",
      out "update people set name = name where id = 1")
    assert.equal("CREATE TABLE\n", out "create table if not exists other ()")
  end)

  it("takes the values of $1, $2 as texts, negative ones too", function()
    assert.equal("n,t\n-4,a 'b'\n",
      out("--csv", "select $1::int + 1 as n, $2::text as t", "-5", "a 'b'"))
    assert.equal("t\n--csv\n", out("--csv", "select $1::text as t", "--",
      "--csv"))
  end)

  it("asks as the clinic that --as names, where policies are in force",
    function()
      local folder = sh.tmpdir()
      sh.write(folder .. "/isolation.lua", [[
        tenant { type = "int4" } database { mode = "rewrite" }
        rows "people" { by = "id" }]])
      local function ask(...)
        return sh.run(command({ "--no-header", ... },
          { LUNATE_POLICIES = folder }))
      end
      local sql = "select name from people order by id"
      live.says(ask(sql).err, "refused (no-tenant)", "Try: --as clinic=ID")
      assert.equal(1, ask(sql).code)
      assert.equal("Ada\n", ask("--csv", "--as", "clinic=1", sql).out)
      local two = ask("--csv", "--as", "clinic=1,user=u", "--as", "clinic=2",
        sql)
      assert.equal("Ada\n\n", two.out, two.err)
      local wrong = ask("--as", "clinic=x", sql)
      live.says(wrong.err, "refused (tenant)")
      assert.is_nil(wrong.err:find("Try:", 1, true))
    end)

  it("takes no --as that it does not know", function()
    for _, word in ipairs { "klinik=1", "clinic", "clinic=", "=1", "1" } do
      local r = query("--as", word, "select 1")
      assert.equal(2, r.code, word)
      live.says(r.err, "--as")
    end
  end)

  it("takes one word for NULL where it is told which", function()
    assert.equal("t,f\n", out("--csv", "--no-header", "--null", "\\N",
      "select $1::text is null, $2::text is null", "\\N", ""))
  end)

  it("prints csv, and JSON whose numbers keep their digits", function()
    local sql = "select 9007199254740993 as i, 0.10::numeric as n, true as b, "
      .. "null as z, '{\"a\":[1]}'::jsonb as j, array[1,null] as l, "
      .. "'x\"y,z' as t"
    assert.equal('i,n,b,z,j,l,t\n9007199254740993,0.10,t,,"{""a"": [1]}",'
      .. '"{1,NULL}","x""y,z"\n', out("--csv", sql))
    local json = out("--json", sql)
    live.says(json, '"i":9007199254740993', '"n":0.10', '"b":true',
      '"l":[1,null]')
    local rows = cjson.decode(json)
    assert.same({ a = { 1 } }, rows[1].j)
    assert.equal('x"y,z', rows[1].t)
    assert.equal('{"a":1}\n{"a":2}\n', out("--format", "ndjson",
      "select generate_series(1, 2) as a"))
    assert.equal("[]\n", out("--json", "select 1 where false"))
    assert.equal("[]\n", out("--json", "create temp table no_rows ()"))
  end)

  it("reads its text from a file or from standard input", function()
    local file = sh.tmpfile("select 1 as a; -- ;\nselect 2 as b", ".sql")
    local both = " a\n---\n 1\n b\n---\n 2\n"
    assert.equal(both, out("-f", file))
    assert.equal(both, fed(sh.read(file)).out)
    assert.equal(both, fed(sh.read(file), "-").out)
    assert.equal(both, fed(sh.read(file), "-f", "-").out)
  end)

  it("stops at the first statement that fails, and names it", function()
    local r = fed "select 1 as a; select nothing;\nselect 3 as c"
    failed(1, r, "statement 2 of 3: undefined", "42703", "at character 8")
    assert.equal(" a\n---\n 1\n", r.out)
    local file = sh.tmpfile("select 1;\n\nselect\n  nothing", ".sql")
    failed(1, query("-f", file), file .. ":4: undefined")
  end)

  it("holds BEGIN and COMMIT of a text together", function()
    local r = fed("begin; insert into people values (7, 'x', null); "
      .. "select 1/0; commit")
    failed(1, r, "22012")
    assert.equal("0\n", out("--csv", "--no-header",
      "select count(*) from people where id = 7"))
  end)

  it("refuses before anything is sent what it cannot do", function()
    for reason, args in pairs {
      ["2 statements of the text give rows"] = { "--json",
        "create table never (); select 1; select 2" },
      ["values go with one statement"] = { "select $1; select $2", "1" },
      ["the text holds no statement"] = { " -- nothing" },
      ["\\d is a command of lunate repl"] = { "\\d" },
      ["option '--json' can not be used together"] = { "--csv", "--json", "x" },
      ["a file takes no values"] = { "-f", "x.sql", "y" },
      ["cannot read /no/such.sql"] = { "-f", "/no/such.sql" },
    } do
      failed(2, query(unpack(args)), reason)
    end
    assert.equal("t\n", out("--csv", "--no-header",
      "select to_regclass('never') is null"))
  end)

  it("tells of a failure in one line without values", function()
    local r = query("insert into people values ($1, $2, null)", "1", "Secret")
    failed(1, r, "constraint", "people_pkey", "23505")
    assert.is_nil(r.err:find("Secret", 1, true))
    local _, lines = r.err:gsub("\n", "")
    assert.equal(1, lines)
    r = query "select nothing, 'Secret' from people"
    failed(1, r, "undefined", "at character 8")
    assert.is_nil(r.err:find("Secret", 1, true))
  end)

  it("tells that there is no server", function()
    failed(1, query("--url", "postgresql://127.0.0.1:1/x", "select 1"),
      "connect_failed", "127.0.0.1")
  end)

  it("passes COPY through", function()
    assert.equal("1,Ada\n", out("copy (select id, name from people "
      .. "where id = 1) to stdout (format csv)"))
    local r = fed("3,Grace\n4,Edith\n", "copy people (id, name) from stdin csv")
    assert.equal(0, r.code, r.err)
    assert.equal("Grace,Edith\n", out("--csv", "--no-header",
      "select max(name) filter (where id = 3), "
      .. "max(name) filter (where id = 4) from people"))
    failed(1, fed("x,y\n", "copy people (id, name) from stdin csv"), "22P02")
  end)

  it("fails when its output cannot be written", function()
    for _, sql in ipairs { "select 1", "create temp table x ()",
      "copy (select 1) to stdout" } do
      local argv = command { sql }
      argv.out = "/dev/full"
      local p = sh.spawn(argv)
      assert.same({ code = 1 }, p:wait(20), sql)
      live.says(p:err(), "cannot be written: No space left on device")
    end
  end)

  it("says on stderr how long it took", function()
    local r = query("--timing", "--csv", "select 1 as a")
    assert.equal("a\n1\n", r.out)
    assert.truthy(r.err:find("^Time: %d+%.%d%d%d ms\n$"), r.err)
  end)

  it("shows notices of the server on stderr", function()
    local r = query "drop table if exists nowhere"
    assert.equal(0, r.code)
    live.says(r.err, 'NOTICE: table "nowhere" does not exist, skipping')
  end)

  it("ends quietly when nobody reads any more, and ends its statement",
    function()
      local argv = command { "--csv", "select g, 'early' as mark from "
        .. "generate_series(1, 100000000) g" }
      local line = {}
      for i = 1, #argv do line[i] = "'" .. argv[i]:gsub("'", "'\\''") .. "'" end
      local r = sh.run { "bash", "-c", "set -o pipefail; "
        .. table.concat(line, " ") .. " | head -2", env = argv.env,
        timeout = 30 }
      assert.same({ 0, "g,mark\n1,early\n", "" }, { r.code, r.out, r.err })
      wait.until_(function()
        return pg.shared():psql("select count(*) from pg_stat_activity where "
          .. "query like '%early%' and state = 'active' "
          .. "and pid <> pg_backend_pid()") == "0"
      end)
    end)

  it("gives many rows in memory that does not grow with them", function()
    local function peak(rows, format)
      local argv = command { "--format", format,
        "select g, repeat('x', 100) as t from generate_series(1, " .. rows
        .. ") g" }
      table.insert(argv, 1, "/usr/bin/env")
      argv.out = "/dev/null"
      local p = sh.spawn(argv)
      local most = 0
      while p:running() do
        local text = sh.read("/proc/" .. p.pid .. "/status")
        most = math.max(most, tonumber(text:match("VmHWM:%s+(%d+)")) or 0)
        wait.sleep(0.01)
      end
      assert.equal(0, p:wait().code)
      return most
    end
    for _, format in ipairs { "csv", "table" } do
      local few, many = peak(50000, format), peak(500000, format)
      if not os.getenv("LD_PRELOAD") then -- a sanitizer's memory is not ours
        assert.is_true(few > 0 and many < few + 16384,
          ("%s: %d kB, then %d kB"):format(format, few, many))
      end
    end
  end)

  it("is interrupted by Ctrl-C, and its statement on the server too",
    function()
      local p = sh.spawn(command { "select pg_sleep(60) /* sleeper */" })
      local function sleepers()
        return pg.shared():psql("select count(*) from pg_stat_activity where "
          .. "query like '%/* sleeper%' and state = 'active' "
          .. "and pid <> pg_backend_pid()")
      end
      wait.until_(function() return sleepers() == "1" end)
      p:kill("INT")
      assert.same({ code = 130 }, p:wait(20))
      wait.until_(function() return sleepers() == "0" end)
      live.says(p:err(), "cancelled", "57014")
    end)
end)

describe("lunate query at a terminal", function()
  local p

  after_each(function()
    if p then p:free() end
    p = nil
  end)

  local function start(args, env, size)
    local argv = command(args, env)
    for k, v in pairs(size or {}) do argv[k] = v end
    p = pty.spawn(argv)
    return p
  end

  it("counts rows, and points at what is wrong", function()
    start { "select 1 as a" }
    p:see(" a\n---\n 1\n(1 row)\n")
    assert.equal(0, p:wait().code)
    p:free()
    start { "select\n  nothing" }
    p:see("LINE 2:   nothing\n          ^\n")
    assert.equal(1, p:wait().code)
  end)

  it("shows a table that is wider than the window by its values", function()
    local sql = "select 'left' as a, repeat('b', 60) as b"
    start({ sql }, {}, { columns = 50 })
    p:see("-[ RECORD 1 ]-")
    p:see("a | left\n")
    p:see("b | " .. ("b"):rep(46) .. "\n  | " .. ("b"):rep(14) .. "\n")
    assert.equal(0, p:wait().code)
    p:free()
    start({ sql }, {}, { columns = 100 })
    p:see(" left | bbb")
    assert.equal(0, p:wait().code)
  end)

  it("asks the pager only when it is more than the window shows", function()
    local env = { LUNATE_PAGER = "sed 's/^/page: /'" }
    start({ "select generate_series(1, 5)" }, env, { rows = 10 })
    local seen = p:see("(5 rows)")
    assert.is_nil(seen:find("page:", 1, true), seen)
    assert.equal(0, p:wait().code)
    p:free()
    start({ "select generate_series(1, 50)" }, env, { rows = 10 })
    p:see("page:               50\n")
    p:see("page: (50 rows)")
    assert.equal(0, p:wait().code)
    p:free()
    start({ "--no-pager", "select generate_series(1, 50)" }, env, { rows = 10 })
    seen = p:see("(50 rows)")
    assert.is_nil(seen:find("page:", 1, true), seen)
  end)

  it("has colours, unless NO_COLOR is set", function()
    start({ "select null as n" }, { NO_COLOR = "" })
    p:wait()
    p:rest()
    live.says(p.all, "\27[1mn\27[0m", "\27[2m<null>\27[0m")
    p:free()
    start({ "select null as n" }, { NO_COLOR = "1" })
    p:wait()
    p:rest()
    assert.is_nil(p.all:find("\27[", 1, true), p.all)
  end)
end)
