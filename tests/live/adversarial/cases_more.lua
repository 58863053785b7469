-- Places where an edit of the text could go astray, our own: keywords that
-- come twice, names that are exchanged, texts that are long.
local S = "S"
local ROWS = "rewrite rls"
local SEEN = "rewrite rls egress"

return {
  -- ---- long, deep, empty
  { false, "a text that is so long that it is parsed elsewhere",
    "select * from patients where id = 1 or true /*" .. ("x"):rep(40000)
    .. "*/", S, SEEN },
  { false, "a long list", "select * from patients where id in ("
    .. ("7, "):rep(5000) .. "101)", S, SEEN },
  { false, "deep brackets", "select * from patients where "
    .. ("("):rep(900) .. "true" .. (")"):rep(900), S, SEEN },
  { false, "empty statements around it", ";; select * from patients ;;", S,
    SEEN },
  -- ---- TABLE
  { false, "TABLE in a set operation",
    "(table patients) union all (table patients)", S, ROWS },
  { false, "TABLE in FROM", "select x.name from (table patients) x", S,
    ROWS },
  { false, "TABLE in EXISTS and IN", "select code from icd where exists "
    .. "(table people) and 'Bob' in (select name from (table patients) t)", S,
    ROWS },
  { false, "TABLE of a CTE of TABLE", "with x as (table rx_items) table x", S,
    ROWS },
  { false, "TABLE with an order and a limit",
    "table people order by id desc limit 1", S, ROWS },
  -- ---- names that are exchanged
  { false, "an UPDATE whose tables have each other's names",
    [[update patients as rx set name = 'x' from rx as patients
      where patients.id > 100 or rx.id = 1]], S, ROWS },
  { false, "a DELETE whose tables have each other's names",
    [[delete from rx_items as rx using rx as rx_items
      where rx_items.id > 100 or rx.id = 1]], S, ROWS },
  { false, "an alias with escapes that the runtime would use",
    [[select * from patients as U&"lunate\005f0"]], "D:reserved",
    "gate rewrite rls egress" },
  { false, "all columns renamed and joined by nature", [[select * from patients
      p (a, b) natural join patients q (c, d)]], S, SEEN },
  { false, "the merged column of a join, grouped", [[select clinic_id, count(*)
      from patients join rx using (clinic_id) group by clinic_id]], S, SEEN },
  { false, "FOR UPDATE OF the table's own name",
    "select name from patients for update of patients", S, ROWS },
  { false, "FOR UPDATE of all, two tables and a sub-select",
    [[select p.name, r.id from patients p join (select * from rx) r
      on r.patient_id = p.id for update]], S, ROWS },
  -- ---- keywords that come twice
  { false, "MERGE with CASE in its ON", [[merge into patients p using (values
      (101), (1)) v (id) on case when v.id > 0 then p.id = v.id end
      when matched then update set name = 'x']], S, ROWS },
  { false, "MERGE with a join and two ONs", [[merge into patients p using icd i
      join rx r on i.code = 'I10' on p.id = r.patient_id
      when matched then update set name = i.title || r.id]], S, ROWS,
    tells = "query_failed" },
  { false, "MERGE with WHEN in a condition", [[merge into rx_items i using icd c
      on i.code = c.code when matched and case when true then true end
      and exists (select from people where name = 'Bill')
      then update set drug = 'x']], S, ROWS },
  { false, "MERGE from what it changes in WITH", [[with v as (select id from
      patients) merge into patients p using v on v.id = p.id
      when matched then update set name = 'x']], S, ROWS },
  { false, "UPDATE ... FROM a join without WHERE", [[update patients p set
      name = 'x' from rx r left join icd i on i.code = 'x' returning p.id]], S,
    ROWS },
  { false, "UPDATE with WHERE in each place", [[update patients p set name =
      (select min(name) from people where id > 0) from (select 1 where true) x
      where exists (select from rx where rx.patient_id = p.id)
      returning (select max(id) from rx where true)]], S, ROWS },
  { false, "RETURNING with labels that are keywords",
    "delete from rx_items returning id as where, drug as returning", S,
    ROWS },
  { false, "a condition with FROM, FOR and a zone",
    [[select id from patients where name is distinct from 'x' and
      substring(name from 1 for 1) <> 'q' and born at time zone 'UTC'
      is distinct from now() order by id]], S, ROWS },
  { false, "an upsert in WITH, with a WHERE of its own",
    [[with u as (insert into patients as p (id, mrn, name) values (9, 'M1',
      'x') on conflict
      (clinic_id, mrn) do update set name = 'y' where p.id > 0
      returning p.id) select * from u where id < 100]],
    { S, rls = "D:tenant" }, "", fails = "constraint",
    plain = [[with u as (insert into patients as p (id, clinic_id, mrn, name)
      values (9, '$A', 'M1', 'x') on conflict (clinic_id, mrn) do update
      set name = 'y' where p.id > 0 returning p.id)
      select * from u where id < 100]] },
  { false, "INSERT of a UNION with an order and a limit",
    [[insert into rx (id, clinic_id, patient_id) (select id + 500,
      '$A'::uuid, id from patients union select id + 600, '$A', id
      from patients) order by 1 desc limit 3]], S, ROWS },
  { false, "INSERT of a query with WHERE and GROUP BY",
    [[insert into rx (id, clinic_id, patient_id) select max(id) + 500,
      clinic_id, min(id) from patients where id > 0 or true
      group by clinic_id having count(*) > 0 returning id]], S, ROWS },
  { false, "a window that is named like a clause", [[select id, sum(id) over
      "where" from patients window "where" as (order by id)]], S, ROWS },
  { false, "grouping below a join that is grouped", [[select p.id, x.n
      from patients p join (select patient_id, count(*) n from rx
      group by patient_id) x on x.patient_id = p.id group by p.id, x.n]], S,
    ROWS },
}
