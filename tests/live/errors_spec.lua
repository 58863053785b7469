-- Failures: each names its cause and the remedy, and tells no value.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local sh = require "support.sh"
local fakepg = require "support.fakepg"

local MARK = "s3cretMARK77"

describe("an error of opening", function()
  teardown(live.close)

  it("a URL of another scheme names the right one", function()
    local err = live.refused("config", lunate.open { url = "mysql://h/d" })
    live.says(err, "mysql", "postgres://")
  end)

  it("a URL that cannot be read tells where and not the password", function()
    for _, url in ipairs {
      "postgresql://u:" .. MARK .. "@host:port/db",
      "postgresql://u:" .. MARK .. "@[::1/db",
      "postgresql://u:" .. MARK .. "@h/db?nosuchoption=1",
      "postgresql://u:" .. MARK .. "%zz@h/db",
    } do
      local err = live.refused("config", lunate.open { url = url })
      live.hides(err, MARK)
    end
  end)

  it("without any URL names DATABASE_URL", function()
    local r = live.luajit([[print(select(2, require("lunate").open()))]])
    live.says(r.out .. r.err, "DATABASE_URL")
  end)

  it("an option of the wrong kind names the option", function()
    live.says(live.refused("config", lunate.open { url = "postgresql:///x",
      pool_max = "many" }), "pool_max")
    live.says(live.refused("config", lunate.open { url = "postgresql:///x",
      acquire_timeout = -1 }), "acquire_timeout")
    live.says(live.refused("config", lunate.open { url = "postgresql:///x",
      pool_max = {} }), "pool_max")
  end)
end)

describe("an error of connecting", function()
  teardown(live.close)

  it("a missing server names host and port and asks for it", function()
    local db = live.open("postgresql://u:" .. MARK .. "@127.0.0.1:1/x",
      { acquire_timeout = 2000 })
    live.both(function()
      local err = live.refused("connect_failed", db:query("select 1"))
      live.says(err, "127.0.0.1", "1", "refused")
      live.hides(err, MARK)
      assert.is_true(err.retryable)
    end)
  end)

  it("a missing socket names its path", function()
    local dir = sh.tmpdir()
    local db = live.open("postgresql:///x?host=" .. dir,
      { acquire_timeout = 2000 })
    live.says(live.refused("connect_failed", db:query("select 1")), dir)
  end)

  it("a host that cannot be resolved names the host", function()
    local db = live.open("postgresql://no-such-host.invalid/x",
      { acquire_timeout = 3000 })
    live.says(live.refused("connect_failed", db:query("select 1")),
      "no-such-host.invalid")
  end)

  it("a missing database names it", function()
    local db = live.open(pg.shared():url_of("no_such_db"))
    local err = live.refused("connect_failed", db:query("select 1"))
    assert.equal("3D000", err.sqlstate)
    live.says(err, "no_such_db")
  end)

  it("a server that is deaf ends by the connect timeout", function()
    local deaf = fakepg.start { mode = "deaf" }
    local db = live.open(deaf.url, { connect_timeout = 200,
      acquire_timeout = 600 })
    local _, err = db:query("select 1")
    assert.truthy(err.code == "connect_failed" or err.code == "pool_exhausted",
      tostring(err))
    deaf:free()
  end)

  it("a server of another protocol is an error, not a hang", function()
    local odd = fakepg.start { mode = "garbage" }
    local db = live.open(odd.url, { acquire_timeout = 2000 })
    live.refused("connect_failed", db:query("select 1"))
    odd:free()
  end)
end)

describe("a refused login", function()
  local s

  setup(function()
    s = pg.start { hba = { "local all all scram-sha-256" } }
    s:psql(("create role u login password '%s'"):format("right"))
  end)
  teardown(function()
    live.close()
    s:free()
  end)

  local function url(password)
    return ("postgresql://u:%s@/lunate_test?host=%s"):format(password, s.dir)
  end

  it("by a wrong password names the user and not the password", function()
    local db = live.open(url(MARK), { acquire_timeout = 3000 })
    local err = live.refused("auth_failed", db:query("select 1"))
    assert.equal("28P01", err.sqlstate)
    live.says(err, '"u"', "password")
    live.hides(err, MARK)
    assert.is_false(err.retryable)
  end)

  it("by a missing password says that one is needed", function()
    local db = live.open(("postgresql://u@/lunate_test?host=%s"):format(s.dir),
      { acquire_timeout = 3000 })
    local err = live.refused("auth_failed", db:query("select 1"))
    live.says(err, "password")
  end)

  it("does not come with the right password", function()
    assert.equal("u", live.open(url("right")):one("select current_user as u").u)
  end)

  it("by pg_hba.conf says so", function()
    local other = pg.start { hba = { "local all all reject" } }
    other:psql("create role u login")
    local db = live.open(other:url_of(nil, "u"), { acquire_timeout = 3000 })
    local err = live.refused("auth_failed", db:query("select 1"))
    assert.equal("28000", err.sqlstate)
    live.says(err, "pg_hba.conf")
    other:free()
  end)
end)

describe("an error of a statement", function()
  local db

  setup(function()
    db = live.open(pg.database("errors_spec"))
    assert(db:exec([[create table t (id int primary key,
      name varchar(20) not null, age int check (age > 0),
      parent int references t)]]))
    assert(db:exec("insert into t values (1, 'a', 1)"))
  end)
  teardown(live.close)

  it("of syntax tells where and near what", function()
    live.both(function()
      local err = live.refused("syntax", db:query("select * form t"))
      live.says(err, "form", "character 10")
      assert.equal("42601", err.sqlstate)
    end)
    live.refused("syntax", db:query("select 'open"))
    live.refused("syntax", db:query("select (1"))
  end)

  it("of syntax does not tell a literal of the text", function()
    for _, sql in ipairs {
      "select '" .. MARK .. "' form t where",
      "select " .. "1 '" .. MARK .. "'",
      "insert into t values ('" .. MARK .. "' 'x' y)",
    } do
      live.hides(live.refused("syntax", db:query(sql)), MARK)
    end
  end)

  it("of the number of parameters tells both numbers", function()
    local err = live.refused("parameters", db:query("select $1::int, $2::int",
      1))
    live.says(err, "2", "1")
    err = live.refused("parameters", db:query("select $1::int", 1, 2, 3))
    live.says(err, "1", "3")
    live.refused("parameters", db:query("select 1", 1))
  end)

  it("of a value that does not fit names the type and no value", function()
    local cases = {
      { "select $1::int", MARK, "integer" },
      { "select $1::int", "99999999999" .. "77", "integer" },
      { "select $1::uuid", MARK, "uuid" },
      { "select $1::date", MARK, "date" },
      { "select $1::timestamptz", MARK, "timestamp" },
      { "select $1::numeric", MARK, "numeric" },
      { "select $1::bool", MARK, "boolean" },
      { "select $1::jsonb", "{" .. MARK, "json" },
      { "select $1::int[]", "{1," .. MARK .. "}", "integer" },
      { "select $1::inet", MARK, "inet" },
    }
    for _, c in ipairs(cases) do
      local err = live.refused("value", db:query(c[1], c[2]))
      live.says(err, c[3])
      live.hides(err, MARK, "9999999")
    end
    local err = live.refused("value", db:exec("insert into t values "
      .. "(2, $1)", MARK .. MARK .. MARK))
    live.says(err, "20")
    live.hides(err, MARK)
  end)

  it("of a constraint names the constraint and no value", function()
    assert(db:exec("create table m (name text unique, n int not null, "
      .. "check (name <> 'x'), exclude (name with =))"))
    assert(db:exec("insert into m values ($1, 1)", MARK))
    local cases = {
      { "23505", "insert into m values ($1, 1)", "m_name_key" },
      { "23502", "insert into m values ($1 || 'a', null)", nil, "\"n\"" },
      { "23514", "insert into m select 'x', 1 where $1 <> ''", "m_name_check" },
      { "23503", "insert into t values (77001, $1, 1, 77002)",
        "t_parent_fkey" },
      { "23514", "insert into t values (77001, $1, -77003)", "t_age_check" },
    }
    for _, c in ipairs(cases) do
      local err = live.refused("constraint", db:exec(c[2], MARK))
      assert.equal(c[1], err.sqlstate)
      if c[3] then
        assert.equal(c[3], err.constraint)
        live.says(err, c[3])
      end
      if c[4] then live.says(err, c[4]) end
      live.hides(err, MARK, "77001", "77002", "77003")
    end
  end)

  it("of something undefined names it", function()
    for sql, words in pairs {
      ["select * from nowhere"] = { "42P01", "nowhere" },
      ["select nocolumn from t"] = { "42703", "nocolumn" },
      ["select nofunction(1)"] = { "42883", "nofunction" },
      ["select 1::notype"] = { "42704", "notype" },
    } do
      local err = live.refused("undefined", db:query(sql))
      assert.equal(words[1], err.sqlstate)
      live.says(err, words[2])
    end
  end)

  it("raised by the server's code tells its class and no value", function()
    local err = live.refused("query_failed", db:exec(
      "do $$ begin raise exception 'row \"%\" is bad', '" .. MARK
      .. "'; end $$"))
    assert.equal("P0001", err.sqlstate)
    live.hides(err, MARK)
  end)

  it("of arithmetic tells what and no value", function()
    local err = live.refused("value", db:query("select $1::int / 0", 77001))
    assert.equal("22012", err.sqlstate)
    live.says(err, "division by zero")
    err = live.refused("value",
      db:query("select $1::int * $1::int", 2000777001))
    assert.equal("22003", err.sqlstate)
    live.hides(err, "777001")
  end)

  it("of permission says that it is not allowed", function()
    pg.shared():psql("drop role if exists nobody_here; "
      .. "create role nobody_here login")
    local weak = live.open(pg.shared():url_of("errors_spec", "nobody_here"))
    local err = live.refused("denied", weak:query("select * from t"))
    assert.equal("42501", err.sqlstate)
    live.says(err, "t")
  end)

  it("of too large a result names the limit and db:rows", function()
    local small = live.open(pg.database("errors_small"),
      { max_result_bytes = 100000 })
    local err = live.refused("too_big",
      small:query("select repeat('x', 1000) from generate_series(1, 1000)"))
    live.says(err, "db:rows")
    assert.equal(1, small:one("select 1 as a").a)
  end)

  it("of too large a result never meets one that is within the limit",
    function()
      local four = live.open(pg.database("errors_four"),
        { max_result_bytes = "4MB" })
      for _, shape in ipairs { { 1000, 3800 }, { 30000, 120 }, { 100, 30000 },
        { 1, 300000 }, { 3900000, 1 } } do
        local rows = assert(four:query("select repeat('x', $1) as v "
          .. "from generate_series(1, $2)", shape[1], shape[2]))
        assert.equal(shape[2], rows.n)
      end
      for _, shape in ipairs { { 1000, 8000 }, { 6000000, 1 } } do
        live.refused("too_big", four:query("select repeat('x', $1) as v "
          .. "from generate_series(1, $2)", shape[1], shape[2]))
      end
    end)

  it("prints as its code, its message and its SQLSTATE", function()
    local _, err = db:query("select * from nowhere")
    assert.equal(("undefined: %s (42P01)"):format(err.message), tostring(err))
  end)

  it("raises as itself through assert", function()
    local r = live.luajit([[
      local lunate = require "lunate"
      local db = assert(lunate.open())
      local ok, err = pcall(function()
        assert(db:query("select * from nowhere"))
      end)
      print(ok, lunate.is_error(err), err.code)
    ]], { DATABASE_URL = pg.shared():url_of("errors_spec") })
    assert.equal("false\ttrue\tundefined\n", r.out, r.err)
  end)

  it("leaves the connection good for the next one", function()
    for _ = 1, 5 do
      live.refused("undefined", db:query("select * from nowhere"))
      assert.equal(1, db:one("select 1 as a").a)
    end
  end)

  it("of one does not touch those sent with it", function()
    local tasks = {}
    for i = 1, 60 do
      tasks[i] = lunate.spawn(function()
        return db:query("select 10 / $1::int as a", i % 3)
      end)
    end
    for i = 1, 60 do
      local rows, err = tasks[i]:join()
      if i % 3 == 0 then
        live.refused("value", rows, err)
      else
        assert.equal(math.floor(10 / (i % 3)), assert(rows, err)[1].a)
      end
    end
  end)
end)

describe("a marker value", function()
  local db

  setup(function()
    db = live.open(pg.database("errors_mark"))
    assert(db:exec("create table t (id text primary key, n int, j jsonb)"))
    assert(db:exec("insert into t values ($1, 1)", MARK))
  end)
  teardown(live.close)

  it("is in no error, whatever the statement does with it", function()
    local statements = {
      "select cast($1 as int)", "select $1::text::int",
      "select id::int from t where $1 <> ''", "select to_date($1, 'YYYY')",
      "select to_timestamp($1, 'HH24')", "select $1::text::xml",
      "select id::jsonb from t where $1 <> ''", "select $1::interval",
      "select convert_to($1, $1)", "select $1::text ~ ('(' || $1)",
      "select format('%' || $1)", "select extract(century from $1::date)",
      "select timezone($1::text, now())", "select encode('x', $1)",
      "select pg_read_file('/' || $1)", "select array[$1::text]::int[]",
      "select $1::point", "select lo_get($1::oid)", "select $1::pg_lsn",
      "insert into t values ($1, 2)", "select $1::text::bit(3)",
      "select jsonb_path_query('{}', $1::text::jsonpath)",
      "select $1::macaddr", "select $1::tsquery", "select $1::int4range",
      "select $1::money",
      "select pg_size_bytes($1)", "select to_number($1, '99')",
      "select make_date($1::text::int, 1, 1)", "select $1::text::char::int",
      "select overlay($1 placing 'x' from -1)",
      "select decode($1, 'hex')",
      "select lower(id)::int from t, (select $1::text) x",
    }
    local failed = 0
    for _, sql in ipairs(statements) do
      local rows, err = db:query(sql, MARK)
      if not rows then
        failed = failed + 1
        for _, field in ipairs { "message", "constraint", "traceback" } do
          local text = tostring(err[field]):lower()
          assert.is_nil(text:find(MARK:lower(), 1, true), sql .. ": " .. text)
        end
      end
    end
    assert.is_true(failed >= 25, failed .. " failed")
  end)

  it("that a statement takes for a name is in no error", function()
    for _, sql in ipairs { "select ($1::text)::regclass",
      "select nextval($1::text)", "select $1::regrole",
      "select current_setting($1)",
      "select has_table_privilege($1, 'select')" } do
      local _, err = db:query(sql, MARK)
      live.hides(err, MARK, MARK:lower())
    end
  end)
end)

describe("an error of a script", function()
  it("inside a task is nil, err with its text and where it was", function()
    local t = lunate.spawn(function() error("mistake number one") end)
    local err = live.refused("script", t:join())
    live.says(err, "mistake number one", "errors_spec.lua")
    live.says(err.traceback, "errors_spec.lua")
  end)

  it("inside a task may be any value", function()
    live.refused("script", lunate.spawn(function() error() end):join())
    live.refused("script", lunate.spawn(function() error({}) end):join())
    live.says(live.refused("script",
      lunate.spawn(function() error("x", 0) end):join()), "x")
  end)

  it("of lunate inside a task is that error", function()
    local db = live.open(pg.database("errors_task"))
    local err = live.refused("undefined", lunate.spawn(function()
      error(select(2, db:query("select * from nowhere")))
    end):join())
    assert.equal("42P01", err.sqlstate)
    live.close()
  end)
end)

describe("a folder of policies", function()
  it("that is named and is not there stops the start", function()
    local err = live.refused("io", lunate.open {
      url = "postgres://h/d", policies = "/nowhere/policies" })
    live.says(err, "/nowhere/policies", "No such file")
  end)
end)
