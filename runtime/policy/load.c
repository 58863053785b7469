/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <string.h>

#include "build.h"
#include "hook.h"
#include "read.h"
#include "sandbox.h"
#include "spot.h"
#include "texts.h"
#include "trial.h"

/* A file runs for microseconds.  A machine that is busy may take a thread its
 * processor for longer than a decision may take, hence more time and another
 * attempt. */
#define FILE_US 15000
#define ATTEMPTS 3

struct loading {
	const struct load_ask *ask;
	struct rules *rules;
	struct sandbox *sandbox;
	struct arena *arena; /* of the declarations */
	struct decl_list *files;
	struct err *e;
	struct err failed; /* the first test that failed */
};

/* ---- reading ----------------------------------------------------------- */

static int
read_once(struct loading *l, unsigned i)
{
	const struct texts_file *f = &l->ask->texts->files[i];
	struct arena *a = l->arena;
	const struct read_ask ask = {
		.sandbox = l->sandbox,
		.vocab = &vocab_files[i],
		.path = arena_printf(a, "%s/%s.lua", l->ask->texts->folder,
				     vocab_files[i].name),
		.text = f->text,
		.len = f->len,
		.arena = a,
		.functions = i > 0 ? l->files[i - 1].functions : 0,
	};

	err_clear(l->e);
	return read_policy(&ask, &l->files[i], l->e);
}

static int
read_file(struct loading *l, unsigned i)
{
	l->files[i] = (struct decl_list){
		.file = vocab_files[i].name,
		.functions = i > 0 ? l->files[i - 1].functions : 0};
	if (l->ask->texts->files[i].text == NULL)
		return 0;
	for (int k = 0; k < ATTEMPTS; k++)
		if (read_once(l, i) == 0 || l->e->code != LUNATE_EDEADLINE)
			break;
	if (l->e->code != 0)
		l->e->code = LUNATE_ECONFIG;
	return l->e->code;
}

/* Does a file declare anything that should have an effect? */
static const struct decl *
first_claim(const struct decl_list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->decls[i].word->name, "test") != 0)
			return &l->decls[i];
	return NULL;
}

static int
weigh(struct loading *l, unsigned i)
{
	const struct decl *claim = first_claim(&l->files[i]);

	if (claim == NULL || vocab_files[i].effect == VOCAB_IN_FORCE)
		return 0;
	if (vocab_files[i].effect == VOCAB_REFUSED)
		return decl_fail(l->e, claim,
				 "nothing in this version enforces %s.lua, and "
				 "a guard that does not hold is worse than "
				 "none; take the file away",
				 vocab_files[i].name);
	l->rules->not_yet |= 1u << i;
	return 0;
}

/* ---- tests ------------------------------------------------------------- */

static void
test_one(struct loading *l, const struct decl *d)
{
	struct err e = {0};
	int rc = trial_run(d, l->rules, &e);

	spot_add(l->ask->texts, &e);
	if (l->ask->tested != NULL)
		l->ask->tested(l->ask->arg, d, &e);
	if (rc < 0 && l->failed.code == 0)
		l->failed = e;
}

static int
test_all(struct loading *l)
{
	for (unsigned i = 0; i < VOCAB_FILES; i++)
		for (unsigned k = 0; k < l->files[i].n; k++) {
			const struct decl *d = &l->files[i].decls[k];

			if (strcmp(d->word->name, "test") == 0)
				test_one(l, d);
			if (l->failed.code != 0 && l->ask->tested == NULL)
				break;
		}
	if (l->failed.code != 0)
		*l->e = l->failed;
	return l->e->code;
}

/* ---- functions --------------------------------------------------------- */

/* Has a file that is in force any? */
static bool
any_in_force(const struct decl_list *files)
{
	unsigned before = 0;

	for (unsigned i = 0; i < VOCAB_FILES; i++) {
		if (files[i].functions > before &&
		    vocab_files[i].effect == VOCAB_IN_FORCE)
			return true;
		before = files[i].functions;
	}
	return false;
}

static int read_all(struct loading *l);

static int
same_files(const struct loading *l)
{
	const struct decl_list *of = l->rules->files;

	for (unsigned i = 0; i < VOCAB_FILES; i++)
		if (!decl_same(&l->files[i], &of[i]))
			return err_set(l->e, LUNATE_ECONFIG,
				       "%s/%s.lua declares something else when "
				       "it is read again; what it declares may "
				       "not depend on the order of pairs()",
				       l->ask->texts->folder,
				       vocab_files[i].name);
	return 0;
}

/* One more VM, which reads what the first one read. */
static int
add_vm(const struct loading *first)
{
	struct arena arena;
	struct loading l = *first;
	int rc;

	arena_init(&arena, NULL, 0);
	l.arena = &arena;
	l.sandbox = NULL;
	rc = read_all(&l);
	if (rc == 0)
		rc = same_files(&l);
	if (rc == 0)
		rc = hooks_add(l.rules->hooks, &l.sandbox, l.e);
	if (l.sandbox != NULL)
		sandbox_free(&l.sandbox);
	arena_fini(&arena);
	return rc;
}

static int
add_vms(struct loading *l)
{
	unsigned want = l->ask->workers < HOOKS_MOST ? l->ask->workers
						     : HOOKS_MOST;

	while (hooks_count(l->rules->hooks) < want)
		if (add_vm(l) < 0)
			return l->e->code;
	return 0;
}

static int
keep_functions(struct loading *l)
{
	unsigned last[VOCAB_FILES];

	if (!any_in_force(l->files))
		return 0;
	for (unsigned i = 0; i < VOCAB_FILES; i++)
		last[i] = l->files[i].functions;
	l->rules->hooks = hooks_new(last);
	if (hooks_add(l->rules->hooks, &l->sandbox, l->e) < 0)
		return l->e->code;
	return add_vms(l);
}

int
load_more(struct rules *r, const struct load_ask *ask, struct err *e)
{
	struct loading l = {.ask = ask, .rules = r, .e = e};

	err_clear(e);
	return add_vms(&l);
}

/* ---- all --------------------------------------------------------------- */

static int
build(struct loading *l)
{
	const char *schema = l->ask->schema != NULL ? l->ask->schema : "public";
	struct arena *a = &l->rules->arena;
	const struct build b = {.arena = a,
				.files = l->files,
				.schema = arena_dup(a, schema, strlen(schema)),
				.rules = l->rules};

	if (build_isolation(&b, l->e) < 0 || build_access(&b, l->e) < 0 ||
	    build_resilience(&b, l->e) < 0)
		return l->e->code;
	return 0;
}

static int
read_all(struct loading *l)
{
	const struct sandbox_opts opts = {.watchdog = l->ask->watchdog,
					  .limit_us = FILE_US};

	l->files = arena_new(l->arena, VOCAB_FILES * sizeof(*l->files));
	if (sandbox_new(&l->sandbox, &opts, l->e) < 0)
		return l->e->code;
	for (unsigned i = 0; i < VOCAB_FILES; i++)
		if (read_file(l, i) < 0)
			return l->e->code;
	return 0;
}

static int
load(struct loading *l)
{
	if (read_all(l) < 0)
		return l->e->code;
	l->rules->files = l->files;
	for (unsigned i = 0; i < VOCAB_FILES; i++)
		if (weigh(l, i) < 0)
			return l->e->code;
	if (build(l) < 0 || keep_functions(l) < 0)
		return l->e->code;
	return test_all(l);
}

static void
begin(struct loading *l)
{
	struct rules *r = rules_new();

	memcpy(r->classes, l->ask->base->classes, sizeof(r->classes));
	r->retry = l->ask->base->retry;
	r->texts = texts_pin(l->ask->texts);
	r->decision_epoch = l->ask->texts->decisions;
	l->rules = r;
	l->arena = &r->arena;
}

int
load_rules(const struct load_ask *ask, struct rules **out, struct err *e)
{
	struct loading l = {.ask = ask, .e = e};

	err_clear(e);
	begin(&l);
	load(&l);
	if (l.sandbox != NULL)
		sandbox_free(&l.sandbox);
	if (e->code != 0) {
		spot_add(ask->texts, e);
		rules_unpin(&l.rules);
		return e->code;
	}
	*out = l.rules;
	return 0;
}
