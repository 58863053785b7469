/* SPDX-License-Identifier: MIT
 *
 * host_rows - a result as a host sees it.
 *
 * Memory: counted; pins the rows behind it.  Thread: any; immutable.
 */
#ifndef HOST_ROWS_H
#define HOST_ROWS_H

#include "public.h"
#include "rows.h"

/* Takes the reference to `rows`, which may be NULL: no columns, no rows. */
struct lunate_rows *host_rows_new(struct rows *rows, int64_t affected,
				  double seconds);

#endif
