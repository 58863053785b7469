/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "mbox.h"
#include "panics.h"

#define WRITERS 4
#define LETTERS 5000

struct letter {
	struct mbox_node node;
	int writer, number;
};

static struct mbox box;
static struct letter letters[WRITERS][LETTERS];

static struct letter *
take(void)
{
	struct mbox_node *n = mbox_take(&box);

	return n != NULL ? CONTAINER_OF(n, struct letter, node) : NULL;
}

static void
letters_come_in_the_order_they_were_put(void **state)
{
	mbox_init(&box);
	for (int i = 0; i < 3; i++)
		letters[0][i].number = i;
	mbox_put(&box, &letters[0][0].node);
	mbox_put(&box, &letters[0][1].node);
	assert_int_equal(take()->number, 0);
	mbox_put(&box, &letters[0][2].node);
	assert_int_equal(take()->number, 1);
	assert_int_equal(take()->number, 2);
	assert_null(take());
	mbox_fini(&box);
}

static void
only_the_first_put_into_an_empty_box_wakes_the_reader(void **state)
{
	mbox_init(&box);
	assert_true(mbox_put(&box, &letters[0][0].node));
	assert_false(mbox_put(&box, &letters[0][1].node));
	take();
	take();
	assert_null(take());
	assert_true(mbox_put(&box, &letters[0][0].node));
	take();
	mbox_fini(&box);
}

static void
a_taken_letter_can_be_put_again(void **state)
{
	mbox_init(&box);
	for (int i = 0; i < 100; i++) {
		mbox_put(&box, &letters[0][0].node);
		assert_ptr_equal(take(), &letters[0][0]);
	}
	assert_null(take());
	mbox_fini(&box);
}

static void
a_box_with_letters_in_it_may_not_go(void **state)
{
	mbox_init(&box);
	mbox_put(&box, &letters[0][0].node);
	mbox_put(&box, &letters[0][1].node);
	assert_panics(mbox_fini(&box));
	take();
	assert_panics(mbox_fini(&box));
	take();
	mbox_fini(&box);
	assert_panics(mbox_put(&box, &letters[0][0].node));
}

static void *
write_letters(void *arg)
{
	struct letter *mine = arg;

	for (int i = 0; i < LETTERS; i++) {
		mine[i].number = i;
		mine[i].writer = (int)((mine - letters[0]) / LETTERS);
		mbox_put(&box, &mine[i].node);
	}
	return NULL;
}

static void
each_writers_letters_arrive_once_in_order(void **state)
{
	int next[WRITERS] = {0}, seen = 0;
	pthread_t t[WRITERS];

	mbox_init(&box);
	for (int i = 0; i < WRITERS; i++)
		pthread_create(&t[i], NULL, write_letters, letters[i]);
	while (seen < WRITERS * LETTERS) {
		struct letter *l = take();

		if (l == NULL) {
			sched_yield();
			continue;
		}
		assert_int_equal(l->number, next[l->writer]++);
		seen++;
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(t[i], NULL);
	assert_null(take());
	mbox_fini(&box);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_come_in_the_order_they_were_put),
		cmocka_unit_test(
			only_the_first_put_into_an_empty_box_wakes_the_reader),
		cmocka_unit_test(a_taken_letter_can_be_put_again),
		cmocka_unit_test(a_box_with_letters_in_it_may_not_go),
		cmocka_unit_test(each_writers_letters_arrive_once_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
