/* SPDX-License-Identifier: MIT */
#include "gate.h"

void
gate_init(struct gate *g, unsigned cap, int64_t age_ms)
{
	assert(age_ms >= 0 && age_ms < INT64_MAX / 1000);
	OBJ_INIT(g, GATE_MAGIC);
	for (int i = 0; i < GATE_LANES; i++)
		list_init(&g->lanes[i]);
	g->count = 0;
	g->cap = cap;
	g->age_us = age_ms * 1000;
	g->due_us = INT64_MAX;
	g->now_us = INT64_MIN;
}

void
gate_waiter_init(struct gate_waiter *w, enum gate_priority priority,
		 int64_t deadline_us)
{
	assert((unsigned)priority < GATE_LANES && deadline_us >= 0);
	OBJ_INIT(w, GATE_WAITER_MAGIC);
	list_init(&w->link);
	w->gate = NULL;
	w->priority = priority;
	w->enqueued_us = 0;
	w->deadline_us = deadline_us;
}

static int64_t
deadline(const struct gate_waiter *w)
{
	return w->deadline_us != 0 ? w->deadline_us : INT64_MAX;
}

int
gate_push(struct gate *g, struct gate_waiter *w, int64_t now_us)
{
	OBJ_CHECK(g, GATE_MAGIC);
	OBJ_CHECK(w, GATE_WAITER_MAGIC);
	assert(w->gate == NULL && !list_linked(&w->link));
	assert(now_us >= g->now_us);
	if (g->count >= g->cap)
		return LUNATE_EPOOL;
	g->now_us = now_us;
	w->gate = g;
	w->enqueued_us = now_us;
	list_push_back(&g->lanes[w->priority], &w->link);
	g->count++;
	if (deadline(w) < g->due_us)
		g->due_us = deadline(w);
	return 0;
}

static int64_t
waited(const struct gate_waiter *w, int64_t now_us)
{
	return now_us > w->enqueued_us ? now_us - w->enqueued_us : 0;
}

/* The lane a waiter is treated in: 0 is critical. */
static int64_t
rank(const struct gate *g, const struct gate_waiter *w, int64_t now_us)
{
	int64_t lanes = g->age_us != 0 ? waited(w, now_us) / g->age_us : 0;

	return lanes < (int64_t)w->priority ? (int64_t)w->priority - lanes : 0;
}

struct gate_waiter *
gate_peek(const struct gate *g, int64_t now_us)
{
	struct gate_waiter *best = NULL, *w;
	int64_t best_rank = 0, r;
	struct list *head;

	OBJ_CHECK(g, GATE_MAGIC);
	for (int i = 0; i < GATE_LANES; i++) {
		if ((head = list_first(&g->lanes[i])) == NULL)
			continue;
		w = GATE_WAITER(head);
		r = rank(g, w, now_us);
		if (best == NULL || r < best_rank ||
		    (r == best_rank && w->enqueued_us < best->enqueued_us)) {
			best = w;
			best_rank = r;
		}
	}
	return best;
}

struct gate_waiter *
gate_pop(struct gate *g, int64_t now_us)
{
	struct gate_waiter *w = gate_peek(g, now_us);

	if (w != NULL)
		gate_remove(g, w);
	return w;
}

struct gate_waiter *
gate_walk_take(struct gate_walk *k)
{
	struct list *lane = &k->gate->lanes[k->priority];
	struct gate_waiter *w;

	OBJ_CHECK(k->gate, GATE_MAGIC);
	if (k->next == NULL)
		k->next = lane->next;
	while (k->left > 0 && k->next != lane) {
		w = GATE_WAITER(k->next);
		k->next = k->next->next;
		k->left--;
		if (k->like(w, k->arg)) {
			gate_remove(k->gate, w);
			return w;
		}
	}
	return NULL;
}

void
gate_remove(struct gate *g, struct gate_waiter *w)
{
	OBJ_CHECK(g, GATE_MAGIC);
	OBJ_CHECK(w, GATE_WAITER_MAGIC);
	list_remove(&w->link);
	if (w->gate == NULL)
		return;
	assert(w->gate == g && g->count > 0);
	w->gate = NULL;
	if (--g->count == 0)
		g->due_us = INT64_MAX;
}

bool
gate_waits(const struct gate_waiter *w)
{
	OBJ_CHECK(w, GATE_WAITER_MAGIC);
	return w->gate != NULL;
}

/* One lane; gives the earliest deadline that is left in it. */
static int64_t
expire_lane(struct gate *g, struct list *lane, int64_t now_us,
	    struct list *overdue)
{
	int64_t due = INT64_MAX;

	LIST_EACH_SAFE (link, lane) {
		struct gate_waiter *w = GATE_WAITER(link);

		if (deadline(w) <= now_us) {
			list_move_back(overdue, link);
			w->gate = NULL;
			g->count--;
		} else if (deadline(w) < due) {
			due = deadline(w);
		}
	}
	return due;
}

unsigned
gate_expire(struct gate *g, int64_t now_us, struct list *overdue)
{
	int64_t due = INT64_MAX, lane_due;
	unsigned before;

	OBJ_CHECK(g, GATE_MAGIC);
	if (now_us < g->due_us)
		return 0;
	before = g->count;
	for (int i = 0; i < GATE_LANES; i++) {
		lane_due = expire_lane(g, &g->lanes[i], now_us, overdue);
		if (lane_due < due)
			due = lane_due;
	}
	g->due_us = due;
	return before - g->count;
}

int64_t
gate_due_us(const struct gate *g)
{
	OBJ_CHECK(g, GATE_MAGIC);
	return g->due_us;
}

unsigned
gate_count(const struct gate *g)
{
	OBJ_CHECK(g, GATE_MAGIC);
	return g->count;
}

int64_t
gate_oldest_us(const struct gate *g, int64_t now_us)
{
	int64_t most = 0;

	OBJ_CHECK(g, GATE_MAGIC);
	for (int i = 0; i < GATE_LANES; i++) {
		struct list *head = list_first(&g->lanes[i]);

		if (head != NULL && waited(GATE_WAITER(head), now_us) > most)
			most = waited(GATE_WAITER(head), now_us);
	}
	return most;
}

static unsigned
verify_lane(const struct gate *g, int lane)
{
	int64_t last = INT64_MIN;
	unsigned n = 0;

	LIST_EACH (link, &g->lanes[lane]) {
		const struct gate_waiter *w = GATE_WAITER(link);

		OBJ_CHECK(w, GATE_WAITER_MAGIC);
		assert(link->next->prev == link && link->prev->next == link);
		assert(w->gate == g && (int)w->priority == lane);
		assert(w->enqueued_us >= last && w->enqueued_us <= g->now_us);
		assert(g->due_us <= deadline(w));
		last = w->enqueued_us;
		n++;
	}
	return n;
}

void
gate_verify(const struct gate *g)
{
	unsigned n = 0;

	OBJ_CHECK(g, GATE_MAGIC);
	for (int i = 0; i < GATE_LANES; i++)
		n += verify_lane(g, i);
	assert(n == g->count && n <= g->cap);
}

void
gate_fini(struct gate *g)
{
	OBJ_CHECK(g, GATE_MAGIC);
	assert(g->count == 0);
	OBJ_FINI(g);
}
