-- What the catalog calls a read, held against the server: on a session that
-- only reads it must never be refused as a write (25006).
local core = require "lunate.core"
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local sh = require "support.sh"
local wait = require "support.wait"

local DATABASE = "catalog_spec"

local schema = [[
  create schema app;
  set search_path = app, public;
  create sequence seq;
  create table t (id int primary key, name text, at timestamptz default now());
  insert into t select g, 'n' || g from generate_series(1, 20) g;
  create table child (id serial primary key, t_id int references t);
  create table parts (id int, x text) partition by list (id);
  create table parts_1 partition of parts for values in (1);
  create unlogged table scratch (id int);
  create function writes() returns int language plpgsql as
    $$ begin insert into app.scratch values (1); return 1; end $$;
  create function writes_set() returns setof int language plpgsql as
    $$ begin insert into app.scratch values (1); return next 1; end $$;
  create function writes_rec() returns table (a int) language plpgsql as
    $$ begin insert into app.scratch values (1); return query select 1;
       end $$;
  create function looks() returns bigint language sql stable as
    'select count(*) from app.t';
  create function pure(int) returns int language sql immutable as 'select $1';
  create function pure(int, int) returns int language plpgsql as
    $$ begin insert into app.scratch values (1); return 1; end $$;
  create function deft(int, int default 2) returns int language sql stable as
    'select $1 + $2';
  create function step(int, int) returns int language plpgsql as
    $$ begin insert into app.scratch values (1); return 1; end $$;
  create aggregate wild (int) (sfunc = step, stype = int);
  create function eq(int, int) returns bool language plpgsql as
    $$ begin insert into app.scratch values (1); return true; end $$;
  create operator === (leftarg = int, rightarg = int, function = eq);
  create view v_plain as select id, name from t where id > 3;
  create view v_next as select nextval('app.seq') as n;
  create view v_writes as select writes() as n;
  create view v_over as select * from v_next union all select 1;
  create view v_deep as with x as (select * from v_over) select n from x;
  create view v_agg as select wild(id) as n from t;
  create view v_op as select id from t where id === 1;
  create view v_lateral as select t.id, w.a from t, lateral writes_rec() w;
  create view v_random as select random() as r, now() as n;
  create view v_system as select name, setting from pg_settings;
  create materialized view m as select writes() as n;
  create table guarded (id int);
  insert into guarded values (1);
  alter table guarded enable row level security;
  alter table guarded force row level security;
  create policy p on guarded using (writes() = 1);
  create role catalog_reader;
  grant all on schema app to catalog_reader;
  grant all on all tables in schema app to catalog_reader;
  grant all on all sequences in schema app to catalog_reader;
]]

-- By what they are: true is a read.
local corpus = {
  [true] = {
    "select 1",
    "values (1), (2)",
    "table t",
    "select * from t",
    "select * from app.t where id = 1",
    "select t.*, c.id from t left join child c on c.t_id = t.id",
    "select * from parts",
    "select * from parts_1",
    "select * from scratch",
    "select * from m",
    "select last_value from seq",
    "select * from v_plain",
    "select * from v_random",
    "select * from v_system",
    "select * from pg_class",
    "select * from pg_locks",
    "select * from pg_stat_activity",
    "select * from information_schema.tables",
    "select count(*), max(id) from t group by name having count(*) > 0",
    "select lower(name) || upper(name) from t",
    "select id, row_number() over (order by id) from t",
    "select * from t where id between 1 and 5 and name like 'n%'",
    "select * from t where id in (1, 2) or name is null",
    "select * from t where id = any (array[1, 2])",
    "select * from t where exists (select from child where t_id = t.id)",
    "select (select max(id) from t), coalesce(null, 1), nullif(1, 2)",
    "with x as (select * from t) select * from x",
    "with recursive r(n) as (select 1 union all select n + 1 from r "
      .. "where n < 5) select * from r",
    "select 1 union select 2 except select 3 intersect select 4",
    "select * from generate_series(1, 3)",
    "select * from t tablesample bernoulli (50)",
    "select * from t tablesample system (50) repeatable (1)",
    "select random(), clock_timestamp(), gen_random_uuid()",
    "select pg_sleep(0)",
    "select now(), current_date, current_user, localtimestamp",
    "select looks()",
    "select pure(1)",
    "select deft(1), deft(1, 1)",
    "select string_agg(name, ',' order by id) from t",
    "select percentile_cont(0.5) within group (order by id) from t",
    "select json_agg(t) from t",
    "select to_char(now(), 'YYYY'), extract(year from now())",
    "select format('%s', 1), concat('a', 'b'), concat_ws(',', 'a', 'b')",
    "select jsonb_build_object('a', 1) -> 'a'",
    "select pg_relation_size('app.t'), pg_database_size(current_database())",
    "select pg_is_in_recovery(), version(), current_setting('work_mem')",
    "select has_table_privilege('app.t', 'select')",
    "select pg_current_xact_id_if_assigned()",
    "select array_agg(x) from unnest(array[1, 2]) with ordinality as u(x, n)",
    "select * from json_to_recordset('[{\"a\":1}]') as x(a int)",
    "select xmlelement(name a), greatest(1, 2)",
    "select * from t order by id desc limit 1 offset 2",
    "select distinct on (name) * from t",
    "explain select * from t",
    "explain (costs off) select * from v_plain",
    "explain analyze select * from t",
    "show work_mem",
  },
  [false] = {
    "insert into scratch values (1)",
    "update scratch set id = 1",
    "delete from scratch",
    "with x as (insert into scratch values (1) returning id) "
      .. "select * from x",
    "with x as (delete from scratch returning *) select count(*) from x",
    "select * from t for update",
    "select * from t for key share skip locked",
    "select nextval('app.seq')",
    "select setval('app.seq', 5)",
    "select writes()",
    "select * from writes_set()",
    "select * from t, lateral writes_rec()",
    "select pure(1, 1)",
    "select wild(id) from t",
    "select 1 === 2",
    "select 1 operator(app.===) 2",
    "select * from t order by writes()",
    "select * from t where writes() = 1",
    "select * from t limit writes()",
    "select case when true then writes() end",
    "select (select writes())",
    "select * from v_next",
    "select * from app.v_next",
    "select * from v_writes",
    "select * from v_over",
    "select * from v_deep",
    "select * from v_agg",
    "select * from v_op",
    "select * from v_lateral",
    "select * from guarded",
    "select count(*) from (select * from v_deep) x",
    "with x as (select * from v_next) select * from x",
    "explain analyze select * from v_next",
    "explain analyze insert into scratch values (1)",
    "select * into copy_of_t from t",
    "create table x (id int)",
    "create temp table x (id int)",
    "truncate scratch",
    "do $$ begin perform app.writes(); end $$",
    "select pg_notify('a', 'b')",
    "select pg_advisory_xact_lock(1)",
    "select txid_current()",
    "select lo_create(0)",
    "select set_config('work_mem', '64kB', false)",
    "select query_to_xml('select app.writes()', true, true, '')",
    "select no_such_function()",
    "select * from no_such_table",
  },
}

--- The SQLSTATE a statement ends with on a session that only reads, "" when
--- it succeeds; as a role that policies hold for.
local function state_when_read_only(sql)
  local run = sh.run { pg.bin "psql", "-XAtqw", "-v", "VERBOSITY=sqlstate",
    "-v", "ON_ERROR_STOP=1", "-d", pg.shared():url_of(DATABASE), "-o",
    "/dev/null", env = { PGOPTIONS = "-c default_transaction_read_only=on "
      .. "-c search_path=app,public -c role=catalog_reader" },
    stdin = sql .. ";\n" }
  return run.code == 0 and "" or run.err:match("ERROR: +(%w+)") or run.err
end

describe("the catalog", function()
  local db

  local function is_read(sql)
    local yes, err = core.is_read(db.ud, sql)
    assert.is_nil(err, sql)
    return yes
  end

  setup(function()
    local url = pg.database(DATABASE)
    pg.shared():psql("drop role if exists catalog_reader", "postgres")
    pg.shared():psql(schema, DATABASE)
    db = live.open(url, { schema = "app" })
    assert(core.catalog(db.ud))
  end)

  teardown(function()
    live.close()
    pg.shared():psql("drop owned by catalog_reader; drop role catalog_reader",
      DATABASE)
  end)

  it("never calls a read what a session that only reads refuses", function()
    local refused = 0
    for _, list in pairs(corpus) do
      for _, sql in ipairs(list) do
        local state = state_when_read_only(sql)
        refused = refused + (state == "25006" and 1 or 0)
        assert.is_false(state == "25006" and is_read(sql), sql)
      end
    end
    assert.is_true(refused >= 25, "the corpus has lost its teeth: " .. refused)
  end)

  it("calls a read what only reads, and nothing else", function()
    for yes, list in pairs(corpus) do
      for _, sql in ipairs(list) do assert.equal(yes, is_read(sql), sql) end
    end
  end)

  it("gives the same answers when statements run through it", function()
    for _, sql in ipairs { "select * from v_next", "select writes() as n",
      "select * from v_lateral limit 1" } do
      assert(db:query(sql))
    end
    assert.equal(20, db:one("select count(*) as n from t").n)
  end)

  it("sends a view that writes out again as a write before it is loaded",
    function()
      local fresh = live.open(pg.shared():url_of(DATABASE), { schema = "app" })
      assert.is_true(core.is_read(fresh.ud, "select n from v_writes"))
      assert.equal(1, fresh:one("select n from v_writes").n)
    end)

  it("tells relations and columns as tables", function()
    local c = assert(core.catalog(db.ud))
    assert.same({ "pg_catalog", "app", "public" }, c.path)
    local t = c.schemas.app.t
    assert.equal("table", t.kind)
    assert.same({ "id" }, t.primary_key)
    assert.same({ name = "id", type = "int4", not_null = true }, t.columns[1])
    assert.same({ name = "at", type = "timestamptz", has_default = true },
      t.columns[3])
    assert.equal("view", c.schemas.app.v_plain.kind)
    assert.equal("app.parts", c.schemas.app.parts_1.parent)
    assert.is_true(c.schemas.app.guarded.rls)
    assert.equal("table", c.schemas.pg_catalog.pg_class.kind)
  end)

  it("is loaded by a task, and a cancelled task stops waiting", function()
    assert.equal("table", live.in_task(function()
      return assert(core.catalog(db.ud)).schemas.app.t.kind
    end))
    local task = lunate.spawn(function() return core.catalog(db.ud) end)
    lunate.pause()
    task:cancel()
    live.refused("cancelled", task:join())
    assert(core.catalog(db.ud))
  end)

  it("ends at the deadline of its task", function()
    live.refused("deadline", lunate.deadline(0, function()
      return core.catalog(db.ud)
    end))
  end)

  it("says why when it cannot be loaded", function()
    local lost = live.open("postgresql:///none?host=/nowhere",
      { acquire_timeout = "100ms" })
    local _, err = core.catalog(lost.ud)
    live.says(err, "load the catalog")
  end)
end)

describe("a change of the schema", function()
  local db

  local function epoch() return assert(core.catalog(db.ud)).epoch end

  local function has(name)
    return assert(core.catalog(db.ud)).schemas.app[name] ~= nil
  end

  setup(function()
    local url = pg.database "catalog_change"
    pg.shared():psql("create schema app; create sequence app.seq; "
      .. "create table app.t (id int)", "catalog_change")
    db = live.open(url, { schema = "app" })
  end)
  teardown(live.close)

  it("made through it counts at once", function()
    local before = epoch()
    assert(db:exec("create table made (id int)"))
    assert.is_true(has "made")
    assert.is_true(epoch() > before)
  end)

  it("made in a transaction counts when that is over", function()
    local before = epoch()
    assert(db:transaction(function(tx)
      assert(tx:exec("create view in_tx as select nextval('app.seq') as n"))
      assert.is_false(has "in_tx") -- loads what others see meanwhile
      return true
    end))
    assert.is_false(core.is_read(db.ud, "select lower('a'), n from in_tx"))
    assert.is_true(has "in_tx")
    assert.is_false(core.is_read(db.ud, "select * from in_tx"))
    assert.is_true(epoch() > before + 1)
  end)

  it("made by nothing changes no epoch", function()
    local before = epoch()
    assert(db:exec("insert into t values (1)"))
    pg.shared():psql("analyze app.t", "catalog_change")
    assert.equal(before, epoch())
  end)

  -- Asked for without a load of its own.
  local function becomes_write(sql)
    wait.until_(function()
      lunate.sleep(0.01)
      return not core.is_read(db.ud, sql)
    end, 20)
  end

  it("made elsewhere is seen after an error that may come of it", function()
    assert(db:exec("create view flips as select 1::bigint as n"))
    local before = epoch()
    assert.is_true(core.is_read(db.ud, "select * from flips"))
    pg.shared():psql("create or replace view app.flips as select "
      .. "nextval('app.seq') as n", "catalog_change")
    live.refused("undefined", db:query("select nothing from t"))
    becomes_write("select * from flips")
    assert.is_true(epoch() > before)
  end)

  it("hidden in a DO block is found", function()
    assert(db:exec("create view turns as select 1::bigint as n"))
    assert(core.catalog(db.ud))
    assert.is_true(core.is_read(db.ud, "select * from turns"))
    assert(db:exec("do $$ begin create or replace view app.turns as "
      .. "select nextval('app.seq') as n; end $$"))
    becomes_write("select * from turns")
  end)
end)
