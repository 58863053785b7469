/* SPDX-License-Identifier: MIT
 *
 * net - addresses of the helpers of the tests: "unix:/path" or "tcp:port"
 * (loopback; port 0 takes a free one).
 */
#ifndef NET_H
#define NET_H

#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct addr {
	bool tcp;
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_in in;
	};
};

/* Ends the program when the text is no address. */
static inline struct addr
net_addr(const char *text)
{
	struct addr a;

	memset(&a, 0, sizeof(a));
	if (strncmp(text, "tcp:", 4) == 0) {
		a.tcp = true;
		a.len = sizeof(a.in);
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons((uint16_t)atoi(text + 4));
		a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return a;
	}
	if (strncmp(text, "unix:", 5) != 0 ||
	    strlen(text + 5) >= sizeof(a.un.sun_path))
		errx(2, "not an address: %s", text);
	a.len = sizeof(a.un);
	a.un.sun_family = AF_UNIX;
	strcpy(a.un.sun_path, text + 5);
	return a;
}

/* A listening socket; port 0 is replaced by the one that was taken. */
static inline int
net_listen(struct addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		err(1, "socket");
	if (a->tcp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	else
		unlink(a->un.sun_path);
	if (bind(fd, &a->sa, a->len) != 0 || listen(fd, 128) != 0)
		err(1, "listen");
	if (a->tcp && getsockname(fd, &a->sa, &a->len) != 0)
		err(1, "getsockname");
	return fd;
}

/* A connected or (flags has SOCK_NONBLOCK) connecting socket, or -1. */
static inline int
net_connect(const struct addr *a, int flags)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	if (a->tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &a->sa, a->len) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

/* Tells the one who started us that connections are welcome. */
static inline void
net_announce(const struct addr *a)
{
	printf("listening %d\n", a->tcp ? ntohs(a->in.sin_port) : 0);
	fflush(stdout);
}

#endif
