/* SPDX-License-Identifier: MIT */
#include "public.h"

const char *
lunate_version(void)
{
	return LUNATE_VERSION;
}

const char *
lunate_error_word(int code)
{
	return err_word(code);
}

const char *
lunate_error_meaning(int code)
{
	return err_meaning(code);
}

int
lunate_error_retryable(int code)
{
	return err_retryable(code);
}
