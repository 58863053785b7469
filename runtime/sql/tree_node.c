/* SPDX-License-Identifier: MIT */
#include "tree_node.h"

#include <pthread.h>
#include <string.h>

#include <pg_query/pg_query.pb-c.h>

/* ---- kinds: a small table from descriptor to number ----------------- */

#define SLOTS 256 /* power of two, more than twice the kinds */

static struct {
	const ProtobufCMessageDescriptor *message;
	enum tree_kind kind;
} slots[SLOTS];
static pthread_once_t slots_once = PTHREAD_ONCE_INIT;

static unsigned
slot_of(const ProtobufCMessageDescriptor *d)
{
	unsigned i = (unsigned)((uintptr_t)d / sizeof(*d)) % SLOTS;

	while (slots[i].message != NULL && slots[i].message != d)
		i = (i + 1) % SLOTS;
	return i;
}

static void
fill_slots(void)
{
	static const ProtobufCMessageDescriptor *const all[] = {
		[TREE_OTHER] = NULL,
#define TREE_ROW(name, message) \
	[TREE_##name] = &pg_query__##message##__descriptor,
		TREE_KINDS(TREE_ROW)
#undef TREE_ROW
	};

	for (unsigned k = 1; k < sizeof(all) / sizeof(*all); k++) {
		unsigned i = slot_of(all[k]);

		slots[i].message = all[k];
		slots[i].kind = (enum tree_kind)k;
	}
}

enum tree_kind
tree_kind(const struct tree_node *n)
{
	if (n == NULL)
		return TREE_OTHER;
	pthread_once(&slots_once, fill_slots);
	return slots[slot_of(node_message(n)->descriptor)].kind;
}

const char *
tree_name(const struct tree_node *n)
{
	return n != NULL ? node_message(n)->descriptor->short_name : "";
}

/* ---- fields --------------------------------------------------------- */

static const void *
member(const struct tree_node *n, size_t offset)
{
	return (const char *)n + offset;
}

/* A `Node` may hold nothing (an absent element of a list). */
static const struct tree_node *
unwrap(const ProtobufCMessage *m)
{
	const PgQuery__Node *node = (const PgQuery__Node *)m;

	if (m == NULL || m->descriptor != &pg_query__node__descriptor)
		return (const struct tree_node *)m;
	if (node->node_case == PG_QUERY__NODE__NODE__NOT_SET)
		return NULL;
	/* All members of the union are pointers to messages. */
	return (const struct tree_node *)node->alias;
}

size_t
node_children(const struct tree_node *n, const ProtobufCFieldDescriptor *f)
{
	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return 0;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)member(n, f->quantifier_offset);
	if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
	    *(const uint32_t *)member(n, f->quantifier_offset) != f->id)
		return 0;
	return *(ProtobufCMessage *const *)member(n, f->offset) != NULL;
}

const struct tree_node *
node_child(const struct tree_node *n, const ProtobufCFieldDescriptor *f,
	   size_t i)
{
	ProtobufCMessage *const *at = member(n, f->offset);

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		at = *(ProtobufCMessage *const *const *)at + i;
	return unwrap(*at);
}

static const ProtobufCFieldDescriptor *
find(const struct tree_node *n, const char *field)
{
	return protobuf_c_message_descriptor_get_field_by_name(
		node_message(n)->descriptor, field);
}

static const ProtobufCFieldDescriptor *
must_find(const struct tree_node *n, const char *field, ProtobufCType type)
{
	const ProtobufCFieldDescriptor *f = find(n, field);

	assert(f != NULL && f->type == type);
	return f;
}

bool
tree_has(const struct tree_node *n, const char *field)
{
	return n != NULL && find(n, field) != NULL;
}

size_t
tree_len(const struct tree_node *n, const char *field)
{
	if (n == NULL)
		return 0;
	return node_children(n, must_find(n, field, PROTOBUF_C_TYPE_MESSAGE));
}

const struct tree_node *
tree_item(const struct tree_node *n, const char *field, size_t i)
{
	const ProtobufCFieldDescriptor *f;

	if (n == NULL)
		return NULL;
	f = must_find(n, field, PROTOBUF_C_TYPE_MESSAGE);
	return i < node_children(n, f) ? node_child(n, f, i) : NULL;
}

const struct tree_node *
tree_get(const struct tree_node *n, const char *field)
{
	return tree_item(n, field, 0);
}

const char *
tree_str(const struct tree_node *n, const char *field)
{
	const ProtobufCFieldDescriptor *f;
	const char *s;

	if (n == NULL)
		return "";
	f = must_find(n, field, PROTOBUF_C_TYPE_STRING);
	s = *(char *const *)member(n, f->offset);
	return s != NULL ? s : "";
}

int64_t
tree_num(const struct tree_node *n, const char *field)
{
	const ProtobufCFieldDescriptor *f;

	if (n == NULL)
		return 0;
	f = find(n, field);
	assert(f != NULL && f->label != PROTOBUF_C_LABEL_REPEATED);
	if (f->type == PROTOBUF_C_TYPE_UINT32)
		return *(const uint32_t *)member(n, f->offset);
	if (f->type == PROTOBUF_C_TYPE_BOOL)
		return *(const protobuf_c_boolean *)member(n, f->offset) != 0;
	assert(f->type == PROTOBUF_C_TYPE_INT32 ||
	       f->type == PROTOBUF_C_TYPE_ENUM);
	return *(const int32_t *)member(n, f->offset);
}

const char *
tree_word(const struct tree_node *n, const char *field)
{
	const ProtobufCFieldDescriptor *f;
	const ProtobufCEnumValue *v;

	if (n == NULL)
		return "";
	f = must_find(n, field, PROTOBUF_C_TYPE_ENUM);
	v = protobuf_c_enum_descriptor_get_value(
		f->descriptor, *(const int *)member(n, f->offset));
	return v != NULL ? v->name : "";
}

int64_t
tree_offset(const struct tree_node *n)
{
	return tree_has(n, "location") ? tree_num(n, "location") : -1;
}

const char *
tree_dotted(const struct tree_node *n, const char *field, const char **schema)
{
	size_t len = tree_len(n, field);
	const struct tree_node *part;

	*schema = "";
	part = len > 1 ? tree_item(n, field, len - 2) : NULL;
	if (tree_kind(part) == TREE_STRING)
		*schema = tree_str(part, "sval");
	part = len > 0 ? tree_item(n, field, len - 1) : NULL;
	return tree_kind(part) == TREE_STRING ? tree_str(part, "sval") : "";
}

/* ---- comparing ------------------------------------------------------ */

unsigned
tree_nfields(const struct tree_node *n)
{
	return n != NULL ? node_message(n)->descriptor->n_fields : 0;
}

const char *
tree_field(const struct tree_node *n, unsigned field)
{
	return node_message(n)->descriptor->fields[field].name;
}

size_t
tree_field_len(const struct tree_node *n, unsigned field)
{
	return node_children(n, &node_message(n)->descriptor->fields[field]);
}

const struct tree_node *
tree_field_item(const struct tree_node *n, unsigned field, size_t i)
{
	return node_child(n, &node_message(n)->descriptor->fields[field], i);
}

static bool
is_place(const char *name)
{
	return strcmp(name, "location") == 0 ||
	       strcmp(name, "stmt_location") == 0 ||
	       strcmp(name, "stmt_len") == 0;
}

static bool
same_texts(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* Which member of a oneof is set: the field's own number, or 0. */
static uint32_t
chosen(const struct tree_node *n, const ProtobufCFieldDescriptor *f)
{
	return *(const uint32_t *)member(n, f->quantifier_offset);
}

static bool
same_value(const struct tree_node *a, const struct tree_node *b,
	   const ProtobufCFieldDescriptor *f)
{
	const void *va = member(a, f->offset), *vb = member(b, f->offset);

	if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
	    chosen(a, f) != chosen(b, f))
		return false;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return false; /* no parsed tree has such a field */
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		return same_texts(*(char *const *)va, *(char *const *)vb);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return *(const uint64_t *)va == *(const uint64_t *)vb;
	default:
		return *(const uint32_t *)va == *(const uint32_t *)vb;
	}
}

bool
tree_alike(const struct tree_node *a, const struct tree_node *b)
{
	const ProtobufCMessageDescriptor *d;

	if (a == NULL || b == NULL)
		return a == b;
	d = node_message(a)->descriptor;
	if (d != node_message(b)->descriptor)
		return false;
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];

		if (f->type != PROTOBUF_C_TYPE_MESSAGE && !is_place(f->name) &&
		    !same_value(a, b, f))
			return false;
	}
	return true;
}
