-- Shapes of queries, our own: odd places for a table, and what a row can be.
local S = "S"
local ROWS = "rewrite rls"
local SEEN = "rewrite rls egress" -- the tenant's column comes along
local FENCED = { "rls", rewrite = "rewrite" } -- the planner is held back
local BARRED = { "gate rls", rewrite = "gate rewrite" }

return {
  -- ---- joins
  { false, "JOIN USING", [[select name, drug from patients join rx
      using (clinic_id) join rx_items i on i.rx_id = rx.id]], S, ROWS },
  { false, "JOIN USING with an alias of its own", [[select j.clinic_id, p.name
      from patients p join rx r using (clinic_id) as j]], S, SEEN },
  { false, "a NATURAL JOIN with the clinic of choice",
    "select * from patients natural join (select '$B'::uuid clinic_id) x", S,
    SEEN },
  { false, "a right join to the clinic of choice", [[select x.c, p.name
      from patients p right join (values ('$B'::uuid), ('$A')) x (c)
      on p.clinic_id = x.c]], S, ROWS },
  { false, "an outer join whose condition is never true",
    "select p.name from icd i full join patients p on false", S, ROWS },
  { false, "outer joins below outer joins", [[select p.name, r.id, i.drug
      from (patients p left join rx r on r.patient_id = p.id)
      full join rx_items i on i.rx_id = r.id]], S, ROWS },
  { false, "a left join to LATERAL",
    [[select i.code, x.name from icd i left join lateral (select name from
      patients where mrn <> i.code) x on true]], S,
    ROWS },
  { false, "LATERAL of a function", [[select p.name, t from patients p,
      lateral unnest(p.tags) t]], S, ROWS },
  { false, "a parent's row of another clinic joins none",
    "select * from rx_items i join rx r on r.id = i.rx_id where r.id > 100",
    S, SEEN },
  -- ---- functions in FROM
  { false, "ROWS FROM with a sub-select",
    [[select * from rows from (generate_series(1, 2),
      unnest(array(select name from patients order by id)))]], S, ROWS },
  { false, "generate_series to a count",
    "select * from generate_series(1, (select count(*) from patients))", S,
    ROWS },
  { false, "XMLTABLE over a table",
    [[select x.* from xmltable('/r/n' passing (select xmlelement(name r,
      xmlagg(xmlelement(name n, name))) from patients)
      columns n text path '.') x]], S, ROWS },
  { false, "json_each of rows", [[select j.key, j.value::text from patients p,
      json_each(row_to_json(p)) j]], S, ROWS },
  { false, "jsonb_array_elements of an aggregate",
    [[select e->>'name' from jsonb_array_elements((select jsonb_agg(p)
      from patients p)) e]], S, ROWS },
  -- ---- rows as values
  { false, "a row as text", "select p::text from patients p", S, ROWS },
  { false, "a row as JSON", "select to_jsonb(p) - 'doc' from patients p", S,
    ROWS },
  { false, "a row in format()",
    "select format('%s', p) from patients p", S, ROWS },
  { false, "a row compared with a row", [[select p.name from patients p
      where p > (select q from patients q order by id limit 1)]], S, ROWS },
  { false, "a row's column by parentheses",
    "select (p).name, (p).* from patients p", S, SEEN },
  { false, "a column of a row that a sub-select gives has no type any more",
    "select ((select p from patients p order by id desc limit 1)).name",
    { "undefined", rls = S }, ROWS },
  { false, "a function written as a column is refused",
    "select p.names from patients p limit 1", "D:function", "gate" },
  { false, "and behind parentheses",
    "select (p).names from patients p limit 1", "D:function", "gate" },
  { false, "and of a sub-select",
    "select ((select p from patients p limit 1)).names", "D:function",
    "gate rewrite" },
  { false, "and by its schema",
    "select patients.names from public.patients limit 1", "D:function",
    "gate" },
  { false, "and as a function",
    "select names(p) from patients p limit 1", "D:function", "gate" },
  { false, "a row's type is refused", "select null::patients", "D:type",
    "gate", ran = true },
  { false, "so is the type of an array of rows",
    "select '{}'::public.patients[]", "D:type", "gate", ran = true },
  { false, "and a cast that looks like a call",
    "select patients('(1,,,,,,,,)')", "D:type", "gate", fails = "undefined" },
  { false, "and a table to be filled from JSON",
    "select * from json_populate_recordset(null::patients, '[{\"id\": 1}]')",
    "D:type", "gate", ran = true },
  -- ---- aggregates and windows
  { false, "GROUPING SETS", [[select mrn, name, grouping(mrn, name), count(*)
      from patients group by grouping sets ((mrn), (name), ())]], S, ROWS },
  { false, "CUBE over two tables", [[select p.mrn, i.drug, count(*)
      from patients p, rx_items i group by cube (p.mrn, i.drug)]], S, ROWS },
  { false, "the columns of a grouped key",
    "select id, name, born, count(*) from patients group by id", S, ROWS },
  { false, "a grouped key below an outer join", [[select p.id, p.name,
      count(r.id) from rx r right join patients p on p.id = r.patient_id
      group by p.id]], S, ROWS },
  { false, "grouped arms of a UNION", [[select id, name from patients group by
      id union select id, drug from rx_items group by id]], S, ROWS },
  { false, "grouped by a whole row",
    "select count(*), p.id from patients p group by p, p.id", S, ROWS },
  { false, "a window over all rows",
    "select id, count(*) over (), lag(name) over (order by id) from patients",
    S, ROWS },
  { false, "a window's frame by a sub-select", [[select i.code, count(*) over
      (order by code rows between (select count(*) - 5 from patients) preceding
      and current row) from icd i]], S, ROWS },
  { false, "an aggregate with an order of its own",
    "select string_agg(name, ',' order by id) from patients", S, ROWS },
  { false, "DISTINCT ON", "select distinct on (mrn) mrn, name from patients "
    .. "order by mrn, name desc", S, ROWS },
  { false, "HAVING without GROUP BY",
    "select max(id) from patients having count(*) > 0", S, ROWS },
  -- ---- ends of a query
  { false, "FETCH WITH TIES",
    "select born from patients order by born desc nulls first "
    .. "fetch first 2 rows with ties", S, ROWS },
  { false, "LIMIT by a parameter and OFFSET",
    "select id from patients order by id desc limit $1 offset 1", S, ROWS,
    params = { 3 } },
  { false, "FOR UPDATE NOWAIT",
    "select id from patients for no key update nowait", S, ROWS },
  { false, "FOR KEY SHARE of one of two",
    [[select p.name from patients p, rx r where r.patient_id = p.id
      for key share of r]], S, ROWS },
  { false, "a sample that can be repeated",
    "select * from patients as p tablesample system (100) repeatable (7) "
    .. "where p.id > 0 or true", S, SEEN },
  { false, "a sampling method of an extension is refused",
    "select * from patients tablesample system_rows (100)", "D:function",
    "gate", fails = "undefined" },
  { false, "ONLY of a partitioned table", "select * from only appts", S, "" },
  { false, "a partitioned table is scoped in its partitions",
    "select * from appts where at < '2025-01-01'", S, SEEN },
  -- ---- WITH
  { false, "a CTE that is not materialized", [[with x as not materialized
      (select * from patients) select name from x where id > 100 or true]], S,
    ROWS },
  { false, "a CTE inside a sub-select hides the table only there",
    [[select * from (with patients as (select 1 as one) select * from patients)
      x, patients]], S, SEEN },
  { false, "in WITH RECURSIVE a later CTE hides the table in earlier ones",
    [[with recursive x as (select * from patients), patients as (select 1 n)
      select * from x]], S, "" },
  { false, "without RECURSIVE it does not",
    [[with x as (select * from patients), patients as (select 1 n)
      select * from x]], S, SEEN },
  { false, "a CTE of the outer query is seen inside",
    [[with people as (select 'nobody'::text as name) select name from patients
      where exists (select from people where name = 'nobody')]], S, ROWS },
  { false, "SEARCH and CYCLE", [[with recursive r as (select id, 0 as n from rx
      union all select r.id + 1, n + 1 from r, rx where rx.id = r.id + 1)
      search depth first by id set o cycle id set c using w
      select id, n, c from r]], S, ROWS },
  -- ---- VALUES and arrays
  { false, "VALUES with sub-selects",
    "values ((select count(*) from patients)), ((select 0))", S, ROWS },
  { false, "IN over VALUES with a sub-select",
    "select code from icd where 9 in (values ((select count(*) from "
    .. "patients)), (0))", S, ROWS },
  { false, "ARRAY(SELECT)", "select array(select name from patients order by "
    .. "id)", S, ROWS },
  { false, "a subscript by a sub-select",
    "select (array['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'])[(select "
    .. "count(*) from patients)]", S, ROWS },
  { false, "CASE with sub-selects", "select case when exists (select from "
    .. "patients where name = 'Bob') then 'is' else 'is not' end", S, ROWS },
  { false, "COALESCE of sub-selects",
    "select coalesce((select name from patients where id = 101), 'none')", S,
    ROWS },
  { false, "a sub-select of a sub-select of a sub-select",
    "select (select (select max(name) from patients where exists (select "
    .. "from people where name = 'Bill')))", S, ROWS },
  { false, "a row of sub-selects",
    "select code from icd where (code, 'Bob') in (select i.code, p.name "
    .. "from icd i, patients p)", S, ROWS },
  -- ---- names by schema
  { false, "columns named with their schema",
    "select public.patients.name from public.patients where "
    .. "public.patients.id > 0 or true", S, ROWS },
  { false, "columns named with their schema, both tables", [[select
      public.patients.name, public.rx.id from patients, rx
      where public.rx.patient_id = public.patients.id]], S, ROWS },
  -- ---- errors that tell of hidden rows
  { false, "a domain's check is not tried on hidden rows",
    "select id from patients where secret::short is not null", S, FENCED,
    tells = "constraint" },
  { false, "a time zone is not looked up for hidden rows",
    "select id from patients where id > 100 and (now() at time zone "
    .. "substr(secret, 1, 6)) is null", S, ROWS, tells = "value" },
  { false, "a pattern is not compiled for hidden rows",
    [[select id from patients where id > 100 and 'x' ~ ('(' || secret)]], S,
    ROWS, tells = "value" },
  { false, "LIKE tells not how a hidden row begins",
    [[select id from patients where name like 'Be\']], S, FENCED,
    tells = "value" },
  { false, "nor by a parameter",
    "select id from rx_items where drug like $1", S, FENCED, tells = "value",
    params = { "mor\\" } },
  { false, "nor in a join",
    [[select i.code, x.id from icd i left join rx_items x on x.drug like
      'mor\']], S, FENCED, tells = "value" },
  { false, "nor in the condition of a DELETE",
    [[delete from people where name like 'Bi\']], S, FENCED,
    tells = "value" },
  { false, "the planner's own statistics are held back by no rewrite",
    [[select id from rx_items where drug ilike 'mor\']],
    { S, rewrite = "leaks" }, "rls", tells = "value" },
  { false, "whole rows are compared with no hidden one",
    [[select id from forms f where f = (select r from (select 101 as id,
      101 as rx_id, '{}'::json as body) r)]], S, FENCED, tells = "undefined" },
  { false, "JSON is not read for hidden rows",
    "select id from patients where secret::json is not null", S, ROWS,
    tells = "value" },
  { false, "a cast in a join's condition", [[select i.code from icd i left join
      patients p on p.secret::int = 3 and i.code = 'I10']], S, ROWS,
    tells = "value" },
  { false, "a cast in the condition of an UPDATE",
    "update patients set name = 'x' where secret::int = 3", S, ROWS,
    tells = "value" },
  { false, "a cast in HAVING of a CTE", [[with x as (select max(secret) m, id
      from patients group by id having max(secret)::int > 0) select count(*)
      from x]], S, ROWS, tells = "value" },
  { false, "a cast in the condition of MERGE", [[merge into patients p using icd
      i on p.secret::int = 3 and i.code = 'I10' when matched then update
      set name = 'x']], S, ROWS, tells = "value" },
  { false, "an operator of a user is refused",
    "select id from patients where name ~?~ secret", "D:operator",
    BARRED, tells = "query_failed" },
  { false, "also by its schema",
    "select id from patients where name operator(public.~?~) secret",
    "D:operator", BARRED, tells = "query_failed" },
  { false, "PostgreSQL's own by its schema is none",
    "select id from patients where id operator(pg_catalog.>) 0 or true", S,
    ROWS },
}
