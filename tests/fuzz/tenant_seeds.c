/* SPDX-License-Identifier: MIT
 *
 * tenant_seeds - what the fuzzer begins with: every statement of the corpus
 * with its scoped form.
 *
 *	tenant_seeds FOLDER
 */
#include "tenant_corpus.h"
#include "tenant_fuzz.h"

/* The statement, a zero byte and what is claimed: the truth.  Those that are
 * refused are no worse as seeds, for what comes of them. */
static int
seed(const char *folder, unsigned i, unsigned flags)
{
	struct fuzz f = {.rules = clinic_rules};
	const char *sql = tenant_corpus[i];
	char path[500];
	FILE *out;
	bool ok;
	int rc;

	arena_init(&f.arena, NULL, 0);
	snprintf(path, sizeof(path), "%s/%u-%u", folder, i, flags);
	ok = fuzz_pass(&f, sql, strlen(sql)) && fuzz_rewrite(&f, flags);
	out = fopen(path, "w");
	if (out == NULL)
		return -1;
	fprintf(out, "%c%s", (char)flags, sql);
	if (ok)
		fprintf(out, "%c%s", 0, f.text.sql);
	rc = fclose(out);
	if (f.after != NULL)
		tree_free(&f.after);
	if (f.before != NULL)
		tree_free(&f.before);
	arena_fini(&f.arena);
	return rc;
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	for (unsigned i = 0; i < TENANT_CORPUS_N; i++)
		for (unsigned flags = 0; flags < 8; flags++)
			if (seed(argv[1], i, flags) != 0)
				return 1;
	return 0;
}
