-- Every row of the table of values, both ways, and that what goes in comes
-- back.
local ffi = require "ffi"
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"

local null = lunate.null

describe("a value from PostgreSQL", function()
  local db

  setup(function() db = live.open(pg.database("values_from")) end)
  teardown(live.close)

  -- The value of an SQL expression, read with these options.
  local function get(expression, options)
    local row, err = db:one(options or {}, "select " .. expression .. " as v")
    assert(row, err)
    return row.v
  end

  it("bool is a boolean", function()
    assert.is_true(get "true")
    assert.is_false(get "false")
  end)

  it("int2, int4 and oid are numbers", function()
    assert.equal(-32768, get "'-32768'::int2")
    assert.equal(32767, get "32767::int2")
    assert.equal(-2147483648, get "'-2147483648'::int4")
    assert.equal(2147483647, get "2147483647")
    assert.equal(4294967295, get "4294967295::oid")
  end)

  it("int8 is an exact number up to 2^53", function()
    assert.equal(2 ^ 53, get "9007199254740992::int8")
    assert.equal(-2 ^ 53, get "'-9007199254740992'::int8")
    assert.equal(2 ^ 53 - 1, get "9007199254740991::int8")
    assert.equal(0, get "0::int8")
  end)

  it("int8 beyond 2^53 is an error that names the options", function()
    for _, v in ipairs { "9007199254740993", "-9007199254740993",
      "9223372036854775807", "-9223372036854775808" } do
      local err = live.refused("value",
        db:query(("select '%s'::int8 as big"):format(v)))
      live.says(err, "int8", "int64", "string", "big")
      live.hides(err, v)
    end
  end)

  it("int8 is exact as int64 and as string when asked", function()
    for _, v in ipairs { "0", "-1", "9007199254740993", "9223372036854775807",
      "-9223372036854775808" } do
      local e = ("'%s'::int8"):format(v)
      assert.equal(v, get(e, { int8 = "string" }))
      local cdata = get(e, { int8 = "int64" })
      assert.is_true(ffi.istype("int64_t", cdata))
      assert.equal(v .. "LL", tostring(cdata))
    end
  end)

  it("float4 and float8 are numbers", function()
    assert.equal(1.5, get "1.5::float4")
    assert.equal(0.1, get "0.1::float8")
    assert.equal(1 / 0, get "'infinity'::float8")
    assert.equal(-1 / 0, get "'-infinity'::float8")
    assert.equal(5e-324, get "5e-324::float8")
    assert.equal(1.7976931348623157e308, get "1.7976931348623157e308::float8")
    local nan = get "'nan'::float8"
    assert.is_true(nan ~= nan)
  end)

  it("numeric is an exact string, or a number when asked", function()
    local long = "123456789012345678901234567890.123456789012345678901234567890"
    assert.equal(long, get(long .. "::numeric"))
    assert.equal("0.10", get "0.10::numeric")
    assert.equal("-5", get "'-5'::numeric")
    assert.equal("NaN", get "'nan'::numeric")
    assert.equal(1234.5, get("1234.5::numeric", { numeric = "number" }))
  end)

  it("json and jsonb are tables, or strings when asked", function()
    for _, t in ipairs { "json", "jsonb" } do
      local v = get(([['{"a": [1, 2.5, "x", true, null],
        "b": {"c": {}}}'::%s]]):format(t))
      assert.same({ 1, 2.5, "x", true, null }, v.a)
      assert.same({ c = {} }, v.b)
      assert.equal('{"a": 1}', get(([['{"a": 1}'::%s]]):format(t),
        { json = "string" }))
      assert.equal("text", get(([['"text"'::%s]]):format(t)))
      assert.equal(17, get(("'17'::%s"):format(t)))
      assert.is_false(get(("'false'::%s"):format(t)))
    end
  end)

  it("a json null inside or alone is lunate.null", function()
    assert.equal(null, get "'null'::jsonb")
    assert.equal(null, get([['{"a": null}'::json]]).a)
  end)

  it("arrays are tables of their elements' values", function()
    assert.same({ 1, 2, 3 }, get "array[1,2,3]")
    assert.same({ true, false }, get "array[true,false]")
    assert.same({ "1.10", "2" }, get "array[1.10,2]::numeric[]")
    assert.same({ 1.5, 2.5 }, get "array[1.5,2.5]::float8[]")
    assert.same({ 2 ^ 53 }, get "array[9007199254740992]::int8[]")
    assert.same({}, get "array[]::int[]")
    assert.same({ { 1, 2 }, { 3, 4 } }, get "array[[1,2],[3,4]]")
    assert.same({ { { "a" }, { "b" } } }, get "array[[['a'],['b']]]")
  end)

  it("arrays hold quotes, commas, braces, backslashes, NULL", function()
    local v = get [[array['a"b', 'c,d', '{e}', 'f\g', '', 'NULL', null, ' h ',
      'ü', E'line\nline']::text[] ]]
    assert.same({ 'a"b', "c,d", "{e}", "f\\g", "", "NULL", null, " h ", "ü",
      "line\nline" }, v)
  end)

  it("arrays with lower bounds of their own are tables from 1", function()
    assert.same({ 7, 8 }, get "'[5:6]={7,8}'::int[]")
    assert.same({ { 1 }, { 2 } }, get "'[0:1][3:3]={{1},{2}}'::int[]")
  end)

  it("arrays of json, bytea and timestamptz keep their elements' form",
    function()
      assert.same({ { a = 1 }, null },
        get [[array['{"a":1}', null]::jsonb[] ]])
      assert.same({ "\0\1", "" }, get [[array['\x0001', '\x']::bytea[] ]])
      assert.same({ "2026-01-31 12:00:00.000001+00" },
        get "array['2026-01-31 13:00:00.000001+01']::timestamptz[]")
    end)

  it("bytea is the bytes", function()
    local all = {}
    for i = 0, 255 do all[i + 1] = string.char(i) end
    local hex = table.concat(all):gsub(".", function(c)
      return ("%02x"):format(c:byte())
    end)
    assert.equal(table.concat(all), get(([['\x%s'::bytea]]):format(hex)))
    assert.equal("", get [['\x'::bytea]])
  end)

  it("timestamptz is in UTC with microseconds", function()
    assert.equal("2026-01-31 12:00:00.000001+00",
      get "'2026-01-31 14:00:00.000001+02'::timestamptz")
    assert.equal("2026-01-31 12:00:00+00",
      get "'2026-01-31 12:00:00+00'::timestamptz")
  end)

  it("timestamptz is in UTC whatever the role's time zone", function()
    local url = pg.database("values_zone")
    pg.shared():psql([[alter database values_zone
      set timezone to 'America/New_York']])
    pg.shared():psql("alter database values_zone set datestyle to 'German'")
    local there = live.open(url)
    assert.equal("2026-01-31 12:00:00.5+00", there:one(
      "select '2026-01-31 12:00:00.5+00'::timestamptz as v").v)
    assert.equal("2026-01-31", there:one("select '2026-01-31'::date as v").v)
  end)

  it("all other types are strings", function()
    assert.equal("2026-01-31", get "'2026-01-31'::date")
    assert.equal("12:30:00.000001", get "'12:30:00.000001'::time")
    assert.equal("2026-01-31 12:00:00", get "'2026-01-31 12:00:00'::timestamp")
    assert.equal("1 day 02:00:00", get "'1 day 2 hours'::interval")
    assert.equal("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      get "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid")
    assert.equal("127.0.0.1", get "'127.0.0.1'::inet")
    assert.equal("[1,5)", get "int4range(1,5)")
    assert.equal("(1,a)", get "row(1,'a')")
    assert.equal("ab  ", get "'ab'::char(4)")
    assert.equal("101", get "b'101'")
  end)

  it("of an enum or a domain is that of its base", function()
    assert(db:exec("create type mood as enum ('sad', 'happy')"))
    assert(db:exec("create domain small as int check (value < 10)"))
    assert.equal("happy", get "'happy'::mood")
    assert.equal(3, get "3::small")
  end)

  it("of an array of a type made here is its text, and a table when cast",
    function()
      assert(db:exec("create type mood2 as enum ('sad', 'happy')"))
      assert.equal("{sad,happy}", get "array['sad','happy']::mood2[]")
      assert.same({ "sad", "happy" },
        get "array['sad','happy']::mood2[]::text[]")
    end)

  it("NULL is absent, or lunate.null when asked", function()
    local row = db:one("select null::int as a, 1 as b")
    assert.is_nil(row.a)
    assert.equal(1, row.b)
    for _, t in ipairs { "int", "text", "jsonb", "int[]", "bytea", "bool" } do
      assert.equal(null, get("null::" .. t, { nulls = true }))
    end
  end)

  it("of the empty text is the empty string, not NULL", function()
    assert.equal("", get "''")
    assert.equal("", get("''", { nulls = true }))
  end)

  it("under a name used twice is the first, all by position", function()
    local row = db:one({ positional = true },
      "select 1 as a, 2 as a, null as a, 3 as b")
    assert.equal(1, row.a)
    assert.equal(3, row.b)
    assert.same({ 1, 2, nil, 3 }, { row[1], row[2], row[3], row[4] })
    assert.equal(1, db:one("select 1 as a, 2 as a").a)
  end)

  it("of a first column that is NULL does not give way", function()
    assert.is_nil(db:one("select null as a, 2 as a").a)
    assert.equal(null, db:one({ nulls = true },
      "select null as a, 2 as a").a)
  end)

  it("of a megabyte arrives whole", function()
    assert.equal(("x"):rep(1048576), get "repeat('x', 1048576)")
  end)
end)

describe("a parameter", function()
  local db

  setup(function() db = live.open(pg.database("values_to")) end)
  teardown(live.close)

  -- What the server saw, as text.
  local function seen(type, value)
    local row, err = db:one({ nulls = true },
      ("select $1::%s::text as v"):format(type), value)
    assert(row, err)
    return row.v
  end

  it("nil and lunate.null are NULL", function()
    assert.equal(null, seen("text", nil))
    assert.equal(null, seen("int", null))
    assert.equal(null, seen("jsonb", null))
  end)

  it("a boolean is a bool", function()
    assert.equal("true", seen("bool", true))
    assert.equal("false", seen("bool", false))
  end)

  it("a number is exact", function()
    assert.equal("2147483647", seen("int", 2147483647))
    assert.equal("-9007199254740992", seen("int8", -2 ^ 53))
    assert.equal("0.1", seen("float8", 0.1))
    assert.equal("0.30000000000000004", seen("float8", 0.1 + 0.2))
    assert.equal("1e+300", seen("float8", 1e300))
    assert.equal("0.1", seen("numeric", 0.1))
    assert.equal("123456789.125", seen("numeric", 123456789.125))
    assert.equal("Infinity", seen("float8", 1 / 0))
    assert.equal("-Infinity", seen("float8", -1 / 0))
    assert.equal("NaN", seen("float8", 0 / 0))
  end)

  it("a number with a fraction does not become an integer", function()
    live.refused("value", db:one("select $1::int as v", 1.5))
  end)

  it("int64 and uint64 cdata are exact", function()
    assert.equal("9223372036854775807", seen("int8", 9223372036854775807LL))
    assert.equal("-9223372036854775808", seen("int8",
      ffi.new("int64_t", -9223372036854775807LL - 1)))
    assert.equal("18446744073709551615", seen("numeric",
      18446744073709551615ULL))
  end)

  it("a string is text of any type", function()
    assert.equal("17", seen("int", "17"))
    assert.equal("1.50", seen("numeric", "1.50"))
    assert.equal("ü€𝄞 ' \" \\ $1 --", seen("text", "ü€𝄞 ' \" \\ $1 --"))
    assert.equal("", seen("text", ""))
    assert.equal("2026-01-31", seen("date", "2026-01-31"))
  end)

  it("a string with a zero byte names lunate.bytea", function()
    local err = live.refused("parameters",
      db:one("select $1::text as v", "SECRETMARK\0x"))
    live.says(err, "lunate.bytea", "$1")
    live.hides(err, "SECRETMARK")
  end)

  it("a string that is no UTF-8 is an error without it", function()
    local err = live.refused("value",
      db:one("select $1::text as v", "SECRETMARK\255"))
    live.hides(err, "SECRETMARK")
  end)

  it("lunate.bytea is bytes of any kind", function()
    local all = {}
    for i = 0, 255 do all[i + 1] = string.char(i) end
    local bytes = table.concat(all)
    assert.equal(bytes, db:one("select $1::bytea as v", lunate.bytea(bytes)).v)
    assert.equal("", db:one("select $1::bytea as v", lunate.bytea("")).v)
    assert.equal("\\", db:one("select $1::bytea as v", lunate.bytea("\\")).v)
  end)

  it("a table of 1..n is an array", function()
    assert.equal("{1,2,3}", seen("int[]", { 1, 2, 3 }))
    assert.equal("{t,f}", seen("bool[]", { true, false }))
    assert.equal("{{1,2},{3,4}}", seen("int[]", { { 1, 2 }, { 3, 4 } }))
    assert.equal("{1,NULL,3}", seen("int[]", { 1, null, 3 }))
    assert.equal(3, db:one("select count(*) as n from generate_series(1, 9) i "
      .. "where i = any($1)", { 2, 4, 6 }).n)
  end)

  it("an array keeps quotes, commas, braces and the word NULL", function()
    local list = { 'a"b', "c,d", "{e}", "f\\g", "", "NULL", "null", " h ",
      "ü", "line\nline", null }
    assert.same(list, db:one("select $1::text[] as v", list).v)
  end)

  it("lunate.array says what a table alone does not", function()
    assert.equal("{}", seen("int[]", lunate.array {}))
    assert.equal("{1,NULL,3,NULL}", seen("int[]",
      lunate.array({ 1, nil, 3 }, 4)))
  end)

  it("a table of names is JSON", function()
    assert.equal('{"a": [1, 2], "b": null}',
      seen("jsonb", { a = { 1, 2 }, b = null }))
    assert.equal('{"a": {"b": "c"}}', seen("jsonb", { a = { b = "c" } }))
  end)

  it("lunate.json is JSON of anything", function()
    assert.equal("[1, 2]", seen("jsonb", lunate.json { 1, 2 }))
    assert.equal('"text"', seen("jsonb", lunate.json "text"))
    assert.equal("true", seen("jsonb", lunate.json(true)))
    assert.equal("null", seen("jsonb", lunate.json(null)))
    assert.equal("17", seen("jsonb", lunate.json(17)))
  end)

  it("of no kind is refused with its number", function()
    for _, v in ipairs { print, coroutine.create(print),
      io.stdout } do
      live.says(live.refused("parameters",
        db:one("select $1::text, $2::text", "a", v)), "$2")
    end
  end)

  it("a mixed or circular table is refused", function()
    assert.is_nil((db:one("select $1::jsonb as v", { 1, 2, a = 3 })))
    local circle = {}
    circle.circle = circle
    assert.is_nil((db:one("select $1::jsonb as v", circle)))
    local deep = {}
    deep[1] = deep
    assert.is_nil((db:one("select $1::int[] as v", deep)))
    assert.equal(1, db:one("select 1 as v").v)
  end)
end)

-- ---- properties -------------------------------------------------------------

local function random_text()
  local pieces = { "'", '"', "\\", ",", "{", "}", "NULL", "ü", "€", "𝄞", "\n",
    "\r", "\t", " ", "$1", "--", "/*", "\\x", "\1", "\127", "a", "Z", "0", "%" }
  local t = {}
  for i = 1, math.random(0, 12) do t[i] = pieces[math.random(#pieces)] end
  return table.concat(t)
end

local function random_bytes()
  local t = {}
  for i = 1, math.random(0, 60) do t[i] = string.char(math.random(0, 255)) end
  return table.concat(t)
end

local function random_digits(n)
  local t = { tostring(math.random(1, 9)) }
  for i = 2, n do t[i] = tostring(math.random(0, 9)) end
  return table.concat(t)
end

local function random_list(make, depth)
  local t = {}
  local n = math.random(1, 4)
  local size = math.random(1, 3)
  for i = 1, n do
    if depth > 1 then
      t[i] = {}
      for j = 1, size do
        t[i][j] = math.random(5) == 1 and null or make()
      end
    else
      t[i] = math.random(5) == 1 and null or make()
    end
  end
  return t
end

local function random_json(depth)
  local kind = math.random(depth > 0 and 6 or 4)
  if kind == 1 then return random_text() end
  if kind == 2 then return math.random(-1e6, 1e6) end
  if kind == 3 then return math.random(2) == 1 end
  if kind == 4 then return null end
  local t = {}
  for i = 1, math.random(1, 3) do
    t[kind == 5 and i or "k" .. random_text() .. i] = random_json(depth - 1)
  end
  return t
end

local function random_timestamp()
  return ("%04d-%02d-%02d %02d:%02d:%02d.%05d1+00"):format(
    math.random(1900, 2200), math.random(12), math.random(28),
    math.random(0, 23), math.random(0, 59), math.random(0, 59),
    math.random(0, 99999))
end

-- { type, how to make a value, how it is given, options of the call }
local function same(v) return v end

local makers = {
  { "int4", function() return math.random(-2147483648, 2147483647) end },
  { "int8", function()
    local near = math.random(0, 1000)
    local v = ({ 2 ^ 53 - near, -2 ^ 53 + near,
      math.random(-1e9, 1e9) * 1e6 + near })[math.random(3)]
    return v
  end },
  { "int8", function()
    return (math.random(2) == 1 and "-" or "")
      .. random_digits(math.random(1, 18))
  end, nil, { int8 = "string" } },
  { "float8", function()
    return (math.random() - 0.5) * 10 ^ math.random(-300, 300)
  end },
  { "numeric", function()
    return ("%s%s.%s"):format(math.random(2) == 1 and "-" or "",
      random_digits(math.random(1, 40)), random_digits(math.random(1, 40)))
  end },
  { "bool", function() return math.random(2) == 1 end },
  { "text", random_text },
  { "bytea", random_bytes, lunate.bytea },
  { "timestamptz", random_timestamp },
  { "text[]", function() return random_list(random_text, 1) end },
  { "text[]", function() return random_list(random_text, 2) end },
  { "int4[]", function()
    return random_list(function() return math.random(-1e9, 1e9) end, 2)
  end },
  { "float8[]", function() return random_list(math.random, 1) end },
  { "timestamptz[]", function() return random_list(random_timestamp, 1) end },
  { "jsonb", function() return { v = random_json(3) } end },
  { "json", function() return { random_json(3), 1 } end, lunate.json },
}

describe("any value", function()
  local db

  setup(function() db = live.open(pg.database("values_any")) end)
  teardown(live.close)

  it("comes back as it went in", function()
    local seed = live.seed()
    math.randomseed(seed)
    for i = 1, live.prove and 100000 or 1500 do
      local m = makers[i % #makers + 1]
      local value = m[2]()
      local row, err = db:one(m[4] or {}, ("select $1::%s as v"):format(m[1]),
        (m[3] or same)(value))
      assert.same({ v = value }, row, ("LUNATE_SEED=%d, %s: %s"):format(seed,
        m[1], tostring(err)))
    end
  end)

  it("comes back out of a table, many in a row", function()
    local seed = live.seed()
    math.randomseed(seed)
    assert(db:exec([[create table v (id int primary key, t text, b bytea,
      n numeric, a text[], j jsonb, f float8, i int8)]]))
    local rows = {}
    for i = 1, 100 do
      local r = { id = i, t = makers[7][2](), b = random_bytes(),
        n = makers[5][2](), a = makers[10][2](), j = { v = random_json(2) },
        f = makers[4][2](), i = makers[2][2]() }
      rows[i] = r
      assert.equal(1, db:exec(
        "insert into v values ($1, $2, $3, $4, $5, $6, $7, $8)", r.id, r.t,
        lunate.bytea(r.b), r.n, r.a, r.j, r.f, r.i))
    end
    local got = assert(db:query("select * from v order by id"))
    for i = 1, 100 do
      assert.same(rows[i], got[i], "LUNATE_SEED=" .. seed)
    end
  end)
end)
