/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "ctl.h"
#include "hosted.h"
#include "mem.h"
#include "sized.h"
#include "task.h"

static __thread struct host_worker *here;

/* ---- who may ----------------------------------------------------------- */

int
host_enter(struct lunate *db, struct err *e)
{
	OBJ_CHECK(db, HOST_MAGIC);
	__atomic_add_fetch(&db->users, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&db->state, __ATOMIC_SEQ_CST) == HOST_CLOSED)
		err_set(e, LUNATE_ECLOSED, "the runtime was closed");
	else if (runtime_mine(db->rt, e) == 0)
		return 0;
	host_exit(db);
	return e->code;
}

void
host_exit(struct lunate *db)
{
	__atomic_sub_fetch(&db->users, 1, __ATOMIC_RELEASE);
}

struct host_worker *
host_choose(struct lunate *db)
{
	struct host_worker *best = &db->workers[0];
	int least = INT32_MAX;

	for (int i = 0; i < db->nworkers && least > 0; i++) {
		int n = __atomic_load_n(&db->workers[i].w->queued,
					__ATOMIC_RELAXED);

		if (n < least) {
			least = n;
			best = &db->workers[i];
		}
	}
	return best;
}

struct host_worker *
host_here(void)
{
	return here;
}

/* The worker's number stands in the low byte. */
uint64_t
host_ticket(struct host_worker *hw)
{
	return __atomic_add_fetch(&hw->tickets, 1, __ATOMIC_RELAXED) << 8 |
	       (unsigned)hw->index;
}

struct lunate *
host_pin(struct lunate *db)
{
	OBJ_CHECK(db, HOST_MAGIC);
	__atomic_add_fetch(&db->refs, 1, __ATOMIC_RELAXED);
	return db;
}

void
host_unpin(struct lunate **pdb)
{
	struct lunate *db;

	OBJ_TAKE(db, pdb, HOST_MAGIC);
	if (__atomic_sub_fetch(&db->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	mem_free(db->workers);
	OBJ_FINI(db);
	mem_free(db);
}

/* ---- options ----------------------------------------------------------- */

static int
read_settings(struct config *c, const struct lunate_options *o, struct err *e)
{
	if (o->url != NULL && config_set(c, "url", o->url, e) < 0)
		return e->code;
	if (o->system_url != NULL &&
	    config_set(c, "system_url", o->system_url, e) < 0)
		return e->code;
	if (o->system_role != NULL &&
	    config_set(c, "system_role", o->system_role, e) < 0)
		return e->code;
	if (o->raw != 0 && config_set_bool(c, "raw", true, e) < 0)
		return e->code;
	if (o->workers < 0)
		return err_set(e, LUNATE_EINVAL,
			       "workers is a number of threads from 1, or 0");
	if (o->workers > 0 &&
	    config_set_number(c, "workers", o->workers, e) < 0)
		return e->code;
	for (const struct lunate_setting *s = o->settings;
	     s != NULL && s->key != NULL; s++)
		if (config_set(c, s->key, s->value != NULL ? s->value : "", e) <
		    0)
			return e->code;
	return 0;
}

static int
read_config(struct config *c, struct config_notes *notes,
	    const struct lunate_options *o, struct err *e)
{
	config_init(c);
	if (!o->no_environment && config_from_process(c, notes, e) < 0)
		return e->code;
	if (read_settings(c, o, e) < 0)
		return e->code;
	return config_check(c, notes, e);
}

static void
to_host(void *arg, enum log_level level, const char *line, size_t len)
{
	struct lunate *db;

	OBJ_CAST(db, arg, HOST_MAGIC);
	db->log(db->log_arg, (int)level, line, len);
}

static void
set_log(struct lunate *db, const struct lunate_options *o)
{
	if (o->log == NULL)
		return;
	db->log = o->log;
	db->log_arg = o->log_arg;
	db->rt->log.sink = to_host;
	db->rt->log.arg = db;
}

/* ---- threads ----------------------------------------------------------- */

/* What waited for no operation: a pause, rows of a stream that has ended. */
static void
end_errands(struct host_worker *hw)
{
	struct list *link;

	while ((link = list_first(&hw->errands)) != NULL) {
		struct errand *q = LIST_ENTRY(link, struct errand, link);

		err_set(&q->err, LUNATE_ECLOSED, "the runtime was closed");
		errand_end(q);
	}
}

static void
end_worker(struct host_worker *hw)
{
	struct held *h;

	LIST_EACH_SAFE (link, &hw->held) {
		h = LIST_ENTRY(link, struct held, link);
		h->stop(h);
	}
	if (hw->ctl != NULL)
		ctl_free(&hw->ctl);
	runtime_leave(&hw->w);
	hosted_end(hw); /* its operations have ended, and free themselves */
	LIST_EACH_SAFE (link2, &hw->held) {
		h = LIST_ENTRY(link2, struct held, link);
		list_remove(&h->link);
		h->forget(h);
	}
	end_errands(hw);
	spare_fini(&hw->asks);
}

static void *
thread_main(void *arg)
{
	struct host_worker *hw = arg;

	here = hw;
	loop_run(hw->loop);
	end_worker(hw);
	return NULL;
}

/* Signals are the host's: the thread inherits a mask that blocks them all. */
static int
start_thread(struct host_worker *hw, struct err *e)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&hw->thread, NULL, thread_main, hw);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	hw->started = rc == 0;
	if (rc == 0)
		return 0;
	return err_set(e, LUNATE_ERESOURCE, "no thread for a worker: %s",
		       strerror(rc));
}

static void
make_worker(struct lunate *db, int i)
{
	struct host_worker *hw = &db->workers[i];

	hw->host = db;
	hw->index = i;
	list_init(&hw->errands);
	list_init(&hw->held);
	hw->w = i == 0 ? db->rt->workers : runtime_join(db->rt, hw->loop);
	if (i == 0 && db->rt->config.control_socket)
		hw->ctl = ctl_new(hw->w);
}

static void
stop_loop(struct loop_letter *letter)
{
	mem_free(letter);
	loop_stop(here->loop);
}

static void
stop_workers(struct lunate *db)
{
	for (int i = 0; i < db->nworkers; i++) {
		struct host_worker *hw = &db->workers[i];
		struct loop_letter *letter;

		if (!hw->started) {
			end_worker(hw);
			continue;
		}
		letter = mem_new(sizeof(*letter));
		letter->run = stop_loop;
		loop_post(hw->loop, letter);
	}
	for (int i = 0; i < db->nworkers; i++)
		if (db->workers[i].started)
			pthread_join(db->workers[i].thread, NULL);
}

/* The loops end last: who posts to them, a thread of the crew for instance,
 * may still be at it. */
static void
end_runtime(struct lunate *db)
{
	struct runtime *rt = db->rt;

	stop_workers(db);
	runtime_unpin(&rt);
	for (int i = 0; i < db->nworkers; i++)
		loop_free(&db->workers[i].loop);
	host_unpin(&db);
}

static int
start_workers(struct lunate *db, struct err *e)
{
	for (int i = 0; i < db->nworkers; i++)
		make_worker(db, i);
	for (int i = 0; i < db->nworkers; i++)
		if (start_thread(&db->workers[i], e) < 0)
			return e->code;
	return 0;
}

/* ---- opening ----------------------------------------------------------- */

static struct lunate *
new_host(const struct lunate_options *o, const struct config *config)
{
	struct lunate *db = mem_new(sizeof(*db));

	OBJ_INIT(db, HOST_MAGIC);
	db->refs = 1;
	db->nworkers = (int)config->workers;
	assert(db->nworkers >= 1 && db->nworkers <= HOST_WORKERS_MAX);
	db->workers = mem_new(sizeof(*db->workers) * (size_t)db->nworkers);
	for (int i = 0; i < db->nworkers; i++)
		db->workers[i].loop = loop_new();
	if (o->panic != NULL)
		obj_on_panic(o->panic);
	return db;
}

static void
free_host(struct lunate *db)
{
	for (int i = 0; i < db->nworkers; i++)
		if (db->workers[i].loop != NULL)
			loop_free(&db->workers[i].loop);
	host_unpin(&db);
}

static void
tell_notes(struct lunate *db, const struct config_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		log_warn(&db->rt->log, "config", "doubtful option",
			 LOG_STR("what", notes->at[i]));
}

/* Takes the configuration over. */
static int
open_host(struct lunate *db, const struct lunate_options *o, struct config *c,
	  struct err *e)
{
	if (runtime_open(&db->rt, c, db->workers[0].loop, e) < 0) {
		free_host(db);
		return e->code;
	}
	runtime_pin(db->rt);
	set_log(db, o);
	return 0;
}

static int
start_host(struct lunate *db, struct err *e)
{
	if (start_workers(db, e) == 0)
		return 0;
	end_runtime(db);
	return e->code;
}

int
lunate_open(const struct lunate_options *given, struct lunate **out,
	    struct lunate_error *e)
{
	struct lunate_options o;
	const struct sized s = {
		&o, sizeof(o), given,
		"struct lunate_options; begin with lunate_defaults()"};
	struct config_notes notes;
	struct lunate *db = NULL;
	struct config c;
	struct err why = {0};

	err_clear(&why);
	if (sized_take(&s, &why) < 0)
		return error_fill(e, &why);
	config_notes_init(&notes);
	if (read_config(&c, &notes, &o, &why) < 0) {
		config_fini(&c);
		config_notes_fini(&notes);
		return error_fill(e, &why);
	}
	db = new_host(&o, &c);
	if (open_host(db, &o, &c, &why) == 0) {
		tell_notes(db, &notes);
		if (start_host(db, &why) == 0)
			*out = db;
	}
	config_notes_fini(&notes);
	return why.code < 0 ? error_fill(e, &why) : 0;
}

/* ---- closing ----------------------------------------------------------- */

/* A worker that has nothing to do says so once. */
struct drain {
	struct loop_letter letter;
	struct loop_timer tick;
	struct host_worker *hw;
	int64_t until_us;
	bool late; /* it had to stop waiting */
	sem_t *done;
};

static bool
holds(const struct host_worker *hw)
{
	LIST_EACH (link, &hw->held)
		if (!LIST_ENTRY(link, struct held, link)->passive)
			return true;
	return false;
}

static void
look(struct drain *d)
{
	struct worker *w = d->hw->w;

	loop_refresh(d->hw->loop);
	d->late = !worker_quiet(w) || !list_empty(&d->hw->errands) ||
		  holds(d->hw);
	if (d->late && loop_now_us(d->hw->loop) < d->until_us)
		loop_timer_start(&d->tick, 5000);
	else
		sem_post(d->done);
}

static void
look_again(struct loop_timer *t)
{
	look(CONTAINER_OF(t, struct drain, tick));
}

static void
begin_drain(struct loop_letter *letter)
{
	struct drain *d = CONTAINER_OF(letter, struct drain, letter);

	d->hw->w->closing = true;
	loop_timer_init(&d->tick, d->hw->loop, look_again);
	loop_refresh(d->hw->loop);
	d->until_us += loop_now_us(d->hw->loop);
	look(d);
}

/* All workers at once; true: nothing was left. */
static bool
drain(struct lunate *db, double seconds)
{
	struct drain *all = mem_new(sizeof(*all) * (size_t)db->nworkers);
	bool late = false;
	sem_t done;

	sem_init(&done, 0, 0);
	for (int i = 0; i < db->nworkers; i++) {
		all[i].hw = &db->workers[i];
		all[i].until_us = seconds > 0 ? task_us(seconds) : 0;
		all[i].done = &done;
		all[i].letter.run = begin_drain;
		loop_post(db->workers[i].loop, &all[i].letter);
	}
	for (int i = 0; i < db->nworkers; i++)
		while (sem_wait(&done) < 0 && errno == EINTR)
			;
	for (int i = 0; i < db->nworkers; i++)
		late = late || all[i].late;
	sem_destroy(&done);
	mem_free(all);
	return !late;
}

int
lunate_close(struct lunate **pdb, double seconds)
{
	struct lunate *db;
	struct err e;
	bool quiet;

	if (*pdb == NULL)
		return 0;
	if (here != NULL)
		return LUNATE_EINVAL; /* it would wait for itself */
	OBJ_TAKE(db, pdb, HOST_MAGIC);
	if (runtime_mine(db->rt, &e) < 0)
		return e.code; /* all of it is the parent's */
	__atomic_store_n(&db->state, HOST_DRAINING, __ATOMIC_SEQ_CST);
	quiet = drain(db, seconds);
	__atomic_store_n(&db->state, HOST_CLOSED, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&db->users, __ATOMIC_SEQ_CST) > 0)
		sched_yield();
	end_runtime(db);
	return quiet ? 0 : LUNATE_EDEADLINE;
}
