/* SPDX-License-Identifier: MIT
 *
 * panics - for tests: does a mistake of ours end in obj_panic()?
 *
 *	assert_panics(list_owner_free(&dead));
 *
 * Include after cmocka.h.
 */
#ifndef PANICS_H
#define PANICS_H

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "obj.h"

static jmp_buf panics_back;
static char panics_text[256];

static void
panics_hook(const char *text)
{
	snprintf(panics_text, sizeof(panics_text), "%s", text);
	longjmp(panics_back, 1);
}

#define assert_panics(call)                                  \
	do {                                                 \
		panics_text[0] = 0;                          \
		obj_on_panic(panics_hook);                   \
		if (setjmp(panics_back) == 0)                \
			(void)(call);                        \
		obj_on_panic(NULL);                          \
		if (panics_text[0] == 0)                     \
			fail_msg("no panic from %s", #call); \
	} while (0)

#endif
