-- Statements that read: numbered as in the list of hostile SQL they come from.
-- { number, sentence, sql, what comes of it, the layers that each stop it }
local S, E = "S", "E"
local ROWS = "rewrite rls"
local SEEN = "rewrite rls egress" -- the tenant's column comes along
local BARRED = { "gate rls", rewrite = "gate rewrite" }

return {
  -- ---- names
  { 1, "a table is its tenant's rows", "select * from patients", S, SEEN },
  { 2, "letters in upper case are the same name",
    "select * from PATIENTS", S, SEEN },
  { 2, "a quoted name is the same name", [[select * from "patients"]], S,
    SEEN },
  { 2, "a name in Unicode escapes is the same name",
    [[select * from U&"p\0061tients"]], S, SEEN },
  { 3, "TABLE is a SELECT", "table patients", S, SEEN },
  { 4, "ONLY in parentheses hides no name",
    "select * from only (patients)", S, SEEN },
  { 4, "a star behind the name hides none", "select * from patients *", S,
    SEEN },
  -- ---- conditions
  { 5, "OR true is not wider", "select * from patients where id = 1 or true",
    S, SEEN },
  { 6, "a comment at the end swallows nothing",
    "select * from patients where id = 1 or true -- ", S, SEEN },
  { 6, "comments in comments swallow nothing",
    "select * from patients /* a /* b */ where 1=0 */ where id = 1 or true /*"
    .. " */", S, SEEN },
  { 7, "parentheses around OR are kept",
    "select * from patients where (true or name = 'x') is true", S, SEEN },
  -- ---- aliases
  { 9, "an alias is not the table", "select * from icd as patients", E, "" },
  { 10, "a whole row is a row of the tenant",
    "select patients from patients", S, ROWS },
  { 11, "both of two aliases are scoped",
    "select p.*, q.* from patients p, patients q", S, SEEN },
  -- ---- joins
  { 13, "a left join keeps its own clinic, unmatched",
    [[select c.name, p.name from clinics c left join patients p
      on p.clinic_id = c.id and p.name = 'nobody']], S, ROWS },
  { 14, "a left join with what is shared", [[select p.name, i.title
      from patients p left join icd i on i.code = p.mrn]], S, ROWS },
  { 16, "a right join", [[select p.name, a.note from appts a
      right join patients p on p.id = a.patient_id]], S, ROWS },
  { 16, "a right join the other way", [[select p.name, a.note from patients p
      right join appts a on p.id = a.patient_id]], S, ROWS },
  { 16, "a full join", [[select p.name, a.note from patients p
      full join appts a on p.id = a.patient_id and a.note = 'cough']], S,
    ROWS },
  { 17, "LATERAL is scoped inside", [[select p.id, x.note from patients p cross
      join lateral (select * from appts a where a.patient_id = p.id) x]], S,
    ROWS },
  -- ---- sub-selects
  { 18, "IN (SELECT) is scoped", [[select code from icd where exists (select
      from patients where id in (select patient_id from appts
      where note = 'burn'))]], S, ROWS },
  { 19, "EXISTS is", "select code from icd where exists "
    .. "(select from patients where name = 'Bob')", S, ROWS },
  { 19, "NOT EXISTS is", "select code from icd where not exists "
    .. "(select from patients where name = 'Bob')", S, ROWS },
  { 19, "= ANY is", "select code from icd where 'Bob' = any "
    .. "(select name from patients)", S, ROWS },
  { 19, "<> ALL is", "select code from icd where 'Bob' <> all "
    .. "(select name from patients)", S, ROWS },
  { 20, "a sub-select in the select list",
    "select (select count(*) from patients) n", S, ROWS },
  { 20, "a sub-select in ORDER BY", "select code from icd order by case when "
    .. "(select count(*) from patients) = 9 then code end, code desc limit 1",
    S, ROWS },
  { 20, "a sub-select in LIMIT",
    "select code from icd order by code limit (select count(*) - 4 from "
    .. "patients)", S, ROWS },
  { 20, "a sub-select in OFFSET",
    "select code from icd order by code offset (select count(*) - 5 from "
    .. "patients)", S, ROWS },
  { 20, "a sub-select in GROUP BY",
    "select count(*) from icd group by code = 'I10' and (select count(*) "
    .. "from patients) = 9", S, ROWS },
  { 20, "a sub-select in HAVING", "select count(*) from icd having "
    .. "(select count(*) from patients) = 9", S, ROWS },
  { 20, "a sub-select in FILTER", "select count(*) filter (where "
    .. "(select count(*) from patients) = 9) from icd", S, ROWS },
  { 20, "a sub-select in OVER", "select code, rank() over (order by code = "
    .. "'I10' and (select count(*) from patients) = 9) from icd", S, ROWS },
  -- ---- samples
  { 22, "no sub-select as an argument of TABLESAMPLE",
    "select * from patients tablesample bernoulli((select 100 from patients "
    .. "limit 1))", "D:form", "gate rewrite rls egress" },
  { 23, "a sample is of the tenant's rows",
    "select * from patients tablesample bernoulli(100)", S, SEEN },
  -- ---- sets
  { 24, "each arm of a UNION ALL", [[select name from patients union all
      select drug from rx_items]], S, ROWS },
  { 24, "each arm of an INTERSECT", [[select mrn from patients intersect
      (select mrn from patients where name in ('Ben', 'Anna'))]], S, ROWS },
  { 24, "each arm of an EXCEPT", [[select code from icd except
      select code from rx_items where drug = 'morphine']], S, ROWS },
  { 24, "arms nested in parentheses", [[(select name from patients except
      (select name from people)) union ((select note from appts))]], S, ROWS },
  -- ---- WITH
  { 25, "a CTE over a table",
    "with x as (select * from patients) select * from x", S, SEEN },
  { 26, "a CTE of a table's name is not the table",
    "with patients as (select 42 x) select * from patients", E, "" },
  { 28, "a recursive CTE names itself, and inside it the table",
    [[with recursive patients as (select 100 as n union all select p.n + 1
      from patients p, public.patients q where q.id = p.n + 1)
      select count(*) from patients]], S, ROWS },
  { 28, "a recursive CTE over a table", [[with recursive r as (select id from
      patients where name in ('Ben', 'Ada') union select r.id + 1 from r,
      patients p where p.id = r.id + 1) select * from r]], S, ROWS },
  { 30, "a name with its schema is the table, whatever CTE there is",
    "with patients as (select 1) select * from public.patients", S, SEEN },
  -- ---- locks, system columns
  { 55, "FOR UPDATE OF locks the tenant's rows",
    "select name from patients p for update of p skip locked", S, ROWS },
  { 56, "system columns are refused",
    "select ctid, xmin, tableoid, id from patients", "D:system-column",
    "gate rewrite", ran = true },
  -- ---- relations that are not on the list
  { 58, "a partition is not read by its own name",
    "select * from appts_2024", "D:unknown-table", "gate rewrite rls egress" },
  { 59, "a materialized view without a rule is refused", "select * from mv",
    "D:view", "gate rewrite" },
  { 59, "a materialized view with a rule is scoped by its column",
    "select * from mv_ruled", { S, rls = "D:closed" },
    { "rewrite egress", rls = "egress gate+rls" } },
  { 60, "a view that runs as its owner is refused", "select * from v_definer",
    "D:view", "gate rewrite" },
  { 61, "a view that runs as who asks is scoped", "select * from v_invoker",
    { S, rls = "D:closed" }, SEEN },
  { 62, "a function that runs as its owner is refused",
    "select * from f_definer()", "D:function", "gate" },
  { 63, "a table without the tenant's column is scoped by its parent",
    "select * from rx_items", S, ROWS },
  { 63, "and one that a membership scopes", "select * from people", S, ROWS },
  -- ---- catalogs
  { 92, "pg_stats is refused", "select most_common_vals::text from pg_stats "
    .. "where tablename = 'patients' and attname = 'name'", "D:catalog",
    "gate rewrite" },
  { 92, "pg_stat_activity is refused", "select query from pg_stat_activity",
    "D:catalog", "gate rewrite", ran = true },
  { 92, "pg_cursors is refused", "select name from pg_cursors", "D:catalog",
    "gate rewrite", ran = true },
  { 92, "pg_prepared_statements is refused",
    "select statement from pg_prepared_statements", "D:catalog",
    "gate rewrite", ran = true },
  { 92, "pg_locks is refused", "select pid from pg_locks", "D:catalog",
    "gate rewrite", ran = true },
  { 93, "pg_class tells no counts", "select reltuples from pg_class where "
    .. "relname = 'patients'", "D:catalog", "gate rewrite" },
  { 93, "pg_relation_size is refused",
    "select pg_relation_size(16384)", "D:function", "gate", ran = true },
  { 93, "n_live_tup is refused", "select n_live_tup from "
    .. "pg_stat_user_tables", "D:catalog", "gate rewrite", ran = true },
  -- ---- errors that would tell
  { 96, "a cast to int is not tried on hidden rows",
    "select id from patients where secret::int = 1", S, ROWS,
    tells = "value" },
  { 96, "a cast to regclass is refused", "select id from patients where "
    .. "id > 100 and secret::regclass is not null", "D:type",
    BARRED, tells = "undefined" },
  { 96, "a division by zero is not tried on hidden rows",
    "select id from patients where 1 / (id - 101) > 5", S, ROWS,
    tells = "value" },
  { 97, "a cheap function that tells is refused",
    "select id from patients where tell(secret)", "D:function",
    BARRED, tells = "query_failed" },
}
