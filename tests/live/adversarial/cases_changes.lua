-- What changes rows, our own.
local S = "S"
local ROWS = "rewrite rls"

return {
  -- ---- INSERT
  { false, "a sub-select in VALUES is scoped", [[insert into rx (id, patient_id)
      values (9, (select max(id) from patients)) returning patient_id]],
    { S, rls = "D:tenant" }, "", fails = "constraint",
    plain = [[insert into rx (id, clinic_id, patient_id) values (9, '$A',
      (select max(id) from patients)) returning patient_id]] },
  { false, "RETURNING looks at nothing of others",
    [[insert into rx (id, clinic_id) values (9, '$A') returning id,
      (select string_agg(name, ',' order by id) from patients)]], S, ROWS },
  { false, "an INSERT under an alias", [[insert into rx as r (id, clinic_id)
      values (9, '$B') returning r.*]], "D:tenant", ROWS },
  { false, "the clinic by a sub-select", [[insert into rx (id, clinic_id)
      values (9, (select '$B'::uuid))]], "D:tenant", ROWS },
  { false, "the clinic from a CTE", [[with x as (select '$B'::uuid c)
      insert into rx (id, clinic_id) select 9, c from x]], "D:tenant", ROWS },
  { false, "the clinic by NULL",
    "insert into rx (id, clinic_id) values (9, null)", "D:tenant", "rewrite",
    fails = "constraint" },
  { false, "the clinic of one arm of a UNION", [[insert into rx (id, clinic_id)
      select 8, '$A'::uuid union all select 9, '$B'::uuid]], "D:tenant", ROWS },
  { false, "the column twice", [[insert into rx (id, clinic_id, clinic_id)
      values (9, '$A', '$B')]], "query_failed", "" },
  { false, "a CTE of the target's name is not the target",
    "with rx as (select 9 id) insert into rx (id, clinic_id) select id, '$B' "
    .. "from rx", "D:tenant", ROWS },
  { false, "a child of another clinic's row is not inserted",
    "insert into rx_items (id, rx_id, drug) values (9, 101, 'x')", "D:tenant",
    ROWS },
  { false, "nor by a query", [[insert into rx_items (id, rx_id, drug)
      select i.id + 500, i.rx_id + 100, i.drug from rx_items i
      where i.id = 1]], { "D:form", rls = "D:tenant" }, ROWS },
  { false, "a person is a member's from the beginning",
    "insert into people (id, name) values (9, 'new')",
    { S, rls = "differs" }, { "rewrite", rls = "" },
    plain = "with m as (insert into people (id, name) values (9, 'new') "
      .. "returning id) insert into members (clinic_id, person_id) "
      .. "select '$A', id from m" },
  { false, "nobody makes himself a member of another clinic's person",
    "insert into members (clinic_id, person_id) values ('$A', 4)",
    "D:tenant", "gate" },
  { false, "nor by a query", [[insert into members (clinic_id, person_id)
      select '$A', n from generate_series(4, 5) n]], "D:tenant", "gate" },
  { false, "nor by changing a membership",
    "update members set person_id = 5 where person_id = 1", "D:tenant",
    "gate" },
  { false, "nor by MERGE", [[merge into members m using (values (4)) v (id) on
      m.person_id = v.id when not matched then insert (clinic_id, person_id)
      values ('$A', v.id)]], "D:tenant", "gate" },
  { false, "nor a member of another clinic",
    "insert into members (clinic_id, person_id) values ('$B', 1)",
    "D:tenant", "gate rewrite rls" },
  { false, "what is shared is not written",
    "insert into icd (code, title) values ('X', 'x')",
    { "D:shared", rls = "D:tenant" }, ROWS, plain = false },
  { false, "nor changed", "update icd set title = 'x'",
    { "D:shared", rls = S }, ROWS, plain = "select where false" },
  { false, "nor deleted", "delete from icd where code = 'Z00'",
    { "D:shared", rls = S }, ROWS, plain = "select where false" },
  { false, "what is never written is not", "update clinics set name = 'x'",
    { "D:shared", rls = S }, ROWS, plain = "select where false" },
  { false, "a subscript as a target", [[insert into patients (id, clinic_id,
      mrn, name, tags[1]) values (9, '$B', 'M9', 'x', 'y')]], "D:tenant", ROWS
      },
  -- ---- ON CONFLICT
  { false, "an upsert on the tenant's key",
    [[insert into patients (id, mrn, name) values (9, 'M1', 'x') on conflict
      (clinic_id, mrn) do update
      set name = excluded.name returning id, name]],
    { S, rls = "D:tenant" }, "", fails = "constraint",
    plain = [[insert into patients (id, clinic_id, mrn, name)
      values (9, '$A', 'M1', 'x') on conflict (clinic_id, mrn) do update
      set name = excluded.name returning id, name]] },
  { false, "an upsert on the tenant's key, for another tenant",
    [[insert into patients (id, clinic_id, mrn, name)
      values (9, '$B', 'M1', 'x') on conflict (clinic_id, mrn) do update
      set name = 'x']], "D:tenant", ROWS },
  { false, "an upsert that moves the row",
    [[insert into patients (id, clinic_id, mrn, name) values (9, '$A', 'M1',
      'x') on conflict (clinic_id, mrn)
      do update set clinic_id = '$B', mrn = 'M7']],
    { "D:move", rls = "D:tenant" }, ROWS },
  { false, "an upsert that sets what a sub-select finds",
    [[insert into patients (id, clinic_id, mrn, name)
      values (9, '$A', 'M1', 'x') on conflict (clinic_id, mrn) do update set
      name = (select
      string_agg(name, ',' order by id) from patients) returning name]], S,
    ROWS },
  { false, "an upsert whose WHERE looks at others",
    [[insert into patients (id, clinic_id, mrn, name)
      values (9, '$A', 'M1', 'x') on conflict (clinic_id, mrn) do update set
      name = 'x'
      where exists (select from patients q where q.name = 'Bob')]], S, ROWS },
  { false, "DO NOTHING on the key of rows is refused",
    [[insert into rx (id, clinic_id) values (101, '$A') on conflict (id)
      do nothing returning id]], { "D:upsert", rls = "leaks" },
    { "rewrite", rls = "" } },
  -- ---- UPDATE
  { false, "the clinic among several columns is not set",
    "update patients set (name, clinic_id) = ('x', '$B') where id = 5",
    { "D:move", rls = "D:tenant" }, ROWS, plain = false },
  { false, "nor by a sub-select", [[update rx set (patient_id, clinic_id) =
      (select 1, '$B'::uuid) where id = 1]],
    { "D:move", rls = "D:tenant" }, ROWS },
  { false, "nor to itself", "update patients set clinic_id = clinic_id",
    { "D:move", rls = S }, "" },
  { false, "nor to its default",
    "update rx set clinic_id = default where id = 1",
    { "D:move", rls = "D:tenant" }, "rewrite", fails = "constraint" },
  { false, "a child does not change its parent",
    "update rx_items set rx_id = 101 where id = 1",
    { "D:move", rls = "D:tenant" }, ROWS },
  { false, "several columns from a sub-select are scoped",
    [[update patients p set (name, ssn) = (select max(q.name), 'z' || p.id
      from patients q)]], S, ROWS },
  { false, "an UPDATE of a CTE's name is of the table",
    [[with patients as (select 101 id) update patients set name = 'x']], S,
    ROWS },
  { false, "UPDATE ... FROM a sub-select with RETURNING",
    [[update rx set patient_id = x.id from (select id from patients
      order by id desc limit 1) x where rx.id = 1 returning x.id]], S, ROWS },
  { false, "RETURNING of another clinic's rows",
    [[update patients set name = 'x' where id > 100 or id = 1
      returning id, name]], S, ROWS },
  { false, "ONLY and a star as a target", "update only patients as p set "
    .. "name = 'x' where p.id > 0 or true", S, ROWS },
  { false, "a partition is not written by its own name",
    "update appts_2024 set note = 'x'", "D:unknown-table", "gate rewrite rls" },
  { false, "a partitioned table is", "update appts set note = 'x'", S, ROWS },
  { false, "a row that moves to another partition",
    "update appts set at = at + 365 where at < '2025-01-01'", S, ROWS },
  { false, "a view is not written",
    "update v_invoker set name = 'x'", "D:view", "gate rewrite rls" },
  { false, "nor one that runs as its owner",
    "update v_definer set name = 'x'", "D:view", "gate rewrite" },
  -- ---- DELETE
  { false, "DELETE USING the same table", [[delete from rx_items i using
      rx_items j where j.id > i.id]], S, ROWS },
  { false, "DELETE USING another clinic's rows", [[delete from rx_items i using
      patients p where p.name = 'Bob']], S, ROWS },
  { false, "DELETE with a CTE of the table's name",
    "with rx_items as (select 1 id) delete from rx_items", S, ROWS },
  { false, "DELETE takes its own children along",
    "delete from rx where id in (1, 101)", S, ROWS },
  { false, "a person whom another clinic knows is not deleted",
    "delete from people where id in (3, 4) returning id", S, ROWS,
    plain = "select id from people where false" },
  { false, "RETURNING with a sub-select", [[delete from rx_items where id = 1
      returning (select count(*) from patients)]], S, ROWS },
  -- ---- MERGE
  { false, "MERGE deletes its own rows alone", [[merge into rx_items i using
      (values (1), (101)) v (id) on i.id = v.id when matched then delete]], S,
    ROWS },
  { false, "MERGE from its own table", [[merge into patients p using patients q
      on p.id = q.id - 100 when matched then update set name = q.name]], S,
    ROWS },
  { false, "MERGE moves nothing", [[merge into rx using (values (1)) v (id) on
      rx.id = v.id when matched then update set clinic_id = '$B']],
    { "D:move", rls = "D:tenant" }, ROWS },
  { false, "MERGE with a condition that looks at others",
    [[merge into rx_items i using (values (1)) v (id) on i.id = v.id
      when matched and exists (select from patients where name = 'Bob')
      then update set drug = 'x']], S, ROWS },
  { false, "MERGE on what is never true inserts for its clinic",
    [[merge into rx using patients p on false when not matched and p.id <> 1
      then insert (id, clinic_id, patient_id) values (p.id + 500, '$A', p.id)]],
    S, ROWS },
  { false, "MERGE inserts no DEFAULT VALUES", [[merge into slots using (values
      (1)) v (id) on false when not matched then insert default values]],
    "D:form", "gate rewrite", fails = "constraint" },
  -- ---- WITH
  { false, "changes chained by their RETURNING",
    [[with d as (delete from rx_items returning rx_id), u as (update rx set
      patient_id = 5 where id in (select
      rx_id from d) or true returning id) select id from u]], S, ROWS },
  { false, "an INSERT in WITH for another clinic",
    [[with i as (insert into rx (id, clinic_id) values (9, '$B') returning id)
      select * from i]], "D:tenant", ROWS },
  { false, "an UPDATE in WITH below an INSERT", [[with u as (update patients set
      name = 'x' returning id) insert into rx (id, clinic_id, patient_id)
      select id + 500, '$A', id from u]], S, ROWS },
  -- ---- keys of others
  { false, "a foreign key to another clinic's row",
    [[insert into rx (id, clinic_id, patient_id) values (9, '$A', 101)]],
    "leaks", "" },
}
