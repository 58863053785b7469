/* SPDX-License-Identifier: MIT
 *
 * why - which rule of access.lua decides, and what the others lack.
 *
 * A question is JSON, as a test of access.lua says it:
 *
 *	{"action": "read", "on": "patients", "as": {...}, "at": "...",
 *	 "row": {...}, "columns": ["..."]}
 *
 * and so is the answer:
 *
 *	{"allowed": true, "action", "on", "column"?, "rows": "all" or "some",
 *	 "masked": [{"column", "rows": "all" or "some"}],
 *	 "decided": [RULE], "nearest": [RULE], "faults": [RULE]}
 *	RULE: {"kind": "permit" or "forbid", "name", "file", "line",
 *	       "when"?, "wants": ["..."], "roles": ["..."], "fault"?}
 *
 * decided: the forbid, or the permits that count; nearest: when it is denied
 * by none of them, the permits of that table and action, with the smallest
 * conditions that fail (wants), or the roles that have it (roles).  Without a
 * row what the row decides is left open: "some".
 *
 * Memory: owns nothing.  Thread: any; keeps nothing.
 */
#ifndef WHY_H
#define WHY_H

#include <jansson.h>

#include "err.h"
#include "rules.h"

/* A new reference.  LUNATE_ECONFIG: what is wrong with the question. */
MUST_USE
int why_tell(const struct rules *rules, const json_t *question, json_t **out,
	     struct err *e);

#endif
