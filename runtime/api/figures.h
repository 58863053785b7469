/* SPDX-License-Identifier: MIT
 *
 * figures - what a runtime says of itself, as JSON: the same for the control
 * socket and for hosts.
 *
 * Memory: the caller's.  Thread: that of the worker.
 */
#ifndef FIGURES_H
#define FIGURES_H

#include <jansson.h>

#include "config.h"
#include "health.h"

json_t *figures_health(const struct health_report *r);

/* Every option: { name, value, origin }; secrets as "***". */
json_t *figures_config(const struct config *c);

/* Every row of METRICS by its name. */
json_t *figures_metrics(struct worker *w);

#endif
