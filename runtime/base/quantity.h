/* SPDX-License-Identifier: MIT
 *
 * quantity - numbers with a unit, as people write them, read strictly.
 *
 *   whole number   42  -1
 *   switch         true false yes no on off 1 0      (any case)
 *   duration       500ms 30s 5min 5m 1h 7d 1.5h      result in ms
 *   size           512 512kB 64MB 1GB 64MiB 10k      result in bytes
 *
 * A bare duration is counted in the unit the caller names; a bare size is in
 * bytes.  As in PostgreSQL's configuration kB, MB, GB and TB are powers of
 * 1024, the same as KiB, MiB, GiB and TiB; their case does not matter, that
 * of a duration's unit does ("5M" is an error).  Space is allowed around the
 * text and before the unit.  A fraction must come out as a whole number of
 * milliseconds or bytes.
 *
 * Every reader returns 0, or LUNATE_EINVAL and leaves *out as it was.
 * Thread: any.
 */
#ifndef QUANTITY_H
#define QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "obj.h"

#define QUANTITY_SECOND INT64_C(1000)
#define QUANTITY_MINUTE (60 * QUANTITY_SECOND)
#define QUANTITY_HOUR (60 * QUANTITY_MINUTE)
#define QUANTITY_DAY (24 * QUANTITY_HOUR)

/* Room for any text that the writers below produce. */
#define QUANTITY_TEXT 32

MUST_USE
int quantity_int(const char *text, int64_t *out);
MUST_USE
int quantity_bool(const char *text, bool *out);

/* `unit_ms`: what a bare number counts, in ms (1 = it is in ms). */
MUST_USE
int quantity_ms(const char *text, int64_t unit_ms, int64_t *out);
MUST_USE
int quantity_bytes(const char *text, int64_t *out);

/* Writes the shortest exact form, "5min" or "1500ms", which the reader above
 * reads back as the same number. */
void quantity_ms_text(int64_t ms, char buf[QUANTITY_TEXT]);
void quantity_bytes_text(int64_t bytes, char buf[QUANTITY_TEXT]);

#endif
