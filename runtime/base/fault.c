/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct fault {
	char name[FAULT_NAME];
	struct fault_rule rule;
	uint64_t visits, failures;
	uint64_t random; /* state of the generator */
};

unsigned fault_armed;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fault table[FAULT_MOST]; /* under lock; fault_armed are used */

static struct fault *
find(const char *name)
{
	for (unsigned i = 0; i < fault_armed; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

/* The only place where fault_armed changes. */
static void
set_armed(unsigned n)
{
	__atomic_store_n(&fault_armed, n, __ATOMIC_RELAXED);
}

static int
check(const char *name, struct fault_rule rule, struct err *e)
{
	if (name[0] == 0 || strlen(name) >= FAULT_NAME)
		return err_set(e, LUNATE_EINVAL,
			       "fault: a name has 1 to %d characters",
			       FAULT_NAME - 1);
	if (rule.kind == FAULT_NTH && rule.nth == 0)
		return err_set(e, LUNATE_EINVAL,
			       "fault %s: visits are counted from 1", name);
	if (rule.kind == FAULT_CHANCE &&
	    !(rule.chance >= 0 && rule.chance <= 1))
		return err_set(e, LUNATE_EINVAL,
			       "fault %s: a chance lies between 0 and 1", name);
	return 0;
}

static int
arm_locked(const char *name, struct fault_rule rule, struct err *e)
{
	struct fault *f = find(name);

	if (f == NULL && fault_armed == FAULT_MOST)
		return err_set(e, LUNATE_ETOOBIG,
			       "fault %s: %d names are armed already", name,
			       FAULT_MOST);
	if (f == NULL) {
		f = &table[fault_armed];
		set_armed(fault_armed + 1);
	}
	memset(f, 0, sizeof(*f));
	strcpy(f->name, name);
	f->rule = rule;
	f->random = rule.seed;
	return 0;
}

int
fault_arm(const char *name, struct fault_rule rule, struct err *e)
{
	int rc = check(name, rule, e);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&lock);
	rc = arm_locked(name, rule, e);
	pthread_mutex_unlock(&lock);
	return rc;
}

static bool
read_number(const char *text, const char **end, uint64_t *n)
{
	char *stop;

	if (*text < '0' || *text > '9')
		return false;
	*n = strtoull(text, &stop, 10);
	*end = stop;
	return true;
}

static bool
read_chance(const char *text, const char **end, struct fault_rule *r)
{
	char *stop;

	if ((*text < '0' || *text > '9') && *text != '.')
		return false;
	r->kind = FAULT_CHANCE;
	r->chance = strtod(text, &stop);
	*end = stop;
	r->seed = 1;
	return *stop != ':' || read_number(stop + 1, end, &r->seed);
}

static bool
read_rule(const char *text, struct fault_rule *r)
{
	const char *end = text;

	memset(r, 0, sizeof(*r));
	if (strcmp(text, "always") == 0)
		return true;
	if (strncmp(text, "nth:", 4) == 0) {
		r->kind = FAULT_NTH;
		return read_number(text + 4, &end, &r->nth) && *end == 0;
	}
	if (strncmp(text, "chance:", 7) == 0)
		return read_chance(text + 7, &end, r) && *end == 0;
	return false;
}

/* One "name=RULE", cut out of the text. */
static int
arm_item(char *item, struct err *e)
{
	char *equals = strchr(item, '=');
	struct fault_rule rule;

	if (equals != NULL)
		*equals = 0;
	if (equals == NULL || !read_rule(equals + 1, &rule))
		return err_set(e, LUNATE_EINVAL,
			       "fault %.40s: want NAME=always, NAME=nth:N or "
			       "NAME=chance:P[:SEED]",
			       item);
	return fault_arm(item, rule, e);
}

static int
arm_items(const char *text, struct err *e)
{
	char item[128];
	size_t n;
	int rc;

	for (; *text != 0; text += n + (text[n] == ',')) {
		n = strcspn(text, ",");
		if (n >= sizeof(item))
			return err_set(e, LUNATE_EINVAL,
				       "fault: an item is too long");
		memcpy(item, text, n);
		item[n] = 0;
		if ((rc = arm_item(item, e)) < 0)
			return rc;
	}
	return 0;
}

int
fault_arm_text(const char *text, struct err *e)
{
	struct fault old[FAULT_MOST];
	unsigned n;
	int rc;

	pthread_mutex_lock(&lock);
	memcpy(old, table, sizeof(old));
	n = fault_armed;
	pthread_mutex_unlock(&lock);
	rc = arm_items(text, e);
	if (rc == 0)
		return 0;
	pthread_mutex_lock(&lock);
	memcpy(table, old, sizeof(old));
	set_armed(n);
	pthread_mutex_unlock(&lock);
	return rc;
}

/* splitmix64 (Steele, Lea, Flood 2014), as a number in [0, 1). */
static double
draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (double)(z >> 11) / 9007199254740992.0;
}

static bool
fails(struct fault *f)
{
	f->visits++;
	switch (f->rule.kind) {
	case FAULT_ALWAYS:
		return true;
	case FAULT_NTH:
		return f->visits == f->rule.nth;
	case FAULT_CHANCE:
		return draw(&f->random) < f->rule.chance;
	}
	return false;
}

bool
fault_visit(const char *name)
{
	struct fault *f;
	bool yes;

	pthread_mutex_lock(&lock);
	f = find(name);
	yes = f != NULL && fails(f);
	if (yes)
		f->failures++;
	pthread_mutex_unlock(&lock);
	return yes;
}

uint64_t
fault_visits(const char *name)
{
	struct fault *f;
	uint64_t n;

	pthread_mutex_lock(&lock);
	f = find(name);
	n = f != NULL ? f->visits : 0;
	pthread_mutex_unlock(&lock);
	return n;
}

uint64_t
fault_failures(const char *name)
{
	struct fault *f;
	uint64_t n;

	pthread_mutex_lock(&lock);
	f = find(name);
	n = f != NULL ? f->failures : 0;
	pthread_mutex_unlock(&lock);
	return n;
}

void
fault_disarm(const char *name)
{
	struct fault *f;

	pthread_mutex_lock(&lock);
	f = find(name);
	if (f != NULL) {
		*f = table[fault_armed - 1];
		set_armed(fault_armed - 1);
	}
	pthread_mutex_unlock(&lock);
}

void
fault_clear(void)
{
	pthread_mutex_lock(&lock);
	set_armed(0);
	pthread_mutex_unlock(&lock);
}
