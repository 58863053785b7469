-- db:script: a text of many statements, in one session.
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"

local db

setup(function() db = live.open(pg.database("script_spec")) end)
teardown(live.close)

describe("a script of SQL", function()
  it("runs its statements in order and counts them", function()
    live.both(function()
      assert.equal(4, db:script [[
        -- a comment; with a semicolon
        drop table if exists t;
        create table t (id int, v text);
        insert into t values (1, 'a;b'), (2, $x$c;d$x$);
        update t set v = v || '!' where id = 1
      ]])
      assert.same({ { v = "a;b!" }, { v = "c;d" }, n = 2 },
        db:query("select v from t order by id"))
    end)
  end)

  it("of nothing is 0", function()
    assert.equal(0, db:script(""))
    assert.equal(0, db:script(" ; ;; -- nothing\n /* x */ ; "))
  end)

  it("has one session for all of them", function()
    assert.equal(4, db:script [[
      create temporary table only_here (a int);
      set work_mem = '5MB';
      insert into only_here values (1);
      do $$ begin
        if current_setting('work_mem') <> '5MB' then raise 'lost'; end if;
      end $$
    ]])
  end)

  it("leaves its session to nobody", function()
    local one = live.open(pg.shared():url_of("script_spec"), { pool_max = 1 })
    assert.equal(2, one:script("set work_mem = '6MB'; "
      .. "create temporary table left_over (a int)"))
    assert.not_equal("6MB", one:one("show work_mem").work_mem)
    assert.is_nil(one:one("select to_regclass('left_over') as a").a)
  end)

  it("may hold a transaction of its own", function()
    assert(db:script [[
      drop table if exists u; create table u (id int);
      begin; insert into u values (1); rollback;
      begin; insert into u values (2); commit;
    ]])
    assert.same({ { id = 2 }, n = 1 }, db:query("select id from u"))
  end)

  it("that leaves a transaction open leaves nothing behind", function()
    assert(db:script("drop table if exists o; create table o (id int)"))
    local one = live.open(pg.shared():url_of("script_spec"), { pool_max = 1 })
    one:script("begin; insert into o values (1)")
    assert.equal(1, one:one("select 1 as a").a)
    assert.equal(0, one:one("select count(*) as n from o").n)
  end)

  it("stops at the first failure and says which it was", function()
    local err = live.refused("undefined", db:script [[
      drop table if exists w;
      create table w (id int);
      insert into w values (1);
      insert into nowhere values (2);
      insert into w values (3);
    ]])
    live.says(err, "4")
    assert.equal(1, db:one("select count(*) as n from w").n)
  end)

  it("with a syntax error runs nothing", function()
    assert(db:script("drop table if exists never"))
    live.refused("syntax", db:script(
      "create table never (a int); create tabel x"))
    assert.is_nil(db:one("select to_regclass('never') as a").a)
  end)

  it("keeps functions with semicolons whole", function()
    assert.equal(2, db:script [[
      create or replace function add_one(a int) returns int
      language plpgsql as $body$
      begin
        a := a + 1;
        return a;
      end;
      $body$;
      create or replace procedure p() begin atomic
        select 1; select 2;
      end;
    ]])
    assert.equal(5, db:one("select add_one(4) as a").a)
  end)

  it("of hundreds of statements is run to its end", function()
    local lines = { "drop table if exists h", "create table h (i int)" }
    for i = 1, 500 do
      lines[#lines + 1] = ("insert into h values (%d)"):format(i)
    end
    assert.equal(502, db:script(table.concat(lines, ";\n")))
    assert.equal(500, db:one("select count(*) as n from h").n)
  end)

  it("that is cancelled stops", function()
    local t = lunate.spawn(function()
      return db:script("select pg_sleep(60); create table too_late (a int)")
    end)
    lunate.sleep(0.05)
    t:cancel()
    live.refused("cancelled", t:join())
    assert.is_nil(db:one("select to_regclass('too_late') as a").a)
  end)

  it("wants a text", function()
    assert.error(function() db:script() end)
    assert.error(function() db:script(12) end)
  end)
end)
