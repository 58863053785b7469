-- Statements that write: numbered as in the list of hostile SQL.
local S = "S"
local ROWS = "rewrite rls"

return {
  { 31, "a DELETE in WITH is scoped",
    "with d as (delete from rx_items returning *) select * from d", S, ROWS },
  { 33, "a row of another clinic is not inserted",
    "insert into rx (id, clinic_id) values (9, '$B')", "D:tenant", ROWS },
  { 34, "nor one among others",
    "insert into rx (id, clinic_id) values (8, '$A'), (9, '$B')", "D:tenant",
    ROWS },
  { 34, "nor one by a parameter",
    "insert into rx (id, clinic_id) values (8, '$A'), (9, $1)", "D:tenant",
    ROWS, params = { "$B" } },
  { 35, "an INSERT without the column is filled",
    "insert into rx (id, patient_id) values (9, 1)",
    { S, rls = "D:tenant" }, "", fails = "constraint",
    plain = "insert into rx (id, clinic_id, patient_id) values (9, '$A', 1)" },
  { 36, "a positional INSERT keeps to its clinic",
    "insert into rx values (9, '$B', 1)", "D:tenant", ROWS },
  { 36, "a star that is no value or two does not shift the tenant",
    [[insert into patients (id, clinic_id, mrn, name) select (two).*,
      '$A'::uuid, 'mine', (z).* from (select 909 as a, '$B'::uuid as b) two,
      (select) z]],
    { "D:form", rls = "D:tenant" }, ROWS },
  { 37, "DEFAULT VALUES are refused", "insert into slots default values",
    "D:form", "gate rewrite", fails = "constraint" },
  { 39, "INSERT ... SELECT of another clinic's rows inserts none",
    [[insert into rx (id, clinic_id) select id + 1000, clinic_id from patients
      where clinic_id = '$B']], S, ROWS },
  { 39, "nor when it names its own clinic instead",
    [[insert into rx (id, clinic_id, patient_id) select id + 1000, '$A', id
      from patients]], S, ROWS },
  { 40, "an upsert does not reach a row of another clinic",
    [[insert into patients (id, clinic_id, mrn, name) values
      (101, '$A', 'M9', 'mine') on conflict (id) do update set
      name = 'mine']], { "D:upsert", rls = "D:tenant" }, ROWS },
  { 42, "ON CONFLICT DO NOTHING does not tell of it",
    [[insert into patients (id, clinic_id, mrn, name) values
      (101, '$A', 'M9', 'mine') on conflict do nothing returning id]],
    { "D:upsert", rls = "leaks" }, { "rewrite", rls = "" } },
  { 43, "a constraint without the tenant's column is no target",
    [[insert into patients (id, clinic_id, mrn, name, ssn) values
      (9, '$A', 'M9', 'mine', 'b-1') on conflict on constraint
      patients_ssn_key do update set name = 'mine']],
    { "D:upsert", rls = "D:tenant" }, ROWS },
  { 43, "a constraint with it is",
    [[insert into patients (id, clinic_id, mrn, name) values
      (9, '$A', 'M1', 'mine') on conflict on constraint
      patients_clinic_id_mrn_key do update set name = 'mine']], S, "" },
  { 45, "OVERRIDING SYSTEM VALUE is a column's own affair",
    [[insert into slots (clinic_id, id, n) overriding system value
      values ('$B', 9, 9)]], "D:tenant", ROWS },
  { 46, "an UPDATE without WHERE is of the tenant's rows",
    "update patients set name = 'x'", S, ROWS },
  { 47, "a row is not moved to another clinic",
    "update patients set clinic_id = '$B' where id = 5",
    { "D:move", rls = "D:tenant" }, ROWS, plain = false },
  { 49, "both tables of an UPDATE are scoped",
    [[update patients p set name = q.name from patients q
      where q.id = p.id + 100 or p.id > 3 and q.id = p.id]], S, ROWS },
  { 51, "WHERE CURRENT OF is refused",
    "update patients set name = 'x' where current of c", "D:form",
    "gate", fails = "query_failed", tx = true },
  { 52, "a DELETE that takes another clinic's rows along is refused",
    "delete from wards where id = 1", "D:cascade", "gate" },
  { 53, "MERGE changes and adds for its clinic alone",
    [[merge into patients p using (values (1, 'M1', 'new'), (101, 'M9',
      'theirs'), (9, 'M8', 'added')) v (id, mrn, name) on p.id = v.id
      and v.id <> 101
      when matched then update set name = v.name
      when not matched and v.id <> 101 then insert (id, clinic_id, mrn, name)
      values (v.id, '$A', v.mrn, v.name)]], S, "" },
  { 53, "MERGE matches no row of another clinic",
    [[merge into patients p using (values (101)) v (id) on p.id = v.id
      when matched then update set name = 'theirs']], S, ROWS },
  { 53, "MERGE inserts for no other clinic",
    [[merge into rx using (values (9)) v (id) on rx.id = v.id
      when not matched then insert (id, clinic_id) values (v.id, '$B')]],
    "D:tenant", ROWS },
  { 99, "a key of another clinic is not told by an INSERT",
    [[insert into patients (id, clinic_id, mrn, name, ssn) values
      (9, '$A', 'M9', 'x', 'b-1')]], "U", "errors",
    tells = "23505" },
}
