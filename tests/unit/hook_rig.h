/* SPDX-License-Identifier: MIT
 *
 * hook_rig - for tests of functions of policy files: resilience.lua with one,
 * and somebody who asks it.  begin() and end() belong to each test.
 *
 * Include after cmocka.h.
 */
#ifndef HOOK_RIG_H
#define HOOK_RIG_H

#include <stdio.h>
#include <string.h>

#include "decl.h"
#include "hook.h"
#include "load.h"
#include "sandbox.h"
#include "texts.h"
#include "vocab.h"
#include "watchdog.h"

#define CLASS(body) "class 'read' { retries = function(ctx) " body " end }\n"

static struct watchdog *dog;
static struct rules *base, *rules;

UNUSED static int
begin(void **state)
{
	struct err e;

	base = rules_new();
	return watchdog_new(&dog, &e);
}

UNUSED static int
end(void **state)
{
	if (rules != NULL)
		rules_unpin(&rules);
	rules_unpin(&base);
	watchdog_free(&dog);
	return 0;
}

UNUSED static int
load(const char *text, unsigned workers, struct err *e)
{
	const char *list[VOCAB_FILES] = {0};
	struct load_ask ask = {
		.base = base, .watchdog = dog, .workers = workers};
	int rc;

	if (rules != NULL)
		rules_unpin(&rules);
	list[vocab_file("resilience", 10) - vocab_files] = text;
	ask.texts = texts_of("policies", list);
	rc = load_rules(&ask, &rules, e);
	texts_unpin(&ask.texts);
	return rc;
}

UNUSED static void
loads(const char *text)
{
	struct err e;

	if (load(text, 1, &e) < 0)
		fail_msg("%s", e.text);
}

UNUSED static struct context *
nurse(void)
{
	static const char json[] =
		"{\"tenant\":\"t1\",\"user\":\"u1\",\"roles\":[\"nurse\","
		"\"night\"],\"ip\":\"10.0.0.1\"}";
	struct context *c;
	struct err e;

	assert_int_equal(context_new(json, strlen(json), &c, &e), 0);
	return c;
}

UNUSED static int
ask_as(struct context *c, enum hook_type wants, struct hook_answer *out,
       struct err *e)
{
	static const char *const tables[] = {"public.visits", "public.items"};
	const struct hook_fact facts[] = {
		{.name = "attempt", .kind = HOOK_COUNT, .number = 2},
		{.name = "kind", .kind = HOOK_TEXT, .text = "select"},
		{.name = "nothing", .kind = HOOK_TEXT},
		{.name = "alone", .kind = HOOK_TRUTH, .number = 1},
		{.name = "tables", .kind = HOOK_TEXTS, .n = 2, .texts = tables},
	};
	const struct hook_ask ask = {
		.worker = 0,
		.function = 1,
		.wants = wants,
		.context = c,
		.nfacts = sizeof(facts) / sizeof(*facts),
		.facts = facts,
	};

	err_clear(e);
	return hooks_ask(rules->hooks, &ask, out, e);
}

UNUSED static void
says_yes(const char *body)
{
	struct context *c = nurse();
	struct hook_answer a;
	struct err e;
	char text[2000];

	snprintf(text, sizeof(text),
		 "class 'read' { retries = "
		 "function(ctx) %s end }",
		 body);
	loads(text);
	if (ask_as(c, HOOK_BOOL, &a, &e) < 0)
		fail_msg("%s: %s", body, e.text);
	if (!a.yes)
		fail_msg("%s: no", body);
	context_unpin(&c);
}

UNUSED static void
fails_with(const char *body, int code, const char *part)
{
	struct context *c = nurse();
	struct hook_answer a;
	struct err e;
	char text[2000];

	snprintf(text, sizeof(text),
		 "class 'read' { retries = "
		 "function(ctx) %s end }",
		 body);
	loads(text);
	assert_int_equal(ask_as(c, HOOK_BOOL, &a, &e), code);
	if (strstr(e.text, part) == NULL)
		fail_msg("%s: %s", body, e.text);
	if (strstr(e.text, "policies/resilience.lua:1: ") != e.text)
		fail_msg("%s: %s", body, e.text);
	context_unpin(&c);
}

#endif
