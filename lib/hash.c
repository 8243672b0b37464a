/* The fence of libsodium for hashes and random numbers. */
#include <sodium.h>
#include <string.h>

#include "lib/base.h"
#include "lib/hash.h"

void
hash_hex(const void *bytes, size_t len, char out[HASH_HEX])
{
	unsigned char h[32];

	crypto_generichash(h, sizeof(h), bytes, len, NULL, 0);
	sodium_bin2hex(out, HASH_HEX, h, sizeof(h));
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
