/* SPDX-License-Identifier: MIT
 *
 * policies_back - a file whose functions fail gives way to an earlier one.
 *
 *   functions fail --5 in 60 s--> the last text of the file that did not is
 *        published with all other files as they are --the file is saved-->
 *        the folder's own text again
 *
 * Files of guards never give way: what they cannot decide is denied.
 */
#include "policies_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static bool
same_file(const struct texts_file *a, const struct texts_file *b)
{
	if (a->text == NULL || b->text == NULL)
		return a->text == b->text;
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* ---- failures, from any thread ------------------------------------------ */

void
policies_failed(struct policies *p, uint64_t generation, unsigned file)
{
	bool post = false;

	OBJ_CHECK(p, POLICIES_MAGIC);
	if (vocab_files[file].guard)
		return;
	pthread_mutex_lock(&p->strikes_lock);
	if (generation == p->counted &&
	    strikes_add(&p->strikes, file, loop_clock_us() / 1000)) {
		p->out |= 1u << file;
		post = !p->posted;
		p->posted = true;
	}
	pthread_mutex_unlock(&p->strikes_lock);
	if (post)
		loop_post(p->loop, &p->back);
}

void
policies_counted(struct policies *p, const struct texts *before,
		 uint64_t generation, const struct texts *now)
{
	pthread_mutex_lock(&p->strikes_lock);
	p->counted = generation;
	for (unsigned i = 0; i < VOCAB_FILES; i++)
		if (before == NULL ||
		    !same_file(&before->files[i], &now->files[i])) {
			strikes_forget(&p->strikes, i);
			p->out &= ~(1u << i);
		}
	pthread_mutex_unlock(&p->strikes_lock);
}

static unsigned
take_out(struct policies *p)
{
	unsigned out;

	pthread_mutex_lock(&p->strikes_lock);
	out = p->out;
	p->out = 0;
	p->posted = false;
	pthread_mutex_unlock(&p->strikes_lock);
	return out;
}

/* ---- texts that failed --------------------------------------------------- */

static uint64_t
hash_of(const struct texts_file *f)
{
	return f->text != NULL ? XXH3_64bits(f->text, f->len) : 0;
}

static bool
is_bad(const struct policies *p, unsigned i, const struct texts_file *f)
{
	for (unsigned k = 0; k < BAD_TEXTS && k < p->nbad[i]; k++)
		if (p->bad[i][k] == hash_of(f))
			return true;
	return false;
}

static void
clear(struct aside *a)
{
	if (a->failed != NULL) {
		texts_unpin(&a->failed);
		texts_unpin(&a->instead);
	}
}

void
policies_forget_asides(struct policies *p)
{
	for (unsigned i = 0; i < VOCAB_FILES; i++)
		clear(&p->asides[i]);
}

/* The folder still has what failed, so `instead` goes on to hold. */
static void
put_aside(struct policies *p, unsigned i, struct texts *failed,
	  struct texts *instead)
{
	struct aside *a = &p->asides[i];

	if (a->failed == NULL)
		a->failed = texts_pin(failed);
	else
		texts_unpin(&a->instead);
	a->instead = texts_pin(instead);
}

struct texts *
policies_mend(struct policies *p, struct texts *t)
{
	for (unsigned i = 0; i < VOCAB_FILES; i++) {
		struct aside *a = &p->asides[i];
		struct texts *mended;

		if (a->failed == NULL)
			continue;
		if (!same_file(&t->files[i], &a->failed->files[i])) {
			clear(a); /* it was saved */
			continue;
		}
		mended = texts_with(t, i, &a->instead->files[i]);
		texts_unpin(&t);
		t = mended;
	}
	return t;
}

/* ---- going back ---------------------------------------------------------- */

/* Publishes `now` with that file as it was then, or (NULL) without it; false:
 * that cannot be. */
static bool
try_file(struct policies *p, unsigned i, struct texts *now,
	 const struct past *past)
{
	static const struct texts_file none;
	const struct texts_file *f = past != NULL ? &past->texts->files[i]
						  : &none;
	struct texts *t = texts_with(now, i, f);
	struct rules *r;
	struct err e;
	char why[80];
	bool good = policies_load(p, t, &r, &e) == 0;

	if (good) {
		put_aside(p, i, now, t);
		snprintf(why, sizeof(why),
			 past != NULL ? "%s.lua failed; that of %" PRIu64
				      : "%s.lua failed; none",
			 vocab_files[i].name,
			 past != NULL ? past->generation : 0);
		policies_tell_back(p, i, policies_publish(p, r, why));
	}
	texts_unpin(&t);
	return good;
}

/* The latest text of the file that did not fail; without any the file is as
 * if it were not there. */
static void
go_back(struct policies *p, unsigned i, struct texts *now)
{
	p->bad[i][p->nbad[i]++ % BAD_TEXTS] = hash_of(&now->files[i]);
	for (unsigned k = p->npast; k-- > 0;) {
		const struct past past = p->history[k];

		if (!is_bad(p, i, &past.texts->files[i]) &&
		    try_file(p, i, now, &past))
			return;
	}
	try_file(p, i, now, NULL);
}

void
policies_on_back(struct loop_letter *letter)
{
	struct policies *p = CONTAINER_OF(letter, struct policies, back);
	unsigned out;

	OBJ_CHECK(p, POLICIES_MAGIC);
	pthread_mutex_lock(&p->lock);
	out = take_out(p);
	for (unsigned i = 0; i < VOCAB_FILES && !p->closed; i++)
		if (out & (1u << i)) {
			struct texts *now = texts_pin(
				p->history[p->npast - 1].texts);

			go_back(p, i, now);
			texts_unpin(&now);
		}
	pthread_mutex_unlock(&p->lock);
}
