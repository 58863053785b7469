/* SPDX-License-Identifier: MIT */
#include "pgurl_list.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "str.h"

static bool
starts_url(const char *p)
{
	return strncmp(p, "postgres://", 11) == 0 ||
	       strncmp(p, "postgresql://", 13) == 0;
}

static const char *
skip_space(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

/* Where the item that begins at `p` ends. */
static const char *
item_end(const char *p, bool urls)
{
	while ((p = strchr(p, ',')) != NULL) {
		if (!urls || starts_url(skip_space(p + 1)))
			return p;
		p++;
	}
	return NULL;
}

static int
add_url(struct pgurl_list *list, const char *name, const char *text,
	struct err *e)
{
	size_t size = (list->n + 1) * sizeof(*list->at);
	int rc;

	list->at = mem_try_resize(list->at, size);
	assert(list->at != NULL);
	rc = pgurl_new(&list->at[list->n], name, text, e);
	if (rc == 0)
		list->n++;
	return rc;
}

/* One item of [p, end), trimmed; a bare address becomes a URL. */
static int
add_item(struct pgurl_list *list, const char *name, struct str *item,
	 struct err *e)
{
	char full[64];
	int rc;

	while (item->len > 0 && isspace((unsigned char)item->at[item->len - 1]))
		item->at[--item->len] = 0;
	snprintf(full, sizeof(full), "%s (entry %zu)", name, list->n + 1);
	if (item->len == 0)
		return err_set(e, LUNATE_ECONFIG, "%s is empty; remove a comma",
			       full);
	rc = add_url(list, full, item->at, e);
	mem_wipe(item->at, item->len);
	return rc;
}

int
pgurl_list_init(struct pgurl_list *list, const char *name, const char *text,
		struct err *e)
{
	bool urls = strstr(text, "://") != NULL;
	bool pairs = !urls && strchr(text, '=') != NULL;
	const char *end;
	struct str item;
	int rc = 0;

	*list = (struct pgurl_list){NULL, 0};
	if (pairs)
		return add_url(list, name, text, e);
	str_init(&item);
	str_reserve(&item, strlen(text) + 16); /* one copy, to be wiped */
	for (; text != NULL && rc == 0; text = end != NULL ? end + 1 : NULL) {
		text = skip_space(text);
		end = item_end(text, urls);
		str_clear(&item);
		str_add(&item,
			urls || *text == 0 || text == end ? "" : "postgres://");
		str_addn(&item, text,
			 end != NULL ? (size_t)(end - text) : strlen(text));
		rc = add_item(list, name, &item, e);
	}
	str_fini(&item);
	if (rc != 0)
		pgurl_list_fini(list);
	return rc;
}

void
pgurl_list_fini(struct pgurl_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		pgurl_free(&list->at[i]);
	mem_free(list->at);
	*list = (struct pgurl_list){NULL, 0};
}
