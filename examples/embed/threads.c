/* SPDX-License-Identifier: MIT
 *
 * threads - eight threads of a host share one runtime.
 *
 * Each is a nurse who moves patients from ward to ward.  A move is a
 * transaction: it takes a bed here and gives one back there, and when two
 * moves get into each other's way lunate runs one of them again.  A ward
 * without a free bed refuses (a check constraint): that is an answer, not a
 * failure of the program.  At the end no bed may be lost or made.
 *
 *	cc threads.c -o threads $(pkg-config --cflags --libs lunate) -lpthread
 *	DATABASE_URL=postgres:///app ./threads
 *
 * It makes the table embed_wards and drops it again.
 */
#include <lunate.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 8, MOVES = 100, WARDS = 4, BEDS = 20 };

struct nurse {
	pthread_t thread;
	struct lunate *db;
	unsigned seed;
	int done, refused, tries;
	int rc;			   /* 0, or what made it stop */
	struct lunate_error error; /* filled when rc is not 0 */
};

/* One move; the work of a transaction may run several times. */
struct move {
	struct lunate *db;
	int from, to;
	int tries;
};

static int
add_beds(struct move *m, struct lunate_tx *tx, const int64_t change[2],
	 struct lunate_error *e)
{
	struct lunate_value v[] = {lunate_int(change[0]),
				   lunate_int(change[1])};
	struct lunate_call c = lunate_sql(
		"update embed_wards set free = free + $2 where id = $1", v, 2);

	c.tx = tx;
	return lunate_query(m->db, &c, NULL, e);
}

/* The lower ward first: two moves that take the same rows in another order
 * would wait for each other, and for the server to notice. */
static int
move_patient(struct lunate_tx *tx, void *arg, struct lunate_error *e)
{
	struct move *m = arg;
	const int64_t leave[] = {m->from, 1}, enter[] = {m->to, -1};
	int leave_first = m->from < m->to;
	int rc;

	m->tries++;
	rc = add_beds(m, tx, leave_first ? leave : enter, e);
	if (rc == 0)
		rc = add_beds(m, tx, leave_first ? enter : leave, e);
	return rc; /* 0: commit; else it is rolled back */
}

/* A plain read, on whichever connection is free. */
static int
count_free(struct lunate *db, int64_t *n, struct lunate_error *e)
{
	struct lunate_call c = lunate_sql("select sum(free) from embed_wards",
					  NULL, 0);
	struct lunate_rows *rows;
	int rc = lunate_query(db, &c, &rows, e);

	if (rc < 0)
		return rc;
	if (lunate_rows_int(rows, 0, 0, n) < 0)
		*n = 0; /* no wards */
	lunate_rows_free(&rows);
	return 0;
}

static int
move_somebody(struct nurse *n)
{
	struct lunate_tx_options o = lunate_tx_defaults();
	struct move m = {.db = n->db};
	struct lunate_work work = {move_patient, &m};
	int rc;

	m.from = rand_r(&n->seed) % WARDS;
	m.to = (m.from + 1 + rand_r(&n->seed) % (WARDS - 1)) % WARDS;
	o.isolation = "repeatable read";
	o.retries = 50;
	rc = lunate_transaction(n->db, &o, &work, &n->error);
	n->tries += m.tries;
	if (rc == LUNATE_ECONSTRAINT) {
		n->refused++;
		return 0;
	}
	n->done += rc == 0;
	return rc;
}

static void *
nurse_main(void *arg)
{
	struct nurse *n = arg;
	int64_t now_free;

	for (int i = 0; i < MOVES && n->rc == 0; i++) {
		n->rc = move_somebody(n);
		if (n->rc == 0 && i % 10 == 0)
			n->rc = count_free(n->db, &now_free, &n->error);
	}
	return NULL;
}

static int
run(struct lunate *db, const char *sql, struct lunate_error *e)
{
	struct lunate_call c = lunate_sql(sql, NULL, 0);

	return lunate_query(db, &c, NULL, e);
}

static int
make_wards(struct lunate *db, struct lunate_error *e)
{
	struct lunate_value v[] = {lunate_int(WARDS), lunate_int(BEDS)};
	struct lunate_call fill = lunate_sql(
		"insert into embed_wards "
		"select i, $2 from generate_series(0, $1::int - 1) i",
		v, 2);
	int rc = run(db, "drop table if exists embed_wards", e);

	if (rc == 0)
		rc = run(db,
			 "create table embed_wards (id int primary key, "
			 "free int not null check (free >= 0))",
			 e);
	return rc == 0 ? lunate_query(db, &fill, NULL, e) : rc;
}

/* Starts the threads, waits for them and adds up; 0 when all went well. */
static int
work_together(struct lunate *db, struct lunate_error *e)
{
	struct nurse nurses[THREADS] = {0};
	int done = 0, refused = 0, tries = 0, rc = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		nurses[i].db = db;
		nurses[i].seed = i + 1;
		if (pthread_create(&nurses[i].thread, NULL, nurse_main,
				   &nurses[i]) != 0)
			abort();
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(nurses[i].thread, NULL);
		done += nurses[i].done;
		refused += nurses[i].refused;
		tries += nurses[i].tries;
		if (nurses[i].rc < 0) {
			*e = nurses[i].error;
			rc = nurses[i].rc;
		}
	}
	printf("%d moves, %d refused by a full ward, %d tried again\n", done,
	       refused, tries - done - refused);
	return rc;
}

int
main(void)
{
	const struct lunate_setting settings[] = {{"pool_max", "8"},
						  {NULL, NULL}};
	struct lunate_options o = lunate_defaults();
	struct lunate_error e;
	struct lunate *db;
	int64_t n = 0;
	int rc;

	o.settings = settings; /* the URL comes from DATABASE_URL */
	if (lunate_open(&o, &db, &e) < 0) {
		fprintf(stderr, "threads: %s\n", e.text);
		return 1;
	}
	rc = make_wards(db, &e);
	if (rc == 0)
		rc = work_together(db, &e);
	if (rc == 0)
		rc = count_free(db, &n, &e);
	if (rc == 0)
		rc = run(db, "drop table embed_wards", &e);
	if (rc < 0)
		fprintf(stderr, "threads: %s\n", e.text);
	else
		printf("%d of %d beds are free\n", (int)n, WARDS * BEDS);
	lunate_close(&db, 10);
	return rc == 0 && n == WARDS * BEDS ? 0 : 1;
}
