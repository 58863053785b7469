/* SPDX-License-Identifier: MIT */
#include "sealer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "mem.h"

/* "0007 " and two digits a byte. */
#define LINE (5 + 2 * RLS_KEY)
#define MOST (2 * (LINE + 2))

static int64_t
make_seal(const struct pgseal *seal, const struct pgseal_ask *ask,
	  struct str *out)
{
	const struct sealer *s = CONTAINER_OF(seal, const struct sealer, seal);
	const struct rls_seal by = {.key = &s->keys[0],
				    .backend_pid = ask->backend_pid,
				    .expiry_s = ask->wall_s + SEALER_GOOD_S};

	rls_seal(&by, ask->wire, out);
	return SEALER_GOOD_S / 2;
}

/* ---- a line ------------------------------------------------------------- */

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != 0 ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

static bool
read_line(const char *at, struct rls_key *k)
{
	k->kid = 0;
	for (int i = 0; i < 4; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		k->kid = k->kid * 10 + at[i] - '0';
	}
	if (at[4] != ' ')
		return false;
	for (int i = 0; i < RLS_KEY; i++) {
		int high = digit(at[5 + 2 * i]), low = digit(at[6 + 2 * i]);

		if (high < 0 || low < 0)
			return false;
		k->bytes[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static void
write_line(char *to, const struct rls_key *k)
{
	int n = snprintf(to, LINE + 2, "%04d ", k->kid);

	for (int i = 0; i < RLS_KEY; i++)
		n += snprintf(to + n, 3, "%02x", k->bytes[i]);
	snprintf(to + n, 2, "\n");
}

/* Whole lines, at least one and at most two. */
static bool
read_text(struct sealer *s, const char *text, size_t len)
{
	for (s->n = 0; len >= LINE && s->n < 2; s->n++) {
		if (!read_line(text, &s->keys[s->n]))
			return false;
		text += LINE;
		len -= LINE;
		if (len > 0 && *text != '\n')
			return false;
		text += len > 0;
		len -= len > 0;
	}
	return s->n > 0 && len == 0;
}

/* ---- the file ----------------------------------------------------------- */

static int
check_mode(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, LUNATE_ECONFIG, "the key file %s: %s", path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, LUNATE_ECONFIG, "the key file %s is no file",
			       path);
	if (st.st_mode & 077)
		return err_set(
			e, LUNATE_ECONFIG,
			"the key file %s is open to others; chmod 600 %s", path,
			path);
	return 0;
}

int
sealer_read(struct sealer *s, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[MOST + 1];
	ssize_t n;
	bool good;

	*s = (struct sealer){.seal = {make_seal}};
	if (fd < 0)
		return err_set(e, LUNATE_ECONFIG,
			       "the key file %s: %s; `lunate policy seal-key "
			       "--new` makes one",
			       path, strerror(errno));
	if (check_mode(fd, path, e) < 0) {
		close(fd);
		return e->code;
	}
	n = read(fd, text, sizeof(text));
	close(fd);
	good = n > 0 && read_text(s, text, (size_t)n);
	mem_wipe(text, sizeof(text));
	if (good)
		return 0;
	sealer_fini(s);
	return err_set(e, LUNATE_ECONFIG,
		       "%s is no key file: a line is a number of 4 digits, a "
		       "space, and 64 hexadecimal digits; at most two lines",
		       path);
}

static bool
write_all(int fd, const char *text, size_t len)
{
	return write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
}

/* Beside the file, then in its place: there is always a whole one. */
static int
write_file(const struct sealer *s, const char *path, struct err *e)
{
	char text[MOST + 1] = "", beside[4096];
	bool good = false;
	int fd;

	for (unsigned i = 0; i < s->n; i++)
		write_line(text + strlen(text), &s->keys[i]);
	snprintf(beside, sizeof(beside), "%s.new", path);
	(void)unlink(beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0) {
		good = write_all(fd, text, strlen(text));
		close(fd);
		good = good && rename(beside, path) == 0;
	}
	mem_wipe(text, sizeof(text));
	if (good)
		return 0;
	return err_set(e, LUNATE_EIO, "the key file %s: %s", path,
		       strerror(errno));
}

int
sealer_renew(struct sealer *s, const char *path, struct err *e)
{
	struct rls_key key = {.kid = 1};

	*s = (struct sealer){.seal = {make_seal}};
	if (access(path, F_OK) == 0) {
		if (sealer_read(s, path, e) < 0)
			return e->code;
		key.kid = (s->keys[0].kid + 1) % 10000;
		s->keys[1] = s->keys[0];
	}
	if (RAND_bytes(key.bytes, RLS_KEY) != 1)
		return err_set(e, LUNATE_ERESOURCE,
			       "the system has no random numbers");
	s->n = s->n > 0 ? 2 : 1;
	s->keys[0] = key;
	mem_wipe(&key, sizeof(key));
	return write_file(s, path, e);
}

void
sealer_sql(const struct sealer *s, struct str *out)
{
	rls_key_sql(&s->keys[0], s->n > 1 ? s->keys[1].kid : -1, out);
}

void
sealer_fini(struct sealer *s)
{
	mem_wipe(s->keys, sizeof(s->keys));
	s->n = 0;
}
