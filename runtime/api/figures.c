/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <math.h>

#include "events.h"
#include "metrics.h"

json_t *
figures_health(const struct health_report *r)
{
	json_t *errors = json_array();

	for (int i = 0; i < r->nerrors; i++)
		json_array_append_new(errors, event_text(r->errors[i]));
	return json_pack("{sb si si sf sf so}", "is_healthy", r->is_healthy,
			 "connection_count", r->connection_count,
			 "active_queries", r->active_queries,
			 "avg_response_time", r->avg_response_ms,
			 "last_health_check", (double)r->checked_wall_us / 1e6,
			 "errors", errors);
}

json_t *
figures_metrics(struct worker *w)
{
	const struct metrics_info *row;
	json_t *all = json_object();
	struct metrics m;
	double value;

	metrics_read(w, &m);
	for (int i = 0; (row = metrics_row(i, &m, &value)) != NULL; i++)
		json_object_set_new(all, row->name,
				    value == floor(value)
					    ? json_integer((json_int_t)value)
					    : json_real(value));
	return all;
}
