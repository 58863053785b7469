/* SPDX-License-Identifier: MIT
 *
 * crew - a few threads for work that blocks, so that no loop ever does.
 *
 * A job is submitted from any thread, worked on by some thread of the crew,
 * and reported to the loop it calls home:
 *
 *   IDLE --submit--> QUEUED --a thread is free--> RUNNING --posted--> SENT
 *    ^                 |  |                          |                  |
 *    |<---withdraw-----+  +--abandon--> drop         +--abandoned-->    |
 *    |                                                  drop            |
 *    +------------------------- done ----------------------------------+
 *
 * Each submitted job ends in exactly one of four ways:
 *   done      its work was done, and its home hears of it on its own thread;
 *   done      with `ran` false: not one thread could be started;
 *   withdraw  said true: it had not started and never will;
 *   drop      nobody waits any more (crew_abandon, or crew_free ran out of
 *             time): the last word on the job, said by whoever knows first.
 *
 * Threads start when a job finds none free, up to the number given, and stay.
 * They block every signal (those belong to the host) and are named
 * "lunate-crew-N".  Jobs start in the order of submission.
 *
 * Always true: running <= threads started; a job is in the queue exactly when
 *              it is QUEUED; no lock is held while work, done or drop runs.
 * Memory: jobs are embedded in their owners; the crew never frees one.
 * Thread: one mutex guards the crew and the state of its jobs.  A crew dies
 *         before the loops its jobs call home: after crew_free() none of them
 *         is touched.
 */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stddef.h>

#include "list.h"
#include "loop.h"
#include "obj.h"

#define CREW_THREADS_MAX 64

struct crew;

enum crew_state { CREW_IDLE, CREW_QUEUED, CREW_RUNNING, CREW_SENT };

struct crew_job {
	struct list link;	   /* private: in the queue, or nowhere */
	enum crew_state state;	   /* private: guarded by the crew's lock */
	bool abandoned;		   /* private: drop instead of done */
	bool ran;		   /* read in done: work was called */
	struct loop *home;	   /* where done runs */
	struct loop_letter letter; /* private: carries the job home */

	/* On a thread of the crew.  It may block for as long as it takes. */
	void (*work)(struct crew_job *job);

	/* On the home loop; the job is IDLE again and may be freed here. */
	void (*done)(struct crew_job *job);

	/* NULL, or instead of done when nobody waits: on any thread.  It may
	 * free the job and must not touch the home loop. */
	void (*drop)(struct crew_job *job);
};

/* 1 <= threads <= CREW_THREADS_MAX; none is started yet. */
struct crew *crew_new(int threads);

/* drop is NULL; set it afterwards. */
void crew_job_init(struct crew_job *job, struct loop *home,
		   void (*work)(struct crew_job *),
		   void (*done)(struct crew_job *));

/* From any thread; the job is IDLE.  done never runs inside this call. */
void crew_submit(struct crew *c, struct crew_job *job);

/* From the job's home.  True: it was waiting, it never runs, and it is the
 * caller's again.  False:
 * it was never submitted, or it started, and then done will say how it went.
 */
MUST_USE
bool crew_withdraw(struct crew *c, struct crew_job *job);

/* From the job's home: nobody will read the result.  True: done is never
 * called; drop is, inside this call when the job had not started, else on the
 * crew's thread after its work.  False: the job is IDLE, or the letter is
 * already on its way and done will be called. */
bool crew_abandon(struct crew *c, struct crew_job *job);

/* As crew_abandon, for work that matters to somebody else: what has not
 * started is still done, unless crew_free() runs out of time, and then dropped.
 * False: as there. */
bool crew_disown(struct crew *c, struct crew_job *job);

/* Jobs queued and running. */
size_t crew_load(struct crew *c);

/* Runs what is queued, waits for what runs, and ends the threads: for at most
 * budget_ms (0 = do not wait).  Gives the number of jobs that were not done by
 * then.  Those still queued are dropped here; those stuck in a call of the
 * system keep their thread, which is left behind, detached: with the crew's
 * own memory, the memory of their jobs, and this library kept loaded.  Such a
 * thread drops its job when it comes back, and the last one of them frees the
 * crew; if none ever does, that memory is leaked on purpose.  Not from a
 * thread of the crew. */
size_t crew_free(struct crew **pc, int budget_ms);

#endif
