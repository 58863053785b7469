/* SPDX-License-Identifier: MIT
 *
 * strikes - how often the functions of a policy file failed lately.
 *
 *   failed --STRIKES_OUT of them within STRIKES_MS--> out (counts anew)
 *
 * Memory: lives inside its owner.  Thread: its owner's; time is an argument.
 */
#ifndef STRIKES_H
#define STRIKES_H

#include <stdbool.h>
#include <stdint.h>

#include "vocab.h"

#define STRIKES_OUT 5
#define STRIKES_MS 60000

struct strikes {
	int64_t at_ms[VOCAB_FILES][STRIKES_OUT]; /* the last ones, a ring */
	unsigned n[VOCAB_FILES];		 /* since it began to count */
};

/* A function of the file (its place in vocab_files) failed.  True: it is out.
 */
bool strikes_add(struct strikes *s, unsigned file, int64_t now_ms);

/* Another text of the file is in force. */
void strikes_forget(struct strikes *s, unsigned file);

#endif
