/* SPDX-License-Identifier: MIT
 *
 * policy_rig - for tests of policies over time: a folder, what is saved there,
 * and what is in force then.  begin() and end() belong to each test.
 *
 * Include after cmocka.h.
 */
#ifndef POLICY_RIG_H
#define POLICY_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"
#include "policies.h"
#include "tenant.h"

#define TENANT "tenant { type = 'uuid' }\n"
#define ONE TENANT "rows 'a' { by = 'c' }\n"
#define TWO ONE "rows 'b' { by = 'c' }\n"

static char folder[64];
static struct rules_source source;
static struct log lg;
static struct events *events;
static struct policies *policies;
static int64_t max_stale_ms = 3600000;
static bool confirm;

UNUSED static void
save(const char *name, const char *text)
{
	char path[128], next[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(next, sizeof(next), "%s~", path);
	f = fopen(next, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(rename(next, path), 0);
}

UNUSED static int
begin(void **state)
{
	strcpy(folder, "/tmp/lunate-policies-XXXXXX");
	log_init(&lg, LOG_AT_ERROR, LOG_TEXT, NULL);
	log_set_level(&lg, LOG_AT_ERROR);
	rules_source_init(&source, rules_new());
	events = events_new("test", 1, 10);
	return mkdtemp(folder) != NULL ? 0 : -1;
}

UNUSED static int
end(void **state)
{
	char command[128];

	if (policies != NULL)
		policies_close(&policies);
	events_free(&events);
	rules_source_fini(&source);
	log_fini(&lg);
	max_stale_ms = 3600000;
	confirm = false;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

UNUSED static int
try_open(struct err *e)
{
	const struct policies_opts opts = {.folder = folder,
					   .schema = "s",
					   .max_stale_ms = max_stale_ms,
					   .confirm = confirm,
					   .rules = &source,
					   .log = &lg,
					   .events = events};

	return policies_open(&policies, &opts, e);
}

UNUSED static void
opens(void)
{
	struct err e;

	if (try_open(&e) < 0)
		fail_msg("%s", e.text);
}

/* How many tables have a rule now; -1: closed. */
UNUSED static int
tables(void)
{
	struct rules *r = rules_pin(&source);
	int n = r->isolation.state == ISOLATION_ON
			? (int)r->isolation.tables->ntables
			: -1;

	rules_unpin(&r);
	return n;
}

UNUSED static uint64_t
generation(void)
{
	struct rules *r = rules_pin(&source);
	uint64_t id = r->id;

	rules_unpin(&r);
	return id;
}

UNUSED static void
becomes(int n)
{
	for (int i = 0; i < 4000 && tables() != n; i++)
		usleep(5000);
	assert_int_equal(tables(), n);
}

#endif
