/* SPDX-License-Identifier: MIT
 *
 * tenant - libFuzzer's way in: statements that tenants might send.
 *
 *	make fuzz T=tenant MINUTES=5
 *
 * What an input is and what must hold: tests/unit/tenant_fuzz.h.
 */
#include "tenant_fuzz.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len)
{
	char *text = mem_new(len + 1);

	memcpy(text, bytes, len);
	text[len] = 0;
	fuzz_one(text, len);
	mem_free(text);
	return 0;
}
