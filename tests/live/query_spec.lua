-- query, exec, one, prepare and the options of a call.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"

describe("a query", function()
  local url, db

  setup(function()
    url = pg.database("query_spec")
    pg.shared():psql([[
      create table t (id int primary key, name text);
      insert into t select i, 'name ' || i from generate_series(1, 5) i;
    ]], "query_spec")
    db = live.open(url)
  end)
  teardown(live.close)

  it("gives an array of rows by column name, and their number", function()
    live.both(function()
      local rows = assert(db:query("select id, name from t order by id"))
      assert.equal(5, #rows)
      assert.equal(5, rows.n)
      assert.same({ id = 3, name = "name 3" }, rows[3])
    end)
  end)

  it("of no rows gives an empty array", function()
    local rows = assert(db:query("select id from t where id < 0"))
    assert.equal(0, #rows)
    assert.equal(0, rows.n)
  end)

  it("takes parameters by number, in any order and more than once", function()
    local row = db:query("select $2::text as b, $1::int as a, $2::text as c",
      7, "seven")[1]
    assert.same({ a = 7, b = "seven", c = "seven" }, row)
  end)

  it("counts nil in the middle and at the end as parameters", function()
    local row = db:query("select $1::text is null as a, $2::text as b, "
      .. "$3::text is null as c", nil, "x", nil)[1]
    assert.same({ a = true, b = "x", c = true }, row)
  end)

  it("takes many parameters", function()
    local marks, values = {}, {}
    for i = 1, 300 do
      marks[i], values[i] = ("$%d::int"):format(i), i
    end
    local sql = "select array[" .. table.concat(marks, ",") .. "] as a"
    assert.same(values, db:query(sql, unpack(values))[1].a)
  end)

  it("sees a write that was answered before", function()
    assert.equal(1, db:exec("insert into t values ($1, $2)", 100, "late"))
    assert.equal("late", db:one("select name from t where id = 100").name)
    assert.equal(1, db:exec("delete from t where id = 100"))
    assert.is_nil(db:one("select name from t where id = 100"))
  end)

  it("with RETURNING gives the rows of the write", function()
    local rows = assert(db:query(
      "insert into t values (200, 'a'), (201, 'b') returning id, name"))
    assert.same({ id = 201, name = "b" }, rows[2])
    assert.equal(2, rows.n)
    assert.equal(2, db:exec("delete from t where id >= 200 returning id"))
  end)

  it("answers a statement of comments and white space around SQL", function()
    assert.equal(1, db:one("/* a */ -- b\n select 1 as one; -- c\n ").one)
  end)

  it("holds 20,000 rows", function()
    local rows = assert(db:query("select i, 'v' || i as v "
      .. "from generate_series(1, 20000) i"))
    assert.equal(20000, #rows)
    assert.same({ i = 20000, v = "v20000" }, rows[20000])
  end)

  it("gives a row without columns for each row", function()
    local rows = assert(db:query("select from t"))
    assert.equal(5, rows.n)
    assert.same({}, rows[5])
  end)

  it("with quoted names gives them as they are", function()
    assert.same({ ["A b\"c"] = 1, ["ü"] = 2 },
      db:one('select 1 as "A b""c", 2 as "ü"'))
  end)

  it("raises on what is no SQL text", function()
    assert.error(function() db:query(nil) end)
    assert.error(function() db:query(12) end)
    assert.error(function() db:query({}, nil) end)
    assert.error(function() db:query() end)
  end)

  it("of two statements is refused and names db:script", function()
    local err = live.refused("unsupported", db:query("select 1; select 2"))
    live.says(err, "db:script")
  end)

  it("of nothing is refused", function()
    assert.is_nil(db:query(""))
    assert.is_nil(db:query("  -- only a comment"))
  end)
end)

describe("exec", function()
  local db

  setup(function()
    db = live.open(pg.database("exec_spec"))
    assert(db:exec("create table t (id int primary key)"))
  end)
  teardown(live.close)

  it("gives the number of rows changed", function()
    live.both(function()
      assert.equal(10,
        db:exec("insert into t select generate_series(1, 10)"))
      assert.equal(3, db:exec("update t set id = -id where id <= $1", 3))
      assert.equal(0, db:exec("delete from t where id = 99"))
      assert.equal(10, db:exec("delete from t"))
    end)
  end)

  it("of a definition gives 0", function()
    assert.equal(0, db:exec("create table u (a int)"))
    assert.equal(0, db:exec("drop table u"))
  end)

  it("that failed has changed nothing", function()
    local err = live.refused("constraint",
      db:exec("insert into t values (1), (2), (1)"))
    assert.equal("23505", err.sqlstate)
    assert.equal("t_pkey", err.constraint)
    assert.equal(0, db:one("select count(*) as n from t").n)
  end)

  it("answers only once a deferred constraint has been checked", function()
    assert(db:exec([[create table d (
      a int unique deferrable initially deferred)]]))
    local err = live.refused("constraint",
      db:exec("insert into d values (1), (1)"))
    assert.equal("23505", err.sqlstate)
    assert.equal(0, db:one("select count(*) as n from d").n)
  end)
end)

describe("one", function()
  local db

  setup(function() db = live.open(pg.database("one_spec")) end)
  teardown(live.close)

  it("gives the only row", function()
    live.both(function()
      assert.same({ a = 5 }, db:one("select $1::int as a", 5))
    end)
  end)

  it("without a row gives nil, nil", function()
    local row, err = db:one("select 1 where false")
    assert.is_nil(row)
    assert.is_nil(err)
  end)

  it("with more rows is an error that says so", function()
    local err = live.refused("invalid",
      db:one("select generate_series(1, 2)"))
    live.says(err, "row")
  end)

  it("that fails gives the error", function()
    live.refused("undefined", db:one("select * from nowhere"))
  end)
end)

describe("a prepared statement", function()
  local db

  setup(function()
    db = live.open(pg.database("prepare_spec"))
    assert(db:exec("create table t (id int primary key, name text)"))
  end)
  teardown(live.close)

  it("asks, changes and calls like the database itself", function()
    local insert = assert(db:prepare("insert into t values ($1, $2)"))
    local get = assert(db:prepare("select name from t where id = $1"))
    live.both(function()
      assert.equal(1, insert:exec(1, "one"))
      assert.same({ name = "one" }, get:one(1))
      assert.equal("one", get:query(1)[1].name)
      assert.equal("one", get(1)[1].name)
      assert.is_nil(get:one(2))
      assert(db:exec("delete from t"))
    end)
  end)

  it("runs many times over many connections", function()
    local st = assert(db:prepare("select $1::int * 2 as a"))
    local tasks = {}
    for i = 1, 40 do
      tasks[i] = lunate.spawn(function()
        for j = 1, 10 do
          assert.equal(2 * i * j, assert(st:one(i * j)).a)
        end
        return true
      end)
    end
    for _, t in ipairs(tasks) do assert.is_true(t:join()) end
  end)

  it("of more texts than a connection keeps still answers", function()
    local few = live.open(pg.database("prepare_few"),
      { prepared_per_connection = 3, pool_max = 1 })
    for round = 1, 3 do
      for i = 1, 10 do
        local row = assert(few:one(("select $1::int + %d as a"):format(i),
          round))
        assert.equal(round + i, row.a)
      end
    end
    -- The one that asks takes the place of the coldest, which goes after it.
    local n = few:one("select count(*) as n from pg_prepared_statements").n
    assert.is_true(n <= 4, n .. " statements are kept")
  end)

  it("without prepared statements still answers", function()
    local none = live.open(pg.database("prepare_none"),
      { prepared_per_connection = 0 })
    for i = 1, 5 do
      assert.equal(i, none:one("select $1::int as a", i).a)
    end
  end)
end)

describe("an option of a call", function()
  local db

  setup(function() db = live.open(pg.database("option_spec")) end)
  teardown(live.close)

  it("timeout ends the statement with the error deadline", function()
    live.both(function()
      local err = live.refused("deadline",
        db:query({ timeout = 0.05 }, "select pg_sleep(60)"))
      live.says(err, "timeout")
    end)
  end)

  it("timeout leaves a fast statement alone", function()
    assert.equal(1, db:one({ timeout = 30 }, "select 1 as a").a)
  end)

  it("timeout ends the statement in the server too", function()
    live.refused("deadline", db:query({ timeout = 0.05 },
      "select pg_sleep(60) /* to be ended */"))
    require("support.wait").until_(function()
      return db:one([[select count(*) as n from pg_stat_activity
        where state = 'active' and query like '%to be ended%'
        and pid <> pg_backend_pid()]]).n == 0
    end, 10, "the end of the statement")
  end)

  it("class decides the server's statement_timeout", function()
    local function timeout_of(class)
      return db:one({ class = class },
        "select current_setting('statement_timeout') as t").t
    end
    assert.equal("15s", timeout_of("read"))
    assert.equal("30s", timeout_of("write"))
    assert.equal("1min", timeout_of("critical"))
    assert.equal("15s", timeout_of(nil))
  end)

  it("unknown or of a wrong kind raises and names it", function()
    for name, value in pairs { timout = 2, timeout = "soon",
      priority = "urgent", int8 = "float", class = "slow" } do
      local ok, message = pcall(db.query, db, { [name] = value }, "select 1")
      assert.is_false(ok, name)
      live.says(message, name)
    end
  end)

  it("priority takes all four words", function()
    for _, p in ipairs { "critical", "high", "normal", "low" } do
      assert.equal(1, db:one({ priority = p }, "select 1 as a").a)
    end
  end)

  it("stands before the text of exec and one as well", function()
    live.refused("deadline",
      db:exec({ timeout = 0.05 }, "select pg_sleep(60)"))
    assert.equal(lunate.null, db:one({ nulls = true }, "select null as a").a)
  end)
end)

describe("a database", function()
  teardown(live.close)

  it("opens without waiting for its server", function()
    local db = assert(lunate.open { url = "postgresql://127.0.0.1:1/x" })
    db:close()
  end)

  it("takes options by name and refuses unknown ones", function()
    local err = live.refused("config",
      lunate.open { url = "postgresql:///x", pool_mx = 8 })
    live.says(err, "pool_mx", "pool_max")
  end)

  it("reads the server's address from the environment", function()
    local r = live.luajit([[
      local db = assert(require("lunate").open())
      print(assert(db:one("select current_database() as d")).d)
    ]], { DATABASE_URL = pg.database("from_env") })
    assert.same({ 0, "from_env\n" }, { r.code, r.out }, r.err)
  end)

  it("looks for tables in its schema first, then in public", function()
    local url = pg.database("schemas")
    pg.shared():psql([[
      create schema healthcare; create schema other;
      create table healthcare.t as select 'healthcare' as a;
      create table other.t as select 'other' as a;
      create table public.t as select 'public' as a;
      create table public.u as select 'public' as a;
    ]], "schemas")
    for schema, name in pairs { healthcare = "healthcare", other = "other" } do
      local db = live.open(url, { schema = schema })
      assert.equal(name, db:one("select a from t").a)
      assert.equal("public", db:one("select a from u").a)
    end
    local db = assert(lunate.open { url = url, pool_min = 0 })
    assert.equal("healthcare", db:one("select a from t").a)
    db:close()
  end)

  it("is known to the server by the application's name", function()
    local url = pg.database("app_name")
    local sql = "select current_setting('application_name') as a"
    assert.equal("lunate", live.open(url):one(sql).a)
    local db = live.open(url, { application_name = "billing" })
    assert.equal("billing", db:one(sql).a)
  end)

  it("closed takes no more work, and closes once", function()
    local db = live.open(pg.database("closed"))
    assert(db:query("select 1"))
    db:close()
    db:close()
    local ok, a, b = pcall(db.query, db, "select 1")
    if ok then
      live.refused("closed", a, b)
    else
      live.says(a, "closed")
    end
  end)

  it("being closed waits for what runs", function()
    local url = pg.database("drain")
    local db = live.open(url)
    assert(db:exec("create table t (a int)"))
    local t = lunate.spawn(function()
      return db:exec("insert into t select 1 from pg_sleep(0.2)")
    end)
    lunate.pause()
    db:close()
    assert.equal(1, t:join())
    assert.equal("1", pg.shared():psql("select count(*) from t", "drain"))
  end)

  it("left open does not keep a program from ending", function()
    local r = live.luajit([[
      local db = require("lunate").open { url = arg and
        os.getenv("DATABASE_URL") }
      assert(db:query("select 1"))
      print "end"
    ]], { DATABASE_URL = pg.database("left_open") })
    assert.same({ 0, "end\n" }, { r.code, r.out }, r.err)
  end)
end)
