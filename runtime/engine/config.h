/* SPDX-License-Identifier: MIT
 *
 * config - what the operator decided: one struct, filled from one table.
 *
 *   config_init       defaults, of the table and then of the command
 *   config_env        the environment goes over them
 *   config_set...     options (of lunate.open{} or a command line) go over it
 *   config_check      whether it fits together; once, at the end
 *
 * Always true: every field is within the limits of its row in options.h;
 *              every field knows where its value comes from; a value that is
 *              refused leaves the field as it was.
 * Units inside: durations in milliseconds, sizes in bytes.  A bare number
 *              counts the unit of the row in the environment and in Lua alike.
 * Secrets: values of SECRET rows (they hold passwords) are in no message and
 *          no output, and are wiped by config_fini().
 * Memory: texts belong to the config; NULL when not set.
 * Thread: filled by one; after config_check() nobody changes it, any may read.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "obj.h"
#include "options.h"
#include "str.h"

/* Numbers of the words of WORD rows, in the row's order. */
enum config_load_balancing {
	CONFIG_ROUND_ROBIN,
	CONFIG_LEAST_CONNECTIONS,
	CONFIG_LATENCY_BASED,
	CONFIG_RANDOM,
};
enum config_cache_policy { CONFIG_S3FIFO, CONFIG_LRU };
enum config_log_level { CONFIG_DEBUG, CONFIG_INFO, CONFIG_WARN, CONFIG_ERROR };
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_policy_confirm { CONFIG_CONFIRM_OFF, CONFIG_CONFIRM_WIDENING };

/* A SWITCH that nobody set; else 0 or 1. */
#define CONFIG_UNSET (-1)

/* What a FOLDER row holds when it was said to be false. */
#define CONFIG_NO_FOLDER "false"

#define CONFIG_C_BOOL bool
#define CONFIG_C_INT int64_t
#define CONFIG_C_TIME int64_t
#define CONFIG_C_SIZE int64_t
#define CONFIG_C_TEXT char *
#define CONFIG_C_SECRET char *
#define CONFIG_C_FOLDER char *
#define CONFIG_C_WORD int
#define CONFIG_C_SWITCH int

enum config_key {
#define CONFIG_KEY(key, type, ...) CONFIG_KEY_##key,
	OPTIONS(CONFIG_KEY)
#undef CONFIG_KEY
		CONFIG_KEYS
};

enum config_source { CONFIG_DEFAULT, CONFIG_ENVIRONMENT, CONFIG_OPTION };

struct config {
	unsigned magic;
#define CONFIG_MAGIC 0x2f60d9b5
#define CONFIG_FIELD(key, type, ...) CONFIG_C_##type key;
	OPTIONS(CONFIG_FIELD)
#undef CONFIG_FIELD
	struct {
		enum config_source source;
		int name; /* ENVIRONMENT: which of the row's names */
	} origin[CONFIG_KEYS];
};

/* Warnings, one text each, for the log. */
struct config_notes {
	char **at;
	size_t n;
};

void config_notes_init(struct config_notes *notes);
void config_notes_fini(struct config_notes *notes);

void config_init(struct config *c);

/* Takes every variable of the table that `get` knows.  An empty one counts as
 * not set.  Two names of one option with different texts are refused. */
MUST_USE
int config_env(struct config *c,
	       const char *(*get)(const char *name, void *arg), void *arg,
	       struct err *e);

/* One option by its key; an unknown one is refused with the nearest. */
MUST_USE
int config_set(struct config *c, const char *key, const char *value,
	       struct err *e);
MUST_USE
int config_set_number(struct config *c, const char *key, double value,
		      struct err *e);
MUST_USE
int config_set_bool(struct config *c, const char *key, bool value,
		    struct err *e);

/* Another default, said by a command: takes effect when neither the
 * environment nor an option has spoken, and still counts as the default. */
void config_default(struct config *c, const char *key, const char *value);

/* Whether all of it fits together; the URLs are read on trial.  Settles what
 * depends on other fields: a default pool_min (also of replicas) is cut to
 * pool_max, and auto_scaling_connection_threshold is 80 % of pool_max unless
 * set.  `notes` (may be NULL) gets what is allowed but looks wrong. */
MUST_USE
int config_check(struct config *c, struct config_notes *notes, struct err *e);

/* Adds a note for every variable of `environ` that looks like one of ours
 * (LUNATE_*, DB_POOL_*) and is none: a typo would go unnoticed. */
void config_strangers(const char *const *environ_list,
		      struct config_notes *notes);

/* The process as source: its environment, ~/.postgresql/root.crt, the user's
 * state directory, and ./policies.  The only place that looks at them. */
MUST_USE
int config_from_process(struct config *c, struct config_notes *notes,
			struct err *e);

void config_fini(struct config *c);

/* ---- for help and docs ------------------------------------------------- */

struct config_info {
	const char *key,
		*env;	      /* env: comma-separated, the first one is shown */
	const char *kind;     /* "duration", "number", "true or false" ... */
	const char *unit;     /* of a bare number, or the words "a|b" */
	const char *standard; /* the default as text, "" = not set */
	const char *section, *meaning;
	bool is_secret;
};

/* In the table's order. */
void config_each(void (*fn)(const struct config_info *info, void *arg),
		 void *arg);

/* Appends the value of an option as it could be written ("***" for a secret
 * that is set, "" when not set) and where it comes from: "default",
 * "DB_POOL_MAX", "option".  LUNATE_ECONFIG for an unknown key. */
MUST_USE
int config_show(const struct config *c, const char *key, struct str *value,
		struct str *origin);

/* The whole table, as Markdown for the README and plain for a terminal. */
void config_markdown(struct str *out);
void config_help(struct str *out);

#endif
