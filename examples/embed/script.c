/* SPDX-License-Identifier: MIT
 *
 * script - C calls the functions of a Lua script, with values of both.
 *
 * The rules about patients stand in patients.lua; this program loads it and
 * calls its functions by name.  Arguments are typed values, results come as
 * one row with a column for each.  What the script raises, or what the server
 * refuses in it, arrives here as an error like any other.
 *
 *	cc script.c -o script $(pkg-config --cflags --libs lunate)
 *	DATABASE_URL=postgres:///app ./script patients.lua
 *
 * It makes the table embed_patients and drops it again.
 */
#include <lunate.h>

#include <stdio.h>

/* add() returns one value, a number. */
static int
add_patient(struct lunate_script *s, const struct lunate_value v[3],
	    int64_t *id, struct lunate_error *e)
{
	struct lunate_lua call = lunate_lua_of("add", v, 3);
	struct lunate_rows *rows;
	int rc = lunate_run(s, &call, &rows, e);

	if (rc < 0)
		return rc;
	if (lunate_rows_int(rows, 0, 0, id) < 0)
		*id = 0;
	lunate_rows_free(&rows);
	return 0;
}

/* find() returns three values: text, boolean and a table, as JSON. */
static int
print_patient(struct lunate_script *s, int64_t id, struct lunate_error *e)
{
	struct lunate_value v[] = {lunate_int(id)};
	struct lunate_lua call = lunate_lua_of("find", v, 1);
	struct lunate_rows *rows;
	int adult = 0, rc;

	rc = lunate_run(s, &call, &rows, e);
	if (rc < 0)
		return rc;
	if (lunate_rows_bool(rows, 0, 1, &adult) == 0)
		printf("%s, %s, %s\n", lunate_rows_text(rows, 0, 0),
		       adult ? "adult" : "child", lunate_rows_text(rows, 0, 2));
	lunate_rows_free(&rows);
	return 0;
}

static int
print_figures(struct lunate_script *s, struct lunate_error *e)
{
	struct lunate_lua call = lunate_lua_of("figures", NULL, 0);
	struct lunate_rows *rows;
	double share = 0;
	int64_t n = 0;
	int rc = lunate_run(s, &call, &rows, e);

	if (rc < 0)
		return rc;
	if (lunate_rows_int(rows, 0, 0, &n) == 0 &&
	    lunate_rows_real(rows, 0, 1, &share) == 0)
		printf("%d patients, %.0f %% of them adults\n", (int)n,
		       share * 100);
	lunate_rows_free(&rows);
	return 0;
}

/* Three ways to fail, each with its own code. */
static void
show_errors(struct lunate_script *s)
{
	struct lunate_value unnamed[] = {lunate_text(""), lunate_null(),
					 lunate_json("{}")};
	struct lunate_lua ponder = lunate_lua_of("ponder", NULL, 0);
	struct lunate_error e;
	int64_t id;

	if (add_patient(s, unnamed, &id, &e) < 0)
		printf("%s: %s\n", lunate_error_word(e.code), e.constraint);
	if (print_patient(s, -1, &e) < 0)
		printf("%s: %s\n", lunate_error_word(e.code), e.text);
	ponder.timeout = 0.1;
	if (lunate_run(s, &ponder, NULL, &e) < 0)
		printf("%s\n", lunate_error_word(e.code));
}

static int
show(struct lunate_script *s, struct lunate_error *e)
{
	struct lunate_value ada[] = {
		lunate_text("Ada Example"), lunate_text("1950-01-31"),
		lunate_json("{\"allergies\": [\"nuts\", \"dust\"]}")};
	struct lunate_value bo[] = {lunate_text("Bo Example"), lunate_null(),
				    lunate_json("{}")};
	struct lunate_lua setup = lunate_lua_of("setup", NULL, 0);
	struct lunate_lua teardown = lunate_lua_of("teardown", NULL, 0);
	int64_t id, other;
	int rc = lunate_run(s, &setup, NULL, e);

	if (rc == 0)
		rc = add_patient(s, ada, &id, e);
	if (rc == 0)
		rc = add_patient(s, bo, &other, e);
	if (rc == 0)
		rc = print_patient(s, id, e);
	if (rc == 0)
		rc = print_figures(s, e);
	if (rc == 0)
		show_errors(s);
	return rc == 0 ? lunate_run(s, &teardown, NULL, e) : rc;
}

int
main(int argc, char **argv)
{
	const struct lunate_setting settings[] = {{"pool_max", "4"},
						  {NULL, NULL}};
	struct lunate_options o = lunate_defaults();
	struct lunate_script *s = NULL;
	struct lunate *db = NULL;
	struct lunate_error e;
	int rc;

	o.settings = settings;
	rc = lunate_open(&o, &db, &e);
	if (rc == 0)
		rc = lunate_load(db, argc > 1 ? argv[1] : "patients.lua", &s,
				 &e);
	if (rc == 0)
		rc = show(s, &e);
	if (rc < 0)
		fprintf(stderr, "script: %s\n", e.text);
	lunate_script_free(&s);
	lunate_close(&db, 10);
	return rc < 0;
}
