/* SPDX-License-Identifier: MIT
 *
 * tree_scan - inside tree: the look at a text before it is parsed.
 *
 * Tokens come from PostgreSQL's own lexer.  From them follows an upper bound
 * of how deep the tree can become, so that a text that would need too much
 * stack or time is refused before anything recurses.
 *
 * Thread: any; keeps nothing.
 */
#ifndef TREE_SCAN_H
#define TREE_SCAN_H

#include <pg_query.h>

#include "mem.h"
#include "tree.h"

/* LUNATE_EINVAL unless the text is UTF-8 without zero bytes. */
MUST_USE
int scan_bytes(const char *text, size_t len, struct err *e);

struct token_list {
	struct tree_token *at; /* of the arena */
	size_t n;
};

/* The tokens of a 0-terminated text. */
MUST_USE
int scan_tokens(const char *text, struct arena *a, struct token_list *out,
		struct err *e);

/* No tree of these tokens nests deeper.  Stops counting above TREE_DEPTH. */
unsigned scan_depth(const struct token_list *tokens);

/* Turns the parser's complaint into ours.  Frees nothing. */
int scan_refuse(const char *text, const PgQueryError *why, struct err *e);
int scan_too_deep(struct err *e);

#endif
