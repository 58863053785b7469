/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "redact.h"
#include "str.h"

static const char *const words[] = {
#define LOG_WORD(name, word) word,
	LOG_LEVELS(LOG_WORD)
#undef LOG_WORD
};

/* One write(), so that lines of several threads do not mix. */
static void
to_stderr(void *arg, enum log_level level, const char *line, size_t len)
{
	const struct log *lg;
	struct str s;
	ssize_t n;

	OBJ_CAST(lg, arg, LOG_MAGIC);
	if (lg->fd < 0)
		return;
	str_init(&s);
	str_addn(&s, line, len);
	str_addc(&s, '\n');
	n = write(lg->fd, s.at, s.len);
	(void)n; /* there is nobody left to tell */
	str_fini(&s);
}

void
log_init(struct log *lg, enum log_level level, enum log_form form,
	 log_sink *sink)
{
	OBJ_INIT(lg, LOG_MAGIC);
	lg->form = form;
	lg->sink = sink != NULL ? sink : to_stderr;
	lg->arg = sink != NULL ? NULL : lg;
	lg->fd = sink != NULL ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	log_set_level(lg, level);
}

void
log_set_level(struct log *lg, enum log_level level)
{
	OBJ_CHECK(lg, LOG_MAGIC);
	assert((unsigned)level < LOG_LEVEL_COUNT);
	__atomic_store_n(&lg->level, level, __ATOMIC_RELAXED);
}

bool
log_wants(const struct log *lg, enum log_level level)
{
	if (lg == NULL)
		return false;
	OBJ_CHECK(lg, LOG_MAGIC);
	return level <= __atomic_load_n(&lg->level, __ATOMIC_RELAXED);
}

bool
log_admit(struct log_site *site, int64_t now_us, uint64_t *left_out)
{
	int64_t began = __atomic_load_n(&site->began_us, __ATOMIC_RELAXED);
	uint64_t asked;

	*left_out = 0;
	/* Of several threads that see the window end, one begins the next. */
	if ((began == 0 || now_us - began >= LOG_WINDOW_US) &&
	    __atomic_compare_exchange_n(&site->began_us, &began, now_us, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		asked = __atomic_exchange_n(&site->asked, 1, __ATOMIC_RELAXED);
		if (asked > LOG_BURST)
			*left_out = asked - LOG_BURST;
		return true;
	}
	return __atomic_add_fetch(&site->asked, 1, __ATOMIC_RELAXED) <=
	       LOG_BURST;
}

static int64_t
monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
add_time(struct str *s)
{
	struct timespec t;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	str_addf(s, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 (int)(t.tv_nsec / 1000000));
}

/* Length of the UTF-8 character at `text` (RFC 3629), 0 when it is none. */
static size_t
utf8_at(const unsigned char *text)
{
	size_t n = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;

	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) ||
	    (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* One byte, or one character above ASCII; gives how far it went. */
static size_t
add_char(struct str *s, const char *text)
{
	unsigned char c = (unsigned char)*text;
	size_t n = 1;

	if (c == '"' || c == '\\')
		str_addf(s, "\\%c", c);
	else if (c == '\n')
		str_add(s, "\\n");
	else if (c < 0x20 || c == 0x7f)
		str_addf(s, "\\u%04x", c);
	else if (c < 0x80)
		str_addc(s, (char)c);
	else if ((n = utf8_at((const unsigned char *)text)) != 0)
		str_addn(s, text, n);
	else
		str_add(s, "\xef\xbf\xbd"); /* U+FFFD */
	return n != 0 ? n : 1;
}

/* What stands in quotes: escaped as in JSON, which both forms use. */
static void
add_escaped(struct str *s, const char *text)
{
	while (*text != 0)
		text += add_char(s, text);
}

static void
add_quoted(struct str *s, const char *text)
{
	str_addc(s, '"');
	add_escaped(s, text);
	str_addc(s, '"');
}

static bool
is_plain(const char *text)
{
	if (*text == 0)
		return false;
	for (; *text != 0; text++)
		if (*text <= ' ' || *text >= 0x7f ||
		    strchr("\"\\=", *text) != NULL)
			return false;
	return true;
}

static void
add_value(struct str *s, enum log_form form, const struct log_value *v)
{
	struct str clean, cut;

	if (v->kind == LOG_KIND_INT) {
		str_addf(s, "%" PRId64, v->number);
		return;
	}
	str_init(&clean);
	str_init(&cut);
	redact_secrets(&clean, v->text);
	redact_cut(&cut, clean.at, LOG_VALUE);
	if (form == LOG_TEXT && is_plain(cut.at))
		str_add(s, cut.at);
	else
		add_quoted(s, cut.at);
	str_fini(&cut);
	str_fini(&clean);
}

static void
add_pair(struct str *s, enum log_form form, const struct log_value *v)
{
	if (v->kind == LOG_KIND_STR && v->text == NULL)
		return;
	str_addf(s, form == LOG_TEXT ? " %s=" : ",\"%s\":", v->key);
	add_value(s, form, v);
}

static void
add_head(struct str *s, enum log_form form, const struct log_event *v)
{
	if (form == LOG_TEXT) {
		add_time(s);
		str_addf(s, " %s %s ", words[v->level], v->component);
		add_escaped(s, v->text);
		return;
	}
	str_add(s, "{\"time\":\"");
	add_time(s);
	str_addf(s, "\",\"level\":\"%s\",\"component\":\"%s\",\"text\":",
		 words[v->level], v->component);
	add_quoted(s, v->text);
}

void
log_put(struct log *lg, struct log_site *site, const struct log_event *v)
{
	struct log_value more = {"suppressed", LOG_KIND_INT, 0, NULL};
	uint64_t left_out;
	struct str s;

	OBJ_CHECK(lg, LOG_MAGIC);
	if (!log_admit(site, monotonic_us(), &left_out))
		return;
	str_init(&s);
	add_head(&s, lg->form, v);
	for (size_t i = 0; i < v->nvalues; i++)
		add_pair(&s, lg->form, &v->values[i]);
	more.number = (int64_t)left_out;
	if (left_out != 0)
		add_pair(&s, lg->form, &more);
	if (lg->form == LOG_JSON)
		str_addc(&s, '}');
	lg->sink(lg->arg, v->level, s.at, s.len);
	str_fini(&s);
}

const char *
log_level_word(enum log_level level)
{
	assert((unsigned)level < LOG_LEVEL_COUNT);
	return words[level];
}

int
log_level_of(const char *word)
{
	for (int i = 0; i < LOG_LEVEL_COUNT; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

void
log_fini(struct log *lg)
{
	OBJ_CHECK(lg, LOG_MAGIC);
	if (lg->fd >= 0)
		close(lg->fd);
	OBJ_FINI(lg);
}
