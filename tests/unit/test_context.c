/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "context.h"
#include "mem.h"
#include "panics.h"
#include "str.h"

static struct err er;

static struct context *
made(const char *json)
{
	struct context *c;

	if (context_new(json, strlen(json), &c, &er) < 0)
		fail_msg("%s: %s", json, er.text);
	return c;
}

static void
refused(const char *json, const char *word)
{
	struct context *c = (struct context *)&er;

	err_clear(&er);
	assert_int_equal(context_new(json, strlen(json), &c, &er),
			 LUNATE_EINVAL);
	assert_null(c);
	if (strstr(er.text, word) == NULL)
		fail_msg("\"%s\" is not in: %s", word, er.text);
}

static unsigned
forms(const char *json)
{
	struct context *c = made(json);
	unsigned f = c->forms;

	context_unpin(&c);
	return f;
}

static void
all_fields_are_there(void **state)
{
	struct context *c = made(
		"{\"tenant\":\"t\",\"user\":\"u\",\"roles\":[\"nurse\",\"x\"],"
		"\"location\":\"l\",\"ip\":\"::1\",\"device\":\"d\","
		"\"purpose\":\"p\",\"trace\":\"r\",\"audit\":{\"a\":1},"
		"\"system\":\"why\"}");

	assert_int_equal(c->ntenants, 1);
	assert_string_equal(c->tenants[0].id, "t");
	assert_int_equal(c->tenants[0].len, 1);
	assert_string_equal(c->user, "u");
	assert_int_equal(c->nroles, 2);
	assert_string_equal(c->roles[0], "nurse");
	assert_string_equal(c->roles[1], "x");
	assert_string_equal(c->location, "l");
	assert_string_equal(c->ip, "::1");
	assert_string_equal(c->device, "d");
	assert_string_equal(c->purpose, "p");
	assert_string_equal(c->trace, "r");
	assert_string_equal(c->system, "why");
	context_unpin(&c);
	assert_null(c);
}

static void
all_fields_are_optional(void **state)
{
	struct context *c = made("{}");

	assert_int_equal(c->ntenants, 0);
	assert_int_equal(c->nroles, 0);
	assert_int_equal(c->forms, 0);
	assert_string_equal(c->array, "{}");
	assert_int_equal(c->array_len, 2);
	assert_null(c->user);
	assert_null(c->system);
	assert_string_equal(c->wire, "{\"tenants\":\"{}\"}");
	context_unpin(&c);
}

static void
roles_may_be_one_text_or_none(void **state)
{
	struct context *c = made("{\"roles\":\"nurse\"}");

	assert_int_equal(c->nroles, 1);
	assert_string_equal(c->roles[0], "nurse");
	context_unpin(&c);
	c = made("{\"roles\":{}}"); /* an empty list, as Lua writes it */
	assert_int_equal(c->nroles, 0);
	context_unpin(&c);
}

static void
locations_and_a_time_zone_are_carried(void **state)
{
	struct context *c = made("{\"locations\":[\"l1\",\"l2\"],"
				 "\"clinic_tz\":\"Europe/Berlin\"}");

	assert_int_equal(c->nlocations, 2);
	assert_string_equal(c->locations[1], "l2");
	assert_string_equal(c->clinic_tz, "Europe/Berlin");
	assert_non_null(strstr(c->wire, "\"locations\":[\"l1\",\"l2\"]"));
	context_unpin(&c);
	refused("{\"locations\":[7]}", "locations");
	refused("{\"clinic_tz\":60}", "clinic_tz");
}

#define GLASS(more) \
	"{\"tenant\":\"a\",\"user\":\"u\",\"break_glass\":{" more "}}"

static void
an_emergency_has_rule_patient_and_a_reason_in_words(void **state)
{
	struct context *c = made(
		GLASS("\"rule\":\"r\",\"patient\":\"p\",\"reason\":"
		      "\"found on floor\",\"id\":\"1\""));

	assert_string_equal(c->glass->rule, "r");
	assert_string_equal(c->glass->patient, "p");
	assert_string_equal(c->glass->reason, "found on floor");
	assert_string_equal(c->glass->id, "1");
	context_unpin(&c);
	refused(GLASS("\"rule\":\"r\",\"patient\":\"p\",\"reason\":"
		      "\" two  words \""),
		"three words");
	refused(GLASS("\"rule\":\"r\",\"reason\":\"a b c\""), "break_glass");
	refused(GLASS("\"rule\":\"r\",\"patient\":7,\"reason\":\"a b c\""),
		"break_glass");
	refused(GLASS("\"rule\":\"r\",\"patient\":\"p\",\"reason\":"
		      "\"a b c\",\"for\":\"x\""),
		"break_glass");
	refused("{\"tenant\":\"a\",\"break_glass\":\"x\"}", "break_glass");
	refused("{\"tenant\":\"a\",\"break_glass\":{\"rule\":\"r\","
		"\"patient\":\"p\",\"reason\":\"a b c\"}}",
		"user");
}

static void
tenants_are_sorted_and_each_there_once(void **state)
{
	struct context *c = made("{\"tenant\":[\"b\",\"a\",\"b\",7,\"a\"]}");

	assert_int_equal(c->ntenants, 3);
	assert_string_equal(c->tenants[0].id, "7");
	assert_string_equal(c->tenants[1].id, "a");
	assert_string_equal(c->tenants[2].id, "b");
	assert_string_equal(c->array, "{7,a,b}");
	context_unpin(&c);
}

static void
a_number_as_tenant_is_its_decimal_text(void **state)
{
	struct context *c = made("{\"tenant\":-9223372036854775808}");

	assert_string_equal(c->tenants[0].id, "-9223372036854775808");
	context_unpin(&c);
	refused("{\"tenant\":1.5}", "tenant");
	refused("{\"tenant\":1e3}", "tenant");
}

static void
an_array_quotes_what_postgresql_would_read(void **state)
{
	struct context *c = made("{\"tenant\":[\"a\\\"b\",\"c\\\\d\",\"e,f\","
				 "\"NULL\",\" \"]}");

	assert_string_equal(c->array, "{\" \",\"NULL\",\"a\\\"b\","
				      "\"c\\\\d\",\"e,f\"}");
	context_unpin(&c);
}

static void
a_misspelt_field_is_refused_with_the_nearest(void **state)
{
	refused("{\"tenent\":\"a\"}", "did you mean tenant");
	refused("{\"tenants\":\"a\"}", "did you mean tenant");
	refused("{\"Tenant\":\"a\"}", "no field");
	refused("{\"\":\"a\"}", "no field");
}

static void
a_field_of_another_kind_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{"{\"tenant\":null}", "tenant"},
		{"{\"tenant\":true}", "tenant"},
		{"{\"tenant\":\"\"}", "tenant"},
		{"{\"tenant\":{\"a\":1}}", "tenant"},
		{"{\"tenant\":[\"a\",\"\"]}", "tenant"},
		{"{\"tenant\":[\"a\",[\"b\"]]}", "tenant"},
		{"{\"tenant\":[\"a\",null]}", "tenant"},
		{"{\"user\":7}", "user"},
		{"{\"user\":\"\"}", "user"},
		{"{\"user\":null}", "user"},
		{"{\"roles\":[1]}", "roles"},
		{"{\"roles\":[\"\"]}", "roles"},
		{"{\"roles\":{\"a\":\"b\"}}", "roles"},
		{"{\"ip\":[]}", "ip"},
		{"{\"audit\":\"x\"}", "audit"},
		{"{\"audit\":[]}", "audit"},
		{"{\"system\":\"\"}", "system"},
		{"{\"system\":true}", "system"},
		{"{\"system\":\" \\n\"}", "system"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		refused(rows[i][0], rows[i][1]);
}

static void
what_is_no_object_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"7",
		"null",
		"{",
		"{\"tenant\":\"a\"",
		"\"a\"",
		"{} {}",
		"{a:1}",
		"nil",
		"{\"user\":\"\\u0000\"}",
		"{\"tenant\":\"a\",\"tenant\":\"b\"}",
		"{\"user\":\"\xff\"}"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		refused(texts[i], "a context is a JSON object");
}

static void
a_refusal_never_tells_the_value(void **state)
{
	refused("{\"user\":[\"s3cret\"]}", "user");
	assert_null(strstr(er.text, "s3cret"));
	refused("{\"tenant\":[\"s3cret\",null]}", "tenant");
	assert_null(strstr(er.text, "s3cret"));
}

static void
int8_is(const char *json, const char *bytes)
{
	struct context *c = made(json);

	assert_memory_equal(c->int8, bytes, 8);
	context_unpin(&c);
}

static void
a_tenant_is_there_as_the_server_reads_it_fastest(void **state)
{
	struct context *c = made(
		"{\"tenant\":\"0a1B2c3d-4e5f-6071-8293-a4b5C6d7e8f9\"}");

	assert_memory_equal(c->uuid,
			    "\x0a\x1b\x2c\x3d\x4e\x5f\x60\x71\x82\x93"
			    "\xa4\xb5\xc6\xd7\xe8\xf9",
			    16);
	context_unpin(&c);
	int8_is("{\"tenant\":7}", "\0\0\0\0\0\0\0\x07");
	int8_is("{\"tenant\":\"-2\"}", "\xff\xff\xff\xff\xff\xff\xff\xfe");
	int8_is("{\"tenant\":\"-9223372036854775808\"}", "\x80\0\0\0\0\0\0\0");
	int8_is("{\"tenant\":[\"9223372036854775807\"]}",
		"\x7f\xff\xff\xff\xff\xff\xff\xff");
}

static void
forms_say_of_which_types_every_tenant_is(void **state)
{
	const unsigned text = CONTEXT_TEXT, i8 = text | CONTEXT_INT8,
		       i4 = i8 | CONTEXT_INT4;

	assert_int_equal(forms("{\"tenant\":\"x\"}"), text);
	assert_int_equal(
		forms("{\"tenant\":\"0a1b2c3d-0000-4000-8000-00000000000F\"}"),
		text | CONTEXT_UUID);
	assert_int_equal(
		forms("{\"tenant\":\"0a1b2c3d00004000800000000000000f\"}"),
		text);
	assert_int_equal(
		forms("{\"tenant\":\"0a1b2c3g-0000-4000-8000-00000000000f\"}"),
		text);
	assert_int_equal(forms("{\"tenant\":7}"), i4);
	assert_int_equal(forms("{\"tenant\":\"0\"}"), i4);
	assert_int_equal(forms("{\"tenant\":\"-1\"}"), i4);
	assert_int_equal(forms("{\"tenant\":[1,2,3]}"), i4);
	assert_int_equal(forms("{\"tenant\":[1,\"x\"]}"), text);
	assert_int_equal(forms("{\"tenant\":[1,3000000000]}"), i8);
	assert_int_equal(forms("{\"tenant\":[]}"), 0);
}

static void
only_canonical_numbers_within_their_bounds_are_integers(void **state)
{
	static const struct {
		const char *json;
		unsigned forms;
	} rows[] = {
		{"{\"tenant\":\"2147483647\"}", CONTEXT_INT4},
		{"{\"tenant\":\"2147483648\"}", CONTEXT_INT8},
		{"{\"tenant\":\"-2147483648\"}", CONTEXT_INT4},
		{"{\"tenant\":\"-2147483649\"}", CONTEXT_INT8},
		{"{\"tenant\":\"9223372036854775807\"}", CONTEXT_INT8},
		{"{\"tenant\":\"9223372036854775808\"}", 0},
		{"{\"tenant\":\"-9223372036854775808\"}", CONTEXT_INT8},
		{"{\"tenant\":\"-9223372036854775809\"}", 0},
		{"{\"tenant\":\"007\"}", 0},
		{"{\"tenant\":\"-0\"}", 0},
		{"{\"tenant\":\"+1\"}", 0},
		{"{\"tenant\":\"-\"}", 0},
		{"{\"tenant\":\" 1\"}", 0},
		{"{\"tenant\":\"1 \"}", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned f = forms(rows[i].json);

		if ((f & CONTEXT_INT4) != (rows[i].forms & CONTEXT_INT4) ||
		    !(f & CONTEXT_INT8) != !rows[i].forms)
			fail_msg("%s: %u", rows[i].json, f);
	}
}

static void
the_wire_has_sorted_keys_and_the_set_as_an_array(void **state)
{
	struct context *c = made(
		" { \"user\" : \"u\", \"tenant\" : [\"b\", \"a\"] } ");

	assert_string_equal(c->wire, "{\"tenants\":\"{a,b}\","
				     "\"tenant\":[\"b\",\"a\"],"
				     "\"user\":\"u\"}");
	assert_int_equal(c->wire_len, strlen(c->wire));
	context_unpin(&c);
}

static void
contexts_are_the_same_when_their_wires_are(void **state)
{
	struct context *a = made("{\"tenant\":\"a\",\"user\":\"u\"}");
	struct context *b = made("{\"user\":\"u\",\"tenant\":\"a\"}");
	struct context *c = made("{\"user\":\"u\",\"tenant\":\"b\"}");
	struct context *d = made("{\"user\":\"u\",\"tenant\":\"b\","
				 "\"system\":\"x\"}");

	assert_true(context_same(a, a));
	assert_true(context_same(a, b));
	assert_true(context_same(NULL, NULL));
	assert_false(context_same(a, c));
	assert_false(context_same(c, d));
	assert_false(context_same(a, NULL));
	assert_false(context_same(NULL, a));
	context_unpin(&a);
	context_unpin(&b);
	context_unpin(&c);
	context_unpin(&d);
}

static void
a_text_and_a_number_are_not_the_same_wire(void **state)
{
	struct context *a = made("{\"tenant\":7}");
	struct context *b = made("{\"tenant\":\"7\"}");

	assert_string_equal(a->tenants[0].id, b->tenants[0].id);
	assert_false(context_same(a, b));
	context_unpin(&a);
	context_unpin(&b);
}

static void
it_lives_until_its_last_pin(void **state)
{
	struct context *a = made("{\"tenant\":\"a\"}"), *b = context_pin(a);

	assert_ptr_equal(a, b);
	assert_null(context_pin(NULL));
	context_unpin(&a);
	assert_null(a);
	assert_string_equal(b->tenants[0].id, "a");
	context_unpin(&b);
	context_unpin(&b); /* NULL is harmless */
}

static void
without_memory_it_says_so_and_leaves_nothing(void **state)
{
	static const char json[] = "{\"tenant\":[1,2,3],\"user\":\"u\"}";
	struct context *c;

	mem_fail_after(1);
	assert_int_equal(context_new(json, strlen(json), &c, &er),
			 LUNATE_ENOMEM);
	mem_fail_after(0);
	assert_null(c);
}

/* Lists whose elements are as short as can be take the most for their JSON. */
static void
large_sets_are_taken_whole(void **state)
{
	for (unsigned n = 1; n <= 20000; n = n * 7 + 3) {
		struct str s;
		struct context *c;

		str_init(&s);
		str_add(&s, "{\"tenant\":[");
		for (unsigned i = 0; i < n; i++)
			str_addf(&s, "%s%u", i > 0 ? "," : "", i);
		str_add(&s, "],\"roles\":[");
		for (unsigned i = 0; i < n; i++)
			str_add(&s, i > 0 ? ",\"r\"" : "\"r\"");
		str_add(&s, "]}");
		c = made(s.at);
		assert_int_equal(c->ntenants, n);
		assert_int_equal(c->nroles, n);
		context_unpin(&c);
		str_fini(&s);
	}
}

static const char *
read_element(const char *p, struct str *out)
{
	bool quoted = *p == '"';

	p += quoted;
	while (quoted ? *p != '"' : strchr(",}", *p) == NULL) {
		p += quoted && *p == '\\';
		str_addc(out, *p++);
	}
	return p + quoted;
}

/* A tenant of any letters: the array's elements read back are the tenants. */
static void
read_back(const struct context *c)
{
	const char *p = c->array;
	struct str one;

	str_init(&one);
	assert_int_equal(*p++, '{');
	for (unsigned i = 0; i < c->ntenants; i++) {
		str_clear(&one);
		p = read_element(p, &one);
		assert_string_equal(one.at, c->tenants[i].id);
		assert_int_equal(*p++, i + 1 < c->ntenants ? ',' : '}');
	}
	assert_int_equal(*p, 0);
	str_fini(&one);
}

static void
tenants_of_any_letters_come_through_whole(void **state)
{
	static const char letters[] = "a\"\\,{}' \x01\x7f\t/7-";
	unsigned seed = 12345;

	for (int round = 0; round < 3000; round++) {
		json_t *list = json_array(), *all = json_object();
		struct context *c;
		char *text;

		for (int i = 0; i <= round % 5; i++) {
			char id[16] = "";

			for (int k = 0; k <= round % 12; k++) {
				seed = seed * 1103515245u + 12345u;
				id[k] = letters[(seed >> 16) %
						(sizeof(letters) - 1)];
			}
			json_array_append_new(list, json_string(id));
		}
		json_object_set_new(all, "tenant", list);
		text = json_dumps(all, JSON_COMPACT);
		c = made(text);
		read_back(c);
		context_unpin(&c);
		free(text);
		json_decref(all);
	}
}

static void
pin_of_what_is_no_context_is_a_panic(void **state)
{
	struct context none = {0};

	assert_panics(context_pin(&none));
}

int
main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(all_fields_are_there),
		T(all_fields_are_optional),
		T(roles_may_be_one_text_or_none),
		T(an_emergency_has_rule_patient_and_a_reason_in_words),
		T(locations_and_a_time_zone_are_carried),
		T(tenants_are_sorted_and_each_there_once),
		T(a_number_as_tenant_is_its_decimal_text),
		T(an_array_quotes_what_postgresql_would_read),
		T(a_misspelt_field_is_refused_with_the_nearest),
		T(a_field_of_another_kind_is_refused),
		T(what_is_no_object_is_refused),
		T(a_refusal_never_tells_the_value),
		T(a_tenant_is_there_as_the_server_reads_it_fastest),
		T(forms_say_of_which_types_every_tenant_is),
		T(only_canonical_numbers_within_their_bounds_are_integers),
		T(the_wire_has_sorted_keys_and_the_set_as_an_array),
		T(contexts_are_the_same_when_their_wires_are),
		T(a_text_and_a_number_are_not_the_same_wire),
		T(it_lives_until_its_last_pin),
		T(without_memory_it_says_so_and_leaves_nothing),
		T(large_sets_are_taken_whole),
		T(tenants_of_any_letters_come_through_whole),
		T(pin_of_what_is_no_context_is_a_panic),
	};

	if (getenv("ONLY") != NULL)
		cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
