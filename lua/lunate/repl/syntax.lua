-- lunate.repl.syntax - the common statements on a few lines each.
local M = {}

-- In the order of the list that \h shows.
local STATEMENTS = {
  { "select", [=[
[with NAME as (QUERY), ...]
select [distinct [on (EXPRESSION, ...)]] EXPRESSION [as NAME], ...
  [from TABLE [as NAME] [[left|right|full|cross] join TABLE on CONDITION] ...]
  [where CONDITION] [group by EXPRESSION, ...] [having CONDITION]
  [window NAME as (...)] [union|intersect|except [all] QUERY]
  [order by EXPRESSION [asc|desc] [nulls first|last], ...]
  [limit N] [offset N] [for update|share [of TABLE] [nowait|skip locked] ]
]=] },
  { "insert", [=[
insert into TABLE [(COLUMN, ...)] values (EXPRESSION, ...), ... | QUERY
  [on conflict [(COLUMN, ...)] do nothing
    | do update set COLUMN = EXPRESSION, ... [where CONDITION]]
  [returning EXPRESSION, ...]
]=] },
  { "update", [=[
update TABLE [as NAME] set COLUMN = EXPRESSION, ...
  [from TABLE, ...] [where CONDITION] [returning EXPRESSION, ...]
]=] },
  { "delete", [=[
delete from TABLE [as NAME] [using TABLE, ...] [where CONDITION]
  [returning EXPRESSION, ...]
]=] },
  { "merge", [=[
merge into TABLE [as NAME] using TABLE|(QUERY) [as NAME] on CONDITION
  when matched [and CONDITION] then update set ... | delete | do nothing
  when not matched [and CONDITION] then insert [(COLUMN, ...)] values (...)
]=] },
  { "begin", [=[
begin [isolation level read committed|repeatable read|serializable]
  [read only|read write] [deferrable]
commit [and chain]     rollback [and chain]
savepoint NAME     release NAME     rollback to NAME
]=] },
  { "copy", [=[
copy TABLE [(COLUMN, ...)] from stdin | 'SERVER FILE' [with (OPTION, ...)]
copy TABLE [(COLUMN, ...)] | (QUERY) to stdout | 'SERVER FILE' [with (...)]
  options: format csv|text|binary, header, delimiter 'C', null 'TEXT',
  quote 'C', encoding 'NAME'.  \copy takes a file of this machine.
]=] },
  { "create table", [=[
create [temporary|unlogged] table [if not exists] NAME (
  COLUMN TYPE [not null] [default EXPRESSION] [primary key] [unique]
    [references TABLE [(COLUMN)] [on delete cascade|restrict|set null]]
    [check (CONDITION)] [generated always as identity],
  [constraint NAME] primary key|unique (COLUMN, ...) | check (CONDITION)
    | foreign key (COLUMN, ...) references TABLE (COLUMN, ...), ...)
  [partition by range|list|hash (COLUMN, ...)]
create table NAME as QUERY
]=] },
  { "alter table", [=[
alter table [if exists] NAME
  add column [if not exists] COLUMN TYPE ... | drop column [if exists] COLUMN
  | alter column COLUMN set default EXPRESSION | drop default
  | alter column COLUMN set not null | drop not null
  | alter column COLUMN type TYPE [using EXPRESSION]
  | add constraint NAME ... [not valid] | validate constraint NAME
  | drop constraint NAME | rename column COLUMN to NAME | rename to NAME
  | enable row level security | owner to ROLE | set schema NAME
]=] },
  { "create index", [=[
create [unique] index [concurrently] [if not exists] [NAME] on TABLE
  [using btree|hash|gin|gist|brin] (COLUMN|(EXPRESSION) [desc], ...)
  [include (COLUMN, ...)] [where CONDITION]
]=] },
  { "create view", [=[
create [or replace] view NAME [(COLUMN, ...)] as QUERY
create materialized view NAME as QUERY [with no data]
refresh materialized view [concurrently] NAME
]=] },
  { "create function", [=[
create [or replace] function NAME ([ARGUMENT] TYPE [default VALUE], ...)
  returns TYPE | table (COLUMN TYPE, ...) | setof TYPE | trigger
  language sql|plpgsql [immutable|stable|volatile] [strict]
  [security definer] [set SETTING = VALUE] as $$ BODY $$
create procedure NAME (...) language ... as $$ BODY $$     call NAME (...)
]=] },
  { "create trigger", [=[
create [or replace] trigger NAME before|after|instead of
  insert|update [of COLUMN, ...]|delete|truncate [or ...] on TABLE
  [for each row|statement] [when (CONDITION)] execute function NAME ()
]=] },
  { "create policy", [=[
create policy NAME on TABLE [as permissive|restrictive]
  [for all|select|insert|update|delete] [to ROLE, ...]
  [using (CONDITION)] [with check (CONDITION)]
]=] },
  { "create type", [=[
create type NAME as enum ('LABEL', ...) | as (COLUMN TYPE, ...)
alter type NAME add value [if not exists] 'LABEL' [before|after 'LABEL']
create domain NAME as TYPE [not null] [check (CONDITION)]
]=] },
  { "create schema", [=[
create schema [if not exists] NAME [authorization ROLE]
create sequence NAME [increment N] [start N]
create extension [if not exists] NAME [schema NAME]
create role NAME [login] [password 'TEXT'] [in role NAME, ...]
]=] },
  { "drop", [=[
drop table|view|index|function|type|schema|... [if exists] NAME, ...
  [cascade|restrict]
]=] },
  { "grant", [=[
grant select|insert|update|delete|all on [all tables in schema] NAME
  to ROLE, ... [with grant option]     grant ROLE to ROLE
revoke ... on NAME from ROLE
]=] },
  { "explain", [=[
explain [(analyze, buffers, verbose, format text|json)] STATEMENT
  with analyze the statement is run
]=] },
  { "set", [=[
set [local] SETTING = VALUE     reset SETTING     show SETTING | all
]=] },
  { "vacuum", [=[
vacuum [(full, analyze, verbose)] [TABLE]     analyze [TABLE]
reindex [(concurrently)] index|table|schema NAME
]=] },
}

local function list()
  local out = { "Syntax of (\\h NAME):\n" }
  for _, one in ipairs(STATEMENTS) do
    out[#out + 1] = "  " .. one[1] .. "\n"
  end
  return table.concat(out)
end

---The names that \h knows.
M.names = {}
for i, one in ipairs(STATEMENTS) do
  M.names[i] = one[1]
end

---The lines on a statement, or the list for an empty name; nil when there is
---none.
---@param name string
---@return string?
function M.text(name)
  name = name:lower():gsub(";*%s*$", ""):gsub("%s+", " ")
  if name == "" then
    return list()
  end
  local out = {}
  for _, one in ipairs(STATEMENTS) do
    if one[1]:sub(1, #name) == name or name:sub(1, #one[1] + 1) == one[1] .. " "
    then
      out[#out + 1] = one[2]
    end
  end
  return out[1] and table.concat(out, "\n") or nil
end

return M
