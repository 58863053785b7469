/* SPDX-License-Identifier: MIT
 *
 * tree_node - inside tree: from protobuf messages to nodes.
 *
 * A node is a protobuf message; a `Node` message, which only says which kind
 * follows, is replaced by what follows.
 *
 * Thread: any; reads immutable messages.
 */
#ifndef TREE_NODE_H
#define TREE_NODE_H

#include <protobuf-c/protobuf-c.h>

#include "tree.h"

static inline const ProtobufCMessage *
node_message(const struct tree_node *n)
{
	return (const ProtobufCMessage *)n;
}

/* The message of field f at place i, unwrapped; NULL when there is none. */
const struct tree_node *node_child(const struct tree_node *n,
				   const ProtobufCFieldDescriptor *f, size_t i);

/* How many messages field f has (0 for a field of another type). */
size_t node_children(const struct tree_node *n,
		     const ProtobufCFieldDescriptor *f);

#endif
