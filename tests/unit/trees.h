/* SPDX-License-Identifier: MIT
 *
 * trees - for tests: do two nodes say the same, with all that is below them?
 */
#ifndef TREES_H
#define TREES_H

#include "tree.h"

static inline bool
trees_same(const struct tree_node *a, const struct tree_node *b)
{
	if (!tree_alike(a, b))
		return false;
	for (unsigned i = 0; i < tree_nfields(a); i++) {
		size_t n = tree_field_len(a, i);

		if (n != tree_field_len(b, i))
			return false;
		for (size_t k = 0; k < n; k++)
			if (!trees_same(tree_field_item(a, i, k),
					tree_field_item(b, i, k)))
				return false;
	}
	return true;
}

#endif
