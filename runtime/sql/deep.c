/* SPDX-License-Identifier: MIT */
#include "deep.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Frames of ours and of libc around the function itself. */
#define SLACK ((size_t)128 << 10)

struct call {
	void (*fn)(void *);
	void *arg;
};

static _Thread_local uintptr_t low, high; /* this thread's stack */

static void
learn_stack(void)
{
	pthread_attr_t attr;
	void *at;
	size_t size;

	low = high = UINTPTR_MAX; /* nothing left, until known better */
	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return;
	if (pthread_attr_getstack(&attr, &at, &size) == 0) {
		low = (uintptr_t)at;
		high = low + size;
	}
	pthread_attr_destroy(&attr);
}

static size_t
stack_left(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (high == 0)
		learn_stack();
	return here > low && here <= high ? here - low : 0;
}

static void *
run(void *arg)
{
	struct call *c = arg;

	c->fn(c->arg);
	return NULL;
}

/* Signals belong to the host's threads. */
static int
start(pthread_t *thread, struct call *c, size_t size)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int rc;

	rc = pthread_attr_init(&attr);
	if (rc != 0)
		return rc;
	rc = pthread_attr_setstacksize(&attr, size);
	if (rc == 0) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		rc = pthread_create(thread, &attr, run, c);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	pthread_attr_destroy(&attr);
	return rc;
}

int
deep_call(void (*fn)(void *), void *arg, size_t need, struct err *e)
{
	struct call c = {fn, arg};
	pthread_t thread;

	if (stack_left() >= need + SLACK) {
		fn(arg);
		return 0;
	}
	/* Whole pages, or some systems refuse the size. */
	need = (need + SLACK + 65535) & ~(size_t)65535;
	if (start(&thread, &c, need) != 0)
		return err_set(e, LUNATE_ERESOURCE,
			       "no thread for a deeply nested statement; "
			       "raise the limit of threads or of memory");
	assert(pthread_join(thread, NULL) == 0);
	return 0;
}
