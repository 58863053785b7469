-- PostgreSQL's own regression statements through gate, rewrite and check, with
-- every table declared. Every row belongs to the tenant, so what is accepted
-- has to give what the server gives without lunate's scoping.
--
-- The long form (make prove T=regress) fetches Debian's source of the server
-- and runs all files; the short one runs a few when they were fetched before.
local live = require "support.live"
local pg = require "support.pg"
local regress = require "support.regress"
local sh = require "support.sh"

local PROVE = os.getenv "LUNATE_PROVE" ~= nil
local A = "00000000-0000-4000-8000-00000000000a"
local SHORT = { "test_setup", "select", "subselect", "union", "case",
  "select_having", "select_implicit", "returning", "with" }

-- What is known to be another answer, and why.
local KNOWN = {
  ["select row_to_json(i) from int8_tbl i(x,y)"] =
    "a row whose columns have other names is no row of the table's type",
}

-- ---- the database ----------------------------------------------------------

local TABLES = [[
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where nspname !~ '^pg_' and nspname <> 'information_schema' and ]]

-- Partitions and heirs get it from their parents; typed tables cannot.
local ADD = [[
do $$ declare t text; begin
  for t in select c.oid::regclass ]] .. TABLES .. [[ relkind in ('r', 'p')
    and not exists (select from pg_inherits i where i.inhrelid = c.oid)
  loop
    begin
      execute format('alter table %s add column whose uuid not null
        default %L', t, ']] .. A .. [[');
    exception when others then null;
    end;
  end loop;
end $$]]

local function policies(db)
  local lines = { 'tenant { type = "uuid" }', 'database { mode = "rewrite" }',
    'errors { detail = "show" }' }
  local rows = assert(db:query("select nspname as schema, relname as name, "
    .. "exists (select from pg_attribute where attrelid = c.oid and attname "
    .. "= 'whose') as by" .. TABLES .. "relkind in ('r', 'p', 'v', 'm', 'f')"))
  for _, r in ipairs(rows) do
    lines[#lines + 1] = ("rows %q { %s }"):format(r.schema .. "." .. r.name,
      r.by and 'by = "whose"' or 'shared = "read"')
  end
  local folder = sh.tmpdir()
  sh.write(folder .. "/isolation.lua", table.concat(lines, "\n"))
  return folder, #rows
end

-- ---- one statement ---------------------------------------------------------

local function flat(v)
  if type(v) ~= "table" then return tostring(v) end
  local parts = {}
  for k, inner in pairs(v) do
    parts[#parts + 1] = tostring(k) .. "=" .. flat(inner)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

-- A write that gives no rows.
local function only_counts(sql)
  local low = ("\n" .. sql:lower()):gsub("%-%-[^\n]*", ""):match("^%s*(.*)")
  return not low:find("returning") and (low:find("^insert")
    or low:find("^update") or low:find("^delete") or low:find("^merge"))
end

-- What it gives, as a multiset, or how many rows it changes; or nil and what
-- was refused. All is rolled back.
local function outcome(db, sql)
  local rows, err
  pcall(db.transaction, db, function(tx)
    local call = only_counts(sql) and tx.exec or tx.query
    rows, err = call(tx, sql)
    error("nothing stays")
  end, { retries = 0 })
  if not rows then return nil, err end
  if type(rows) == "number" then return rows .. " rows changed" end
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = flat(row) end
  table.sort(lines)
  return #lines .. ": " .. table.concat(lines, "\n")
end

local sums, why

local function count(t, key) t[key] = (t[key] or 0) + 1 end

-- Twice without a tenant: what changes by itself compares with nothing. An
-- error is to be an error; which one may depend on the form.
local function compare(plain, sql, got, err)
  local want, failed = outcome(plain, sql)
  if outcome(plain, sql) ~= want then return count(sums, "random") end
  if not want and not got then
    return count(sums, failed.sqlstate == err.sqlstate and "same error"
      or "another error")
  end
  if want == got then
    return count(sums, only_counts(sql) and "same count of changed rows"
      or "same rows")
  end
  for text, reason in pairs(KNOWN) do
    if sql:find(text, 1, true) then return count(sums, "known: " .. reason) end
  end
  count(sums, "another answer")
  print(("-- %s\n-- wanted %s\n-- got %s"):format(sql,
    (want or tostring(failed)):sub(1, 400), (got or tostring(err)):sub(1, 400)))
end

local function try(plain, db, sql)
  local got, err = outcome(db, sql)
  count(sums, "statements")
  local reason = err and err.code == "denied"
    and err.message:match("refused %(([%w-]+)%)")
  if reason then
    count(sums, "refused")
    count(why, reason)
    if reason == "unchecked" then print("-- unchecked: " .. sql) end
  elseif err and not err.sqlstate then
    count(sums, err.code == "syntax" and "do not parse" or "not lunate's")
  else
    count(sums, "accepted")
    compare(plain, sql, got, err)
  end
end

local function report(title, t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys)
  for _, k in ipairs(keys) do
    print(("regress: %6d %s%s"):format(t[k], title, k))
  end
end

describe("PostgreSQL's own regression statements", function()
  it("give a tenant who owns every row what they give without one", function()
    local folder, missing = regress.fetch()
    if not folder then return pending(missing) end
    local s = pg.start { conf = { log_min_messages = "panic" } }
    finally(function() live.close() s:free() end)
    local names = PROVE and regress.schedule(folder) or SHORT
    regress.load(s, folder, names)
    s:psql(ADD, "regression")
    local url = pg.url(s.dir, s.port, "regression")
    local plain = live.open(url, { policies = false })
    local rules, nrules = policies(plain)
    local db = live.open(url, { policies = rules })
    sums, why = { tables = nrules }, {}
    db:with_tenant(A, function(c)
      for _, name in ipairs(names) do
        for _, sql in ipairs(regress.statements(folder, name)) do
          try(plain, c, sql)
        end
      end
    end)
    report("", sums)
    report("refused: ", why)
    assert.is_nil(sums["another answer"])
    assert.is_nil(why.unchecked)
    assert.is_true(sums["same rows"] > (PROVE and 5000 or 100))
  end)
end)
