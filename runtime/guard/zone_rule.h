/* SPDX-License-Identifier: MIT
 *
 * zone_rule - the rule of a zone for all years to come, as POSIX writes it
 * with the additions of RFC 8536: "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1".
 *
 * Memory: owns nothing.  Thread: any.
 */
#ifndef ZONE_RULE_H
#define ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "obj.h"

struct zone_turn {
	char kind; /* 'M': month, week, day; 'J': day without Feb 29; '0' */
	int month, week, day;
	int second; /* of that day, by the clock until then; may be < 0 */
};

struct zone_rule {
	int std, dst; /* seconds east of UTC */
	bool turns;   /* there is a summer time */
	struct zone_turn start, end;
};

/* false: it cannot be read. */
MUST_USE
bool zone_rule_read(const char *text, struct zone_rule *out);

int zone_rule_offset(const struct zone_rule *r, int64_t unix_s);

#endif
