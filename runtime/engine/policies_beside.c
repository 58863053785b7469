/* SPDX-License-Identifier: MIT
 *
 * policies_beside - other rules, beside those in force: which recorded
 * decisions they would change, and a shadow that decides what comes.
 */
#include "policies_int.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "decided.h"
#include "shadow.h"

#define TOLD_MOST 200

/* ---- which rules --------------------------------------------------------- */

/* Pinned: of a generation that is kept, or of a folder. */
static int
find_texts(struct policies *p, const char *what, struct texts **out,
	   struct err *e)
{
	const struct past *past;

	if (what == NULL)
		return texts_read(out, p->folder, e);
	if (what[strspn(what, "0123456789")] != 0)
		return texts_read(out, what, e);
	past = policies_past(p, strtoull(what, NULL, 10), e);
	if (past == NULL)
		return e->code;
	*out = texts_pin(past->texts);
	return 0;
}

static int
load_other(struct policies *p, const char *what, struct rules **out,
	   struct err *e)
{
	struct texts *t;
	int rc;

	pthread_mutex_lock(&p->lock);
	rc = find_texts(p, what, &t, e);
	if (rc == 0) {
		rc = policies_load(p, t, out, e);
		texts_unpin(&t);
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

/* ---- recorded decisions -------------------------------------------------- */

struct comparing {
	struct judge *old, *new;
	struct catalog_snapshot *snapshot;
	int64_t now_s;
	unsigned counts[RULING_CHANGES];
	json_t *told;
};

/* One record under one set of rules. */
static struct ruling
again(const struct comparing *c, struct judge *j,
      const struct decided_record *r, struct err *e)
{
	const struct tenant_rules *t = judge_rules(j)->isolation.tables;
	struct context *who = decided_context(r, t != NULL ? t->type
							   : TENANT_TEXT);
	const struct judge_ask ask = {.stmt = r->stmt,
				      .context = who,
				      .snapshot = c->snapshot,
				      .now_s = c->now_s};
	struct ruling ruling = judge_decide(j, &ask, e);

	context_unpin(&who);
	return ruling;
}

static json_t *
ruling_json(const struct ruling *r, const struct err *e)
{
	return json_pack("{ss so}", "gives", ruling_word(r), "message",
			 r->kind == RULING_REFUSED ? event_text(e->text)
						   : json_null());
}

static json_t *
roles_json(const struct decided_record *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->nroles; i++)
		json_array_append_new(list, event_text(r->roles[i]));
	return list;
}

static void
compare(struct comparing *c, const struct decided_record *r)
{
	static const char *const tenants[] = {"none", "one", "several"};
	struct err was, is;
	struct ruling before = again(c, c->old, r, &was),
		      after = again(c, c->new, r, &is);
	enum ruling_change change = ruling_change(&before, &after);

	c->counts[change]++;
	if (change == RULING_SAME || json_array_size(c->told) >= TOLD_MOST)
		return;
	json_array_append_new(c->told,
			      json_pack("{so so ss ss sb so so}", "statement",
					event_text(r->stmt->normal), "roles",
					roles_json(r), "tenants",
					tenants[r->ntenants], "change",
					ruling_change_word(change), "depends",
					before.kind != r->ruling.kind, "before",
					ruling_json(&before, &was), "after",
					ruling_json(&after, &is)));
}

static int64_t
wall_s(void)
{
	struct timeval t;

	gettimeofday(&t, NULL);
	return (int64_t)t.tv_sec;
}

static void
compare_all(struct policies *p, struct rules *new, struct comparing *c)
{
	struct rules *old = rules_pin(p->rules);
	struct decided_list list;

	decided_all(p->decided, &list);
	*c = (struct comparing){.snapshot = list.snapshot,
				.now_s = wall_s(),
				.old = judge_new(old),
				.new = judge_new(new),
				.told = json_array()};
	for (unsigned i = 0; i < list.n; i++)
		compare(c, &list.records[i]);
	judge_free(&c->old);
	judge_free(&c->new);
	decided_list_fini(&list);
	rules_unpin(&old);
}

unsigned
policies_allowed(struct policies *p, struct rules *new)
{
	struct comparing c;

	if (p->decided == NULL)
		return 0;
	compare_all(p, new, &c);
	json_decref(c.told);
	return c.counts[RULING_ALLOWED];
}

static json_t *
counts_json(const struct comparing *c, unsigned *sum)
{
	json_t *all = json_object();

	*sum = 0;
	for (enum ruling_change i = 0; i < RULING_CHANGES; i++) {
		*sum += c->counts[i];
		json_object_set_new(all, ruling_change_word(i),
				    json_integer((json_int_t)c->counts[i]));
	}
	return all;
}

int
policies_diff(struct policies *p, const char *what, json_t **out, struct err *e)
{
	struct comparing c;
	struct rules *new;
	unsigned decided;
	json_t *counts;

	OBJ_CHECK(p, POLICIES_MAGIC);
	if (load_other(p, what, &new, e) < 0)
		return e->code;
	compare_all(p, new, &c);
	rules_unpin(&new);
	counts = counts_json(&c, &decided);
	*out = json_pack("{si so so}", "decided", (int)decided, "counts",
			 counts, "changes", c.told);
	return 0;
}

/* ---- a shadow ------------------------------------------------------------ */

int
policies_shadow(struct policies *p, const char *what, struct err *e)
{
	struct rules *r;
	char name[256];

	OBJ_CHECK(p, POLICIES_MAGIC);
	if (load_other(p, what, &r, e) < 0)
		return e->code;
	snprintf(name, sizeof(name), "%s%s",
		 what != NULL && isdigit((unsigned char)what[0]) ? "generation "
								 : "",
		 what != NULL ? what : p->folder);
	shadow_begin(p->shadow, r, name);
	return 0;
}
