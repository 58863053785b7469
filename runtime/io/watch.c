/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "mem.h"

#define EVENTS                                                             \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | \
	 IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |      \
	 IN_ONLYDIR)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

struct watch {
	unsigned magic;
#define WATCH_MAGIC 0x3a7c4e02
	struct loop *loop;
	char *path;
	int debounce_ms;
	void *arg;
	void (*settled)(struct watch *w, void *arg, uint64_t changes);

	int fd; /* inotify, or -1: polling */
	int wd; /* of the directory, or -1: it is not there */
	dev_t dev;
	ino_t ino;
	uint64_t print; /* polling: fingerprint of the directory */

	uint64_t changes;
	int64_t since_us; /* MOVING: of the first change; 0: QUIET */
	ev_io io;
	ev_timer tick;
	ev_timer debounce;
};

bool
watch_ignores(const char *name)
{
	size_t n = strlen(name);

	if (strcmp(name, "4913") == 0 || strncmp(name, ".#", 2) == 0)
		return true;
	if (n > 0 && name[n - 1] == '~')
		return true;
	return n > 4 && name[0] == '.' && strncmp(name + n - 4, ".sw", 3) == 0;
}

/* ---- debounce ------------------------------------------------------------ */

static void
changed(struct watch *w)
{
	int64_t now = loop_now_us(w->loop);
	int64_t patience = (int64_t)w->debounce_ms * 1000 * WATCH_PATIENCE;

	w->changes++;
	if (w->since_us == 0)
		w->since_us = now;
	else if (now - w->since_us >= patience)
		return; /* somebody never stops writing: the timer stands */
	ev_timer_stop(loop_ev(w->loop), &w->debounce);
	ev_timer_set(&w->debounce, w->debounce_ms / 1000.0, 0);
	ev_timer_start(loop_ev(w->loop), &w->debounce);
}

static void
on_quiet(struct ev_loop *ev, ev_timer *t, int events)
{
	struct watch *w;

	(void)ev, (void)events;
	OBJ_CAST(w, t->data, WATCH_MAGIC);
	w->since_us = 0;
	w->settled(w, w->arg, w->changes);
}

/* ---- polling ------------------------------------------------------------- */

static uint64_t
print_of(const char *name, const struct stat *st)
{
	int64_t facts[] = {
		(int64_t)st->st_dev,  (int64_t)st->st_ino, (int64_t)st->st_mode,
		(int64_t)st->st_size, st->st_mtim.tv_sec,  st->st_mtim.tv_nsec,
		st->st_ctim.tv_sec,   st->st_ctim.tv_nsec,
	};

	return XXH3_64bits_withSeed(facts, sizeof(facts),
				    XXH3_64bits(name, strlen(name)));
}

/* 0: there is no such directory.  The times of the directory itself are left
 * out: they change with ignored files as well. */
static uint64_t
fingerprint(const char *path)
{
	uint64_t sum = 1;
	struct dirent *d;
	struct stat st;
	DIR *dir = opendir(path);

	if (dir == NULL)
		return 0;
	if (fstat(dirfd(dir), &st) == 0)
		sum += (uint64_t)st.st_ino * 0x9e3779b97f4a7c15u;
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0 || watch_ignores(d->d_name))
			continue;
		if (fstatat(dirfd(dir), d->d_name, &st, 0) == 0)
			sum += print_of(d->d_name, &st);
	}
	closedir(dir);
	return sum;
}

static void
poll_now(struct watch *w)
{
	uint64_t print = fingerprint(w->path);

	if (print == w->print)
		return;
	w->print = print;
	changed(w);
}

static void
start_polling(struct watch *w)
{
	if (w->fd >= 0) {
		ev_io_stop(loop_ev(w->loop), &w->io);
		close(w->fd);
	}
	w->fd = w->wd = -1;
	w->print = fingerprint(w->path);
}

/* ---- inotify ------------------------------------------------------------- */

static void
let_go(struct watch *w)
{
	if (w->wd >= 0)
		(void)inotify_rm_watch(w->fd, w->wd);
	w->wd = -1;
}

/* Looks before and after: what was replaced in between is taken next time. */
static void
take_hold(struct watch *w, const struct stat *before)
{
	struct stat after;

	w->wd = inotify_add_watch(w->fd, w->path, EVENTS);
	if (w->wd < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			start_polling(w);
		return;
	}
	w->dev = before->st_dev;
	w->ino = before->st_ino;
	if (stat(w->path, &after) != 0 || after.st_dev != w->dev ||
	    after.st_ino != w->ino)
		let_go(w);
}

/* Is the path still the directory we watch?  True: it is another now, or has
 * come or gone. */
static bool
look_again(struct watch *w)
{
	bool had = w->wd >= 0;
	struct stat st;

	if (stat(w->path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		let_go(w);
		return had;
	}
	if (had && st.st_dev == w->dev && st.st_ino == w->ino)
		return false;
	let_go(w);
	take_hold(w, &st);
	return had || w->wd >= 0 || w->fd < 0;
}

static void
on_tick(struct ev_loop *ev, ev_timer *t, int events)
{
	struct watch *w;

	(void)ev, (void)events;
	OBJ_CAST(w, t->data, WATCH_MAGIC);
	if (w->fd < 0)
		poll_now(w);
	else if (look_again(w))
		changed(w);
}

static void
on_event(struct watch *w, const struct inotify_event *e)
{
	if ((e->mask & IN_Q_OVERFLOW) != 0) {
		changed(w);
		return;
	}
	if (e->wd != w->wd) /* of a directory we let go */
		return;
	if ((e->mask & GONE) != 0) {
		let_go(w);
		(void)look_again(w);
		changed(w);
		return;
	}
	if (e->len == 0 || !watch_ignores(e->name))
		changed(w);
}

static void
on_events(struct ev_loop *ev, ev_io *io, int events)
{
	char buf[16384] __attribute__((aligned(8)));
	struct watch *w;
	ssize_t n;

	(void)ev, (void)events;
	OBJ_CAST(w, io->data, WATCH_MAGIC);
	n = read(w->fd, buf, sizeof(buf));
	for (ssize_t at = 0; at < n && w->fd >= 0;) {
		const struct inotify_event *e = (const void *)(buf + at);

		at += (ssize_t)(sizeof(*e) + e->len);
		on_event(w, e);
	}
}

/* ---- life ---------------------------------------------------------------- */

static void
start(struct watch *w, bool poll)
{
	struct ev_loop *ev = loop_ev(w->loop);

	if (!poll)
		w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0) {
		start_polling(w);
	} else {
		ev_io_init(&w->io, on_events, w->fd, EV_READ);
		w->io.data = w;
		ev_io_start(ev, &w->io);
		(void)look_again(w);
	}
	ev_timer_start(ev, &w->tick);
}

struct watch *
watch_new(struct loop *loop, const struct watch_opts *opts)
{
	struct watch *w = mem_new(sizeof(*w));

	assert(opts->debounce_ms > 0 && opts->settled != NULL);
	OBJ_INIT(w, WATCH_MAGIC);
	w->loop = loop;
	w->path = mem_dups(opts->path);
	w->debounce_ms = opts->debounce_ms;
	w->arg = opts->arg;
	w->settled = opts->settled;
	w->fd = w->wd = -1;
	ev_timer_init(&w->tick, on_tick, WATCH_TICK_S, WATCH_TICK_S);
	ev_timer_init(&w->debounce, on_quiet, 0, 0);
	w->tick.data = w->debounce.data = w;
	start(w, opts->poll);
	return w;
}

bool
watch_polls(const struct watch *w)
{
	OBJ_CHECK(w, WATCH_MAGIC);
	return w->fd < 0;
}

void
watch_free(struct watch **pw)
{
	struct ev_loop *ev;
	struct watch *w;

	OBJ_TAKE(w, pw, WATCH_MAGIC);
	ev = loop_ev(w->loop);
	ev_timer_stop(ev, &w->tick);
	ev_timer_stop(ev, &w->debounce);
	if (w->fd >= 0) {
		ev_io_stop(ev, &w->io);
		close(w->fd);
	}
	mem_free(w->path);
	OBJ_FINI(w);
	mem_free(w);
}
