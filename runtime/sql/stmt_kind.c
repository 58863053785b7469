/* SPDX-License-Identifier: MIT */
#include "stmt_facts.h"

#include <string.h>

/* A statement that is not here is DDL: it changes the schema for all we
 * know. */
static const struct {
	enum tree_kind node;
	enum stmt_kind kind;
	unsigned flags;
} kinds[] = {
	{TREE_SELECT, STMT_SELECT, STMT_RETURNS_ROWS},
	{TREE_INSERT, STMT_INSERT, 0},
	{TREE_UPDATE, STMT_UPDATE, 0},
	{TREE_DELETE, STMT_DELETE, 0},
	{TREE_MERGE, STMT_MERGE, 0},
	{TREE_EXPLAIN, STMT_EXPLAIN, STMT_RETURNS_ROWS},
	{TREE_SHOW, STMT_SHOW, STMT_RETURNS_ROWS},
	{TREE_SET, STMT_SET, 0},
	{TREE_SET_CONSTRAINTS, STMT_SET, 0},
	{TREE_TRANSACTION, STMT_TX, 0},
	{TREE_COPY, STMT_COPY, 0},
	{TREE_CALL, STMT_CALL, STMT_RETURNS_ROWS | STMT_ALONE},
	{TREE_DO, STMT_DO, STMT_ALONE},
	{TREE_LISTEN, STMT_LISTEN, STMT_SESSION},
	{TREE_UNLISTEN, STMT_LISTEN, STMT_SESSION},
	{TREE_NOTIFY, STMT_LISTEN, 0},
	{TREE_DECLARE_CURSOR, STMT_CURSOR, 0},
	{TREE_FETCH, STMT_CURSOR, STMT_RETURNS_ROWS | STMT_SESSION},
	{TREE_CLOSE, STMT_CURSOR, STMT_SESSION},
	{TREE_PREPARE, STMT_PREPARE, STMT_SESSION},
	{TREE_EXECUTE, STMT_PREPARE, STMT_RETURNS_ROWS | STMT_SESSION},
	{TREE_DEALLOCATE, STMT_PREPARE, STMT_SESSION},
	{TREE_LOCK, STMT_LOCK, STMT_LOCKS},
	{TREE_VACUUM, STMT_MAINTENANCE, 0},
	{TREE_CLUSTER, STMT_MAINTENANCE, 0},
	{TREE_REINDEX, STMT_MAINTENANCE, 0},
	{TREE_CHECKPOINT, STMT_MAINTENANCE, 0},
	{TREE_DISCARD, STMT_OTHER, STMT_SESSION},
	{TREE_LOAD, STMT_OTHER, STMT_SESSION},
	{TREE_TRUNCATE, STMT_TRUNCATE, 0},
	{TREE_CREATE_DATABASE, STMT_DDL, STMT_CATALOG | STMT_NO_BLOCK},
	{TREE_DROP_DATABASE, STMT_DDL, STMT_CATALOG | STMT_NO_BLOCK},
	{TREE_CREATE_TABLESPACE, STMT_DDL, STMT_CATALOG | STMT_NO_BLOCK},
	{TREE_DROP_TABLESPACE, STMT_DDL, STMT_CATALOG | STMT_NO_BLOCK},
	{TREE_ALTER_SYSTEM, STMT_DDL, STMT_CATALOG | STMT_NO_BLOCK},
	{TREE_CREATE_SUBSCRIPTION, STMT_DDL, STMT_CATALOG | STMT_NO_BLOCK},
	{TREE_ALTER_SUBSCRIPTION, STMT_DDL, STMT_CATALOG | STMT_NO_BLOCK},
	{TREE_DROP_SUBSCRIPTION, STMT_DDL, STMT_CATALOG | STMT_NO_BLOCK},
};

static const struct {
	const char *word;
	enum stmt_tx tx;
} tx_words[] = {
	{"TRANS_STMT_BEGIN", STMT_TX_BEGIN},
	{"TRANS_STMT_START", STMT_TX_BEGIN},
	{"TRANS_STMT_COMMIT", STMT_TX_COMMIT},
	{"TRANS_STMT_ROLLBACK", STMT_TX_ROLLBACK},
	{"TRANS_STMT_SAVEPOINT", STMT_TX_SAVEPOINT},
	{"TRANS_STMT_RELEASE", STMT_TX_RELEASE},
	{"TRANS_STMT_ROLLBACK_TO", STMT_TX_ROLLBACK_TO},
	{"TRANS_STMT_PREPARE", STMT_TX_PREPARE},
	{"TRANS_STMT_COMMIT_PREPARED", STMT_TX_COMMIT_PREPARED},
	{"TRANS_STMT_ROLLBACK_PREPARED", STMT_TX_ROLLBACK_PREPARED},
};

static bool
same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* `off`, `false`, 0, as PostgreSQL's defGetBoolean reads an option. */
static bool
option_is_off(const struct tree_node *value)
{
	const char *s;

	if (tree_kind(value) == TREE_INTEGER)
		return tree_num(value, "ival") == 0;
	if (tree_kind(value) == TREE_BOOLEAN)
		return tree_num(value, "boolval") == 0;
	if (tree_kind(value) != TREE_STRING)
		return false;
	s = tree_str(value, "sval");
	return strcasecmp(s, "false") == 0 || strcasecmp(s, "off") == 0;
}

/* Is an option given, and not switched off?  When it is given twice, one
 * that is on decides. */
static bool
option(const struct tree_node *n, const char *field, const char *name)
{
	for (size_t i = 0; i < tree_len(n, field); i++) {
		const struct tree_node *d = tree_item(n, field, i);

		if (tree_kind(d) == TREE_DEF_ELEM &&
		    same(tree_str(d, "defname"), name) &&
		    !option_is_off(tree_get(d, "arg")))
			return true;
	}
	return false;
}

bool
facts_runs(const struct tree_node *explain)
{
	return option(explain, "options", "analyze");
}

/* ---- statements of which more has to be said ------------------------ */

static void
tx_root(struct stmt *s, const struct tree_node *root)
{
	const char *word = tree_word(root, "kind");

	for (size_t i = 0; i < sizeof(tx_words) / sizeof(*tx_words); i++)
		if (same(word, tx_words[i].word))
			s->tx = tx_words[i].tx;
	assert(s->tx != STMT_TX_NONE);
	if (tree_num(root, "chain"))
		s->flags |= STMT_CHAIN;
	if (s->tx == STMT_TX_COMMIT_PREPARED ||
	    s->tx == STMT_TX_ROLLBACK_PREPARED)
		s->flags |= STMT_NO_BLOCK;
}

/* Does "*" name columns of this list? */
static bool
starred(const struct tree_node *n, const char *field)
{
	for (size_t i = 0; i < tree_len(n, field); i++) {
		const struct tree_node *val, *last;

		val = tree_get(tree_item(n, field, i), "val");
		if (tree_kind(val) == TREE_A_STAR)
			return true;
		if (tree_kind(val) != TREE_COLUMN_REF)
			continue;
		last = tree_item(val, "fields", tree_len(val, "fields") - 1);
		if (tree_kind(last) == TREE_A_STAR)
			return true;
	}
	return false;
}

static void
select_root(struct stmt *s, const struct tree_node *root)
{
	const struct tree_node *count = tree_get(root, "limit_count");

	if (count != NULL &&
	    !(tree_kind(count) == TREE_A_CONST && tree_num(count, "isnull")))
		s->flags |= STMT_HAS_LIMIT; /* LIMIT ALL is a null constant */
	/* The first arm names the columns of a set operation. */
	while (tree_get(root, "larg") != NULL)
		root = tree_get(root, "larg");
	if (starred(root, "target_list"))
		s->flags |= STMT_STAR;
	if (tree_get(root, "into_clause") != NULL)
		s->flags &= ~(unsigned)STMT_RETURNS_ROWS;
	if (tree_len(root, "values_lists") > 0)
		s->kind = STMT_VALUES;
}

static void
returning_root(struct stmt *s, const struct tree_node *root)
{
	if (tree_len(root, "returning_list") > 0)
		s->flags |= STMT_RETURNS_ROWS;
	if (starred(root, "returning_list"))
		s->flags |= STMT_STAR;
}

static void
set_root(struct stmt *s, const struct tree_node *root)
{
	bool of_tx = same(tree_word(root, "kind"), "VAR_SET_MULTI") &&
		     strncmp(tree_str(root, "name"), "TRANSACTION", 11) == 0;

	if (!tree_num(root, "is_local") && !of_tx)
		s->flags |= STMT_SESSION;
}

static void
maintenance_root(struct stmt *s, const struct tree_node *root)
{
	if (tree_kind(root) == TREE_VACUUM) {
		if (tree_num(root, "is_vacuumcmd"))
			s->flags |= STMT_NO_BLOCK;
	} else if (tree_kind(root) == TREE_CLUSTER) {
		if (tree_get(root, "relation") == NULL)
			s->flags |= STMT_NO_BLOCK;
	} else if (tree_kind(root) == TREE_REINDEX) {
		if (tree_get(root, "relation") == NULL ||
		    option(root, "params", "concurrently"))
			s->flags |= STMT_NO_BLOCK;
	}
}

static bool
detaches_concurrently(const struct tree_node *root)
{
	for (size_t i = 0; tree_has(root, "cmds") && i < tree_len(root, "cmds");
	     i++) {
		const struct tree_node *cmd = tree_item(root, "cmds", i);
		const struct tree_node *def;

		def = tree_has(cmd, "def") ? tree_get(cmd, "def") : NULL;
		if (tree_kind(def) == TREE_PARTITION_CMD &&
		    tree_num(def, "concurrent"))
			return true;
	}
	return false;
}

static void
ddl_root(struct stmt *s, const struct tree_node *root)
{
	enum tree_kind k = tree_kind(root);

	if ((k == TREE_CREATE_INDEX || k == TREE_DROP) &&
	    tree_num(root, "concurrent"))
		s->flags |= STMT_NO_BLOCK;
	if (detaches_concurrently(root))
		s->flags |= STMT_NO_BLOCK;
	/* Only a move to another tablespace is refused in a block. */
	if (k == TREE_ALTER_DATABASE && option(root, "options", "tablespace"))
		s->flags |= STMT_NO_BLOCK;
}

static void
declare_root(struct stmt *s, const struct tree_node *root)
{
	enum { HOLD = 0x20 }; /* CURSOR_OPT_HOLD of parsenodes.h */

	if (tree_num(root, "options") & HOLD)
		s->flags |= STMT_SESSION;
}

/* Does data travel over the connection, or to a file of the server? */
static void
copy_root(struct stmt *s, const struct tree_node *root)
{
	if (*tree_str(root, "filename") == 0 && !tree_num(root, "is_program"))
		s->flags |= tree_num(root, "is_from") ? STMT_COPY_IN
						      : STMT_COPY_OUT;
}

static void
other_root(struct stmt *s, const struct tree_node *root)
{
	switch (tree_kind(root)) {
	case TREE_DISCARD:
		if (same(tree_word(root, "target"), "DISCARD_ALL"))
			s->flags |= STMT_NO_BLOCK;
		break;
	case TREE_COPY:
		copy_root(s, root);
		break;
	case TREE_DECLARE_CURSOR:
		declare_root(s, root);
		break;
	case TREE_SET:
		set_root(s, root);
		break;
	case TREE_TRANSACTION:
		tx_root(s, root);
		break;
	default:
		break;
	}
}

void
facts_of_root(struct stmt *s, const struct tree_node *root)
{
	s->kind = STMT_DDL;
	s->flags = STMT_CATALOG;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].node == tree_kind(root)) {
			s->kind = kinds[i].kind;
			s->flags = kinds[i].flags;
		}
	if (s->kind == STMT_SELECT)
		select_root(s, root);
	else if (s->kind == STMT_MAINTENANCE)
		maintenance_root(s, root);
	else if (s->kind == STMT_DDL)
		ddl_root(s, root);
	else if (tree_has(root, "returning_list"))
		returning_root(s, root);
	else
		other_root(s, root);
	if (s->flags & STMT_NO_BLOCK)
		s->flags |= STMT_ALONE;
}
