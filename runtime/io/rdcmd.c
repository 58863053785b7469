/* SPDX-License-Identifier: MIT */
#include "rdcmd.h"

#include <string.h>

#include "mem.h"

void
rdcmd_init(struct rdcmd *cmd,
	   void (*done)(struct rdcmd *, const struct rdreply *,
			const struct err *))
{
	memset(cmd, 0, sizeof(*cmd));
	list_init(&cmd->link);
	cmd->done = done;
}

/* Keeps the place of a command whose owner has gone. */
static void
ghost_done(struct rdcmd *cmd, const struct rdreply *r, const struct err *e)
{
	(void)r, (void)e;
	mem_free(cmd);
}

void
rdcmd_leave_ghost(struct rdcmd *cmd)
{
	struct rdcmd *ghost = mem_new(sizeof(*ghost));

	*ghost = *cmd;
	ghost->done = ghost_done;
	list_insert_after(&cmd->link, &ghost->link);
	list_remove(&cmd->link);
}

int64_t
rdcmd_first_due(const struct list *cmds)
{
	int64_t first = 0;

	LIST_EACH (link, cmds) {
		int64_t due = LIST_ENTRY(link, struct rdcmd, link)->due_us;

		if (first == 0 || due < first)
			first = due;
	}
	return first;
}

void
rdcmd_forget_all(struct list *cmds)
{
	struct list *link;

	while ((link = list_first(cmds)) != NULL) {
		struct rdcmd *cmd = LIST_ENTRY(link, struct rdcmd, link);

		list_remove(link);
		if (cmd->done == ghost_done)
			mem_free(cmd);
	}
}
