/* SPDX-License-Identifier: MIT
 *
 * aead - AES-256-GCM: what is sealed can neither be read nor changed, and
 * opens only together with the context (AAD) it was sealed for.
 *
 *   sealed = nonce (12 bytes, random) | ciphertext (as long as the plain
 *            text) | tag (16 bytes)
 *
 * key   32 secret bytes behind a counted handle; wiped when the last pin goes.
 *       It counts what it sealed, for random 96-bit nonces are safe for at
 *       most 2^32 messages per key (NIST SP 800-38D, 8.3); after that it
 *       refuses to seal and still opens.
 * aead  one thread's working context of one key, so that the key schedule is
 *       computed once and not per message.  It pins its key.
 *
 * Always true: a failed aead_open() leaves nothing but zeros in `out`.
 * No key management here: where keys come from, how they are wrapped, named
 * and rolled is the business of guard.
 * Thread: a key may be shared; an aead belongs to one thread.
 */
#ifndef AEAD_H
#define AEAD_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define AEAD_KEY 32
#define AEAD_NONCE 12
#define AEAD_TAG 16
#define AEAD_EXTRA (AEAD_NONCE + AEAD_TAG)
#define AEAD_MESSAGES ((uint64_t)1 << 32)

struct aead_key;
struct aead;

/* Copies the bytes; the caller wipes its own.  `sealed` is how many messages
 * this key has sealed in earlier lives. */
struct aead_key *aead_key_new(const unsigned char bytes[AEAD_KEY],
			      uint64_t sealed);
struct aead_key *aead_key_pin(struct aead_key *k);
void aead_key_unpin(struct aead_key **pk);
uint64_t aead_key_sealed(const struct aead_key *k);

/* What one call works on.  `in` and `out` do not overlap. */
struct aead_text {
	const void *aad; /* context: authenticated, not stored */
	size_t aad_len;
	const void *in;
	size_t in_len;
	void *out; /* seal: in_len + AEAD_EXTRA; open: in_len - AEAD_EXTRA */
};

struct aead *aead_new(struct aead_key *k);

/* LUNATE_ETOOBIG above 2^31-1 bytes, LUNATE_ERESOURCE when there are no random
 * bytes, LUNATE_EDENIED when the key is used up. */
MUST_USE
int aead_seal(struct aead *a, const struct aead_text *t, struct err *e);

/* LUNATE_EVALUE: too short, changed, or sealed by another key or for another
 * context; which of them cannot be told. */
MUST_USE
int aead_open(struct aead *a, const struct aead_text *t, struct err *e);
void aead_free(struct aead **pa);

#endif
