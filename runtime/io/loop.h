/* SPDX-License-Identifier: MIT
 *
 * loop - one event loop per thread, its end-of-turn work, and its letterbox.
 *
 *   one turn:  sockets and timers -> letters of other threads
 *              -> jobs of phase LOOP_TASKS (scripts run)
 *              -> jobs of phase LOOP_SEND  (what they asked for is sent)
 *              -> sleep, unless a job was added meanwhile
 *
 * Batching happens here and nowhere else: everything asked for during a turn
 * is sent once, at its end, and never waits on a timer for company.
 *
 * Always true: a job is in at most one list; a job that is added while its
 *              own phase runs is run in the same turn (at most LOOP_BUDGET
 *              jobs, then sockets get their share).
 * Memory: jobs, letters and timers are embedded in their owners.
 * Thread: everything belongs to the thread that runs the loop, except
 *         loop_post(), which any thread may call.
 */
#ifndef LOOP_H
#define LOOP_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "mbox.h"
#include "obj.h"

#define LOOP_BUDGET 4096

struct loop;

enum loop_phase { LOOP_TASKS, LOOP_SEND, LOOP_PHASES };

/* Work for the end of the turn; embedded in its owner. */
struct loop_job {
	struct list link; /* in the loop's list of its phase, or nowhere */
	void (*run)(struct loop_job *job);
};

/* A letter from another thread.  The receiver's `run` frees it. */
struct loop_letter {
	struct mbox_node node; /* private */
	void (*run)(struct loop_letter *letter);
};

/* A moment to come; embedded in its owner, for floors that know no libev. */
struct loop_timer {
	ev_timer ev;
	struct loop *loop;
	void (*fire)(struct loop_timer *t);
};

/* A descriptor that will be ready; embedded in its owner, likewise. */
struct loop_fd {
	ev_io ev;
	struct loop *loop;
	void (*fire)(struct loop_fd *w);
};

struct loop *loop_new(void);

/* The underlying loop, for watchers of io modules. */
struct ev_loop *loop_ev(struct loop *l);

/* Monotonic time in microseconds as of this turn.  After long work call
 * loop_refresh() before arming a relative timer. */
int64_t loop_now_us(const struct loop *l);
void loop_refresh(struct loop *l);

/* The same, unless it was refreshed within the last few milliseconds: cheap
 * enough for every operation. */
void loop_freshen(struct loop *l);

/* The same clock as it stands now; from any thread. */
int64_t loop_clock_us(void);

/* Microseconds since 1970 as of this turn: for what people and other machines
 * read, never for measuring. */
int64_t loop_wall_us(const struct loop *l);

void loop_job_init(struct loop_job *job, void (*run)(struct loop_job *));

void loop_timer_init(struct loop_timer *t, struct loop *l,
		     void (*fire)(struct loop_timer *t));

/* Fires once, `us` microseconds after the loop's present time (<= 0: in the
 * next turn); a timer that is set is set anew. */
void loop_timer_start(struct loop_timer *t, int64_t us);
void loop_timer_stop(struct loop_timer *t);

void loop_fd_init(struct loop_fd *w, struct loop *l,
		  void (*fire)(struct loop_fd *w));

/* Fires once, when fd can be read (or written), or has ended.  It stays open
 * until the watcher has fired or was stopped. */
void loop_fd_start(struct loop_fd *w, int fd, bool writing);
void loop_fd_stop(struct loop_fd *w);

/* Runs once at the end of this turn; a job already waiting stays where it
 * is. */
void loop_defer(struct loop *l, enum loop_phase phase, struct loop_job *job);
void loop_undefer(struct loop_job *job);

/* From any thread; letters of one sender arrive in order. */
void loop_post(struct loop *l, struct loop_letter *letter);

/* Before it sleeps the loop looks for `us` after the last work, at the price
 * of a processor; the largest of what was asked for. */
void loop_busy_poll(struct loop *l, int64_t us);

/* Runs turns until *done becomes true (checked at the end of each turn), or
 * loop_stop() was called.  Not re-entrant: a second call from inside a
 * callback is a mistake of ours, except from a LOOP_TASKS job. */
void loop_run_until(struct loop *l, const bool *done);
void loop_run(struct loop *l);

/* One turn that sleeps at most `seconds`. */
void loop_turn(struct loop *l, double seconds);

/* From the loop's own thread. */
void loop_stop(struct loop *l);

/* No watcher or job may be left that anybody still waits for.  Letters that
 * are still there are run, so that they free themselves. */
void loop_free(struct loop **pl);

#endif
