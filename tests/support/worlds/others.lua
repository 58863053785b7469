-- others - what happens in rows that only others own, while A looks on.
--
-- Texts for world X, run as the superuser behind everybody's back, or as B
-- through lunate.  $B and $A are literals of tenants; $n, $m some numbers.
local M = {}

M.behind = {
  "update clinic.visits set fee = null, note = 'of B', data = "
    .. "'{\"n\": \"boom\"}', marks = '{1}' where clinic_id = $B "
    .. "and no % $n = 0",
  "update clinic.visits set no = no + 10000 where clinic_id = $B and no < 9000",
  "update clinic.visits set no = no - 10000 where clinic_id = $B and no > 9000",
  "delete from clinic.visits where clinic_id = $B and no % $n = 1",
  "delete from clinic.items where left(visit_id::text, 1) = 'b' and "
    .. "line % $n = 0",
  "insert into clinic.visits (clinic_id, id, patient_id, no, note, fee) "
    .. "select $B, ('b' || substr(md5(v.id::text || $m), 2))::uuid, (select "
    .. "patient_id from clinic.members where clinic_id = $B order by 1 limit 1)"
    .. ", v.no + 20000 + $m, v.note, v.fee from clinic.visits v "
    .. "where v.clinic_id = $A and v.no < 9 on conflict do nothing",
  "insert into clinic.items select v.id, $m, 'c1', $m, 1.00, 'of B' "
    .. "from clinic.visits v where v.clinic_id = $B on conflict do nothing",
  "insert into clinic.notes select i.visit_id, i.line, $m, 'of B', true from "
    .. "clinic.items i where left(i.visit_id::text, 1) = 'b' "
    .. "on conflict do nothing",
  "delete from clinic.notes where left(visit_id::text, 1) = 'b' and n > 1",
  "update clinic.patients set name = 'of B', mrn = $m, extra = "
    .. "'{\"n\": \"boom\"}' where left(id::text, 1) = 'b'",
  "insert into clinic.patients (id, name) values (('b' || substr(md5('$m'), "
    .. "2))::uuid, 'Anna') on conflict do nothing; insert into clinic.members "
    .. "(clinic_id, patient_id) values ($B, ('b' || substr(md5('$m'), 2))"
    .. "::uuid) on conflict do nothing",
  "update clinic.members set active = not active, since = '2020-01-01' where "
    .. "clinic_id = $B",
  "update clinic.labs set result = -result, unit = 'of B', flags = '{x,ü}' "
    .. "where clinic_id = $B",
  "delete from clinic.lab_values where clinic = $B and k % $n = 0",
  "insert into clinic.lab_values select $B, no, $m, result, unit, true from "
    .. "clinic.labs where clinic_id = $B on conflict do nothing",
  "delete from clinic.readings where clinic_id = $B and device % $n = 0",
  "insert into clinic.readings select day, device, $m, $B from clinic.readings "
    .. "where clinic_id = $A on conflict do nothing",
  "update clinic.readings set value = 777 where clinic_id = $B",
  "delete from clinic.\"Größen\" where clinic_id = $B",
  "insert into clinic.\"Größen\" select \"Maß\", \"select\", wert, $B, "
    .. "\"a b\" from clinic.\"Größen\" where clinic_id = $A "
    .. "on conflict do nothing",
  "update clinic.clinics set name = 'of B', beds = $m where id = $B",
}

-- As B, through lunate.
M.as_b = {
  "update visits set fee = coalesce(fee, 0.00) + 1.00, kind = 'of B'",
  "update items set qty = $m, remark = 'of B'",
  "delete from notes where n % $n = 0",
  "delete from labs where no % $n = 1 and no <> 777",
  "insert into readings (day, device, value) select day + 1, device, $m from "
    .. "readings on conflict (clinic_id, day, device) do update set value = $m",
  "insert into \"Größen\" (\"select\", wert) values ($m, 1.00) on conflict "
    .. "(clinic_id, \"select\") do update set wert = 2.00",
  "merge into visits v using (values (0), ($m)) as s(k) on v.no = s.k when "
    .. "matched then update set note = 'of B'",
  "update lab_values set label = 'of B', val = -1.00 where k < $m",
}

--- One of the texts, with numbers from the dice.
function M.pick(d, list, who)
  local text = d:pick(list)
  local values = { A = who.A, B = who.B, n = tostring(d:int(2, 4)),
    m = tostring(d:int(1, 60)) }
  return (text:gsub("%$([ABnm])", values))
end

return M
