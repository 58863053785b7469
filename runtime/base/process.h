/* SPDX-License-Identifier: MIT
 *
 * process - which process this is, asked for at every operation.
 *
 * The number is kept in a page that the kernel wipes in a child of fork(), so
 * asking costs a load and no system call, whatever way the child was made.
 *
 * Thread: any.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <sys/types.h>

/* As getpid(). */
pid_t process_id(void);

#endif
