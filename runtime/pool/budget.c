/* SPDX-License-Identifier: MIT */
#include "budget.h"

#include "mem.h"
#include "obj.h"

struct budget_seat {
	unsigned magic;
#define BUDGET_SEAT_MAGIC 0x5ea7b0d6
	struct list link; /* under the lock */
	struct pool_budget *budget;
	struct loop *loop;
	void (*look)(void *arg); /* NULL: the pool has left */
	void *arg;
	int need;    /* atomic: enum budget_need */
	int idle;    /* atomic */
	bool posted; /* under the lock: the letter is under way */
	struct loop_letter letter;
};

static int
get(const int *number)
{
	return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

static void
add(int *number, int n)
{
	__atomic_add_fetch(number, n, __ATOMIC_SEQ_CST);
}

void
budget_init(struct pool_budget *b, int max)
{
	*b = (struct pool_budget){.max = max};
	pthread_mutex_init(&b->lock, NULL);
	list_init(&b->seats);
}

void
budget_fini(struct pool_budget *b)
{
	assert(list_empty(&b->seats) && b->wanting == 0 && b->starving == 0);
	pthread_mutex_destroy(&b->lock);
}

/* ---- letters ------------------------------------------------------------ */

static void
free_seat(struct budget_seat *s)
{
	OBJ_FINI(s);
	mem_free(s);
}

/* On the thread of the seat's pool, as is budget_leave(). */
static void
run_letter(struct loop_letter *letter)
{
	struct budget_seat *s = CONTAINER_OF(letter, struct budget_seat,
					     letter);

	OBJ_CHECK(s, BUDGET_SEAT_MAGIC);
	if (s->look == NULL) {
		free_seat(s);
		return;
	}
	pthread_mutex_lock(&s->budget->lock);
	s->posted = false;
	pthread_mutex_unlock(&s->budget->lock);
	s->look(s->arg);
}

/* Under the lock, so that the seat and its loop are still there. */
static void
post(struct budget_seat *s)
{
	if (s->posted)
		return;
	s->posted = true;
	loop_post(s->loop, &s->letter);
}

/* The pool that can best spare one. */
static void
ask_the_idlest(struct pool_budget *b, const struct budget_seat *asker)
{
	struct budget_seat *best = NULL;
	int most = 0;

	pthread_mutex_lock(&b->lock);
	LIST_EACH (link, &b->seats) {
		struct budget_seat *s = LIST_ENTRY(link, struct budget_seat,
						   link);
		int idle = get(&s->idle);

		if (s != asker && idle > most) {
			best = s;
			most = idle;
		}
	}
	if (best != NULL)
		post(best);
	pthread_mutex_unlock(&b->lock);
}

static void
wake_the_wanting(struct pool_budget *b, const struct budget_seat *giver)
{
	pthread_mutex_lock(&b->lock);
	LIST_EACH (link, &b->seats) {
		struct budget_seat *s = LIST_ENTRY(link, struct budget_seat,
						   link);

		if (s != giver && get(&s->need) != BUDGET_CONTENT)
			post(s);
	}
	pthread_mutex_unlock(&b->lock);
}

/* ---- seats -------------------------------------------------------------- */

struct budget_seat *
budget_join(struct pool_budget *b, struct loop *loop, void (*look)(void *arg),
	    void *arg)
{
	struct budget_seat *s = mem_new(sizeof(*s));

	assert(look != NULL);
	OBJ_INIT(s, BUDGET_SEAT_MAGIC);
	list_init(&s->link);
	s->budget = b;
	s->loop = loop;
	s->look = look;
	s->arg = arg;
	s->letter.run = run_letter;
	pthread_mutex_lock(&b->lock);
	list_push_back(&b->seats, &s->link);
	pthread_mutex_unlock(&b->lock);
	add(&b->nseats, 1);
	return s;
}

static void
raise_peak(struct pool_budget *b, int open)
{
	int peak = get(&b->peak);

	while (peak < open &&
	       !__atomic_compare_exchange_n(&b->peak, &peak, open, true,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

bool
budget_take(struct budget_seat *s)
{
	struct pool_budget *b = s->budget;
	int open = get(&b->open);

	OBJ_CHECK(s, BUDGET_SEAT_MAGIC);
	do {
		if (open >= get(&b->max))
			return false;
	} while (!__atomic_compare_exchange_n(&b->open, &open, open + 1, true,
					      __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	raise_peak(b, open + 1);
	return true;
}

void
budget_give(struct budget_seat *s)
{
	OBJ_CHECK(s, BUDGET_SEAT_MAGIC);
	add(&s->budget->open, -1);
	if (get(&s->budget->wanting) > 0)
		wake_the_wanting(s->budget, s);
}

void
budget_need(struct budget_seat *s, enum budget_need need)
{
	struct pool_budget *b = s->budget;
	int before = get(&s->need);

	OBJ_CHECK(s, BUDGET_SEAT_MAGIC);
	__atomic_store_n(&s->need, (int)need, __ATOMIC_SEQ_CST);
	if ((before != BUDGET_CONTENT) != (need != BUDGET_CONTENT))
		add(&b->wanting, need != BUDGET_CONTENT ? 1 : -1);
	if ((before == BUDGET_STARVES) != (need == BUDGET_STARVES))
		add(&b->starving, need == BUDGET_STARVES ? 1 : -1);
	if (need != BUDGET_CONTENT)
		ask_the_idlest(b, s);
}

void
budget_idle(struct budget_seat *s, int n)
{
	OBJ_CHECK(s, BUDGET_SEAT_MAGIC);
	__atomic_store_n(&s->idle, n, __ATOMIC_SEQ_CST);
}

static bool
is_full(const struct pool_budget *b)
{
	return get(&b->open) >= get(&b->max);
}

bool
budget_wanted(const struct budget_seat *s)
{
	OBJ_CHECK(s, BUDGET_SEAT_MAGIC);
	return get(&s->budget->wanting) > 0 && is_full(s->budget);
}

bool
budget_starved(const struct budget_seat *s)
{
	OBJ_CHECK(s, BUDGET_SEAT_MAGIC);
	return get(&s->budget->starving) > 0 && is_full(s->budget);
}

int
budget_part(const struct budget_seat *s, int n)
{
	int seats = get(&s->budget->nseats);

	OBJ_CHECK(s, BUDGET_SEAT_MAGIC);
	return (n + seats - 1) / seats;
}

/* A share is rounded down, or two pools would take from each other for ever
 * what neither has enough of; where it is nothing, one goes from hand to
 * hand. */
static int
share(const struct budget_seat *s)
{
	return get(&s->budget->max) / get(&s->budget->nseats);
}

bool
budget_poor(const struct budget_seat *s, int open)
{
	int n = share(s);

	OBJ_CHECK(s, BUDGET_SEAT_MAGIC);
	return open < (n > 0 ? n : 1);
}

bool
budget_rich(const struct budget_seat *s, int open)
{
	OBJ_CHECK(s, BUDGET_SEAT_MAGIC);
	return open > share(s);
}

void
budget_leave(struct budget_seat **ps)
{
	struct pool_budget *b;
	struct budget_seat *s;
	bool posted;

	OBJ_TAKE(s, ps, BUDGET_SEAT_MAGIC);
	b = s->budget;
	budget_need(s, BUDGET_CONTENT);
	add(&b->nseats, -1);
	pthread_mutex_lock(&b->lock);
	list_remove(&s->link);
	posted = s->posted;
	pthread_mutex_unlock(&b->lock);
	s->look = NULL;
	if (!posted)
		free_seat(s);
}
