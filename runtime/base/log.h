/* SPDX-License-Identifier: MIT
 *
 * log - one line per event, from any thread, to one sink.
 *
 *	log_warn(lg, "pool", "near exhaustion", LOG_INT("active", n),
 *		 LOG_STR("server", host));
 *
 *	2026-01-31T12:00:00.000Z warn pool near exhaustion active=95 server=a
 *	{"time":"...","level":"warn","component":"pool","text":"near
 *	exhaustion","active":95,"server":"a"}			(LOG_JSON)
 *
 * The text is a constant; what varies is a key and a value, so lines of one
 * place can be searched by their text.  Values are one line: quoted and
 * escaped where they must be, cut at LOG_VALUE bytes, passwords in URLs taken
 * out.  Texts from a server or of SQL go through redact before they come
 * here.
 *
 * A place that logs in a loop does not flood: each call site gives at most
 * LOG_BURST lines in LOG_WINDOW_US (twice that when threads meet as a window
 * begins); the first line after that says how many were left out
 * (suppressed=N).
 *
 * Memory: the owner embeds `struct log`; a line is built on its own.
 * Thread: log_*() any, level may change at any time; the rest is set before
 *         threads start.  The sink may be called by several threads at once
 *         and is called without any lock; it must not log.  This module reads
 *         the clock.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "obj.h"

#define LOG_VALUE 1024
#define LOG_BURST 10
#define LOG_WINDOW_US ((int64_t)10 * 1000 * 1000)

/* X(name, word); the first is the most urgent */
#define LOG_LEVELS(X)        \
	X(AT_ERROR, "error") \
	X(AT_WARN, "warn")   \
	X(AT_INFO, "info")   \
	X(AT_DEBUG, "debug")

enum log_level {
#define LOG_ENUM(name, word) LOG_##name,
	LOG_LEVELS(LOG_ENUM)
#undef LOG_ENUM
		LOG_LEVEL_COUNT
};

enum log_form { LOG_TEXT, LOG_JSON };

/* One finished line: `len` bytes without newline, 0-terminated, borrowed. */
typedef void log_sink(void *arg, enum log_level level, const char *line,
		      size_t len);

struct log {
	unsigned magic;
#define LOG_MAGIC 0x109f11e5
	enum log_level level; /* atomic; less urgent ones are left out */
	enum log_form form;
	log_sink *sink;
	void *arg; /* the sink's */
	int fd;	   /* stderr as it was at the start, or -1 */
};

enum log_kind { LOG_KIND_INT, LOG_KIND_STR };

struct log_value {
	const char *key;
	enum log_kind kind;
	int64_t number;
	const char *text; /* NULL: the pair is left out */
};

#define LOG_INT(key, n) ((struct log_value){key, LOG_KIND_INT, (n), NULL})
#define LOG_STR(key, s) ((struct log_value){key, LOG_KIND_STR, 0, (s)})

/* What a call site remembers; static, zeroed. */
struct log_site {
	int64_t began_us; /* atomic; of the window, 0 = never */
	uint64_t asked;	  /* atomic; lines asked for in it */
};

struct log_event {
	enum log_level level;
	const char *component;
	const char *text;
	const struct log_value *values;
	size_t nvalues;
};

/* A NULL sink is a line on stderr as it is now: a host may close descriptor 2,
 * which is then a socket, perhaps.  With none nothing is written.  The log
 * stays where it is until log_fini(). */
void log_init(struct log *lg, enum log_level level, enum log_form form,
	      log_sink *sink);
void log_set_level(struct log *lg, enum log_level level);

/* A NULL log wants nothing. */
bool log_wants(const struct log *lg, enum log_level level);

/* Through the macros below. */
void log_put(struct log *lg, struct log_site *site, const struct log_event *v);

/* May the site write now?  Then *left_out is how many lines of its last
 * window were not written.  Time is the caller's, any monotonic one > 0. */
bool log_admit(struct log_site *site, int64_t now_us, uint64_t *left_out);

const char *log_level_word(enum log_level level);

/* The level of a word, or -1. */
int log_level_of(const char *word);
void log_fini(struct log *lg);

/* Values are computed only when the level is wanted. */
#define log_at(lg, lvl, comp, txt, ...)                                     \
	do {                                                                \
		static struct log_site log_site_;                           \
		if (!log_wants(lg, lvl))                                    \
			break;                                              \
		const struct log_value log_v_[] = {{0}, ##__VA_ARGS__};     \
		const size_t log_n_ = sizeof(log_v_) / sizeof(*log_v_) - 1; \
		log_put(lg, &log_site_,                                     \
			&(struct log_event){lvl, comp, txt, log_v_ + 1,     \
					    log_n_});                       \
	} while (0)

#define log_error(lg, component, ...) \
	log_at(lg, LOG_AT_ERROR, component, __VA_ARGS__)
#define log_warn(lg, component, ...) \
	log_at(lg, LOG_AT_WARN, component, __VA_ARGS__)
#define log_info(lg, component, ...) \
	log_at(lg, LOG_AT_INFO, component, __VA_ARGS__)
#define log_debug(lg, component, ...) \
	log_at(lg, LOG_AT_DEBUG, component, __VA_ARGS__)

#endif
