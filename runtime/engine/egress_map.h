/* SPDX-License-Identifier: MIT
 *
 * egress_map - what egress has to know, from the rules and the live catalog.
 *
 * Made once for a generation and a schema epoch; names become OIDs and column
 * numbers.  A table that the database does not have is left out.
 * Memory: counted; names are borrowed from the snapshot, which it pins.
 * Thread: any.
 */
#ifndef EGRESS_MAP_H
#define EGRESS_MAP_H

#include "catalog.h"
#include "egress.h"
#include "rules.h"

struct egress_map {
	unsigned magic;
#define EGRESS_MAP_MAGIC 0xe94e5501
	int refs;	/* atomic */
	uint64_t epoch; /* of the snapshot */
	struct catalog_snapshot *snapshot;
	struct egress_rules rules;
};

/* isolation.state is ISOLATION_ON; its canary is borrowed. */
struct egress_map *egress_map_new(const struct isolation_rules *isolation,
				  struct catalog_snapshot *snapshot);
struct egress_map *egress_map_pin(struct egress_map *m);
void egress_map_unpin(struct egress_map **pm);

#endif
