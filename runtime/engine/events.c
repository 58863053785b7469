/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "list.h"
#include "mem.h"
#include "near.h"

struct events {
	unsigned magic;
#define EVENTS_MAGIC 0xe7e27501
	int refs; /* atomic: the owner and every listener */
	char source[64];
	uint64_t seed;
	size_t room;
	uint64_t raised, lost; /* atomic */
	uint32_t wanted;       /* atomic: union of the masks */
	pthread_mutex_t lock;  /* of all below and of the queues */
	struct list listeners;
	bool closed;
};

struct item {
	struct list link; /* in its listener's queue */
	struct event *event;
};

struct events_listener {
	unsigned magic;
#define EVENTS_LISTENER_MAGIC 0xe7e27502
	struct list link; /* in events->listeners, or nowhere */
	struct events *events;
	struct events_ear ear;
	pthread_t thread;
	struct list queue;
	size_t queued;
	struct loop_job job;	   /* raised on its own thread */
	struct loop_letter letter; /* raised on another */
	bool posted;		   /* the letter is on its way */
	bool telling;		   /* inside fn() */
	bool gone;		   /* freed by who still has hold of it */
};

/* ---- the table ---------------------------------------------------------- */

static const struct {
	const char *word, *priority, *meaning;
} types[] = {
#define EVENT_ROW(name, word, priority, meaning) {word, priority, meaning},
	EVENT_TYPES(EVENT_ROW)
#undef EVENT_ROW
};

const char *
event_word(enum event_type type)
{
	return types[type].word;
}

const char *
event_priority(enum event_type type)
{
	return types[type].priority;
}

const char *
event_meaning(enum event_type type)
{
	return types[type].meaning;
}

/* Words are long and have common beginnings, so a mistyped last part is
 * looked for among last parts too. */
static const char *
last_part(const char *word)
{
	const char *dot = strrchr(word, '.');

	return dot != NULL ? dot + 1 : word;
}

int
event_type_of(const char *word, const char **near_word)
{
	struct near whole, part;

	near_init(&whole, word);
	near_init(&part, last_part(word));
	*near_word = NULL;
	for (int i = 0; i < EVENT_COUNT; i++) {
		if (strcmp(types[i].word, word) == 0)
			return i;
		near_try(&whole, types[i].word);
		near_try(&part, last_part(types[i].word));
	}
	*near_word = near_best(&whole);
	for (int i = 0; i < EVENT_COUNT && *near_word == NULL; i++)
		if (near_best(&part) != NULL &&
		    strcmp(last_part(types[i].word), near_best(&part)) == 0)
			*near_word = types[i].word;
	return -1;
}

/* ---- one event ---------------------------------------------------------- */

static void
unpin(struct event *e)
{
	if (__atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL) == 0)
		mem_free(e);
}

json_t *
event_text(const char *text)
{
	json_t *j = json_string(text);
	char *copy;

	if (j != NULL)
		return j;
	copy = mem_dups(text);
	for (char *p = copy; *p != 0; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	j = json_string(copy);
	mem_free(copy);
	return j;
}

/* splitmix64 (Steele, Lea, Flood 2014): ids differ, no more is asked. */
static uint64_t
mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* In the form of a version 4 UUID (RFC 4122, 4.4). */
static void
make_id(struct events *ev, char id[37])
{
	uint64_t n = __atomic_add_fetch(&ev->raised, 1, __ATOMIC_RELAXED);
	uint64_t a = mix(ev->seed ^ mix(n)), b = mix(a ^ n);

	snprintf(id, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
		 (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff,
		 (unsigned)((b >> 48) & 0x3fff) | 0x8000,
		 (unsigned long long)(b & 0xffffffffffffull));
}

static void
make_time(int64_t wall_us, char text[40])
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm t;
	size_t n;

	gmtime_r(&seconds, &t);
	n = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &t);
	snprintf(text + n, 40 - n, ".%03dZ", (int)(wall_us / 1000 % 1000));
}

static struct event *
make_event(struct events *ev, const struct event_news *news)
{
	char id[37], at[40];
	struct event *e;
	json_t *j;
	size_t len;

	make_id(ev, id);
	make_time(news->wall_us, at);
	j = json_pack(
		"{ss ss ss ss ss ss ss so so so}", "eventId", id, "eventType",
		types[news->type].word, "category", "DATABASE", "priority",
		types[news->type].priority, "timestamp", at, "source",
		ev->source, "version", LUNATE_VERSION, "correlationId",
		event_text(news->correlation ? news->correlation : id),
		"traceId", news->trace ? event_text(news->trace) : json_null(),
		"payload", json_incref(news->payload));
	assert(j != NULL);
	len = json_dumpb(j, NULL, 0, JSON_COMPACT);
	e = mem_new(sizeof(*e) + len + 1);
	e->type = news->type;
	e->refs = 1;
	e->len = json_dumpb(j, e->json, len, JSON_COMPACT);
	json_decref(j);
	return e;
}

/* ---- telling ------------------------------------------------------------ */

/* The next event of the queue, taken off it, or NULL. */
static struct event *
take_next(struct events_listener *l)
{
	struct event *e = NULL;
	struct list *link;
	struct item *item;

	pthread_mutex_lock(&l->events->lock);
	link = list_first(&l->queue);
	if (link != NULL) {
		item = LIST_ENTRY(link, struct item, link);
		list_remove(link);
		l->queued--;
		e = item->event;
		mem_free(item);
	}
	pthread_mutex_unlock(&l->events->lock);
	return e;
}

static void
release_events(struct events *ev)
{
	if (__atomic_sub_fetch(&ev->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	pthread_mutex_destroy(&ev->lock);
	OBJ_FINI(ev);
	mem_free(ev);
}

static void
free_listener(struct events_listener *l)
{
	struct event *e;

	while ((e = take_next(l)) != NULL)
		unpin(e);
	loop_undefer(&l->job);
	release_events(l->events);
	OBJ_FINI(l);
	mem_free(l);
}

/* Only what waits now: what fn() raises itself waits for the next turn. */
static void
tell(struct events_listener *l)
{
	struct event *e;
	size_t n;

	pthread_mutex_lock(&l->events->lock);
	n = l->queued;
	pthread_mutex_unlock(&l->events->lock);
	l->telling = true;
	while (n-- > 0 && !l->gone && (e = take_next(l)) != NULL) {
		l->ear.fn(l->ear.arg, e);
		unpin(e);
	}
	l->telling = false;
}

static void
on_job(struct loop_job *job)
{
	struct events_listener *l = CONTAINER_OF(job, struct events_listener,
						 job);

	OBJ_CHECK(l, EVENTS_LISTENER_MAGIC);
	tell(l);
	if (l->gone && !l->posted)
		free_listener(l);
}

static void
on_letter(struct loop_letter *letter)
{
	struct events_listener *l = CONTAINER_OF(letter, struct events_listener,
						 letter);

	OBJ_CHECK(l, EVENTS_LISTENER_MAGIC);
	pthread_mutex_lock(&l->events->lock);
	l->posted = false;
	pthread_mutex_unlock(&l->events->lock);
	tell(l);
	if (l->gone && !l->posted)
		free_listener(l);
}

/* Under the lock. */
static void
wake(struct events_listener *l)
{
	if (pthread_equal(l->thread, pthread_self())) {
		loop_defer(l->ear.loop, LOOP_TASKS, &l->job);
	} else if (!l->posted) {
		l->posted = true;
		loop_post(l->ear.loop, &l->letter);
	}
}

/* Under the lock. */
static void
queue(struct events_listener *l, struct event *e)
{
	struct item *item;

	if (l->queued >= l->events->room) {
		__atomic_add_fetch(&l->events->lost, 1, __ATOMIC_RELAXED);
		return;
	}
	item = mem_new(sizeof(*item));
	item->event = e;
	__atomic_add_fetch(&e->refs, 1, __ATOMIC_RELAXED);
	list_push_back(&l->queue, &item->link);
	l->queued++;
	wake(l);
}

/* ---- the doors ---------------------------------------------------------- */

struct events *
events_new(const char *source, uint64_t seed, size_t room)
{
	struct events *ev = mem_new(sizeof(*ev));

	assert(room > 0);
	OBJ_INIT(ev, EVENTS_MAGIC);
	ev->refs = 1;
	ev->seed = seed;
	ev->room = room;
	snprintf(ev->source, sizeof(ev->source), "%s", source);
	pthread_mutex_init(&ev->lock, NULL);
	list_init(&ev->listeners);
	return ev;
}

bool
events_wanted(const struct events *ev, enum event_type type)
{
	OBJ_CHECK(ev, EVENTS_MAGIC);
	return (__atomic_load_n(&ev->wanted, __ATOMIC_RELAXED) &
		EVENT_BIT(type)) != 0;
}

void
events_raise(struct events *ev, const struct event_news *news)
{
	struct event *e;

	OBJ_CHECK(ev, EVENTS_MAGIC);
	assert(news->payload != NULL && news->type < EVENT_COUNT);
	if (events_wanted(ev, news->type)) {
		e = make_event(ev, news);
		pthread_mutex_lock(&ev->lock);
		LIST_EACH (link, &ev->listeners) {
			struct events_listener *l = LIST_ENTRY(
				link, struct events_listener, link);

			if (l->ear.mask & EVENT_BIT(news->type))
				queue(l, e);
		}
		pthread_mutex_unlock(&ev->lock);
		unpin(e);
	}
	json_decref(news->payload);
}

/* Under the lock. */
static void
sum_masks(struct events *ev)
{
	uint32_t all = 0;

	LIST_EACH (link, &ev->listeners)
		all |= LIST_ENTRY(link, struct events_listener, link)->ear.mask;
	__atomic_store_n(&ev->wanted, all, __ATOMIC_RELAXED);
}

struct events_listener *
events_listen(struct events *ev, const struct events_ear *ear)
{
	struct events_listener *l = mem_new(sizeof(*l));

	OBJ_CHECK(ev, EVENTS_MAGIC);
	assert((ear->mask & ~EVENT_ALL) == 0 && ear->fn != NULL);
	OBJ_INIT(l, EVENTS_LISTENER_MAGIC);
	__atomic_add_fetch(&ev->refs, 1, __ATOMIC_RELAXED);
	l->events = ev;
	l->ear = *ear;
	l->thread = pthread_self();
	list_init(&l->link);
	list_init(&l->queue);
	loop_job_init(&l->job, on_job);
	l->letter.run = on_letter;
	pthread_mutex_lock(&ev->lock);
	if (!ev->closed)
		list_push_back(&ev->listeners, &l->link);
	sum_masks(ev);
	pthread_mutex_unlock(&ev->lock);
	return l;
}

void
events_unlisten(struct events_listener **pl)
{
	struct events_listener *l;
	bool held;

	OBJ_TAKE(l, pl, EVENTS_LISTENER_MAGIC);
	pthread_mutex_lock(&l->events->lock);
	list_remove(&l->link);
	sum_masks(l->events);
	held = l->posted || l->telling;
	pthread_mutex_unlock(&l->events->lock);
	l->gone = true;
	if (!held)
		free_listener(l);
}

uint64_t
events_raised(const struct events *ev)
{
	OBJ_CHECK(ev, EVENTS_MAGIC);
	return __atomic_load_n(&ev->raised, __ATOMIC_RELAXED);
}

uint64_t
events_lost(const struct events *ev)
{
	OBJ_CHECK(ev, EVENTS_MAGIC);
	return __atomic_load_n(&ev->lost, __ATOMIC_RELAXED);
}

void
events_free(struct events **pev)
{
	struct events *ev;

	OBJ_TAKE(ev, pev, EVENTS_MAGIC);
	pthread_mutex_lock(&ev->lock);
	ev->closed = true;
	LIST_EACH_SAFE (link, &ev->listeners)
		list_remove(link);
	sum_masks(ev);
	pthread_mutex_unlock(&ev->lock);
	release_events(ev);
}
