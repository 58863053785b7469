/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"
#include "near.h"
#include "pgurl.h"
#include "pgurl_list.h"
#include "vocab.h"

extern char **environ;

/* ---- notes ------------------------------------------------------------- */

void
config_notes_init(struct config_notes *notes)
{
	*notes = (struct config_notes){NULL, 0};
}

void
config_notes_fini(struct config_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		mem_free(notes->at[i]);
	mem_free(notes->at);
	config_notes_init(notes);
}

static void note(struct config_notes *notes, const char *fmt, ...)
	PRINTF_LIKE(2, 3);

static void
note(struct config_notes *notes, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	if (notes == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	notes->at = mem_try_resize(notes->at,
				   (notes->n + 1) * sizeof(*notes->at));
	assert(notes->at != NULL);
	notes->at[notes->n++] = mem_dups(text);
}

/* ---- what depends on other fields -------------------------------------- */

static bool
is_default(const struct config *c, enum config_key key)
{
	return c->origin[key].source == CONFIG_DEFAULT;
}

/* A minimum above its maximum: cut when it is only the default, refused when
 * somebody wrote it. */
static int
check_bounds(struct config *c, bool replica, struct err *e)
{
	int64_t *min = replica ? &c->replica_pool_min : &c->pool_min;
	int64_t max = replica ? c->replica_pool_max : c->pool_max;
	enum config_key key = replica ? CONFIG_KEY_replica_pool_min
				      : CONFIG_KEY_pool_min;

	if (*min <= max)
		return 0;
	if (is_default(c, key)) {
		*min = max;
		return 0;
	}
	return err_set(e, LUNATE_ECONFIG,
		       "%s is %" PRId64 " but %s is %" PRId64
		       "; lower the first or raise the second",
		       replica ? "LUNATE_REPLICA_POOL_MIN (replica_pool_min)"
			       : "DB_POOL_MIN (pool_min)",
		       *min,
		       replica ? "LUNATE_REPLICA_POOL_MAX (replica_pool_max)"
			       : "DB_POOL_MAX (pool_max)",
		       max);
}

static void
check_shares(struct config *c, struct config_notes *notes)
{
	int64_t high = c->pool_max * 80 / 100;

	if (is_default(c, CONFIG_KEY_auto_scaling_connection_threshold))
		c->auto_scaling_connection_threshold = high > 0 ? high : 1;
	else if (c->auto_scaling_connection_threshold > c->pool_max)
		note(notes,
		     "DB_AUTO_SCALING_CONNECTION_THRESHOLD is above "
		     "DB_POOL_MAX (%" PRId64 "): its alert can never come",
		     c->pool_max);
	if (c->workers > c->pool_max)
		note(notes,
		     "LUNATE_WORKERS is above DB_POOL_MAX (%" PRId64
		     "): workers will wait for each other's connections",
		     c->pool_max);
	if (!is_default(c, CONFIG_KEY_parallel_queries) &&
	    c->parallel_queries > c->pool_max)
		note(notes,
		     "DB_PARALLEL_QUERIES is above DB_POOL_MAX (%" PRId64
		     "): one request can use the whole pool",
		     c->pool_max);
}

static int
check_thresholds(struct config *c, struct config_notes *notes, struct err *e)
{
	if (c->slow_query_threshold <= c->critical_query_threshold)
		return 0;
	if (!is_default(c, CONFIG_KEY_critical_query_threshold))
		return err_set(e, LUNATE_ECONFIG,
			       "SLOW_QUERY_THRESHOLD is above "
			       "CRITICAL_QUERY_THRESHOLD; a critical "
			       "statement is a slow one too, so lower the "
			       "first");
	c->critical_query_threshold = c->slow_query_threshold;
	note(notes, "CRITICAL_QUERY_THRESHOLD is raised to "
		    "SLOW_QUERY_THRESHOLD, which is above its default");
	return 0;
}

/* ---- the URLs, on trial ------------------------------------------------ */

static int
try_url(const struct config *c, struct pgurl *u, struct config_notes *notes,
	struct err *e)
{
	int rc = pgurl_ssl(u, (enum pgurl_ssl)c->ssl, c->ssl_root_cert, e);

	if (rc == 0 && pgurl_warning(u) != NULL)
		note(notes, "%s", pgurl_warning(u));
	return rc;
}

static int
check_replicas(const struct config *c, const struct pgurl *main_url,
	       struct config_notes *notes, struct err *e)
{
	struct pgurl_list list;
	int rc;

	if (c->read_replica_urls == NULL) {
		if (c->read_replicas_enabled &&
		    !is_default(c, CONFIG_KEY_read_replicas_enabled))
			note(notes, "DB_READ_REPLICAS_ENABLED is true but "
				    "READ_REPLICA_URLS is not set: all reads "
				    "go to the primary");
		return 0;
	}
	rc = pgurl_list_init(&list, "READ_REPLICA_URLS", c->read_replica_urls,
			     e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < list.n && rc == 0; i++) {
		if (main_url != NULL)
			pgurl_inherit(list.at[i], main_url);
		rc = try_url(c, list.at[i], NULL, e);
	}
	pgurl_list_fini(&list);
	return rc;
}

static int
check_system(const struct config *c, const struct pgurl *main_url,
	     struct err *e)
{
	struct pgurl *u = NULL;
	int rc;

	if (c->system_url == NULL)
		return 0;
	rc = pgurl_new(&u, "LUNATE_SYSTEM_URL", c->system_url, e);
	if (rc == 0 && main_url != NULL)
		pgurl_inherit(u, main_url);
	if (rc == 0)
		rc = try_url(c, u, NULL, e);
	pgurl_free(&u);
	return rc;
}

static int
check_urls(const struct config *c, struct config_notes *notes, struct err *e)
{
	struct pgurl *u = NULL;
	int rc = 0;

	if (c->url != NULL)
		rc = pgurl_new(&u, "DATABASE_URL", c->url, e);
	if (rc == 0)
		rc = check_replicas(c, u, notes, e);
	if (rc == 0)
		rc = check_system(c, u, e);
	if (rc == 0 && u != NULL)
		rc = try_url(c, u, notes, e);
	pgurl_free(&u);
	return rc;
}

static int
check_redis(const struct config *c, struct err *e)
{
	const char *url = c->redis_url;

	if (url == NULL || strncmp(url, "redis://", 8) == 0 ||
	    strncmp(url, "unix://", 7) == 0)
		return 0;
	if (strncmp(url, "rediss://", 9) == 0)
		return err_set(e, LUNATE_ECONFIG,
			       "REDIS_URL asks for TLS (rediss://), which "
			       "this build's hiredis does not have; use "
			       "redis:// over a private network or a tunnel");
	return err_set(e, LUNATE_ECONFIG,
		       "REDIS_URL is no URL of Redis; write it as "
		       "redis://host:6379/0 or unix:///path/of/socket");
}

int
config_check(struct config *c, struct config_notes *notes, struct err *e)
{
	int rc;

	OBJ_CHECK(c, CONFIG_MAGIC);
	rc = check_bounds(c, false, e);
	rc = rc != 0 ? rc : check_bounds(c, true, e);
	rc = rc != 0 ? rc : check_thresholds(c, notes, e);
	rc = rc != 0 ? rc : check_urls(c, notes, e);
	rc = rc != 0 ? rc : check_redis(c, e);
	if (rc != 0)
		return rc;
	check_shares(c, notes);
	if (!c->encryption_enabled)
		note(notes, "ENCRYPTION_ENABLED is false: fields that a "
			    "policy seals are stored as plain text");
	return 0;
}

/* ---- the process ------------------------------------------------------- */

/* Looks for one variable among all names of the table. */
struct search {
	const char *name;
	struct near near;
	char best[64];
	bool found;
};

static void
search_names(const struct config_info *info, void *arg)
{
	struct search *s = arg;
	char name[64];
	size_t n;

	for (const char *p = info->env; *p != 0; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		snprintf(name, sizeof(name), "%.*s", (int)n, p);
		if (strcmp(name, s->name) == 0)
			s->found = true;
		s->near.best = NULL;
		near_try(&s->near, name);
		if (s->near.best != NULL)
			memcpy(s->best, name, sizeof(name));
	}
}

/* Variables of the command and of the tests: no options, but no typos
 * either. */
static bool
is_of_a_tool(const char *name)
{
	static const char *const names[] = {
		"LUNATE_PG_BIN",     "LUNATE_BUILD",   "LUNATE_COUNTS",
		"LUNATE_PROVE",	     "LUNATE_SEED",    "LUNATE_TEST_DATA",
		"LUNATE_FUZZ_CASES", "LUNATE_HISTORY", "LUNATE_PAGER",
		"LUNATE_STATEMENTS"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

void
config_strangers(const char *const *environ_list, struct config_notes *notes)
{
	char name[64];

	/* NULL after clearenv(), or when dlopen() bound it deeply. */
	for (; environ_list != NULL && *environ_list != NULL; environ_list++) {
		const char *p = *environ_list;
		struct search s = {.name = name};

		if (strncmp(p, "LUNATE_", 7) != 0 &&
		    strncmp(p, "DB_POOL_", 8) != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, "="), p);
		near_init(&s.near, name);
		config_each(search_names, &s);
		if (!s.found && !is_of_a_tool(name))
			note(notes,
			     "the environment's %s is no option of lunate and "
			     "has no effect%s%s%s",
			     name, s.best[0] != 0 ? "; did you mean " : "",
			     s.best, s.best[0] != 0 ? "?" : "");
	}
}

static const char *
from_environment(const char *name, void *arg)
{
	return getenv(name);
}

/* A file or folder under the user's home as default, when it is known. */
static void
default_path(struct config *c, const char *key, const char *base,
	     const char *below)
{
	char path[4096];
	int n;

	if (base == NULL || base[0] != '/')
		return;
	n = snprintf(path, sizeof(path), "%s/%s", base, below);
	if (n < (int)sizeof(path) &&
	    (strcmp(key, "ssl_root_cert") != 0 || access(path, R_OK) == 0))
		config_default(c, key, path);
}

/* ./policies, when it is a folder with a policy file in it. */
static void
default_policies(struct config *c)
{
	char path[80];

	for (size_t i = 0; i < VOCAB_FILES; i++) {
		snprintf(path, sizeof(path), "policies/%s.lua",
			 vocab_files[i].name);
		if (access(path, F_OK) == 0) {
			config_default(c, "policies", "policies");
			return;
		}
	}
}

int
config_from_process(struct config *c, struct config_notes *notes, struct err *e)
{
	const char *home = getenv("HOME"), *state = getenv("XDG_STATE_HOME");

	default_path(c, "ssl_root_cert", home, ".postgresql/root.crt");
	if (state != NULL && state[0] == '/')
		default_path(c, "state_dir", state, "lunate");
	else
		default_path(c, "state_dir", home, ".local/state/lunate");
	default_policies(c);
	if (notes != NULL)
		config_strangers((const char *const *)environ, notes);
	return config_env(c, from_environment, NULL, e);
}
