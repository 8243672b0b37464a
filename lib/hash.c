/* The fence of libsodium for hashes and random numbers. */
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "lib/base.h"
#include "lib/hash.h"

/* libsodium chooses what suits the processor when it is started, and works,
 * half as quick, when nobody does. */
static void
start(void)
{
	if (sodium_init() < 0)
		abort(); /* no random numbers to be had from the kernel */
}

static void
need_libsodium(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start);
}

void
hash_hex(const void *bytes, size_t len, char out[HASH_HEX])
{
	unsigned char h[32];

	need_libsodium();
	crypto_generichash(h, sizeof(h), bytes, len, NULL, 0);
	sodium_bin2hex(out, HASH_HEX, h, sizeof(h));
}

void
digest_of(const void *bytes, size_t len, struct digest *out)
{
	need_libsodium();
	crypto_generichash(out->b, sizeof(out->b), bytes, len, NULL, 0);
}

void
digest_hex(const struct digest *d, char out[HASH_HEX])
{
	sodium_bin2hex(out, HASH_HEX, d->b, sizeof(d->b));
}

int
digest_read(struct digest *out, const char *hex)
{
	struct digest d;
	size_t n = strspn(hex, "0123456789abcdef");

	if (n != HASH_HEX - 1 || hex[n] != '\0' ||
	    sodium_hex2bin(d.b, sizeof(d.b), hex, n, NULL, NULL, NULL) != 0)
		return -1;
	*out = d;
	return 0;
}

bool
digest_eq(const struct digest *a, const struct digest *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static crypto_generichash_state *
state_of(struct digest_run *r)
{
	_Static_assert(sizeof(r->state) >= sizeof(crypto_generichash_state),
		       "room for libsodium's state");
	return (void *)r->state;
}

void
digest_begin(struct digest_run *r)
{
	need_libsodium();
	crypto_generichash_init(state_of(r), NULL, 0, sizeof(struct digest));
}

void
digest_add(struct digest_run *r, const void *bytes, size_t len)
{
	crypto_generichash_update(state_of(r), bytes, len);
}

void
digest_end(struct digest_run *r, struct digest *out)
{
	crypto_generichash_final(state_of(r), out->b, sizeof(out->b));
}

int64_t
hash_short(const void *bytes, size_t len)
{
	unsigned char h[crypto_generichash_BYTES_MIN];
	uint64_t n;

	crypto_generichash(h, sizeof(h), bytes, len, NULL, 0);
	memcpy(&n, h, sizeof(n));
	return (int64_t)(n >> 1);
}

static unsigned char table_key[crypto_shorthash_KEYBYTES];

static void
make_table_key(void)
{
	randombytes_buf(table_key, sizeof(table_key));
}

uint64_t
hash_table(const void *bytes, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned char h[crypto_shorthash_BYTES];
	uint64_t n;

	pthread_once(&once, make_table_key);
	crypto_shorthash(h, bytes, len, table_key);
	memcpy(&n, h, sizeof(n));
	return n;
}

void
token_make(char out[TOKEN_HEX])
{
	unsigned char r[16];

	randombytes_buf(r, sizeof(r));
	sodium_bin2hex(out, TOKEN_HEX, r, sizeof(r));
}

int
token_valid(const char *text)
{
	size_t n = strspn(text, "0123456789abcdef");

	return n == TOKEN_HEX - 1 && text[n] == '\0';
}

int
token_equal(const char *a, const char *b)
{
	if (!token_valid(a) || !token_valid(b))
		return 0;
	return sodium_memcmp(a, b, TOKEN_HEX - 1) == 0;
}
