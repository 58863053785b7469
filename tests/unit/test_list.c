/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "list.h"

struct item {
	int n;
	struct list link;
};

static struct list head, other;
static struct item items[4];

static void
fill(void)
{
	list_init(&head);
	list_init(&other);
	for (int i = 0; i < 4; i++) {
		items[i].n = i;
		list_init(&items[i].link);
		list_push_back(&head, &items[i].link);
	}
}

/* The numbers in a list, as digits; walks back as well. */
static int
digits(const struct list *l)
{
	int n = 0;
	size_t back = 0;

	LIST_EACH (link, l)
		n = n * 10 + LIST_ENTRY(link, struct item, link)->n + 1;
	for (const struct list *p = l->prev; p != l; p = p->prev)
		back++;
	assert_int_equal(back, list_count(l));
	return n;
}

static void
the_back_keeps_order_the_front_reverses(void **state)
{
	fill();
	assert_int_equal(digits(&head), 1234);
	for (int i = 0; i < 4; i++)
		list_move_front(&head, &items[i].link);
	assert_int_equal(digits(&head), 4321);
}

static void
a_removed_member_is_nowhere_and_may_be_removed_again(void **state)
{
	fill();
	list_remove(&items[1].link);
	assert_false(list_linked(&items[1].link));
	list_remove(&items[1].link);
	assert_int_equal(digits(&head), 134);
	assert_true(list_linked(&items[0].link));
}

static void
first_and_last_of_an_empty_list_are_null(void **state)
{
	list_init(&head);
	assert_true(list_empty(&head));
	assert_null(list_first(&head));
	assert_null(list_last(&head));
	fill();
	assert_ptr_equal(list_first(&head), &items[0].link);
	assert_ptr_equal(list_last(&head), &items[3].link);
}

static void
a_member_moves_from_list_to_list(void **state)
{
	fill();
	list_move_back(&other, &items[2].link);
	list_move_back(&other, &items[0].link);
	assert_int_equal(digits(&head), 24);
	assert_int_equal(digits(&other), 31);
}

static void
a_splice_takes_all_and_leaves_nothing(void **state)
{
	fill();
	list_move_back(&other, &items[0].link);
	list_splice_back(&other, &head);
	assert_int_equal(digits(&other), 1234);
	assert_true(list_empty(&head));
	list_splice_back(&other, &head);
	assert_int_equal(digits(&other), 1234);
}

static void
a_safe_walk_may_remove_what_it_stands_on(void **state)
{
	fill();
	LIST_EACH_SAFE (link, &head)
		if (LIST_ENTRY(link, struct item, link)->n % 2 == 0)
			list_move_back(&other, link);
	assert_int_equal(digits(&head), 24);
	assert_int_equal(digits(&other), 13);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_back_keeps_order_the_front_reverses),
		cmocka_unit_test(
			a_removed_member_is_nowhere_and_may_be_removed_again),
		cmocka_unit_test(first_and_last_of_an_empty_list_are_null),
		cmocka_unit_test(a_member_moves_from_list_to_list),
		cmocka_unit_test(a_splice_takes_all_and_leaves_nothing),
		cmocka_unit_test(a_safe_walk_may_remove_what_it_stands_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
