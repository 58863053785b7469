/* SPDX-License-Identifier: MIT
 *
 * port - answers that wait for a thread of the host.
 *
 *   workers --port_put--> [mbox] --lunate_port_run--> done() on the host
 *                            |
 *                            +--> eventfd: readable while something waits
 *
 * What lies in it is a thing with a run(): an errand that has ended, or an
 * event.
 *
 * Always true: expected counts what will still come or lies here; ringing
 *              counts the workers that have put something and may still touch
 *              the port.  With both 0 it may be freed.
 * Thread: port_expect and port_put any; the rest that of the host.
 */
#ifndef PORT_H
#define PORT_H

#include "mbox.h"
#include "public.h"

struct errand;

/* Something to be done on the host's thread; frees itself. */
struct port_item {
	struct mbox_node node;
	void (*run)(struct port_item *item);
};

/* One more thing will come through port_put() or port_throw(). */
void port_expect(struct lunate_port *p);

/* It comes: an errand that has ended. */
void port_put(struct lunate_port *p, struct errand *q);

/* It comes: anything else. */
void port_throw(struct lunate_port *p, struct port_item *item);

/* It will not come after all. */
void port_forget(struct lunate_port *p);

#endif
