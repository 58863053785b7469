/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <ctype.h>
#include <string.h>

struct page {
	struct str *out;
	const char *section; /* of the row before, or NULL */
};

static bool
is_new_section(struct page *page, const struct config_info *info)
{
	bool is_new = page->section == NULL ||
		      strcmp(page->section, info->section) != 0;

	page->section = info->section;
	return is_new;
}

/* "30s" as it is; a bare duration gets the unit it is counted in. */
static void
add_standard(struct str *s, const struct config_info *info)
{
	size_t n = strlen(info->standard);

	str_add(s, info->standard);
	if (n > 0 && strcmp(info->kind, "duration") == 0 &&
	    isdigit((unsigned char)info->standard[n - 1]))
		str_addf(s, " %s", info->unit);
}

static void
add_list(struct str *s, const char *words, char separator)
{
	for (; *words != 0; words++) {
		if (*words == separator)
			str_add(s, ", ");
		else
			str_addc(s, *words);
	}
}

static void
add_kind(struct str *s, const struct config_info *info)
{
	if (strcmp(info->kind, "word") == 0)
		add_list(s, info->unit, '|');
	else if (strcmp(info->kind, "duration") == 0)
		str_addf(s, "duration (%s)", info->unit);
	else
		str_add(s, info->kind);
}

static void
add_names(struct str *s, const char *names)
{
	str_addc(s, '`');
	for (; *names != 0; names++) {
		if (*names == ',')
			str_add(s, "`<br>`");
		else
			str_addc(s, *names);
	}
	str_addc(s, '`');
}

static void
markdown_row(const struct config_info *info, void *arg)
{
	struct page *page = arg;
	struct str *s = page->out;

	if (is_new_section(page, info))
		str_addf(s,
			 "%s### %c%s\n\n"
			 "| variable | option | value | default | meaning |\n"
			 "|---|---|---|---|---|\n",
			 s->len != 0 ? "\n" : "",
			 toupper((unsigned char)info->section[0]),
			 info->section + 1);
	str_add(s, "| ");
	add_names(s, info->env);
	str_addf(s, " | `%s` | ", info->key);
	add_kind(s, info);
	str_add(s, " | ");
	add_standard(s, info);
	str_addf(s, " | %s |\n", info->meaning);
}

void
config_markdown(struct str *out)
{
	struct page page = {out, NULL};

	config_each(markdown_row, &page);
}

/* Breaks at spaces so that no line is longer than 78. */
static void
add_wrapped(struct str *s, const char *text)
{
	const size_t width = 72;
	size_t n;

	while (*text != 0) {
		n = strlen(text);
		if (n > width) {
			for (n = width; n > 0 && text[n] != ' '; n--)
				;
			n = n == 0 ? width : n;
		}
		str_add(s, "      ");
		str_addn(s, text, n);
		str_addc(s, '\n');
		text += n;
		text += *text == ' ';
	}
}

static void
help_row(const struct config_info *info, void *arg)
{
	struct page *page = arg;
	struct str *s = page->out;

	if (is_new_section(page, info))
		str_addf(s, "%s%s\n", s->len != 0 ? "\n" : "", info->section);
	str_addf(s, "  %s = ", info->key);
	add_standard(s, info);
	str_add(s, info->standard[0] != 0 ? "  (" : "(");
	add_kind(s, info);
	str_add(s, ")\n      ");
	add_list(s, info->env, ',');
	str_addc(s, '\n');
	add_wrapped(s, info->meaning);
}

void
config_help(struct str *out)
{
	struct page page = {out, NULL};

	config_each(help_row, &page);
}
