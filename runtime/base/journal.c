/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "mem.h"

static int
failed(struct err *e, const char *path, const char *what)
{
	return err_set(e, LUNATE_EIO, "the journal %s cannot be %s: %s", path,
		       what, strerror(errno));
}

/* The part before the last slash, "." without one. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_dups(".");
	return mem_dup(path, slash > path ? (size_t)(slash - path) : 1);
}

/* Each folder on the way that is not there. */
static void
make_folders(const char *folder)
{
	char *at = mem_dups(folder);

	for (char *p = at + 1; *p != 0; p++)
		if (*p == '/') {
			*p = 0;
			(void)mkdir(at, 0700);
			*p = '/';
		}
	(void)mkdir(at, 0700);
	mem_free(at);
}

static int
sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* Opens it, new or not; *fresh: it is new.  What is no file (a pipe, a modem)
 * may wait for somebody at its other end: it is not waited for, and refused
 * when it is looked at. */
static int
open_file(const char *path, bool *fresh)
{
	int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
		    O_NOCTTY,
	    fd = open(path, flags);

	*fresh = false;
	if (fd >= 0 || errno != ENOENT)
		return fd;
	*fresh = true;
	fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	return fd < 0 && errno == EEXIST ? open(path, flags) : fd;
}

static int
check_file(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return failed(e, path, "looked at");
	if (S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    (st.st_mode & 077) == 0)
		return 0;
	return err_set(e, LUNATE_EIO,
		       "the journal %s has to be a plain file of this user "
		       "that nobody else can read; chmod 600, or move it away",
		       path);
}

/* What a full disk cut off must not become the beginning of this line. */
static int
end_torn_line(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char last = '\n';

	if (size < 0 || (size > 0 && pread(fd, &last, 1, size - 1) != 1))
		return -1;
	return last == '\n' || write(fd, "\n", 1) == 1 ? 0 : -1;
}

static int
write_line(int fd, const char *line, size_t len)
{
	ssize_t n;

	if (FAULT_POINT("journal.write")) {
		errno = ENOSPC;
		return -1;
	}
	if (end_torn_line(fd) < 0)
		return -1;
	do
		n = write(fd, line, len);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n < len)
		errno = ENOSPC;
	return n == (ssize_t)len ? fdatasync(fd) : -1;
}

int
journal_append(const char *path, const char *line, size_t len, struct err *e)
{
	char *folder = folder_of(path);
	bool fresh;
	int fd, rc = 0;

	assert(len > 0 && memchr(line, '\n', len) == line + len - 1);
	make_folders(folder);
	fd = open_file(path, &fresh);
	if (fd < 0)
		rc = failed(e, path, "opened");
	else if (check_file(fd, path, e) < 0)
		rc = e->code;
	else if (write_line(fd, line, len) < 0)
		rc = failed(e, path, "written");
	else if (fresh && sync_folder(folder) < 0)
		rc = failed(e, path, "kept");
	if (fd >= 0)
		close(fd);
	mem_free(folder);
	return rc;
}
