-- functions - which of PostgreSQL's own functions a tenant's statement may
-- call: the candidates of a live server, less what review has excluded.
--
--   luajit tests/support/functions.lua    prints the table in vet_functions.c
--
-- A candidate is a function, aggregate or window function of pg_catalog of
-- whose overloads none is volatile, none takes or gives what is no value (text
-- of the type's input routine, OIDs of the catalog, transaction ids), and
-- which is no more than the inside of an operator, an index or an aggregate.
-- A new server's new functions enter only by running this again and reading
-- the difference.
package.path = "tests/?.lua;" .. package.path

local M = {}

--- Names the query below does not give, or only inside what is excluded; each
--- was read in PostgreSQL's documentation and source.
M.reviewed = {
  -- volatile because the answer varies; nothing else does
  "clock_timestamp", "gen_random_uuid", "random", "timeofday",
  -- of age(xid), max(tid), min(tid) the types are refused
  "age", "max", "min",
  -- take a text search configuration by its name
  "json_to_tsvector", "jsonb_to_tsvector", "phraseto_tsquery",
  "plainto_tsquery", "to_tsquery", "to_tsvector", "ts_headline",
  "websearch_to_tsquery",
  -- do the work of an operator or an index under a documented name
  "array_cat", "bound_box", "inet_merge", "inet_same_family", "starts_with",
  -- tell of a value, not of the server
  "pg_collation_for", "pg_column_size", "pg_size_bytes", "pg_size_pretty",
  "pg_typeof",
}

--- What no tenant may call although a server calls it immutable or stable.
--- Patterns of Lua; each matches whole names.
M.excluded = {
  -- run a text as SQL, or read relations by name
  "query_to_xml.*", "table_to_xml.*", "schema_to_xml.*", "database_to_xml.*",
  "cursor_to_xml.*", "ts_stat", "ts_rewrite",
  -- settings, and who and what the server is
  "set_config", "current_setting", "current_user", "session_user",
  "current_database", "current_schemas?", "current_query", "getpgusername",
  "getdatabaseencoding", "version", "inet_client_.*", "inet_server_.*",
  "row_security_active",
  -- the catalog
  "pg_.*", "has_.*", "obj_description", "col_description",
  "shobj_description", "format_type", "to_reg.*", "oidvectortypes",
  "satisfies_hash_partition", "ts_debug", "ts_parse", "ts_token_type",
  "get_current_ts_config", "ts_lexize", "nameconcatoid",
  "postgresql_fdw_validator",
  -- transactions, sequences, locks, large objects, the session
  "txid_.*", "nextval", "currval", "lastval", "setval", "lo_.*", "loread",
  "lowrite", "setseed",
  -- a bigint column compared with an oid becomes one, and raises if too large
  "oid",
  -- the rewrite's own
  "parse_ident",
  -- the inside of types
  ".*send",
  ".*_subdiff", ".*_canonical", "similar_escape", "xmlvalidate",
}

local QUERY = [[
WITH f AS (
  SELECT p.oid, p.proname::text AS name, p.provolatile <> 'v' AS calm,
    NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[] || p.prorettype) a
      JOIN pg_type t ON t.oid = a WHERE t.typname ~ '^_?(internal|cstring|'
        'trigger|event_trigger|void|.*_handler|aclitem|xid8?|cid|tid|'
        'txid_snapshot|refcursor|reg.*|pg_.*)$') AS values,
    coalesce(d.description ~ '^implementation of ', false)
      OR EXISTS (SELECT FROM pg_amproc m WHERE m.amproc = p.oid)
      OR EXISTS (SELECT FROM pg_aggregate g WHERE p.oid = ANY (ARRAY[
        g.aggtransfn, g.aggfinalfn, g.aggcombinefn, g.aggserialfn,
        g.aggdeserialfn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn]))
      OR coalesce(d.description ~ '^(I/O|internal conversion|join selectivity|'
        'restriction selectivity|aggregate (transition|final))', false)
      AS inside
  FROM pg_proc p LEFT JOIN pg_description d
    ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
  WHERE p.pronamespace = 11 AND p.oid < 16384 AND p.prokind IN ('f', 'a', 'w'))
SELECT name FROM f GROUP BY name
HAVING bool_and(calm AND values) AND NOT bool_and(inside) ORDER BY name]]

local function set(list)
  local s = {}
  for _, name in ipairs(list) do s[name] = true end
  return s
end

--- Has review excluded this name?
---@param name string
function M.is_excluded(name)
  if set(M.reviewed)[name] then return false end
  for _, pattern in ipairs(M.excluded) do
    if name:find("^" .. pattern .. "$") then return true end
  end
  return false
end

--- The list as this server and the review give it, sorted.
---@param server table of support.pg
---@return string[]
function M.generate(server)
  local all = set(M.reviewed)
  for name in server:psql(QUERY):gmatch("[^\n]+") do
    if not M.is_excluded(name) then all[name] = true end
  end
  local list = {}
  for name in pairs(all) do list[#list + 1] = name end
  table.sort(list)
  return list
end

--- The list that is compiled in.
---@return string[]
function M.compiled()
  local file = assert(io.open("runtime/sql/vet_functions.c"))
  local list = {}
  local text = file:read("*a"):match("standard%[%] = {(.-)\n};")
  file:close()
  for name in text:gmatch('"([^"]+)"') do list[#list + 1] = name end
  return list
end

local function print_table(list)
  local line = "\t"
  for _, name in ipairs(list) do
    local item = ('"%s", '):format(name)
    if #line + #item > 73 then
      print((line:gsub(" $", "")))
      line = "\t"
    end
    line = line .. item
  end
  print((line:gsub(" $", "")))
end

if arg and arg[0] and arg[0]:find("support/functions%.lua$") then
  local server = require("support.pg").start {}
  print_table(M.generate(server))
  server:free()
end

return M
