/* SPDX-License-Identifier: MIT
 *
 * tenant_corpus - statements over clinic_world that a tenant may run: of every
 * form of tenant.h, in every place it can stand.
 */
#ifndef TENANT_CORPUS_H
#define TENANT_CORPUS_H

static const char *const tenant_corpus[] = {
	"select 1",
	"select * from visits",
	"select * from clinic.visits where id = $1",
	"select v.n from visits v where v.n > 3 or true",
	"select * from visits as x(a, b)",
	"select * from only visits",
	"select * from only (visits) as o where o.n = 1",
	"select * from visits *",
	"table visits",
	"table clinic.items",
	"select visits from visits",
	"select v.*, w.* from visits v, visits w where v.id = w.id",
	"select * from items i join visits v on v.id = i.visit_id",
	"select * from visits v left join items i on i.visit_id = v.id",
	"select * from visits v right join items i on i.visit_id = v.id",
	"select * from visits v full join items i on i.visit_id = v.id",
	"select * from visits natural join members",
	"select * from visits join items using (n)",
	"select * from (visits v join items i on true) as j",
	"select * from ((visits v join items i on true)) cross join codes",
	"select * from patients p where p.name like 'a%'",
	"select p.name, i.n from patients p, items i",
	"select 1 from visits v where exists (select from items i where "
	"i.visit_id = v.id)",
	"select 1 from visits where id in (select visit_id from items)",
	"select (select count(*) from items), n from visits order by (select "
	"max(n) from items) limit (select 3 from codes)",
	"select array(select n from visits) || '{1}'",
	"select * from visits v cross join lateral (select * from items i "
	"where i.visit_id = v.id) x",
	"select n from visits union all select n from items",
	"(select n from visits) intersect (select a from codes except select "
	"n from items) order by 1",
	"values (1), ((select max(n) from visits))",
	"with x as (select * from visits) select * from x",
	"with visits as (select 42 n) select * from visits",
	"with visits as (select 1 n) select * from clinic.visits, visits v",
	"with a as (select * from visits), visits as (select * from a) select "
	"* from visits",
	"with recursive r as (select n from visits union all select r.n + 1 "
	"from r where r.n < 9) select * from r",
	"with recursive visits as (select 1 n union all select n + 1 from "
	"visits where n < 3) select * from visits",
	"with x as (with visits as (select 1 n) select * from visits) select "
	"* from x, visits",
	"with d as (delete from items returning *) select * from d",
	"with i as (insert into visits (id) values ($1) returning id), u as "
	"(update items set n = 2 returning n) select * from i, u",
	"select v.id, v.note, count(*) from visits v group by v.id",
	"select v.id, count(i.n) from visits v left join items i on i.visit_id "
	"= v.id where v.n > 1 or true group by v.id having count(*) > 1",
	"select p.id, p.name from items i right join patients p on true group "
	"by p.id",
	"select j.n from (visits v join codes c on true) as j, codes v group "
	"by j.n",
	"select v.n from visits v, patients p, codes c where c.id = v.n and "
	"p.name = $1 group by grouping sets ((v.n), ())",
	"select clinic.visits.n from clinic.visits where clinic.visits.n = 1",
	"select n from visits where n between 1 and 2 for update",
	"select v.n from visits v, codes c for share of v skip locked",
	"select sum(n) over w from visits window w as (partition by note)",
	"select distinct on (n) n, note from visits order by n, note",
	"select percentile_cont(0.5) within group (order by n) from visits",
	"select count(*) filter (where n > 1) from visits",
	"select n as where, note as group from visits v where true",
	"select 1 from visits tablesample system (10)",
	"select 1 from visits as v tablesample bernoulli (10) repeatable (1) "
	"where v.n = 1",
	"select 1 from codes tablesample system (1), visits",
	"select * from codes where id = 1",
	"select lower(note) from visits where lower(note) = $1",
	"select * from (select n::text as t from visits) x where t = '1'",
	"select v.id from visits v where v.note::int = 1 group by v.id",
	"select v.n from visits v where v = (select w from visits w limit 1)",
	"select n from visits where note like 'a\\' or note like $1",
	"select n from visits where note[n] = 'x' group by n",
	"update visits set n = 1",
	"update visits set n = n + 1 where id = $1 or true",
	"update only visits as v set (n, note) = (1, 'x') where v.n = 2 "
	"returning *",
	"update visits v set (n, note) = (select max(i.n), 'x' from items i, "
	"visits w where w.id = v.id) where v.n = 2",
	"select * from U&\"visi!0074s\" uescape '!' where n = 1",
	"select * from clinic.U&\"visi!0074s\" uescape '!' as v",
	"update visits v set n = i.n from items i join codes c on true where "
	"i.visit_id = v.id returning v.n, i.n",
	"update visits set n = 1 where lower(note) = 'x'",
	"update items set n = 3 where visit_id = $1",
	"update patients set name = $1 where id = $2",
	"delete from visits",
	"delete from visits v using items i, codes c where i.visit_id = v.id",
	"delete from items where visit_id in (select id from visits)",
	"delete from patients where id = $1 returning name",
	"delete from patients where lower(name) = $1",
	"insert into visits (id, n) values ($1, 2), ($2, 3)",
	"insert into visits values ($1)",
	"insert into visits values ($1, $2, 3, 'x')",
	"insert into visits (clinic_id, id) values (default, $1), ($2, $3)",
	"insert into visits (n, clinic_id) values (1, 'B') returning id",
	"insert into visits (id) select id from codes",
	"insert into visits (id, clinic_id) select v.id, v.clinic_id as c from "
	"visits v where v.n = 1",
	"insert into visits (n) select 1 union (select n from items limit 1) "
	"except select a from codes order by 1",
	"insert into visits (n) with x as (select a from codes) select a from "
	"x",
	"with x as (select n from visits) insert into visits (n) select n "
	"from x",
	"insert into visits as v (clinic_id, n) values ($1, 1) on conflict "
	"(clinic_id, n) do update set note = excluded.note",
	"insert into visits (n) values (1) on conflict (clinic_id, n) where n "
	"> 0 do update set note = 'x' where visits.n > 3 returning n",
	"insert into visits (n) select a from codes on conflict on constraint "
	"visits_n do nothing",
	"insert into visits (n) values (1) on conflict (clinic_id, n) do "
	"update set (n, note) = (select i.n, 'x' from items i limit 1)",
	"insert into items (visit_id, n) values ($1, 7), ('x', 8)",
	"insert into items values ($1::uuid, 7)",
	"insert into items (n, visit_id) select v.n, v.id from visits v",
	"insert into patients (id, name) values ($1, $2)",
	"insert into patients values ($1, 'a'), ($2, 'b')",
	"insert into members (patient_id) values ($1)",
	"merge into visits v using codes c on v.id = c.a when matched and "
	"case when true then true end then update set n = 1 when not matched "
	"then insert (id) values (c.a)",
	"merge into visits v using items i on v.n = i.n when matched then "
	"delete when not matched and i.n > 1 then insert (clinic_id, n) "
	"values (default, i.n) when not matched then do nothing",
	"merge into only visits using (select n from items) s on visits.n = "
	"s.n when matched then do nothing",
	"merge into items i using visits v on i.visit_id = v.id when not "
	"matched then insert values ($1, 3)",
	"merge into visits v using codes c on v.id = c.a when matched then "
	"update set (n, note) = (select n, 'x' from items limit 1)",
	"with x as (select 1 a) merge into visits v using x on v.n = x.a when "
	"matched then update set n = 2",
	"select count(*), sum(n), min(note) from visits",
	"select v.n, i.n, p.name, m.patient_id, c.id from visits v join items "
	"i on i.visit_id = v.id join patients p on p.id = v.id join members m "
	"on m.patient_id = p.id left join codes c on c.a = v.n",
	"select v.n, x.n from visits v left join (items x join codes c on c.a "
	"= x.n) on x.visit_id = v.id where v.n > 0",
	"select v.n, count(i.n), max(p.name) from visits v left join items i "
	"on i.visit_id = v.id left join patients p on p.id = v.id group by "
	"v.id order by v.n",
	"select v.note, p.name, count(*) from patients p right join visits v "
	"on v.id = p.id group by v.id, p.name",
	"select v.n, (select p.name from patients p where p.id = v.id), array("
	"select i.n from items i where i.visit_id = v.id order by 1) from "
	"visits v",
	"select v.n from visits v where not exists (select 1 from items i "
	"where i.visit_id = v.id and i.n = 2)",
	"select n from visits where n = any (select n from items) and n <> all "
	"(select a from codes)",
	"select n from visits where n not in (select a from codes) and "
	"clinic_id = $1",
	"select n from visits where (id, n) in (select visit_id, n from "
	"items)",
	"select case when n > (select avg(n) from visits) then note else "
	"'low' end from visits",
	"select p.name, v.n, row_number() over (partition by p.id order by "
	"v.n) from patients p, visits v where v.id = p.id",
	"select n, count(*) over (), lag(n) over (order by n) from visits",
	"select v.n from visits v full join codes c on c.a = v.n where v.n is "
	"not null or c.a > 1",
	"select a.n, b.n, c.n from visits a left join visits b on b.n = a.n + "
	"1 right join visits c on c.n = a.n",
	"select x.n, y.name from (select id, n from visits where n > 1) x "
	"left join (select id, name from patients) y on y.id = x.id",
	"select l.n from patients p left join lateral (select v.n from visits "
	"v where v.id = p.id order by v.n limit 2) l on true",
	"select n from visits union select n from items union all select a "
	"from codes",
	"(select n from visits order by n limit 2) union all (select n from "
	"items order by n desc limit 1) order by 1",
	"select n from visits except all select n from items",
	"select id from patients intersect select patient_id from members",
	"with a as (select n from visits), b as materialized (select n from "
	"items), c as (select a.n from a join b on a.n = b.n) select * from c "
	"where n in (select n from a)",
	"with recursive t as (select id, n, 1 as depth from visits where n = 1 "
	"union all select v.id, v.n, t.depth + 1 from visits v join t on v.n "
	"= t.n + 1) select n, depth from t",
	"with u as (update visits set n = n + 100 where n > 1 returning id, n)"
	", d as (delete from items where n = 2 returning visit_id) select u.n "
	"from u join d on d.visit_id = u.id",
	"with gone as (delete from visits where n = $1 returning id, n) insert "
	"into visits (id, n) select id, n + 50 from gone returning n",
	"with m as (select max(n) as top from visits) update visits set n = "
	"m.top + n from m where visits.n < m.top returning visits.n",
	"select n from visits where note like '1%' or note ilike 'x%'",
	"select distinct v.n, m.clinic_id from visits v join members m on "
	"m.patient_id = v.id",
	"select n, grouping(n) from visits group by rollup (n)",
	"select note, sum(n) from visits group by note having sum(n) > (select "
	"min(n) from items)",
	"select * from visits v tablesample bernoulli (60) repeatable (7)",
	"select n from visits order by n desc offset 1 limit 2",
	"select n from visits order by n fetch first 2 rows with ties",
	"select coalesce(v.n, 0) + coalesce(i.n, 0) from visits v left join "
	"items i on i.visit_id = v.id and i.n > 1",
	"select v from visits v where v.n in (1, 2)",
	"select p.name from patients p where p.id = $1 or p.name = $2",
	"select p.id from patients p for update",
	"select m.* from members m join patients p on p.id = m.patient_id "
	"where m.clinic_id <> $1",
	"update visits set note = (select max(name) from patients) where n in "
	"(select n from items)",
	"update items i set n = v.n from visits v where v.id = i.visit_id and "
	"v.n > 1",
	"update patients p set name = 'seen' from visits v where v.id = p.id "
	"returning p.name, v.n",
	"update visits set n = n + 10 where not exists (select from items i "
	"where i.visit_id = visits.id and i.n = 2) or n = 3",
	"delete from visits where n > 1 or note = 'x' returning *",
	"delete from items using visits v where v.id = visit_id and v.n = 2 "
	"returning items.n",
	"delete from members where patient_id = $1",
	"insert into visits (id, n) values ($1, 70), ($1, 71) on conflict "
	"(clinic_id, n) do nothing",
	"insert into visits (n, note) select n + 40, note from visits where n "
	"> 1 returning n, clinic_id",
	"insert into visits (n) values (2), (60) on conflict (clinic_id, n) do "
	"update set note = visits.note || 'again' where visits.n < 4",
	"insert into items (visit_id, n) values ($1, 9) returning n",
	"insert into items select v.id, v.n + 1 from visits v where v.n < 3",
	"insert into patients (name, id) values ('new', $1)",
	"merge into visits v using items i on v.id = i.visit_id and i.n = 1 "
	"when matched and v.n > 1 then update set note = 'm' when matched "
	"then delete",
	"merge into visits v using (select 80 as n) s on v.n = s.n when not "
	"matched then insert (n, note) values (s.n, 'new')",
	"merge into items i using codes c on i.n = c.a when matched then "
	"update set n = c.id",
	"select true and n > 1 and (note = '1' or note = '2') from visits",
	"select n from visits where true",
	"select n from visits where note[1] is null",
	"select sub.c from (select count(*) as c from visits group by n) sub",
	"values ((select count(*) from visits), (select count(*) from items))",
};

#define TENANT_CORPUS_N (sizeof(tenant_corpus) / sizeof(*tenant_corpus))

#endif
