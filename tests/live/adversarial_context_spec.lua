-- What is hostile without hostile SQL: no tenant, many tenants, tenants that
-- change, share a connection, are cancelled, or lose it; rules that change on
-- the way; what a session keeps. In each mode of isolation.
--
-- Answers out of a cache belong here too, once there is one.
local core = require "lunate.core"
local judge = require "live.adversarial.judge"
local live = require "support.live"
local lunate = require "lunate"
local pg = require "support.pg"
local sh = require "support.sh"
local wait = require "support.wait"
local world = require "live.adversarial.world"

local ALTERNATIONS = live.prove and 1000000 or 3000
local ROUNDS = live.prove and 3000 or 150

local A, B = world.A, world.B
local OF = { [A] = "Abel Ada Alan Anna O'Hara", [B] = "Ada Bea Ben Bob" }
local SQL = "select name from patients where id > $1 order by name"

setup(function() world.open() end)
after_each(function()
  core.fault("")
  live.close()
end)

local function open(mode, opts)
  opts = opts or {}
  local all = { log_level = "error", pool_max = opts.pool_max or 1,
    seal_key_file = opts.key,
    policies = opts.folder or world.folder(mode, opts.shown, opts.more) }
  return live.open(world.url(mode == "rewrite"), all)
end

local function words(rows)
  local out = {}
  for i, row in ipairs(rows) do out[i] = row.name end
  return table.concat(out, " ")
end

local function names(client)
  local rows, err = client:query(SQL, 0)
  if not rows then return nil, err end
  return words(rows)
end

local function names_of(db, tenant) return db:with_tenant(tenant, names) end

local function denied(word, value, err)
  live.says(live.refused("denied", value, err), "(" .. word .. ")")
end

local function off(layers)
  local points = {}
  for layer in layers:gmatch("%S+") do
    points[#points + 1] = "isolation." .. layer .. "=always"
  end
  assert(core.fault(table.concat(points, ",")))
end

local function random_uuids(n)
  local out = {}
  for i = 1, n do
    out[i] = ("%08x-0000-4000-8000-%012x"):format(math.random(0x7fffffff), i)
  end
  return out
end

local function without_patients(folder)
  local path = folder .. "/isolation.lua"
  sh.write(path .. "~", (sh.read(path):gsub('rows "patients"[^\n]*\n', "")))
  assert(os.rename(path .. "~", path))
end

for _, mode in ipairs(judge.modes) do
  describe("in mode " .. mode, function()
    it("no tenant sees nothing, however it asks", function()
      local db = open(mode)
      denied("no-tenant", names(db))
      denied("no-tenant", db:exec("update patients set name = 'x'"))
      denied("no-tenant", db:transaction(names))
      denied("no-tenant", db:with_context({ user = "u" }, names))
      live.says(select(2, pcall(function()
        for _ in db:rows(SQL, 0) do error("a row came") end
      end)), "no-tenant")
      assert.equal(1, db:one("select 1 as n").n)
    end)

    it("an empty set of tenants is no tenant", function()
      denied("no-tenant", names_of(open(mode), {}))
    end)

    it("a tenant that is none of the type is refused", function()
      local db = open(mode)
      for _, odd in ipairs { "a", "*", A .. "," .. B, "{" .. B .. "}",
        A .. "' or true --" } do
        live.refused("denied", names_of(db, odd))
      end
    end)

    it("10,000 clinics see what is theirs, and write nothing", function()
      local db, many = open(mode), random_uuids(9999)
      assert.equal("", names_of(db, many))
      many[#many + 1] = A
      assert.equal(OF[A], names_of(db, many))
      denied("tenant", db:with_tenant(many, function(c)
        return c:exec("update patients set name = name")
      end))
      many[1] = B
      assert.equal("Abel Ada Ada Alan Anna Bea Ben Bob O'Hara",
        names_of(db, many))
    end)

    it("a statement that was prepared before is the next tenant's", function()
      local db = open(mode)
      local st = db:prepare(SQL)
      for _ = 1, 20 do
        for _, tenant in ipairs { A, B } do
          assert.equal(OF[tenant], db:with_tenant(tenant, function()
            return words(assert(st:query(0)))
          end))
        end
        denied("no-tenant", st:query(0))
      end
    end)

    it("a context set inside a savepoint ends with it", function()
      local db = open(mode)
      db:with_tenant(A, function(c)
        assert(c:transaction(function(tx)
          assert.equal(OF[A], names(tx))
          for _, ends in ipairs { "commit", "roll back" } do
            tx:transaction(function(inner)
              assert.equal(OF[B], db:with_tenant(B, function()
                return names(inner)
              end))
              assert.equal(OF[A], names(inner))
              if ends == "roll back" then error("undo", 0) end
              return true
            end)
            assert.equal(OF[A], names(tx))
          end
          assert.equal(OF[B], db:with_tenant(B, function()
            return names(tx)
          end))
          return names(tx)
        end))
      end)
    end)

    it("requests that share a group of the pipeline share no rows", function()
      local db = open(mode)
      local function shared()
        local before = db:pool_metrics()
        local results = live.tasks(200, function(i)
          return names_of(db, i % 3 == 0 and B or A)
        end)
        for i = 1, 200 do
          assert.equal(OF[i % 3 == 0 and B or A], results[i][1])
        end
        local after = db:pool_metrics()
        return after.groups - before.groups
          < after.statements - before.statements
      end
      live.until_(shared, 30, "a group of several") -- of what is known as fast
    end)

    it("a cancel between context and statement leaves no context", function()
      local db, seed = open(mode, { pool_max = 2 }), live.seed()
      math.randomseed(seed)
      for i = 1, ROUNDS do
        local tenant, other = A, B
        if i % 2 == 0 then tenant, other = B, A end
        local t = lunate.spawn(names_of, db, tenant)
        if i % 3 == 0 then lunate.pause() end
        if i % 5 == 0 then lunate.sleep(math.random() * 0.0005) end
        t:cancel()
        local seen, err = t:join()
        if seen then
          assert.equal(OF[tenant], seen)
        else
          assert.equal("cancelled", err.code)
        end
        assert.equal(OF[other], names_of(db, other))
        denied("no-tenant", names(db))
      end
    end)

    it("a connection that is killed on the way brings nobody's rows",
      function()
      local db = open(mode, { pool_max = 3 })
      local stop, seen = false, 0
      local tasks = {}
      for i = 1, 6 do
        local tenant = i % 2 == 0 and B or A
        tasks[i] = lunate.spawn(function()
          while not stop do
            local got, err = names_of(db, tenant)
            if got then
              assert.equal(OF[tenant], got)
              seen = seen + 1
            else
              assert.is_true(err.retryable, tostring(err))
            end
          end
          return true
        end)
      end
      for _ = 1, live.prove and 100 or 5 do
        local so_far = seen
        live.until_(function() return seen > so_far + 5 end)
        pg.shared():psql("select pg_terminate_backend(pid) from "
          .. "pg_stat_activity where usename in ('" .. world.ROLE .. "', '"
          .. world.FREE .. "')", "adversarial_x")
      end
      stop = true
      for i = 1, 6 do assert.is_true((assert(tasks[i]:join()))) end
    end)

    it("102: one text by tenants that alternate is always the asker's",
      function()
      local db = open(mode)
      local turns = mode == "both" and ALTERNATIONS or ALTERNATIONS / 10
      local began, left = wait.now(), turns
      local results = live.tasks(16, function(i)
        while left > 0 do
          left = left - 1
          local tenant = (left + i) % 2 == 0 and A or B
          local got, err = names_of(db, tenant)
          if got ~= OF[tenant] then error(tostring(got or err), 0) end
        end
        return true
      end)
      for i = 1, 16 do assert.is_true(results[i][1], results[i][2]) end
      if live.prove then
        print(("mode %s: %d statements of alternating tenants through one "
          .. "connection, %.0f/s"):format(mode, turns,
          turns / (wait.now() - began)))
      end
    end)

    it("rules that change between rewrite and execution change nothing of it",
      function()
      local sleepy = "functions { add = { \"pg_sleep\" } }\n"
      local folder = world.folder(mode, false, sleepy)
      local db = open(mode, { folder = folder })
      assert.equal(OF[A], names_of(db, A))
      local loaded
      local listener = db:on("policy.loaded", function() loaded = true end)
      db:with_tenant(A, function()
        local first = lunate.spawn(function()
          return db:one({ class = "critical" }, "select pg_sleep(0.7)")
        end)
        lunate.sleep(0.05)
        local second = lunate.spawn(names, db) -- rewritten, and waits
        lunate.pause()
        without_patients(folder)
        live.until_(function() lunate.sleep(0.01) return loaded end)
        assert.equal("running", second:status())
        assert(first:join())
        assert.equal(OF[A], second:join())
        denied("unknown-table", names(db))
      end)
      listener()
    end)
  end)
end

-- Every way in which a statement gets to the server, as fn(db, sql).
local DOORS = {
  query = function(db, sql) return db:query(sql) end,
  prepare = function(db, sql) return db:prepare(sql):query() end,
  read = function(db, sql)
    return db:read(function(c) return c:query(sql) end)
  end,
  write = function(db, sql)
    return db:write(function(c) return c:query(sql) end,
      { user_id = "u", action = "READ", resource_type = "patients" })
  end,
  transaction = function(db, sql)
    return db:transaction(function(tx) return tx:query(sql) end)
  end,
  savepoint = function(db, sql)
    return db:transaction(function(tx)
      return tx:transaction(function(inner) return inner:query(sql) end)
    end)
  end,
  batch = function(db, sql)
    local r = assert(db:batch { { operation = function(c)
      return c:query(sql)
    end } })
    return r.successful[1], r.failed[1] and r.failed[1].error
  end,
  rows = function(db, sql)
    local out = {}
    local ok, err = pcall(function()
      for row in db:rows(sql) do out[#out + 1] = row end
    end)
    if ok then return out end
    return nil, err
  end,
  ["rows of a transaction"] = function(db, sql)
    return db:transaction(function(tx)
      local out = {}
      for row in tx:rows(sql) do out[#out + 1] = row end
      return out
    end)
  end,
}

describe("every door", function()
  for name, door in pairs(DOORS) do
    it("is guarded: " .. name, function()
      local db = open("both", { pool_max = 2 })
      denied("no-tenant", door(db, "select name from patients"))
      db:with_tenant(A, function()
        assert.equal(OF[A], words(assert(door(db,
          "select name from patients order by name"))))
        denied("unknown-table", door(db, "select * from appts_2024"))
        denied("function", door(db, "select set_config('a.b', 'c', true)"))
        denied("view", door(db, "table v_definer -- CURSOR FOR select 1"))
        local value, err = door(db, "select 1; select * from patients")
        assert.is_nil(value)
        assert.is_truthy(err.code == "unsupported" or err.code == "denied",
          tostring(err))
      end)
    end)
  end

  for name, door in pairs(DOORS) do
    it("withholds another clinic's rows when all else failed: " .. name,
      function()
      local db = open("rewrite", { shown = true, pool_max = 2 })
      off "gate rewrite"
      db:with_tenant(A, function()
        local value, err = door(db, "select * from patients")
        assert.is_nil(value)
        if name == "savepoint" then -- nothing is left to roll back to
          assert.equal("connection_lost", err.code)
        else
          denied("tenant", value, err)
        end
        assert(door(db, "select * from patients where clinic_id = '"
          .. A .. "'"))
      end)
    end)
  end

  it("that knows no tenant is closed to tenants", function()
    local db = open("both", { pool_max = 2 })
    db:with_tenant(A, function()
      denied("statement", db:copy_out("copy patients to stdout"))
      denied("statement", db:copy_in("copy icd from stdin", "X\tx\n"))
      denied("statement", db:script(
        "select 1; set lunate.ctx = ''; select * from patients"))
      denied("unknown-table", db:script("update appts_2024 set note = ''"))
      live.refused("denied", db:as_system("why not", names))
      live.refused("denied", db:raw())
    end)
    live.refused("denied", db:copy_out("copy patients to stdout"))
    live.refused("denied", db:script("select name from patients"))
  end)
end)

describe("a transaction that meets a closed table", function()
  it("is told, though no connection is left to ask again with", function()
    local db = open("rls")
    db:with_tenant(A, function()
      denied("closed", db:query("select * from v_invoker"))
      lunate.sleep(1) -- what is known is old then
      db:transaction(function(tx)
        assert(tx:query("select 1"))
        denied("closed", tx:query({ timeout = 30 }, "select * from v_invoker"))
        return true
      end)
    end)
  end)
end)

describe("what a session would keep", function()
  -- The gate, and so on, switched off: what is next.
  local function as(db, tenant, fn)
    return db:with_tenant(tenant, function()
      return db:transaction(fn)
    end)
  end

  it("75: a cursor WITH HOLD is gone before the next tenant", function()
    local db = open("both", { shown = true })
    off "gate"
    assert(as(db, A, function(tx)
      return tx:query("declare c cursor with hold for select * from patients")
    end))
    live.refused("query_failed", as(db, B, function(tx)
      return tx:query("fetch all from c")
    end))
  end)

  it("73: a temporary table is, too, and hides no table of the rules",
    function()
    local db = open("both", { shown = true, pool_max = 2 })
    off "gate rewrite"
    assert(as(db, A, function(tx)
      assert(tx:query("create temp table patients as select * from patients"))
      return true
    end))
    off ""
    assert.equal(OF[B], names_of(db, B))
  end)

  it("73: nor while it is there: names are those of the schema", function()
    local db = open("rewrite", { shown = true, pool_max = 2 })
    off "gate rewrite"
    db:with_tenant(B, function()
      assert(db:transaction(function(tx)
        assert(tx:query("create temp table patients as select * from patients"))
        off ""
        assert.equal(OF[B], names(tx))
        return true
      end))
    end)
  end)

  it("69: nor does a search_path lead elsewhere", function()
    local db = open("rewrite", { shown = true })
    db:with_tenant(A, function()
      assert(db:transaction(function(tx)
        off "gate"
        assert(tx:query("set local search_path = evil, public"))
        off ""
        assert(tx:query("select name from patients"))
        assert.equal(OF[A], names(tx))
        return true
      end))
    end)
  end)

  it("70: a session that reads strings in another way is ended", function()
    local db = open("both", { shown = true })
    off "gate"
    local _, err = as(db, A, function(tx)
      assert(tx:query("set standard_conforming_strings = off"))
      return tx:query([[select '\' as a, ' or true --' as b]])
    end)
    off ""
    assert.is_truthy(err)
    assert.equal("\\", db:one([[select '\' as a]]).a)
    assert.equal(OF[A], names_of(db, A))
  end)

  it("66: a context that was forged is over with its transaction", function()
    local db = open("both", { shown = true })
    off "gate"
    db:with_tenant(A, function()
      assert(db:transaction(function(tx)
        assert(tx:query(world.named(
          [[set local lunate.ctx = '{"tenants":"{$B}"}']])))
        assert.equal("", names(tx)) -- the text says A, the session B
        return true
      end))
      assert.equal(OF[A], names(db))
    end)
  end)

  it("66: in mode rls only the gate, or a seal, is against forging it",
    function()
    local db = open("rls", { shown = true })
    off "gate egress"
    db:with_tenant(A, function()
      assert(db:transaction(function(tx)
        assert(tx:query(world.named(
          [[set local lunate.ctx = '{"tenants":"{$B}"}']])))
        assert.equal(OF[B], names(tx))
        return true
      end))
      off ""
      assert.equal(OF[A], names(db))
    end)
  end)
end)

describe("tenants with names that mean something elsewhere", function()
  local ODD = { "NULL", "null", "{}", "{a}", "a,b", "a", "b", " a", "a ",
    'a"b', '"a"', "a'b", "a\\b", "\\", '\\"', "$1", "a' or true --", "%", "_",
    "ä", "a\204\136", "true", "0", "-1", "A", '","', "}", '"}',
    '","tenants":"{b}', "a\tb", "a\nb", "\1" }
  local RULES = [[
tenant { type = "text" }
database { mode = "%s" }
rows "notes" { by = "clinic" }
]]
  local NAME = "adversarial_text"
  local folders = {}

  setup(function()
    pg.database(NAME)
    local root = live.open(pg.shared():url_of(NAME), { policies = false })
    assert(root:script("create table notes (clinic text not null, n int);"
      .. "grant all on notes to " .. world.ROLE .. ", " .. world.FREE))
    for i, name in ipairs(ODD) do
      assert(root:exec("insert into notes values ($1, $2)", name, 2 ^ (i % 20)))
    end
    assert(root:exec("insert into notes values ('', 1)"))
    for _, mode in ipairs(judge.modes) do
      folders[mode] = sh.tmpdir()
      sh.write(folders[mode] .. "/isolation.lua", RULES:format(mode))
    end
    pg.shared():psql(sh.ok { sh.build .. "/lunate", "policy", "rls",
      folders.both, "--schema", "public" }, NAME)
  end)

  for _, mode in ipairs(judge.modes) do
    it("see their own rows in mode " .. mode, function()
      local db = live.open(pg.shared():url_of(NAME, mode == "rewrite"
        and world.FREE or world.ROLE), { policies = folders[mode] })
      local function seen(tenant)
        return db:with_tenant(tenant, function(c)
          local out = {}
          for i, row in ipairs(assert(c:query(
            "select clinic as name from notes"))) do out[i] = row.name end
          table.sort(out)
          return out
        end)
      end
      for i, name in ipairs(ODD) do
        assert.same({ name }, seen(name))
        assert.same({ name }, seen { name, "nobody" })
        local two = { name, ODD[i % #ODD + 1] }
        table.sort(two)
        assert.same(two, seen(two))
      end
      local all = { unpack(ODD) }
      table.sort(all)
      assert.same(all, seen(ODD))
      assert.same({}, seen("nobody"))
    end)
  end
end)

-- Last: the policies of the database are other ones afterwards.
describe("a sealed context", function()
  local function run(...)
    pg.shared():psql(sh.ok { sh.build .. "/lunate", "policy", ... },
      "adversarial_x")
  end

  it("66: is neither forged, changed, nor used by another session", function()
    local folder, key = world.folder("rls", true), sh.tmpdir() .. "/key"
    local text = sh.read(folder .. "/isolation.lua")
    sh.write(folder .. "/isolation.lua",
      (text:gsub('mode = "rls"', 'mode = "rls", seal = true')))
    run("rls", folder, "--schema", "public")
    run("seal-key", "--file", key, "--new")
    local db = open("rls", { folder = folder, key = key, pool_max = 2 })
    assert.equal(OF[A], names_of(db, A))
    off "gate egress"
    local function put(tx, ctx)
      assert(tx:query("select set_config('lunate.ctx', $1, true)", ctx))
      return names(tx)
    end
    db:with_tenant(A, function()
      assert(db:transaction(function(tx)
        local mine = tx:one("select current_setting('lunate.ctx') as c").c
        assert.equal("", put(tx, world.named([[{"tenants":"{$B}"}]])))
        local theirs = mine:gsub("0a000000%-", "0b000000-")
          :gsub("00000000000a", "00000000000b")
        live.says(theirs, B, "seal")
        assert.equal("", put(tx, theirs))
        assert.equal(OF[A], put(tx, mine))
        db:with_tenant(B, function()
          assert(db:transaction(function(other)
            assert.equal(OF[B], names(other))
            assert.equal("", put(other, mine))
            return true
          end))
        end)
        return true
      end))
    end)
  end)
end)
