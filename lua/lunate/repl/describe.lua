-- lunate.repl.describe - what \d and its kin ask of the server's catalogs.
--
-- Each list is one query; $1 is a regular expression of the schema or NULL, $2
-- one of the name or NULL.
local pattern = require "lunate.repl.pattern"

local M = {}

local OWN_SCHEMA = [[
  and ($1::text is not null or $2::text is not null or (n.nspname <>
    'information_schema' and n.nspname !~ '^pg_'))]]

-- With neither: what is found without its schema.
local function scope(oid, visible)
  return ([[
  where ($1::text is null or n.nspname ~ $1)
  and ($1::text is not null or pg_catalog.%s(%s))]]):format(visible, oid)
end

local RELATION = [[
  case c.relkind when 'r' then 'table' when 'p' then 'partitioned table'
    when 'v' then 'view' when 'm' then 'materialized view'
    when 'i' then 'index' when 'I' then 'partitioned index'
    when 'S' then 'sequence' when 'f' then 'foreign table'
    when 'c' then 'composite type' when 't' then 'TOAST table' end]]

local SIZE = [[,
  pg_catalog.pg_size_pretty(pg_catalog.pg_total_relation_size(c.oid)) as "Size",
  pg_catalog.obj_description(c.oid, 'pg_class') as "Description"]]

local function relations(kinds, more)
  return function(plus)
    return ([[
select n.nspname as "Schema", c.relname as "Name", %s as "Type",
  pg_catalog.pg_get_userbyid(c.relowner) as "Owner"%s%s
from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_index i on i.indexrelid = c.oid
  left join pg_catalog.pg_class t on t.oid = i.indrelid
%s and c.relkind in (%s) and ($2::text is null or c.relname ~ $2) %s
order by 1, 2]]):format(RELATION, more or "", plus and SIZE or "",
      scope("c.oid", "pg_table_is_visible"), kinds, OWN_SCHEMA)
  end
end

local function functions(plus)
  return ([[
select n.nspname as "Schema", p.proname as "Name",
  pg_catalog.pg_get_function_result(p.oid) as "Result type",
  pg_catalog.pg_get_function_arguments(p.oid) as "Arguments",
  case p.prokind when 'a' then 'aggregate' when 'w' then 'window'
    when 'p' then 'procedure' else 'function' end as "Kind"%s
from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  join pg_catalog.pg_language l on l.oid = p.prolang
%s and ($2::text is null or p.proname ~ $2) %s
order by 1, 2, 4]]):format(plus and [[,
  case p.provolatile when 'i' then 'immutable' when 's' then 'stable'
    else 'volatile' end as "Volatility", l.lanname as "Language",
  pg_catalog.obj_description(p.oid, 'pg_proc') as "Description"]] or "",
    scope("p.oid", "pg_function_is_visible"), OWN_SCHEMA)
end

local function types(plus)
  return ([[
select n.nspname as "Schema", pg_catalog.format_type(t.oid, null) as "Name",
  case t.typtype when 'e' then 'enum' when 'd' then 'domain'
    when 'c' then 'composite' when 'r' then 'range' when 'm' then 'multirange'
    else 'base' end as "Kind",
  (select pg_catalog.string_agg(e.enumlabel, ', ' order by e.enumsortorder)
    from pg_catalog.pg_enum e where e.enumtypid = t.oid) as "Values"%s
from pg_catalog.pg_type t
  join pg_catalog.pg_namespace n on n.oid = t.typnamespace
%s and ($2::text is null or t.typname ~ $2) %s
  and (t.typrelid = 0 or exists (select from pg_catalog.pg_class c
    where c.oid = t.typrelid and c.relkind = 'c'))
  and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid)
order by 1, 2]]):format(plus and [[,
  pg_catalog.obj_description(t.oid, 'pg_type') as "Description"]] or "",
    scope("t.oid", "pg_type_is_visible"), OWN_SCHEMA)
end

-- Lists without a schema use only $2.
local NO_SCHEMA = "($1::text is null or true) and ($2::text is null or %s ~ $2)"

local function schemas(plus)
  return ([[
select n.nspname as "Name", pg_catalog.pg_get_userbyid(n.nspowner) as "Owner"%s
from pg_catalog.pg_namespace n where %s
  and ($2::text is not null or (n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'))
order by 1]]):format(plus and [[,
  pg_catalog.array_to_string(n.nspacl, E'\n') as "Access privileges",
  pg_catalog.obj_description(n.oid, 'pg_namespace') as "Description"]] or "",
    NO_SCHEMA:format("n.nspname"))
end

local function roles(plus)
  return ([[
select r.rolname as "Role", pg_catalog.concat_ws(', ',
    case when r.rolsuper then 'superuser' end,
    case when not r.rolinherit then 'no inheritance' end,
    case when r.rolcreaterole then 'create role' end,
    case when r.rolcreatedb then 'create db' end,
    case when not r.rolcanlogin then 'cannot login' end,
    case when r.rolreplication then 'replication' end,
    case when r.rolbypassrls then 'bypass RLS' end,
    case when r.rolconnlimit >= 0 then r.rolconnlimit || ' connections' end,
    case when r.rolvaliduntil is not null then 'valid until '
      || r.rolvaliduntil end) as "Attributes",
  (select pg_catalog.string_agg(b.rolname, ', ' order by b.rolname)
    from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles b on b.oid = m.roleid
    where m.member = r.oid) as "Member of"%s
from pg_catalog.pg_roles r where %s
  and ($2::text is not null or r.rolname !~ '^pg_')
order by 1]]):format(plus and [[,
  pg_catalog.shobj_description(r.oid, 'pg_authid') as "Description"]] or "",
    NO_SCHEMA:format("r.rolname"))
end

local function databases(plus)
  return ([[
select d.datname as "Name", pg_catalog.pg_get_userbyid(d.datdba) as "Owner",
  pg_catalog.pg_encoding_to_char(d.encoding) as "Encoding",
  d.datcollate as "Collate", d.datctype as "Ctype"%s
from pg_catalog.pg_database d where %s
order by 1]]):format(plus and [[,
  case when pg_catalog.has_database_privilege(d.datname, 'connect') then
    pg_catalog.pg_size_pretty(pg_catalog.pg_database_size(d.datname)) end
    as "Size",
  pg_catalog.shobj_description(d.oid, 'pg_database') as "Description"]] or "",
    NO_SCHEMA:format("d.datname"))
end

local function extensions()
  return ([[
select e.extname as "Name", e.extversion as "Version", n.nspname as "Schema",
  pg_catalog.obj_description(e.oid, 'pg_extension') as "Description"
from pg_catalog.pg_extension e
  join pg_catalog.pg_namespace n on n.oid = e.extnamespace
where %s order by 1]]):format(NO_SCHEMA:format("e.extname"))
end

local function privileges()
  return ([[
select n.nspname as "Schema", c.relname as "Name", %s as "Type",
  pg_catalog.array_to_string(c.relacl, E'\n') as "Access privileges",
  (select pg_catalog.string_agg(p.polname, E'\n' order by p.polname)
    from pg_catalog.pg_policy p where p.polrelid = c.oid) as "Policies"
from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
%s and c.relkind in ('r', 'v', 'm', 'S', 'f', 'p')
  and ($2::text is null or c.relname ~ $2) %s
order by 1, 2]]):format(RELATION, scope("c.oid", "pg_table_is_visible"),
    OWN_SCHEMA)
end

local OF_TABLE = ', t.relname as "Table"'

-- Letters behind \d -> the query.
M.lists = {
  [""] = relations("'r', 'p', 'v', 'm', 'S', 'f'"),
  t = relations("'r', 'p'"), v = relations("'v'"), m = relations("'m'"),
  i = relations("'i', 'I'", OF_TABLE), s = relations("'S'"),
  E = relations("'f'"), f = functions, T = types, n = schemas, u = roles,
  g = roles, x = extensions, p = privileges, l = databases,
}

---The query of a list and its two parameters.
---@param letter string key of lists
---@param plus boolean more columns
---@param name string? a pattern
---@return string sql, string? schema, string? name
function M.list(letter, plus, name)
  local schema, name_regex
  if name and name ~= "" then
    schema, name_regex = pattern.parse(name)
  end
  return M.lists[letter](plus), schema, name_regex
end

---Finds relations: oid, schema, name, kind, description of the kind.
M.find = ([[
select c.oid, n.nspname, c.relname, c.relkind, %s
from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
%s and ($2::text is null or c.relname ~ $2)
order by 2, 3]]):format(RELATION, scope("c.oid", "pg_table_is_visible"))

---The columns of a relation, $1 its oid.
---@param plus boolean
---@return string
function M.columns(plus)
  return ([[
select a.attname as "Column",
  pg_catalog.format_type(a.atttypid, a.atttypmod) as "Type",
  case when a.attnotnull then 'not null' else '' end as "Nullable",
  case when a.attidentity = 'a' then 'generated always as identity'
    when a.attidentity = 'd' then 'generated by default as identity'
    when a.attgenerated = 's' then 'generated always as ('
      || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') stored'
    else coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') end
    as "Default"%s
from pg_catalog.pg_attribute a
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid
    and d.adnum = a.attnum
where a.attrelid = $1::pg_catalog.oid and a.attnum > 0 and not a.attisdropped
order by a.attnum]]):format(plus and [[,
  case a.attstorage when 'p' then 'plain' when 'e' then 'external'
    when 'm' then 'main' else 'extended' end as "Storage",
  coalesce(pg_catalog.col_description(a.attrelid, a.attnum), '')
    as "Description"]] or "")
end

M.sequence = [[
select pg_catalog.format_type(s.seqtypid, null) as "Type",
  s.seqstart as "Start", s.seqmin as "Minimum", s.seqmax as "Maximum",
  s.seqincrement as "Increment", s.seqcycle as "Cycles", s.seqcache as "Cache"
from pg_catalog.pg_sequence s where s.seqrelid = $1::pg_catalog.oid]]

-- What stands below the columns: a heading and lines, or a line alone.  Each
-- query gives one column of lines.
local function constraints(kind, from)
  return ([[
select '"' || o.conname || '" ' || pg_catalog.pg_get_constraintdef(o.oid)
from pg_catalog.pg_constraint o
where o.%s = $1::pg_catalog.oid and o.contype = '%s' order by o.conname]])
    :format(from, kind)
end

M.parts = {
  { "Partition of", [[
select i.inhparent::pg_catalog.regclass || ' '
  || coalesce(pg_catalog.pg_get_expr(c.relpartbound, c.oid), '')
from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
where i.inhrelid = $1::pg_catalog.oid and c.relispartition]] },
  { "Inherits", [[
select i.inhparent::pg_catalog.regclass::text from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
where i.inhrelid = $1::pg_catalog.oid and not c.relispartition
order by i.inhseqno]] },
  { "Partition key", [[
select pg_catalog.pg_get_partkeydef(p.partrelid)
from pg_catalog.pg_partitioned_table p
where p.partrelid = $1::pg_catalog.oid]] },
  { "Index of", [[
select i.indrelid::pg_catalog.regclass || ': '
  || pg_catalog.pg_get_indexdef(i.indexrelid)
  || case when i.indisvalid then '' else ' (invalid)' end
from pg_catalog.pg_index i where i.indexrelid = $1::pg_catalog.oid]] },
  { "Indexes", [[
select '"' || c.relname || '"' || case when i.indisprimary then ' PRIMARY KEY,'
    when i.indisunique then ' UNIQUE,' else '' end || ' '
  || pg_catalog.substring(pg_catalog.pg_get_indexdef(i.indexrelid),
    ' USING (.*)$')
  || case when i.indisvalid then '' else ' (invalid)' end
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
where i.indrelid = $1::pg_catalog.oid
order by i.indisprimary desc, c.relname]] },
  { "Check constraints", constraints("c", "conrelid") },
  { "Foreign-key constraints", constraints("f", "conrelid") },
  { "Referenced by", [[
select o.conrelid::pg_catalog.regclass || ': "' || o.conname || '" '
  || pg_catalog.pg_get_constraintdef(o.oid)
from pg_catalog.pg_constraint o
where o.confrelid = $1::pg_catalog.oid and o.contype = 'f'
  and o.conparentid = 0
order by 1]] },
  { "Policies", [[
select '"' || p.polname || '" for ' || case p.polcmd when 'r' then 'select'
    when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
    else 'all' end
  || coalesce(' using (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid)
    || ')', '')
  || coalesce(' with check ('
    || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
from pg_catalog.pg_policy p where p.polrelid = $1::pg_catalog.oid
order by p.polname]] },
  { "Triggers", [[
select pg_catalog.pg_get_triggerdef(t.oid, true) from pg_catalog.pg_trigger t
where t.tgrelid = $1::pg_catalog.oid and not t.tgisinternal
order by t.tgname]] },
  { "Owned by", [[
select d.refobjid::pg_catalog.regclass || '.' || a.attname
from pg_catalog.pg_depend d
  join pg_catalog.pg_attribute a on a.attrelid = d.refobjid
    and a.attnum = d.refobjsubid
where d.objid = $1::pg_catalog.oid and d.deptype in ('a', 'i')
  and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and exists (select from pg_catalog.pg_class c
    where c.oid = d.objid and c.relkind = 'S')]] },
  { "Partitions", [[
select i.inhrelid::pg_catalog.regclass || ' '
  || pg_catalog.pg_get_expr(c.relpartbound, c.oid)
from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
where i.inhparent = $1::pg_catalog.oid and c.relispartition order by 1]] },
}

---More of them with a "+".
M.more_parts = {
  { "View definition", [[
select pg_catalog.pg_get_viewdef(c.oid, true) from pg_catalog.pg_class c
where c.oid = $1::pg_catalog.oid and c.relkind in ('v', 'm')]] },
  { "Description", [[
select pg_catalog.obj_description($1::pg_catalog.oid, 'pg_class')
where pg_catalog.obj_description($1::pg_catalog.oid, 'pg_class')
  is not null]] },
  { "Size", [[
select pg_catalog.pg_size_pretty(pg_catalog.pg_total_relation_size(c.oid))
from pg_catalog.pg_class c where c.oid = $1::pg_catalog.oid
  and c.relkind in ('r', 'm', 'i', 't', 'S')]] },
}

---The text of a function (\sf): $1 schema, $2 name.
M.function_text = ([[
select pg_catalog.pg_get_functiondef(p.oid)
from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
%s and p.proname ~ $2 and p.prokind in ('f', 'p')
order by p.oid]]):format(scope("p.oid", "pg_function_is_visible"))

---The text of a view (\sv): $1 schema, $2 name.
M.view_text = ([[
select 'create or replace view ' || c.oid::pg_catalog.regclass || E' as\n'
  || pg_catalog.pg_get_viewdef(c.oid, true)
from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
%s and c.relname ~ $2 and c.relkind in ('v', 'm')
order by c.oid]]):format(scope("c.oid", "pg_table_is_visible"))

return M
