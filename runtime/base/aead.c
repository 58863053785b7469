/* SPDX-License-Identifier: MIT */
#include "aead.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "mem.h"

struct aead_key {
	unsigned magic;
#define AEAD_KEY_MAGIC 0xae4d6e79
	int refs;	 /* atomic */
	uint64_t sealed; /* atomic */
	unsigned char bytes[AEAD_KEY];
};

struct aead {
	unsigned magic;
#define AEAD_MAGIC 0xae4dc013
	struct aead_key *key;
	EVP_CIPHER_CTX *seal, *open;
};

struct aead_key *
aead_key_new(const unsigned char bytes[AEAD_KEY], uint64_t sealed)
{
	struct aead_key *k = mem_new(sizeof(*k));

	OBJ_INIT(k, AEAD_KEY_MAGIC);
	k->refs = 1;
	k->sealed = sealed;
	memcpy(k->bytes, bytes, AEAD_KEY);
	return k;
}

struct aead_key *
aead_key_pin(struct aead_key *k)
{
	OBJ_CHECK(k, AEAD_KEY_MAGIC);
	__atomic_add_fetch(&k->refs, 1, __ATOMIC_RELAXED);
	return k;
}

void
aead_key_unpin(struct aead_key **pk)
{
	struct aead_key *k;

	OBJ_TAKE(k, pk, AEAD_KEY_MAGIC);
	if (__atomic_sub_fetch(&k->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	mem_wipe(k->bytes, sizeof(k->bytes));
	OBJ_FINI(k);
	mem_free(k);
}

uint64_t
aead_key_sealed(const struct aead_key *k)
{
	OBJ_CHECK(k, AEAD_KEY_MAGIC);
	return __atomic_load_n(&k->sealed, __ATOMIC_RELAXED);
}

static EVP_CIPHER_CTX *
context(const struct aead_key *k, int encrypt)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

	if (c == NULL || EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, k->bytes,
					   NULL, encrypt) != 1)
		obj_panic(__FILE__, __LINE__, "no AES-256-GCM in libcrypto");
	return c;
}

struct aead *
aead_new(struct aead_key *k)
{
	struct aead *a;

	OBJ_CHECK(k, AEAD_KEY_MAGIC);
	a = mem_new(sizeof(*a));
	OBJ_INIT(a, AEAD_MAGIC);
	a->key = aead_key_pin(k);
	a->seal = context(k, 1);
	a->open = context(k, 0);
	return a;
}

void
aead_free(struct aead **pa)
{
	struct aead *a;

	OBJ_TAKE(a, pa, AEAD_MAGIC);
	EVP_CIPHER_CTX_free(a->seal);
	EVP_CIPHER_CTX_free(a->open);
	aead_key_unpin(&a->key);
	OBJ_FINI(a);
	mem_free(a);
}

/* Counts one message more; false when the key is used up. */
static bool
take_message(struct aead_key *k)
{
	uint64_t n = __atomic_load_n(&k->sealed, __ATOMIC_RELAXED);

	do {
		if (n >= AEAD_MESSAGES)
			return false;
	} while (!__atomic_compare_exchange_n(&k->sealed, &n, n + 1, true,
					      __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

/* Nonce, context, body: the part both directions share. */
static bool
run(EVP_CIPHER_CTX *c, const struct aead_text *t, const unsigned char *nonce,
    struct aead_text body)
{
	int n;

	if (EVP_CipherInit_ex(c, NULL, NULL, NULL, nonce, -1) != 1)
		return false;
	if (t->aad_len != 0 &&
	    EVP_CipherUpdate(c, NULL, &n, t->aad, (int)t->aad_len) != 1)
		return false;
	return body.in_len == 0 || EVP_CipherUpdate(c, body.out, &n, body.in,
						    (int)body.in_len) == 1;
}

static bool
too_big(const struct aead_text *t)
{
	return t->in_len > INT_MAX || t->aad_len > INT_MAX;
}

int
aead_seal(struct aead *a, const struct aead_text *t, struct err *e)
{
	unsigned char *out = t->out, *tag;
	struct aead_text body = {.in = t->in, .in_len = t->in_len};
	int n;

	OBJ_CHECK(a, AEAD_MAGIC);
	if (too_big(t))
		return err_set(e, LUNATE_ETOOBIG, "seal: over 2 GiB");
	if (!take_message(a->key))
		return err_set(e, LUNATE_EDENIED,
			       "seal: the key has sealed 2^32 messages; "
			       "roll it");
	if (RAND_bytes(out, AEAD_NONCE) != 1)
		return err_set(e, LUNATE_ERESOURCE, "seal: no random bytes");
	body.out = out + AEAD_NONCE;
	tag = out + AEAD_NONCE + t->in_len;
	if (run(a->seal, t, out, body) &&
	    EVP_CipherFinal_ex(a->seal, tag, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(a->seal, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG,
				tag) == 1)
		return 0;
	mem_wipe(out, t->in_len + AEAD_EXTRA);
	return err_set(e, LUNATE_EINTERNAL, "seal: libcrypto failed");
}

int
aead_open(struct aead *a, const struct aead_text *t, struct err *e)
{
	unsigned char tag[AEAD_TAG], none[AEAD_TAG];
	const unsigned char *in = t->in;
	struct aead_text body = {.out = t->out};
	int n;

	OBJ_CHECK(a, AEAD_MAGIC);
	if (too_big(t))
		return err_set(e, LUNATE_ETOOBIG, "open: over 2 GiB");
	if (t->in_len < AEAD_EXTRA)
		return err_set(e, LUNATE_EVALUE, "open: too short");
	body.in = in + AEAD_NONCE;
	body.in_len = t->in_len - AEAD_EXTRA;
	memcpy(tag, in + t->in_len - AEAD_TAG, AEAD_TAG);
	if (run(a->open, t, in, body) &&
	    EVP_CIPHER_CTX_ctrl(a->open, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG,
				tag) == 1 &&
	    EVP_CipherFinal_ex(a->open, none, &n) == 1)
		return 0;
	mem_wipe(t->out, body.in_len);
	return err_set(e, LUNATE_EVALUE,
		       "open: changed, or sealed by another key or for "
		       "another context");
}
