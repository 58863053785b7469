/* SPDX-License-Identifier: MIT */
#include "tree_node.h"

#include <string.h>

#include "mem.h"

static void
show(struct tree_walk *w, enum tree_step step)
{
	const struct tree_frame *top = &w->frames[w->depth - 1];

	w->step = step;
	w->node = top->node;
	w->kind = tree_kind(top->node);
	w->parent = w->depth > 1 ? top[-1].node : NULL;
	w->field = top->field;
	w->index = top->index;
}

static void
grow(struct tree_walk *w)
{
	unsigned room = w->room != 0 ? w->room * 2 : 32;
	struct tree_frame *more = mem_new(room * sizeof(*more));

	if (w->depth > 0)
		memcpy(more, w->frames, w->depth * sizeof(*more));
	mem_free(w->frames);
	w->frames = more;
	w->room = room;
}

static bool
has_with(const struct tree_node *n)
{
	enum tree_kind k = tree_kind(n);

	return (k == TREE_SELECT || k == TREE_INSERT || k == TREE_UPDATE ||
		k == TREE_DELETE || k == TREE_MERGE) &&
	       tree_get(n, "with_clause") != NULL;
}

static void
push(struct tree_walk *w, struct tree_frame frame)
{
	if (w->depth == w->room)
		grow(w);
	frame.below = has_with(frame.node) ? (int)w->depth : frame.with;
	w->frames[w->depth++] = frame;
	show(w, TREE_ENTER);
}

void
tree_walk_init(struct tree_walk *w, const struct tree_node *root)
{
	assert(root != NULL);
	memset(w, 0, sizeof(*w));
	push(w, (struct tree_frame){.node = root, .with = -1});
	w->step = TREE_END; /* nothing shown yet */
}

/* Goes to the next child of the top frame, if it has one left. */
static bool
descend(struct tree_walk *w)
{
	struct tree_frame *top = &w->frames[w->depth - 1];
	const ProtobufCMessageDescriptor *d =
		node_message(top->node)->descriptor;
	struct tree_frame down = {.with = top->below};

	for (; top->at < d->n_fields; top->at++, top->item = 0) {
		const ProtobufCFieldDescriptor *f = &d->fields[top->at];
		size_t n = node_children(top->node, f);

		while (top->item < n) {
			down.index = top->item++;
			down.node = node_child(top->node, f, down.index);
			down.field = f->name;
			if (down.node == NULL)
				continue;
			push(w, down);
			return true;
		}
	}
	return false;
}

enum tree_step
tree_walk_next(struct tree_walk *w)
{
	if (w->depth == 0)
		return TREE_END;
	if (w->step == TREE_END) {
		show(w, TREE_ENTER);
		return TREE_ENTER;
	}
	if (w->step == TREE_LEAVE && --w->depth == 0) {
		w->step = TREE_END;
		return TREE_END;
	}
	if (!descend(w))
		show(w, TREE_LEAVE);
	return w->step;
}

void
tree_walk_skip(struct tree_walk *w)
{
	assert(w->step == TREE_ENTER && w->depth > 0);
	w->frames[w->depth - 1].at = UINT32_MAX;
}

const struct tree_frame *
tree_walk_up(const struct tree_walk *w, unsigned n)
{
	return n < w->depth ? &w->frames[w->depth - 1 - n] : NULL;
}

/* How many CTEs of the WITH of frame i can be seen from the current node:
 * from inside a CTE of a WITH that is not RECURSIVE, only those before it. */
static size_t
visible(const struct tree_walk *w, unsigned i, const struct tree_node *with)
{
	size_t n = tree_len(with, "ctes");

	if (tree_num(with, "recursive") || i + 2 >= w->depth)
		return n;
	if (w->frames[i + 1].node != with)
		return n;
	return w->frames[i + 2].index;
}

const struct tree_node *
tree_walk_cte(const struct tree_walk *w, const char *name)
{
	const struct tree_node *with, *cte;
	int i = w->frames[w->depth - 1].with;

	for (; i >= 0; i = w->frames[i].with) {
		with = tree_get(w->frames[i].node, "with_clause");
		for (size_t k = visible(w, (unsigned)i, with); k > 0; k--) {
			cte = tree_item(with, "ctes", k - 1);
			if (strcmp(tree_str(cte, "ctename"), name) == 0)
				return cte;
		}
	}
	return NULL;
}

void
tree_walk_fini(struct tree_walk *w)
{
	mem_free(w->frames);
	memset(w, 0, sizeof(*w));
}
