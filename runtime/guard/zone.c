/* SPDX-License-Identifier: MIT */
#include "zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"
#include "zone_rule.h"

#define DAY 86400
#define HEAD 44 /* bytes of a header */
#define FILE_MAX (1 << 20)

struct zone {
	struct zone *next;
	char *name;
	unsigned n; /* transitions */
	int64_t *at;
	int *offset; /* from at[i] on */
	int before;  /* at[0] */
	bool ruled;  /* there is a rule behind the last one */
	struct zone_rule rule;
};

/* A file in memory, and how far it was read. */
struct reader {
	const unsigned char *at;
	size_t left;
};

static const unsigned char *
take(struct reader *r, size_t n)
{
	const unsigned char *p = r->at;

	if (n > r->left)
		return NULL;
	r->at += n;
	r->left -= n;
	return p;
}

static uint64_t
big_endian(const unsigned char *p, int bytes)
{
	uint64_t v = 0;

	for (int i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

/* The six counts of a header, in the file's order. */
struct counts {
	uint32_t utc, std, leap, time, type, chars;
};

static bool
read_head(struct reader *r, struct counts *c)
{
	const unsigned char *p = take(r, HEAD);
	uint32_t *to = &c->utc;

	if (p == NULL || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
		return false;
	for (int i = 0; i < 6; i++) {
		to[i] = (uint32_t)big_endian(p + 20 + 4 * i, 4);
		if (to[i] > 100000)
			return false;
	}
	return true;
}

static bool
skip_first(struct reader *r, const struct counts *c)
{
	return take(r, (size_t)c->time * 5 + c->type * 6 + c->chars +
			       c->leap * 8 + c->std + c->utc) != NULL;
}

static bool
read_types(struct zone *z, const unsigned char *which,
	   const unsigned char *types, uint32_t ntypes)
{
	z->before = (int32_t)big_endian(types, 4);
	for (unsigned i = 0; i < z->n; i++) {
		if (which[i] >= ntypes)
			return false;
		z->offset[i] = (int32_t)big_endian(types + 6 * which[i], 4);
	}
	return true;
}

/* The second block, of 64-bit times. */
static bool
read_block(struct zone *z, struct reader *r, const struct counts *c)
{
	const unsigned char *times = take(r, (size_t)c->time * 8);
	const unsigned char *which = take(r, c->time);
	const unsigned char *types = take(r, (size_t)c->type * 6);

	if (times == NULL || which == NULL || types == NULL || c->type == 0 ||
	    c->leap != 0 || take(r, c->chars + c->std + c->utc) == NULL)
		return false;
	z->n = c->time;
	z->at = mem_new((z->n + 1) * sizeof(*z->at));
	z->offset = mem_new((z->n + 1) * sizeof(*z->offset));
	for (unsigned i = 0; i < z->n; i++)
		z->at[i] = (int64_t)big_endian(times + 8 * i, 8);
	return read_types(z, which, types, c->type);
}

static bool
read_footer(struct zone *z, struct reader *r)
{
	char text[128];
	const unsigned char *end;
	size_t n;

	if (r->left < 2 || r->at[0] != '\n')
		return false;
	end = memchr(r->at + 1, '\n', r->left - 1);
	n = end != NULL ? (size_t)(end - r->at - 1) : sizeof(text);
	if (n >= sizeof(text))
		return false;
	memcpy(text, r->at + 1, n);
	text[n] = 0;
	z->ruled = n > 0;
	return n == 0 || zone_rule_read(text, &z->rule);
}

static bool
read_zone(struct zone *z, struct reader r)
{
	struct counts c;

	return read_head(&r, &c) && skip_first(&r, &c) && read_head(&r, &c) &&
	       read_block(z, &r, &c) && read_footer(z, &r);
}

static void
zone_free(struct zone **pz)
{
	struct zone *z = *pz;

	*pz = NULL;
	mem_free(z->name);
	mem_free(z->at);
	mem_free(z->offset);
	mem_free(z);
}

/* Names of tzdata, and nothing that leaves its folder. */
static bool
name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/");

	return n > 0 && n < 64 && name[n] == 0 && name[0] != '/';
}

/* The bytes of a file (mem_free), or NULL. */
static unsigned char *
read_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *bytes = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= FILE_MAX)
		bytes = mem_try((size_t)st.st_size + 1);
	*len = bytes != NULL ? (size_t)st.st_size : 0;
	if (bytes != NULL && read(fd, bytes, *len) != (ssize_t)*len) {
		mem_free(bytes);
		bytes = NULL;
	}
	close(fd);
	return bytes;
}

static int
load(const char *dir, const char *name, struct zone **out, struct err *e)
{
	char path[512];
	unsigned char *bytes;
	size_t len;
	bool ok;

	if (!name_ok(name) || snprintf(path, sizeof(path), "%s/%s", dir,
				       name) >= (int)sizeof(path))
		return err_set(e, LUNATE_EINVAL, "no such time zone");
	bytes = read_file(path, &len);
	if (bytes == NULL)
		return err_set(e, LUNATE_EINVAL,
			       "no time zone \"%s\" (is tzdata installed?)",
			       name);
	*out = mem_new(sizeof(**out));
	(*out)->name = mem_dups(name);
	ok = read_zone(*out, (struct reader){bytes, len});
	mem_free(bytes);
	if (ok)
		return 0;
	zone_free(out);
	return err_set(e, LUNATE_EIO, "time zone \"%s\": %s is not TZif", name,
		       path);
}

void
zones_init(struct zones *zs, const char *dir)
{
	memset(zs, 0, sizeof(*zs));
	OBJ_INIT(zs, ZONES_MAGIC);
	zs->dir = mem_dups(dir);
	pthread_mutex_init(&zs->lock, NULL);
}

static int
get_locked(struct zones *zs, const char *name, const struct zone **out,
	   struct err *e)
{
	struct zone *z = zs->first;
	int rc;

	while (z != NULL && strcmp(z->name, name) != 0)
		z = z->next;
	*out = z;
	if (z != NULL)
		return 0;
	if (zs->n == ZONES_MAX)
		return err_set(e, LUNATE_ETOOBIG, "too many time zones");
	rc = load(zs->dir, name, &z, e);
	if (rc < 0)
		return rc;
	z->next = zs->first;
	zs->first = z;
	zs->n++;
	*out = z;
	return 0;
}

int
zones_get(struct zones *zs, const char *name, const struct zone **out,
	  struct err *e)
{
	int rc;

	OBJ_CHECK(zs, ZONES_MAGIC);
	pthread_mutex_lock(&zs->lock);
	rc = get_locked(zs, name, out, e);
	pthread_mutex_unlock(&zs->lock);
	return rc;
}

const char *
zone_name(const struct zone *z)
{
	return z->name;
}

/* How many transitions are not behind t. */
static unsigned
passed(const struct zone *z, int64_t t)
{
	unsigned lo = 0, hi = z->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (z->at[mid] <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
zone_offset(const struct zone *z, int64_t unix_s)
{
	unsigned n = passed(z, unix_s);

	if (n == z->n && z->ruled)
		return zone_rule_offset(&z->rule, unix_s);
	return n > 0 ? z->offset[n - 1] : z->before;
}

struct zone_clock
zone_clock(const struct zone *z, int64_t unix_s)
{
	int64_t local = unix_s + zone_offset(z, unix_s);
	int64_t second = (local % DAY + DAY) % DAY;
	int64_t day = (local - second) / DAY;

	/* 1970-01-01 was a Thursday. */
	return (struct zone_clock){(int)(((day + 3) % 7 + 7) % 7), (int)second};
}

void
zones_fini(struct zones *zs)
{
	OBJ_CHECK(zs, ZONES_MAGIC);
	while (zs->first != NULL) {
		struct zone *z = zs->first;

		zs->first = z->next;
		zone_free(&z);
	}
	pthread_mutex_destroy(&zs->lock);
	mem_free(zs->dir);
	OBJ_FINI(zs);
}
