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
};

#define TENANT_CORPUS_N (sizeof(tenant_corpus) / sizeof(*tenant_corpus))

#endif
