-- What a schema does by itself to the columns that say to whom a row belongs,
-- behind the back of the statement that is scoped.
local live = require "support.live"
local pg = require "support.pg"
local sh = require "support.sh"

local RULES = [[
tenant { type = "%s" }
database { mode = "rewrite" }
]]
local PARENT = [[
rows "p" { by = "clinic" }
rows "c" { parent = "p", on = { pid = "id" } }
]]

local function open(tables, rules, type_name)
  local address = pg.database("tenant_schema")
  local folder = sh.tmpdir()
  sh.write(folder .. "/isolation.lua",
    RULES:format(type_name or "int4") .. rules)
  pg.shared():psql(tables, "tenant_schema")
  return live.open(address, { policies = folder, schema = "public" })
end

local function as(db, who, sql)
  return db:with_tenant(who, function(c) return c:query(sql) end)
end

after_each(live.close)

it("an UPDATE does not move a row whose clinic is worked out", function()
  local db = open([[
    create table g (id int primary key, base int not null, note text,
      clinic int not null generated always as (base % 10) stored);
    insert into g (id, base) values (1, 11), (2, 12)]],
    'rows "g" { by = "clinic" }')
  assert.equal(1, #assert(as(db, 1, "select * from g")))
  for _, sql in ipairs { "update g set base = 2", "merge into g using "
    .. "(select 1) v on true when matched then update set base = 2" } do
    local _, err = as(db, 1, sql)
    live.says(err, "refused (move)", "clinic")
  end
  assert.equal(1, #assert(as(db, 2, "select * from g")))
  assert(as(db, 1, "delete from g"))
  assert.equal(1, #assert(as(db, 2, "select * from g")))
end)

it("an UPDATE does not change a parent that is worked out", function()
  local db = open([[
    create table p (id int primary key, clinic int not null);
    create table c (id int primary key, base int,
      pid int generated always as (base) stored);
    insert into p values (1, 1), (101, 2);
    insert into c (id, base) values (1, 1)]], PARENT)
  local _, err = as(db, 1, "update c set base = 101")
  live.says(err, "refused (move)", "pid")
  assert.equal(0, #assert(as(db, 2, "select * from c")))
end)

it("a parent is not put together from parts", function()
  local db = open([[
    create table p (id jsonb primary key, clinic int not null);
    create table c (id int primary key, pid jsonb not null);
    insert into p values ('1', 1), ('{"a": 1}', 2)]], PARENT)
  local _, err = as(db, 1, "insert into c (id, pid['a']) values (1, '1')")
  live.says(err, "refused (form)", "as a whole")
  assert.equal(0, #assert(as(db, 2, "select * from c")))
  assert(as(db, 1, "insert into c (id, pid) values (1, '1')"))
end)

it("a parent that would be rounded is closed", function()
  local db = open([[
    create table p (id numeric primary key, clinic int not null);
    create table c (id int primary key, pid int not null);
    insert into p values (100.6, 1), (101, 2)]], PARENT)
  local _, err = as(db, 1, "insert into c values (1, 100.6)")
  live.says(err, "key-type", "ALTER COLUMN pid TYPE numeric")
  assert.equal(1, #assert(as(db, 1, "select * from p")))
end)

it("a parent's key may be a wider integer, or a text without end", function()
  local db = open([[
    create table p (id bigint, name varchar, clinic int not null,
      primary key (id, name));
    create table c (id int primary key, pid int not null, pname text);
    insert into p values (1, 'x', 1), (101, 'x', 2)]], [[
rows "p" { by = "clinic" }
rows "c" { parent = "p", on = { pid = "id", pname = "name" } }
]])
  assert(as(db, 1, "insert into c values (1, 1, 'x')"))
  assert.equal(1, #assert(as(db, 1, "select * from c")))
  assert.equal(0, #assert(as(db, 2, "select * from c")))
end)

it("clinics that a collation takes for one are closed", function()
  local db = open([[
    create collation same_case (provider = icu, locale = 'und-u-ks-level2',
      deterministic = false);
    create table g (id int primary key,
      clinic text collate same_case not null);
    insert into g values (1, 'a'), (2, 'A')]], 'rows "g" { by = "clinic" }',
    "text")
  local _, err = as(db, "a", "select * from g")
  live.says(err, "column-collation", 'COLLATE "C"')
end)

it("an UPDATE does not reach others by a key that is worked out", function()
  local db = open([[
    create table g (id int primary key, clinic int not null, base int,
      note text, k int unique generated always as (base) stored);
    create table h (id int primary key, clinic int not null,
      gk int references g (k) on update cascade);
    insert into g (id, clinic, base) values (1, 1, 5);
    insert into h values (1, 2, 5)]],
    'rows "g" { by = "clinic" }\nrows "h" { by = "clinic" }')
  local _, err = as(db, 1, "update g set base = 6")
  live.says(err, "refused (cascade)", "public.h")
  assert.equal(5, assert(as(db, 2, "select * from h"))[1].gk)
end)
