/* SPDX-License-Identifier: MIT */
#include "vocab.h"

#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof(*(list)))
#define WORD(n, how, fs, text)                                               \
	{                                                                    \
		.name = n, .named = how, .fields = fs, .nfields = COUNT(fs), \
		.meaning = text                                              \
	}
#define ONCE(n, how, fs, text)                                       \
	{                                                            \
		.name = n, .named = how, .once = true, .fields = fs, \
		.nfields = COUNT(fs), .meaning = text                \
	}

/* clang-format off */

/* ---- every file ---------------------------------------------------------- */

static const struct vocab_field test_fields[] = {
	{"as", VOCAB_RECORD, NULL, false, "who asks: tenant, roles, ip, ..."},
	{"sql", VOCAB_TEXT, NULL, false, "the statement"},
	{"gives", VOCAB_WORD, "scoped|open|refused", false, "what becomes of it"},
	{"because", VOCAB_TEXT, NULL, false, "the reason it is refused for; with can and cannot a rule"},
	{"can", VOCAB_TEXT, NULL, false, "an action that is permitted"},
	{"cannot", VOCAB_TEXT, NULL, false, "an action that is not"},
	{"on", VOCAB_TEXT, NULL, false, "the table of the action"},
	{"row", VOCAB_RECORD, NULL, false, "columns of a row"},
	{"columns", VOCAB_TEXTS, NULL, false, "those that are read or written"},
	{"at", VOCAB_TEXT, NULL, false, "the time, 2026-06-15T10:00Z"},
};
#define TEST \
	WORD("test", VOCAB_NAMED, test_fields, \
	     "a case that has to hold before the file is in force")

/* ---- isolation ----------------------------------------------------------- */

static const struct vocab_field tenant_fields[] = {
	{"type", VOCAB_WORD, "uuid|int4|int8|text", true, "type of the tenant columns"},
};
static const struct vocab_field rows_fields[] = {
	{"by", VOCAB_TEXT, NULL, false, "column that names the tenant"},
	{"parent", VOCAB_TEXT, NULL, false, "table whose row says whose this one is"},
	{"through", VOCAB_TEXT, NULL, false, "table that says which tenants a row belongs to"},
	{"on", VOCAB_MAP, NULL, false, "own column = column of the other table"},
	{"shared", VOCAB_WORD, "read", false, "every tenant may read it"},
	{"write", VOCAB_WORD, "own|never", false, "may tenants change it? (own; of what a through names only if it says so)"},
};
static const struct vocab_field function_fields[] = {
	{"add", VOCAB_TEXTS, NULL, false, "functions that are allowed beside the standard ones"},
	{"remove", VOCAB_TEXTS, NULL, false, "standard functions that are not"},
};
static const struct vocab_field database_fields[] = {
	{"mode", VOCAB_WORD, "both|rewrite|rls", false, "which layers hold (both)"},
	{"seal", VOCAB_BOOL, NULL, false, "the context in the session carries a MAC (false)"},
};
static const struct vocab_field error_fields[] = {
	{"detail", VOCAB_WORD, "hide|show", false, "show: for development, the server's own words (hide)"},
};
static const struct vocab_field canary_fields[] = {
	{"tenant", VOCAB_TEXT, NULL, true, "tenant whose rows nobody may ever see"},
};
static const struct vocab_field accept_fields[] = {
	{"table", VOCAB_TEXTS, NULL, false, "tables; not given: wherever it is found"},
	{"why", VOCAB_TEXT, NULL, true, "the reason"},
};
static const struct vocab_word isolation_words[] = {
	ONCE("tenant", VOCAB_UNNAMED, tenant_fields, "what a tenant is"),
	ONCE("rows", VOCAB_NAMED, rows_fields, "to whom the rows of a table belong"),
	ONCE("functions", VOCAB_UNNAMED, function_fields, "what statements may call"),
	ONCE("database", VOCAB_UNNAMED, database_fields, "what the database enforces itself"),
	ONCE("errors", VOCAB_UNNAMED, error_fields, "what errors tell"),
	ONCE("canary", VOCAB_UNNAMED, canary_fields, "a tenant that must never be seen"),
	ONCE("accept", VOCAB_NAMED, accept_fields, "what a check of the database finds, and closes nothing"),
	TEST,
};

/* ---- access -------------------------------------------------------------- */

static const struct vocab_field role_fields[] = {
	{"is", VOCAB_TEXTS, NULL, false, "roles whose permits it also has"},
};
#define RULE_FIELDS \
	{"role", VOCAB_TEXTS, NULL, false, "who; not given: anybody"}, \
	{"action", VOCAB_TEXTS, NULL, true, "read, insert, update, delete or any"}, \
	{"on", VOCAB_TEXTS, NULL, true, "tables, or any"}, \
	{"columns", VOCAB_TEXTS, NULL, false, "columns; others are read as NULL"}, \
	{"when", VOCAB_TERM, NULL, false, "a condition that has to hold"}, \
	{"unless", VOCAB_TERM, NULL, false, "a condition that must not hold"}
static const struct vocab_field permit_fields[] = {RULE_FIELDS};
static const struct vocab_field glass_fields[] = {
	{"role", VOCAB_TEXTS, NULL, true, "who may break it"},
	{"opens", VOCAB_TEXTS, NULL, true, "tables"},
	{"patient", VOCAB_MAP, NULL, true, "table = its column with the patient's id"},
	{"lasts", VOCAB_SECONDS, NULL, true, "how long it stays open"},
	{"never", VOCAB_TEXTS, NULL, false, "actions it does not open"},
	{"review_within", VOCAB_SECONDS, NULL, false, "when a review is due (hours(72))"},
};
static const struct vocab_field rate_fields[] = {
	{"rate", VOCAB_NUMBER, NULL, true, "operations"},
	{"window", VOCAB_SECONDS, NULL, true, "in this time"},
	{"per", VOCAB_WORD, "clinic|user", false, "for each (clinic)"},
};
static const struct vocab_word access_words[] = {
	ONCE("role", VOCAB_NAMED, role_fields, "a role and what it inherits"),
	ONCE("permit", VOCAB_NAMED, permit_fields, "what is permitted"),
	ONCE("forbid", VOCAB_NAMED, permit_fields, "what is not, whatever is permitted"),
	ONCE("break_glass", VOCAB_NAMED, glass_fields, "access in an emergency: one patient, a written reason"),
	ONCE("limit", VOCAB_NAMED, rate_fields, "how many operations in a time"),
	TEST,
};

const struct vocab_term vocab_terms[VOCAB_TERMS] = {
	{"all { a, b }", "each of them holds"},
	{"any { a, b }", "one of them holds"},
	{"no { a }", "it does not hold"},
	{"has_role \"nurse\"", "the user has the role, itself or by inheritance"},
	{"hours(\"Mon-Fri 07:00-19:00\", zone)", "it is in these hours; zone is a text or ctx.clinic_tz"},
	{"ip(\"10.20.0.0/16\", ...)", "ctx.ip is in one of these ranges"},
	{"x:eq(v)  x:ne(v)", "x is row.column or ctx.name; v those, a text, a number, true or false"},
	{"row.x:lt(v)  :le  :gt  :ge", "numbers, and texts by their bytes"},
	{"x:one_of { \"a\", \"b\" }", "it is one of the list"},
	{"x:one_of(ctx.set)", "it is one of what the context has"},
	{"x:known()", "it is there: not NULL, and said by the context"},
	{"ctx.set:has(v)", "v is one of it"},
	{"ctx.set:within { \"a\", \"b\" }", "nothing of it is outside of the list"},
	{"row.column", "of the row that is asked for"},
	{"ctx.name", "of who asks:"},
};

/* ---- resilience ---------------------------------------------------------- */

static const struct vocab_field class_fields[] = {
	{"timeout", VOCAB_SECONDS, NULL, false, "longest run on the server (no effect yet)"},
	{"retries", VOCAB_TALLY, NULL, false, "further attempts when nothing was left behind"},
};
static const struct vocab_field retry_fields[] = {
	{"base", VOCAB_SECONDS, NULL, false, "first wait before a conflict is tried again"},
	{"cap", VOCAB_SECONDS, NULL, false, "longest such wait"},
};
static const struct vocab_field breaker_fields[] = {
	{"trip_after", VOCAB_NUMBER, NULL, false, "failures in a row that open it"},
	{"close_after", VOCAB_NUMBER, NULL, false, "good probes that close it"},
	{"rest", VOCAB_SECONDS, NULL, false, "how long it stays open"},
};
static const struct vocab_word resilience_words[] = {
	{"class", VOCAB_NAMED, true, "read|write|critical", class_fields,
	 COUNT(class_fields), "what holds for a class of operations"},
	ONCE("retry", VOCAB_UNNAMED, retry_fields, "waits between attempts"),
	ONCE("breaker", VOCAB_UNNAMED, breaker_fields, "when a server is left alone (no effect yet)"),
	TEST,
};

/* ---- those whose feature is to come --------------------------------------- */

static const struct vocab_field serve_fields[] = {
	{"fresh", VOCAB_CALL, NULL, false, "how long a result is served"},
	{"stale", VOCAB_CALL, NULL, false, "how much longer while it is refreshed"},
	{"tags", VOCAB_TEXTS, NULL, false, "what invalidates it"},
	{"share", VOCAB_BOOL, NULL, false, "kept in Redis too"},
};
static const struct vocab_word cache_words[] = {
	ONCE("default", VOCAB_UNNAMED, serve_fields, "results of tables that no other rule names"),
	ONCE("serve", VOCAB_NAMED, serve_fields, "results that touch a table"),
	TEST,
};
static const struct vocab_field field_fields[] = {
	{"search", VOCAB_WORD, "none|equal", false, "may it be searched by equality?"},
	{"as", VOCAB_WORD, "text|digits|e164", false, "form in which values are compared"},
	{"bits", VOCAB_NUMBER, NULL, false, "length of the blind index"},
	{"column", VOCAB_TEXT, NULL, false, "column of the blind index"},
	{"key_per", VOCAB_WORD, "tenant|patient", false, "whose key"},
};
static const struct vocab_field key_fields[] = {
	{"root", VOCAB_TEXT, NULL, false, "file of the root key"},
	{"rotate", VOCAB_SECONDS, NULL, false, "age at which a key is replaced"},
};
static const struct vocab_word encryption_words[] = {
	ONCE("field", VOCAB_NAMED, field_fields, "a column that is encrypted"),
	ONCE("keys", VOCAB_UNNAMED, key_fields, "the keys"),
	TEST,
};
static const struct vocab_field record_fields[] = {
	{"of", VOCAB_TEXTS, NULL, false, "tables, or any"},
	{"how", VOCAB_WORD, "same-transaction|before-result|journal", false, "how surely"},
};
static const struct vocab_field event_fields[] = {
	{"meta", VOCAB_TEXTS, NULL, false, "keys of metadata that are kept"},
	{"max", VOCAB_NUMBER, NULL, false, "bytes of metadata"},
};
static const struct vocab_word audit_words[] = {
	ONCE("record", VOCAB_NAMED, record_fields, "what is written down"),
	ONCE("event", VOCAB_UNNAMED, event_fields, "what a record holds"),
	TEST,
};
static const struct vocab_field keep_fields[] = {
	{"for_", VOCAB_SECONDS, NULL, false, "how long; not given: for ever"},
	{"from", VOCAB_TEXTS, NULL, false, "columns it is counted from, the latest"},
	{"lifetime", VOCAB_BOOL, NULL, false, "as long as the patient lives"},
};
static const struct vocab_word retention_words[] = {
	ONCE("keep", VOCAB_NAMED, keep_fields, "how long rows of a table are kept"),
	TEST,
};
static const struct vocab_field route_fields[] = {
	{"to", VOCAB_WORD, "primary|replica", false, "where its reads go"},
	{"max_lag", VOCAB_CALL, NULL, false, "how far a replica may be behind"},
};
static const struct vocab_word routing_words[] = {
	ONCE("default", VOCAB_UNNAMED, route_fields, "reads of tables that no other rule names"),
	ONCE("route", VOCAB_NAMED, route_fields, "reads that touch a table"),
	TEST,
};
static const struct vocab_field optimize_fields[] = {
	{"star", VOCAB_WORD, "recommend|rewrite|off", false, "columns instead of *"},
	{"limit", VOCAB_TALLY, NULL, false, "most rows of a statement without LIMIT"},
	{"slow", VOCAB_CALL, NULL, false, "from when a statement is looked at"},
};
static const struct vocab_word optimizer_words[] = {
	ONCE("default", VOCAB_UNNAMED, optimize_fields, "statements that no other rule names"),
	ONCE("optimize", VOCAB_NAMED, optimize_fields, "statements that touch a table"),
	TEST,
};
static const struct vocab_field alert_fields[] = {
	{"metric", VOCAB_TEXT, NULL, true, "what is looked at"},
	{"above", VOCAB_TALLY, NULL, false, "raised above this value"},
	{"below", VOCAB_TALLY, NULL, false, "raised below this value"},
	{"for_", VOCAB_SECONDS, NULL, false, "only after this time"},
	{"severity", VOCAB_WORD, "info|warning|critical", false, "how severe (warning)"},
};
static const struct vocab_word alert_words[] = {
	ONCE("alert", VOCAB_NAMED, alert_fields, "when to raise an alarm"),
	TEST,
};

#define FILE_OF(n, g, d, e, text) \
	{.name = #n, .guard = g, .decides = d, .effect = e, \
	 .terms = sizeof(#n) == sizeof("access") && #n[0] == 'a' && #n[1] == 'c', \
	 .words = n##_words, .nwords = COUNT(n##_words), .meaning = text}

const struct vocab_file vocab_files[VOCAB_FILES] = {
	FILE_OF(isolation, true, true, VOCAB_IN_FORCE, "which rows belong to whom"),
	FILE_OF(access, true, true, VOCAB_IN_FORCE, "who may do what, when, from where"),
	FILE_OF(cache, false, false, VOCAB_NOT_YET, "how long a result is served"),
	FILE_OF(encryption, true, true, VOCAB_REFUSED, "which columns are encrypted"),
	FILE_OF(audit, true, false, VOCAB_REFUSED, "what is written down"),
	FILE_OF(retention, false, false, VOCAB_NOT_YET, "how long rows are kept"),
	FILE_OF(routing, false, false, VOCAB_NOT_YET, "which server reads go to"),
	FILE_OF(resilience, false, false, VOCAB_IN_FORCE, "limits of time, and retries"),
	FILE_OF(optimizer, false, true, VOCAB_NOT_YET, "what the optimizer may do"),
	{.name = "alerts", .effect = VOCAB_NOT_YET, .words = alert_words,
	 .nwords = COUNT(alert_words), .meaning = "when to raise an alarm"},
};

/* clang-format on */

const struct vocab_file *
vocab_file(const char *name, size_t len)
{
	for (size_t i = 0; i < VOCAB_FILES; i++)
		if (strlen(vocab_files[i].name) == len &&
		    memcmp(vocab_files[i].name, name, len) == 0)
			return &vocab_files[i];
	return NULL;
}

const struct vocab_word *
vocab_word(const struct vocab_file *f, const char *name)
{
	for (unsigned i = 0; i < f->nwords; i++)
		if (strcmp(f->words[i].name, name) == 0)
			return &f->words[i];
	return NULL;
}

const struct vocab_field *
vocab_field(const struct vocab_word *w, const char *name)
{
	for (unsigned i = 0; i < w->nfields; i++)
		if (strcmp(w->fields[i].name, name) == 0)
			return &w->fields[i];
	return NULL;
}

bool
vocab_chosen(const char *choices, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = choices; *at != 0;) {
		size_t len = strcspn(at, "|");

		if (len == n && memcmp(at, word, n) == 0)
			return true;
		at += len + (at[len] == '|');
	}
	return false;
}
