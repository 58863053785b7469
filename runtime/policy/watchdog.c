/* SPDX-License-Identifier: MIT */
#include "watchdog.h"

#include <lauxlib.h>
#include <signal.h>
#include <time.h>

#include "mem.h"

#define LOOK_US 1000 /* between two looks while something runs */

struct watchdog {
	unsigned magic;
#define WATCHDOG_MAGIC 0x3a7c4d06
	pthread_t thread;
	pthread_mutex_t lock; /* of slots, stop */
	pthread_cond_t wake;
	struct list slots;
	int refs;    /* atomic: its owner, and slots */
	int running; /* atomic: calls under way */
	bool asleep; /* atomic: the thread waits to be woken */
	bool stop;
};

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Raises at every instruction, so that no pcall holds it. */
static void
kill_it(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	luaL_error(L, "took too long and was stopped");
}

/* Processor time of the thread of a call that is under way. */
static int64_t
used_us(const struct watchdog_slot *s)
{
	struct timespec t;
	clockid_t clock;

	if (pthread_getcpuclockid(s->thread, &clock) != 0 ||
	    clock_gettime(clock, &t) != 0)
		return INT64_MAX;
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Under the slot's lock: what it had of a processor since it was seen first. */
static int64_t
used_since(struct watchdog_slot *s, int64_t due)
{
	int64_t used = used_us(s);

	if (s->seen_us != due) {
		s->seen_us = due;
		s->used_us = used;
	}
	return used == INT64_MAX ? used : used - s->used_us;
}

static void
arm(struct watchdog_slot *s)
{
	s->armed = true;
	lua_sethook(s->L, kill_it, LUA_MASKCOUNT, 1);
}

static void
look_at(struct watchdog_slot *s, int64_t now)
{
	int64_t due = __atomic_load_n(&s->due_us, __ATOMIC_ACQUIRE);

	if (due == 0)
		return;
	pthread_mutex_lock(&s->lock);
	/* Still the same call?  Its end takes this lock too.  A pcall that
	 * fails just then changes the VM's mask of hooks and may undo ours: so
	 * look again, and arm again.  Never while it is armed: that could undo
	 * what the VM has set. */
	if (__atomic_load_n(&s->due_us, __ATOMIC_ACQUIRE) == due &&
	    used_since(s, due) >= WATCHDOG_USED_US && now >= due &&
	    !(s->armed && lua_gethookmask(s->L) != 0))
		arm(s);
	pthread_mutex_unlock(&s->lock);
}

/* Under the lock: waits for work, or until the next look. */
static void
rest(struct watchdog *d)
{
	struct timespec t;

	if (__atomic_load_n(&d->running, __ATOMIC_SEQ_CST) > 0) {
		pthread_mutex_unlock(&d->lock);
		t = (struct timespec){0, LOOK_US * 1000};
		nanosleep(&t, NULL);
		pthread_mutex_lock(&d->lock);
		return;
	}
	__atomic_store_n(&d->asleep, true, __ATOMIC_SEQ_CST);
	while (!d->stop && __atomic_load_n(&d->running, __ATOMIC_SEQ_CST) == 0)
		pthread_cond_wait(&d->wake, &d->lock);
	__atomic_store_n(&d->asleep, false, __ATOMIC_SEQ_CST);
}

static void *
watch(void *arg)
{
	struct watchdog *d;

	OBJ_CAST(d, arg, WATCHDOG_MAGIC);
	pthread_mutex_lock(&d->lock);
	while (!d->stop) {
		int64_t now = now_us();

		LIST_EACH_SAFE (link, &d->slots)
			look_at(LIST_ENTRY(link, struct watchdog_slot, link),
				now);
		rest(d);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

int
watchdog_new(struct watchdog **out, struct err *e)
{
	struct watchdog *d = mem_new(sizeof(*d));
	sigset_t all, old;
	int rc;

	OBJ_INIT(d, WATCHDOG_MAGIC);
	d->refs = 1;
	list_init(&d->slots);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->wake, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&d->thread, NULL, watch, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		OBJ_FINI(d);
		mem_free(d);
		return err_set(e, LUNATE_ERESOURCE,
			       "no thread for the policies' watchdog");
	}
	*out = d;
	return 0;
}

void
watchdog_add(struct watchdog *d, struct watchdog_slot *s, lua_State *L)
{
	OBJ_CHECK(d, WATCHDOG_MAGIC);
	list_init(&s->link);
	s->L = L;
	s->due_us = 0;
	s->seen_us = 0;
	s->armed = false;
	pthread_mutex_init(&s->lock, NULL);
	__atomic_add_fetch(&d->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&d->lock);
	list_push_back(&d->slots, &s->link);
	pthread_mutex_unlock(&d->lock);
}

void
watchdog_remove(struct watchdog *d, struct watchdog_slot *s)
{
	OBJ_CHECK(d, WATCHDOG_MAGIC);
	pthread_mutex_lock(&d->lock);
	list_remove(&s->link);
	pthread_mutex_unlock(&d->lock);
	pthread_mutex_destroy(&s->lock);
	watchdog_free(&d);
}

void
watchdog_begin(struct watchdog *d, struct watchdog_slot *s, int64_t limit_us)
{
	s->thread = pthread_self();
	__atomic_store_n(&s->due_us, now_us() + limit_us, __ATOMIC_RELEASE);
	__atomic_add_fetch(&d->running, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&d->asleep, __ATOMIC_SEQ_CST))
		return;
	pthread_mutex_lock(&d->lock);
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
}

bool
watchdog_end(struct watchdog *d, struct watchdog_slot *s)
{
	bool killed;

	__atomic_sub_fetch(&d->running, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&s->lock);
	__atomic_store_n(&s->due_us, 0, __ATOMIC_RELEASE);
	killed = s->armed;
	s->armed = false;
	if (killed)
		lua_sethook(s->L, NULL, 0, 0);
	pthread_mutex_unlock(&s->lock);
	return killed;
}

void
watchdog_free(struct watchdog **pd)
{
	struct watchdog *d;

	OBJ_TAKE(d, pd, WATCHDOG_MAGIC);
	if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	assert(list_empty(&d->slots));
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->wake);
	OBJ_FINI(d);
	mem_free(d);
}
