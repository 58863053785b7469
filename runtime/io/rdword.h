/* SPDX-License-Identifier: MIT
 *
 * rdword - which commands and replies of Redis (RESP2) mean something to the
 * connection that carries them.
 *
 * Thread: any; nothing is kept.
 */
#ifndef RDWORD_H
#define RDWORD_H

#include <stdbool.h>

#include "rdout.h"
#include "rdreply.h"

/* [P]SUBSCRIBE, [P]UNSUBSCRIBE: confirmed once for each channel named. */
bool rdword_subscribes(const struct rdargs *a);

/* After it, replies would no longer come one for each command. */
bool rdword_loses_order(const struct rdargs *a);

/* [kind, channel, number of subscriptions] */
bool rdword_is_confirmation(const struct rdreply *r);

/* [kind, channel, text], or with the pattern in front of the channel. */
bool rdword_is_published(const struct rdreply *r);

#endif
