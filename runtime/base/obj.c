/* SPDX-License-Identifier: MIT */
#include "obj.h"

#include <stdio.h>
#include <stdlib.h>

static void (*panic_hook)(const char *text);

void
obj_on_panic(void (*hook)(const char *text))
{
	panic_hook = hook;
}

void
obj_panic(const char *file, int line, const char *text)
{
	char all[256];

	snprintf(all, sizeof(all), "lunate: %s:%d: %s", file, line, text);
	if (panic_hook != NULL)
		panic_hook(all);
	else
		fprintf(stderr, "%s\n", all);
	abort();
}
