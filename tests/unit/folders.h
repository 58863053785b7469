/* SPDX-License-Identifier: MIT
 *
 * folders - for tests: isolation.lua and access.lua, built without the rest.
 *
 *	struct rules *r = folders_rules(isolation, access);
 *	folders_says(isolation, access, "did you mean");	// it is refused
 *
 * Tables without a schema are of "clinic".  folders_begin and folders_end
 * belong into the group's setup and teardown.  Include after cmocka.h.
 */
#ifndef FOLDERS_H
#define FOLDERS_H

#include <stdio.h>
#include <string.h>

#include "build.h"
#include "read.h"
#include "sandbox.h"
#include "watchdog.h"

static struct watchdog *folders_dog;

UNUSED static int
folders_begin(void **state)
{
	struct err e;

	(void)state;
	return watchdog_new(&folders_dog, &e);
}

UNUSED static int
folders_end(void **state)
{
	(void)state;
	watchdog_free(&folders_dog);
	return 0;
}

struct folder {
	struct sandbox *box;
	struct rules *rules;
	struct decl_list files[VOCAB_FILES];
};

static inline int
folders_read(struct folder *f, const char *name, const char *text,
	     struct err *e)
{
	const struct vocab_file *v = vocab_file(name, strlen(name));
	const struct read_ask ask = {.sandbox = f->box,
				     .vocab = v,
				     .path = v->name,
				     .text = text,
				     .len = strlen(text),
				     .arena = &f->rules->arena};

	return read_policy(&ask, &f->files[v - vocab_files], e);
}

/* The declarations are those of access.lua, borrowed from the rules. */
UNUSED static int
folders_build(const char *isolation, const char *access, struct folder *f,
	      struct err *e)
{
	struct sandbox_opts opts = {.watchdog = folders_dog,
				    .limit_us = 2000000};
	struct build b = {.files = f->files, .schema = "clinic"};
	int rc;

	memset(f, 0, sizeof(*f));
	f->rules = b.rules = rules_new();
	b.arena = &f->rules->arena;
	rc = sandbox_new(&f->box, &opts, e);
	if (rc == 0)
		rc = folders_read(f, "isolation", isolation, e);
	if (rc == 0)
		rc = folders_read(f, "access", access, e);
	if (rc == 0)
		rc = build_isolation(&b, e);
	if (rc == 0)
		rc = build_access(&b, e);
	sandbox_free(&f->box);
	if (rc < 0)
		rules_unpin(&f->rules);
	return rc;
}

UNUSED static struct rules *
folders_rules(const char *isolation, const char *access)
{
	struct folder f;
	struct err e = {0};

	if (folders_build(isolation, access, &f, &e) < 0)
		fail_msg("%s: %s", access, e.text);
	return f.rules;
}

UNUSED static void
folders_says(const char *isolation, const char *access, const char *part)
{
	struct folder f;
	struct err e = {0};

	if (folders_build(isolation, access, &f, &e) == 0)
		fail_msg("accepted: %s", access);
	if (strstr(e.text, part) == NULL)
		fail_msg("%s: \"%s\" has no \"%s\"", access, e.text, part);
}

#endif
