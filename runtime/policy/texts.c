/* SPDX-License-Identifier: MIT */
#include "texts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "mem.h"
#include "near.h"
#include "watch.h"

#define TRIES 5
#define PAUSE_MS 20

/* ---- life -------------------------------------------------------------- */

static struct texts *
new_texts(const char *folder)
{
	struct texts *b = mem_new(sizeof(*b));

	OBJ_INIT(b, TEXTS_MAGIC);
	b->refs = 1;
	b->folder = mem_dups(folder);
	return b;
}

struct texts *
texts_pin(struct texts *b)
{
	OBJ_CHECK(b, TEXTS_MAGIC);
	__atomic_add_fetch(&b->refs, 1, __ATOMIC_RELAXED);
	return b;
}

void
texts_unpin(struct texts **pb)
{
	struct texts *b;

	OBJ_TAKE(b, pb, TEXTS_MAGIC);
	if (__atomic_sub_fetch(&b->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < VOCAB_FILES; i++)
		mem_free(b->files[i].text);
	mem_free(b->folder);
	OBJ_FINI(b);
	mem_free(b);
}

/* ---- hashes ------------------------------------------------------------ */

static void
hash(struct texts *b)
{
	uint64_t all = 0, decisions = 0;

	for (size_t i = 0; i < VOCAB_FILES; i++) {
		const struct texts_file *f = &b->files[i];
		uint64_t h;

		if (f->text == NULL)
			continue;
		h = XXH3_64bits_withSeed(f->text, f->len, i + 1);
		all = XXH3_64bits_withSeed(&h, sizeof(h), all);
		if (vocab_files[i].decides)
			decisions = XXH3_64bits_withSeed(&h, sizeof(h),
							 decisions);
	}
	b->hash = all;
	b->decisions = decisions != 0 ? decisions : 1;
}

struct texts *
texts_of(const char *folder, const char *const list[VOCAB_FILES])
{
	struct texts *b = new_texts(folder);

	for (size_t i = 0; i < VOCAB_FILES; i++) {
		if (list[i] == NULL)
			continue;
		b->files[i].text = mem_dups(list[i]);
		b->files[i].len = strlen(list[i]);
	}
	hash(b);
	return b;
}

struct texts *
texts_with(const struct texts *t, unsigned file, const struct texts_file *f)
{
	struct texts *b = new_texts(t->folder);

	for (unsigned i = 0; i < VOCAB_FILES; i++) {
		const struct texts_file *from = i == file ? f : &t->files[i];

		if (from->text == NULL)
			continue;
		b->files[i].text = mem_dup(from->text, from->len);
		b->files[i].len = from->len;
	}
	hash(b);
	return b;
}

/* ---- names ------------------------------------------------------------- */

/* A name of the folder: its file's place, or -1 when it is none of ours. */
static int
place_of(const char *name, size_t *len)
{
	const struct vocab_file *f;
	const char *dot = strrchr(name, '.');

	if (name[0] == '.' || dot == NULL || strcmp(dot, ".lua") != 0 ||
	    watch_ignores(name))
		return -1;
	*len = (size_t)(dot - name);
	f = vocab_file(name, *len);
	return f != NULL ? (int)(f - vocab_files) : VOCAB_FILES;
}

static int
stranger(const struct texts *b, const char *name, size_t len, struct err *e)
{
	char word[64];
	struct near n;

	snprintf(word, sizeof(word), "%.*s", (int)len, name);
	near_init(&n, word);
	for (size_t i = 0; i < VOCAB_FILES; i++)
		near_try(&n, vocab_files[i].name);
	if (near_best(&n) != NULL)
		return err_set(e, LUNATE_ECONFIG,
			       "%s/%s is no policy file; did you mean %s.lua?",
			       b->folder, name, near_best(&n));
	return err_set(e, LUNATE_ECONFIG,
		       "%s/%s is no policy file; see `lunate policy words`",
		       b->folder, name);
}

/* ---- reading ----------------------------------------------------------- */

static int
fail(const struct texts *b, const char *name, struct err *e)
{
	return err_set(e, LUNATE_EIO, "%s%s%s: %s", b->folder,
		       name != NULL ? "/" : "", name != NULL ? name : "",
		       strerror(errno));
}

static bool
alike(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_ino == b->st_ino &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* All of a file; fewer bytes than it had: it is being written. */
static int
read_text(int fd, const struct stat *st, struct texts_file *f)
{
	size_t size = (size_t)st->st_size, done = 0;
	ssize_t n = 1;

	f->text = mem_new(size + 1);
	while (done < size && n > 0) {
		n = read(fd, f->text + done, size - done);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			done += (size_t)n;
	}
	f->text[done] = 0;
	f->len = done;
	return n < 0 ? -1 : 0;
}

/* A file of the folder while it is read. */
struct one {
	struct texts *b;
	const char *name;
	int fd;
};

static int
read_open(const struct one *one, struct texts_file *f, struct err *e)
{
	struct stat before, after;
	struct texts *b = one->b;
	const char *name = one->name;
	int fd = one->fd;

	if (fstat(fd, &before) < 0)
		return fail(b, name, e);
	if (!S_ISREG(before.st_mode))
		return err_set(e, LUNATE_EIO, "%s/%s is no file", b->folder,
			       name);
	if (before.st_size > TEXTS_FILE_MOST)
		return err_set(e, LUNATE_ETOOBIG, "%s/%s is larger than %u KiB",
			       b->folder, name, TEXTS_FILE_MOST >> 10);
	if (read_text(fd, &before, f) < 0 || fstat(fd, &after) < 0)
		return fail(b, name, e);
	if (!alike(&before, &after) || f->len != (size_t)before.st_size)
		return err_set(e, LUNATE_EBUSY, "%s/%s is being written",
			       b->folder, name);
	return 0;
}

static int
read_one(struct texts *b, int dir, const char *name, struct err *e)
{
	size_t len = 0;
	int at = place_of(name, &len), fd, rc;

	if (at < 0)
		return 0;
	if (at == VOCAB_FILES)
		return stranger(b, name, len, e);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT) /* renamed since it was listed */
		return err_set(e, LUNATE_EBUSY, "%s/%s is gone again",
			       b->folder, name);
	if (fd < 0)
		return fail(b, name, e);
	rc = read_open(&(struct one){b, name, fd}, &b->files[at], e);
	close(fd);
	return rc;
}

static int
read_all(struct texts *b, DIR *d, struct err *e)
{
	const struct dirent *entry;

	while ((errno = 0, entry = readdir(d)) != NULL)
		if (read_one(b, dirfd(d), entry->d_name, e) < 0)
			return e->code;
	return errno != 0 ? fail(b, NULL, e) : 0;
}

static int
try_read(struct texts **out, const char *folder, struct err *e)
{
	struct texts *b = new_texts(folder);
	DIR *d = opendir(folder);
	int rc = d != NULL ? read_all(b, d, e) : fail(b, NULL, e);

	if (d != NULL)
		closedir(d);
	if (rc < 0) {
		texts_unpin(&b);
		return rc;
	}
	hash(b);
	*out = b;
	return 0;
}

int
texts_read(struct texts **out, const char *folder, struct err *e)
{
	const struct timespec pause = {0, PAUSE_MS * 1000000L};

	for (int i = 0; i < TRIES; i++) {
		err_clear(e);
		if (try_read(out, folder, e) == 0)
			return 0;
		if (e->code != LUNATE_EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	return e->code;
}
