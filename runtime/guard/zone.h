/* SPDX-License-Identifier: MIT
 *
 * zone - what a clock on the wall shows, from the system's tzdata.
 *
 * The C library knows one zone at a time, for the whole process; here each is
 * a value.  A file is TZif (RFC 8536), version 2 or later: the transitions,
 * and behind the last one the rule of its footer ("CET-1CEST,M3.5.0,
 * M10.5.0/3").
 *
 * zones - those of one generation of rules, read at first use and kept.  A
 * reload makes new ones, so a new tzdata is in force after it.
 *
 * Memory: a zone belongs to its zones.
 * Thread: a zone is immutable; zones has a lock of its own.
 */
#ifndef ZONE_H
#define ZONE_H

#include <pthread.h>
#include <stdint.h>

#include "err.h"

struct zone;

struct zone_clock {
	int weekday; /* 0 is Monday */
	int second;  /* of the day */
};

struct zones {
	unsigned magic;
#define ZONES_MAGIC 0x20ae5e75
	char *dir;
	pthread_mutex_t lock; /* of the rest */
	struct zone *first;
	unsigned n;
};

#define ZONES_DIR "/usr/share/zoneinfo"
#define ZONES_MAX 1000

/* dir: where the files are; copied. */
void zones_init(struct zones *zs, const char *dir);

/* LUNATE_EINVAL: there is no such zone; LUNATE_EIO: its file is unusable;
 * LUNATE_ETOOBIG: there are ZONES_MAX already. */
MUST_USE
int zones_get(struct zones *zs, const char *name, const struct zone **out,
	      struct err *e);

const char *zone_name(const struct zone *z);

/* Seconds east of UTC at an instant (seconds since 1970). */
int zone_offset(const struct zone *z, int64_t unix_s);
struct zone_clock zone_clock(const struct zone *z, int64_t unix_s);

void zones_fini(struct zones *zs);

#endif
