/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crew.h"
#include "mem.h"
#include "resolve.h"

#define LONG_MS 60000
#define HOUR_MS 3600000

static struct loop *loop;
static struct crew *crew;
static struct resolve *resolver;

/* A query that notes what it was told. */
struct ask {
	struct resolve_query q;
	struct resolve_answer answer;
	struct err err;
	int told;
	bool good;
	bool stop; /* being told stops the loop */
	void (*then)(struct ask *);
};

/* A lookup whose slowness and failure are ours. */
struct fake {
	sem_t started; /* posted when a lookup begins */
	sem_t gate;    /* each lookup of "slow..." waits for it */
	int calls;
};

static struct fake fake;

static int
fake_lookup(void *arg, const char *host, struct resolve_answer *out,
	    struct err *e)
{
	struct fake *f = arg;

	__atomic_add_fetch(&f->calls, 1, __ATOMIC_RELAXED);
	sem_post(&f->started);
	if (strncmp(host, "slow", 4) == 0)
		while (sem_wait(&f->gate) != 0)
			;
	if (strncmp(host, "bad", 3) == 0)
		return err_set(e, LUNATE_ECONNECT, "no such host");
	out->n = 2;
	for (int i = 0; i < 2; i++) {
		out->at[i].family = AF_INET;
		snprintf(out->at[i].text, sizeof(out->at[i].text), "10.0.0.%d",
			 i + 1);
	}
	return 0;
}

static const struct resolve_lookup faked = {fake_lookup, &fake};

static void
told(struct resolve_query *q, const struct resolve_answer *a,
     const struct err *e)
{
	struct ask *ask = CONTAINER_OF(q, struct ask, q);

	assert_true((a == NULL) != (e == NULL));
	ask->told++;
	ask->good = a != NULL;
	if (a != NULL)
		ask->answer = *a;
	else
		ask->err = *e;
	if (ask->stop)
		loop_stop(loop);
	if (ask->then != NULL)
		ask->then(ask);
}

static void
ask_init(struct ask *ask)
{
	memset(ask, 0, sizeof(*ask));
	resolve_query_init(&ask->q, told);
	ask->stop = true;
}

/* Asks and waits for the answer. */
static void
ask_and_wait(struct ask *ask, const char *host)
{
	ask_init(ask);
	resolve_ask(resolver, host, &ask->q);
	assert_int_equal(ask->told, 0);
	loop_run(loop);
	assert_int_equal(ask->told, 1);
}

static int
calls(void)
{
	return __atomic_load_n(&fake.calls, __ATOMIC_RELAXED);
}

static void
open_with(int threads, int64_t ttl_ms, struct resolve_lookup lookup)
{
	alarm(120);
	memset(&fake, 0, sizeof(fake));
	sem_init(&fake.started, 0, 0);
	sem_init(&fake.gate, 0, 0);
	loop = loop_new();
	crew = crew_new(threads);
	resolver = resolve_new(loop, crew, ttl_ms, lookup);
}

/* One more turn, so that letters on their way arrive. */
static void
finish(void)
{
	const bool now = true;

	if (resolver != NULL)
		resolve_free(&resolver);
	assert_int_equal(crew_free(&crew, LONG_MS), 0);
	loop_run_until(loop, &now);
	ev_run(loop_ev(loop), EVRUN_NOWAIT);
	loop_free(&loop);
	sem_destroy(&fake.started);
	sem_destroy(&fake.gate);
}

static void
localhost_is_a_loopback_address(void **state)
{
	struct ask ask;

	(void)state;
	open_with(1, RESOLVE_TTL_MS, resolve_system);
	ask_and_wait(&ask, "localhost");
	assert_true(ask.good);
	assert_in_range(ask.answer.n, 1, RESOLVE_ADDRS_MAX);
	for (int i = 0; i < ask.answer.n; i++) {
		const struct resolve_addr *a = &ask.answer.at[i];

		if (a->family == AF_INET6)
			assert_string_equal(a->text, "::1");
		else
			assert_memory_equal(a->text, "127.", 4);
	}
	finish();
}

static void
a_name_that_does_not_exist_is_an_error_that_names_it(void **state)
{
	struct ask ask;

	(void)state;
	open_with(1, RESOLVE_TTL_MS, resolve_system);
	ask_and_wait(&ask, "nothing.invalid");
	assert_false(ask.good);
	assert_int_equal(ask.err.code, LUNATE_ECONNECT);
	assert_non_null(strstr(ask.err.text, "\"nothing.invalid\""));
	finish();
}

static void
addresses_and_paths_need_no_thread(void **state)
{
	static const struct {
		const char *host, *text;
		int family;
	} known[] = {
		{"127.0.0.1", "127.0.0.1", AF_INET},
		{"::1", "::1", AF_INET6},
		{"2001:DB8:0:0::5", "2001:db8::5", AF_INET6},
		{"/run/postgresql", "/run/postgresql", AF_UNIX},
		{"@abstract", "@abstract", AF_UNIX},
	};

	(void)state;
	open_with(1, RESOLVE_TTL_MS, faked);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct ask ask;

		ask_init(&ask);
		resolve_ask(resolver, known[i].host, &ask.q);
		assert_int_equal(ask.told, 0);
		assert_int_equal(crew_load(crew), 0);
		loop_run(loop);
		assert_true(ask.good);
		assert_int_equal(ask.answer.n, 1);
		assert_int_equal(ask.answer.at[0].family, known[i].family);
		assert_string_equal(ask.answer.at[0].text, known[i].text);
	}
	assert_int_equal(calls(), 0);
	finish();
}

static void
an_unusable_host_is_refused_through_the_callback(void **state)
{
	char name[300], path[300];
	const char *bad[] = {"", name, path};

	(void)state;
	memset(name, 'a', sizeof(name));
	memset(path, '/', sizeof(path));
	name[sizeof(name) - 1] = path[sizeof(path) - 1] = 0;
	open_with(1, RESOLVE_TTL_MS, faked);
	for (size_t i = 0; i < 3; i++) {
		struct ask ask;

		ask_and_wait(&ask, bad[i]);
		assert_false(ask.good);
		assert_int_equal(ask.err.code, LUNATE_EINVAL);
	}
	assert_int_equal(calls(), 0);
	finish();
}

static void
a_good_answer_is_kept_and_a_failure_is_not(void **state)
{
	struct ask ask;

	(void)state;
	open_with(1, HOUR_MS, faked);
	for (int i = 0; i < 3; i++) {
		ask_and_wait(&ask, "db.example");
		assert_true(ask.good);
		assert_int_equal(ask.answer.n, 2);
		assert_string_equal(ask.answer.at[1].text, "10.0.0.2");
	}
	assert_int_equal(calls(), 1);
	for (int i = 0; i < 3; i++) {
		ask_and_wait(&ask, "bad.example");
		assert_false(ask.good);
		assert_string_equal(ask.err.text, "no such host");
	}
	assert_int_equal(calls(), 4);
	finish();
}

static void
an_old_answer_is_looked_up_again(void **state)
{
	struct ask ask;

	(void)state;
	open_with(1, 1, faked);
	ask_and_wait(&ask, "db.example");
	usleep(5000);
	loop_refresh(loop);
	ask_and_wait(&ask, "db.example");
	assert_true(ask.good);
	assert_int_equal(calls(), 2);
	finish();
}

static void
nothing_is_kept_without_a_ttl(void **state)
{
	struct ask ask;

	(void)state;
	open_with(1, 0, faked);
	ask_and_wait(&ask, "db.example");
	ask_and_wait(&ask, "db.example");
	assert_int_equal(calls(), 2);
	finish();
}

static void
more_names_than_fit_are_still_answered(void **state)
{
	struct ask ask;
	char host[32];

	(void)state;
	open_with(1, HOUR_MS, faked);
	for (int i = 0; i < RESOLVE_NAMES_MAX + 20; i++) {
		snprintf(host, sizeof(host), "db%d.example", i);
		ask_and_wait(&ask, host);
		assert_true(ask.good);
	}
	ask_and_wait(&ask, host); /* the newest is known */
	assert_int_equal(calls(), RESOLVE_NAMES_MAX + 20);
	ask_and_wait(&ask, "db0.example"); /* the oldest had to go */
	assert_int_equal(calls(), RESOLVE_NAMES_MAX + 21);
	finish();
}

static void
asks_for_one_name_share_one_lookup(void **state)
{
	enum { N = 20 };
	struct ask ask[N];

	(void)state;
	open_with(4, HOUR_MS, faked);
	for (int i = 0; i < N; i++) {
		ask_init(&ask[i]);
		ask[i].stop = i == N - 1;
		resolve_ask(resolver, "slow.example", &ask[i].q);
	}
	sem_post(&fake.gate);
	loop_run(loop);
	for (int i = 0; i < N; i++) {
		assert_int_equal(ask[i].told, 1);
		assert_true(ask[i].good);
	}
	assert_int_equal(calls(), 1);
	finish();
}

static void
a_stuck_name_does_not_hold_up_another(void **state)
{
	struct ask stuck, other;

	(void)state;
	open_with(2, HOUR_MS, faked);
	ask_init(&stuck);
	resolve_ask(resolver, "slow.example", &stuck.q);
	ask_and_wait(&other, "db.example");
	assert_true(other.good);
	assert_int_equal(stuck.told, 0);
	resolve_cancel(resolver, &stuck.q);
	sem_post(&fake.gate);
	finish();
	assert_int_equal(stuck.told, 0);
}

static void
a_cancelled_ask_is_never_told_and_the_others_are(void **state)
{
	struct ask gone, here;

	(void)state;
	open_with(1, HOUR_MS, faked);
	ask_init(&gone);
	ask_init(&here);
	resolve_ask(resolver, "slow.example", &gone.q);
	resolve_ask(resolver, "slow.example", &here.q);
	resolve_cancel(resolver, &gone.q);
	resolve_cancel(resolver, &gone.q);
	sem_post(&fake.gate);
	loop_run(loop);
	assert_int_equal(gone.told, 0);
	assert_int_equal(here.told, 1);
	finish();
}

static void
cancelling_a_ready_answer_works_too(void **state)
{
	struct ask gone, here;

	(void)state;
	open_with(1, HOUR_MS, faked);
	ask_init(&gone);
	ask_init(&here);
	resolve_ask(resolver, "127.0.0.1", &gone.q);
	resolve_ask(resolver, "127.0.0.2", &here.q);
	resolve_cancel(resolver, &gone.q);
	loop_run(loop);
	assert_int_equal(gone.told, 0);
	assert_int_equal(here.told, 1);
	finish();
}

static void
a_lookup_nobody_waits_for_is_taken_back_before_it_starts(void **state)
{
	struct ask stuck, gone;

	(void)state;
	open_with(1, HOUR_MS, faked);
	ask_init(&stuck);
	ask_init(&gone);
	resolve_ask(resolver, "slow.example", &stuck.q);
	while (sem_wait(&fake.started) != 0)
		;
	resolve_ask(resolver, "db.example", &gone.q);
	assert_int_equal(crew_load(crew), 2);
	resolve_cancel(resolver, &gone.q);
	assert_int_equal(crew_load(crew), 1);
	sem_post(&fake.gate);
	loop_run(loop);
	assert_int_equal(stuck.told, 1);
	assert_int_equal(calls(), 1);
	finish();
}

/* The answer of a lookup that was under way serves whoever asks next. */
static void
an_answer_nobody_waited_for_is_kept(void **state)
{
	struct ask gone, next;

	(void)state;
	open_with(1, HOUR_MS, faked);
	ask_init(&gone);
	resolve_ask(resolver, "slow.example", &gone.q);
	while (sem_wait(&fake.started) != 0)
		;
	resolve_cancel(resolver, &gone.q);
	sem_post(&fake.gate);
	ask_and_wait(&next, "slow.example");
	assert_true(next.good);
	assert_int_equal(calls(), 1);
	finish();
	assert_int_equal(gone.told, 0);
}

static void
ask_again(struct ask *ask)
{
	ask->then = NULL;
	ask->stop = true;
	resolve_ask(resolver, "db.example", &ask->q);
	assert_int_equal(ask->told, 1);
}

static void
a_callback_may_ask_again(void **state)
{
	struct ask ask;

	(void)state;
	open_with(1, HOUR_MS, faked);
	ask_init(&ask);
	ask.stop = false;
	ask.then = ask_again;
	resolve_ask(resolver, "127.0.0.1", &ask.q);
	loop_run(loop);
	assert_int_equal(ask.told, 2);
	assert_int_equal(ask.answer.n, 2);
	finish();
}

static void
free_resolver(struct ask *ask)
{
	(void)ask;
	resolve_free(&resolver);
}

static void
a_callback_may_free_the_resolver(void **state)
{
	struct ask first, second, flying;

	(void)state;
	open_with(1, HOUR_MS, faked);
	ask_init(&first);
	ask_init(&second);
	ask_init(&flying);
	first.then = free_resolver;
	resolve_ask(resolver, "slow.example", &flying.q);
	resolve_ask(resolver, "127.0.0.1", &first.q);
	resolve_ask(resolver, "127.0.0.2", &second.q);
	loop_run(loop);
	assert_int_equal(first.told, 1);
	sem_post(&fake.gate);
	finish();
	assert_int_equal(second.told + flying.told, 0);
}

static void
a_resolver_is_freed_while_lookups_are_stuck_queued_and_back(void **state)
{
	enum { N = 30 };
	struct ask ask[N];
	char host[32];

	(void)state;
	open_with(2, HOUR_MS, faked);
	for (int i = 0; i < N; i++) {
		ask_init(&ask[i]);
		snprintf(host, sizeof(host), "%s%d", i == N / 2 ? "slow" : "db",
			 i);
		resolve_ask(resolver, host, &ask[i].q);
	}
	for (int i = 0; i < N / 2; i++)
		while (sem_wait(&fake.started) != 0)
			;
	resolve_free(&resolver);
	sem_post(&fake.gate);
	finish();
	for (int i = 0; i < N; i++)
		assert_int_equal(ask[i].told, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(localhost_is_a_loopback_address),
		cmocka_unit_test(
			a_name_that_does_not_exist_is_an_error_that_names_it),
		cmocka_unit_test(addresses_and_paths_need_no_thread),
		cmocka_unit_test(
			an_unusable_host_is_refused_through_the_callback),
		cmocka_unit_test(a_good_answer_is_kept_and_a_failure_is_not),
		cmocka_unit_test(an_old_answer_is_looked_up_again),
		cmocka_unit_test(nothing_is_kept_without_a_ttl),
		cmocka_unit_test(more_names_than_fit_are_still_answered),
		cmocka_unit_test(asks_for_one_name_share_one_lookup),
		cmocka_unit_test(a_stuck_name_does_not_hold_up_another),
		cmocka_unit_test(
			a_cancelled_ask_is_never_told_and_the_others_are),
		cmocka_unit_test(cancelling_a_ready_answer_works_too),
		cmocka_unit_test(
			a_lookup_nobody_waits_for_is_taken_back_before_it_starts),
		cmocka_unit_test(an_answer_nobody_waited_for_is_kept),
		cmocka_unit_test(a_callback_may_ask_again),
		cmocka_unit_test(a_callback_may_free_the_resolver),
		cmocka_unit_test(
			a_resolver_is_freed_while_lookups_are_stuck_queued_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
