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

struct options {
	const struct config *config;
	json_t *all;
};

static void
add_option(const struct config_info *info, void *arg)
{
	struct options *o = arg;
	struct str value, origin;
	int rc;

	str_init(&value);
	str_init(&origin);
	rc = config_show(o->config, info->key, &value, &origin);
	assert(rc == 0); /* the key is of the same table */
	json_array_append_new(o->all, json_pack("{ss so ss}", "name", info->key,
						"value", event_text(value.at),
						"origin", origin.at));
	str_fini(&value);
	str_fini(&origin);
}

json_t *
figures_config(const struct config *c)
{
	struct options o = {c, json_array()};

	config_each(add_option, &o);
	return o.all;
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
