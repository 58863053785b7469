/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "aead.h"

static const unsigned char bytes[AEAD_KEY] = "0123456789abcdef0123456789ABCDE";

static struct aead *
fresh(void)
{
	struct aead_key *k = aead_key_new(bytes, 0);
	struct aead *a = aead_new(k);

	aead_key_unpin(&k);
	return a;
}

static struct aead_text
text(const char *aad, const void *in, size_t n, void *out)
{
	return (struct aead_text){aad, strlen(aad), in, n, out};
}

static void
what_was_sealed_opens_in_its_context(void **state)
{
	unsigned char sealed[100], plain[100];
	struct aead *a = fresh();
	struct aead_text s = text("patients.name.7", "Ada Lovelace", 12,
				  sealed);
	struct aead_text o;
	struct err e;

	assert_int_equal(aead_seal(a, &s, &e), 0);
	o = text("patients.name.7", sealed, 12 + AEAD_EXTRA, plain);
	assert_int_equal(aead_open(a, &o, &e), 0);
	assert_memory_equal(plain, "Ada Lovelace", 12);
	assert_null(memmem(sealed, sizeof(sealed), "Ada", 3));
	aead_free(&a);
	assert_null(a);
}

static void
another_context_does_not_open_and_gives_no_plain_text(void **state)
{
	unsigned char sealed[64], plain[12], zero[12] = {0};
	struct aead *a = fresh();
	struct aead_text s = text("row 7", "Ada Lovelace", 12, sealed), o;
	struct err e;

	assert_int_equal(aead_seal(a, &s, &e), 0);
	memset(plain, 'x', sizeof(plain));
	o = text("row 8", sealed, 12 + AEAD_EXTRA, plain);
	assert_int_equal(aead_open(a, &o, &e), LUNATE_EVALUE);
	assert_memory_equal(plain, zero, 12);
	assert_int_equal(e.code, LUNATE_EVALUE);
	o = text("row 7", sealed, 12 + AEAD_EXTRA, plain);
	assert_int_equal(aead_open(a, &o, &e), 0); /* works on */
	aead_free(&a);
}

static void
every_single_flipped_bit_is_refused(void **state)
{
	unsigned char sealed[5 + AEAD_EXTRA], plain[5], zero[5] = {0};
	struct aead *a = fresh();
	struct aead_text s = text("", "hello", 5, sealed), o;

	assert_int_equal(aead_seal(a, &s, NULL), 0);
	o = text("", sealed, sizeof(sealed), plain);
	for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
		sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(aead_open(a, &o, NULL), LUNATE_EVALUE);
		assert_memory_equal(plain, zero, 5);
		sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	assert_int_equal(aead_open(a, &o, NULL), 0);
	aead_free(&a);
}

static void
every_shorter_piece_is_refused(void **state)
{
	unsigned char sealed[5 + AEAD_EXTRA], plain[5];
	struct aead *a = fresh();
	struct aead_text s = text("", "hello", 5, sealed), o;

	assert_int_equal(aead_seal(a, &s, NULL), 0);
	for (size_t n = 0; n < sizeof(sealed); n++) {
		o = text("", sealed, n, plain);
		assert_int_equal(aead_open(a, &o, NULL), LUNATE_EVALUE);
	}
	aead_free(&a);
}

static void
another_key_does_not_open(void **state)
{
	unsigned char other[AEAD_KEY] = {1}, sealed[64], plain[8];
	struct aead_key *k = aead_key_new(other, 0);
	struct aead *a = fresh(), *b = aead_new(k);
	struct aead_text s = text("", "hello", 5, sealed), o;

	assert_int_equal(aead_seal(a, &s, NULL), 0);
	o = text("", sealed, 5 + AEAD_EXTRA, plain);
	assert_int_equal(aead_open(b, &o, NULL), LUNATE_EVALUE);
	aead_key_unpin(&k);
	aead_free(&a);
	aead_free(&b);
}

static void
the_same_text_never_seals_to_the_same_bytes(void **state)
{
	unsigned char one[64], two[64];
	struct aead *a = fresh();
	struct aead_text s = text("", "hello", 5, one);

	assert_int_equal(aead_seal(a, &s, NULL), 0);
	s.out = two;
	assert_int_equal(aead_seal(a, &s, NULL), 0);
	assert_memory_not_equal(one, two, AEAD_NONCE);
	assert_memory_not_equal(one + AEAD_NONCE, two + AEAD_NONCE, 5);
	aead_free(&a);
}

static void
nothing_can_be_sealed_too(void **state)
{
	unsigned char sealed[AEAD_EXTRA], none[1];
	struct aead *a = fresh();
	struct aead_text s = text("ctx", "", 0, sealed), o;

	assert_int_equal(aead_seal(a, &s, NULL), 0);
	o = text("ctx", sealed, AEAD_EXTRA, none);
	assert_int_equal(aead_open(a, &o, NULL), 0);
	o = text("ctX", sealed, AEAD_EXTRA, none);
	assert_int_equal(aead_open(a, &o, NULL), LUNATE_EVALUE);
	aead_free(&a);
}

static size_t
from_hex(const char *hex, unsigned char *out)
{
	size_t n = strlen(hex) / 2;
	unsigned v;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (unsigned char)v;
	}
	return n;
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16. */
static void
the_format_is_aes_256_gcm_as_published(void **state)
{
	unsigned char key[AEAD_KEY], aad[32], sealed[128], want[64], got[64];
	size_t n, m;
	struct aead_key *k;
	struct aead_text o;
	struct aead *a;

	from_hex("feffe9928665731c6d6a8f9467308308"
		 "feffe9928665731c6d6a8f9467308308",
		 key);
	n = from_hex("cafebabefacedbaddecaf888"
		     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd"
		     "2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
		     "bcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
		     sealed);
	m = from_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d"
		     "8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
		     "ba637b39",
		     want);
	k = aead_key_new(key, 0);
	a = aead_new(k);
	o = (struct aead_text){
		.aad = aad, .in = sealed, .in_len = n, .out = got};
	o.aad_len = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
	assert_int_equal(n, m + AEAD_EXTRA);
	assert_int_equal(aead_open(a, &o, NULL), 0);
	assert_memory_equal(got, want, m);
	aead_key_unpin(&k);
	aead_free(&a);
}

static void
a_key_that_sealed_enough_only_opens(void **state)
{
	struct aead_key *k = aead_key_new(bytes, AEAD_MESSAGES - 1);
	struct aead *a = aead_new(k);
	unsigned char sealed[64], more[64], plain[8];
	struct aead_text s = text("", "hello", 5, sealed), o;
	struct err e;

	assert_int_equal(aead_seal(a, &s, &e), 0);
	assert_true(aead_key_sealed(k) == AEAD_MESSAGES);
	s.out = more;
	assert_int_equal(aead_seal(a, &s, &e), LUNATE_EDENIED);
	assert_true(aead_key_sealed(k) == AEAD_MESSAGES);
	o = text("", sealed, 5 + AEAD_EXTRA, plain);
	assert_int_equal(aead_open(a, &o, &e), 0);
	aead_key_unpin(&k);
	aead_free(&a);
}

static void
what_libcrypto_cannot_count_is_refused(void **state)
{
	struct aead *a = fresh();
	struct aead_text t = {"", 0, "", (size_t)INT_MAX + 1, NULL};

	assert_int_equal(aead_seal(a, &t, NULL), LUNATE_ETOOBIG);
	assert_int_equal(aead_open(a, &t, NULL), LUNATE_ETOOBIG);
	aead_free(&a);
}

static void *
seal_many(void *arg)
{
	struct aead *a = aead_new(arg);
	unsigned char sealed[64], plain[8];
	struct aead_text s = text("", "hello", 5, sealed);
	struct aead_text o = text("", sealed, 5 + AEAD_EXTRA, plain);
	intptr_t bad = 0;

	for (int i = 0; i < 500; i++)
		bad += aead_seal(a, &s, NULL) != 0 ||
		       aead_open(a, &o, NULL) != 0;
	aead_free(&a);
	return (void *)bad;
}

static void
threads_share_a_key_each_with_its_own_context(void **state)
{
	struct aead_key *k = aead_key_new(bytes, 0);
	pthread_t t[3];
	void *bad;

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, seal_many, k);
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(aead_key_sealed(k), 1500);
	aead_key_unpin(&k);
	assert_null(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sealed_opens_in_its_context),
		cmocka_unit_test(
			another_context_does_not_open_and_gives_no_plain_text),
		cmocka_unit_test(every_single_flipped_bit_is_refused),
		cmocka_unit_test(every_shorter_piece_is_refused),
		cmocka_unit_test(another_key_does_not_open),
		cmocka_unit_test(the_same_text_never_seals_to_the_same_bytes),
		cmocka_unit_test(nothing_can_be_sealed_too),
		cmocka_unit_test(the_format_is_aes_256_gcm_as_published),
		cmocka_unit_test(a_key_that_sealed_enough_only_opens),
		cmocka_unit_test(what_libcrypto_cannot_count_is_refused),
		cmocka_unit_test(threads_share_a_key_each_with_its_own_context),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
