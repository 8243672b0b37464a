/* The fence of libsodium for hashes and random numbers. */
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "lib/hash_side.h"

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
hash_plain(const void *bytes, size_t len, struct digest *out)
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

/* ---- piece by piece ---- */

#define SIDE_MOST 64 /* parts at once */

static crypto_generichash_blake2b_state *
state_of(unsigned char state[384])
{
	_Static_assert(sizeof(((struct digest_run *)0)->part) >=
			       sizeof(crypto_generichash_blake2b_state),
		       "room for libsodium's state");
	return (void *)state;
}

static void
begin_plain(unsigned char state[384])
{
	crypto_generichash_blake2b_init(state_of(state), NULL, 0,
					sizeof(struct digest));
}

static void
begin_root(unsigned char state[384])
{
	static const unsigned char
		person[crypto_generichash_blake2b_PERSONALBYTES] =
			DIGEST_PERSON;

	crypto_generichash_blake2b_init_salt_personal(
		state_of(state), NULL, 0, sizeof(struct digest), NULL, person);
}

static void
add(unsigned char state[384], const void *bytes, size_t len)
{
	crypto_generichash_blake2b_update(state_of(state), bytes, len);
}

static void
end(unsigned char state[384], struct digest *out)
{
	crypto_generichash_blake2b_final(state_of(state), out->b,
					 sizeof(out->b));
}

static void
end_root(unsigned char state[384], uint64_t len, struct digest *out)
{
	unsigned char le[8];
	size_t i;

	for (i = 0; i < sizeof(le); i++)
		le[i] = (unsigned char)(len >> (8 * i));
	add(state, le, sizeof(le));
	end(state, out);
}

void
hash_root(const struct digest *part, uint64_t len, struct digest *out)
{
	struct digest_run r;

	begin_root(r.root);
	add(r.root, part, ((len - 1) / DIGEST_PART + 1) * sizeof(*part));
	end_root(r.root, len, out);
}

void
digest_begin(struct digest_run *r)
{
	need_libsodium();
	begin_plain(r->part);
	begin_root(r->root);
	r->len = 0;
}

/* Bytes of the part that is open. */
static void
add_to_part(struct digest_run *r, const void *bytes, size_t len)
{
	add(r->part, bytes, len);
	r->len += len;
	if (r->len % DIGEST_PART != 0)
		return;
	end(r->part, &r->last);
	add(r->root, &r->last, sizeof(r->last));
	begin_plain(r->part);
}

/* Whole parts, side by side. */
static void
add_parts(struct digest_run *r, const unsigned char *bytes, size_t n)
{
	struct digest got[SIDE_MOST];
	struct digest_job job[ARRAY_LEN(got)];
	size_t i;

	for (i = 0; i < n; i++)
		job[i] = (struct digest_job){ bytes + i * DIGEST_PART,
					      DIGEST_PART, &got[i] };
	hash_plain_many(job, n);
	add(r->root, got, n * sizeof(*got));
	r->last = got[n - 1];
	r->len += n * DIGEST_PART;
}

void
digest_add(struct digest_run *r, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	size_t n;

	for (; len > 0; at += n, len -= n) {
		const size_t open = DIGEST_PART - r->len % DIGEST_PART;

		if (open < DIGEST_PART || len < DIGEST_PART) {
			n = len < open ? len : open;
			add_to_part(r, at, n);
		} else {
			n = len < SIDE_MOST * DIGEST_PART ? len / DIGEST_PART
							  : SIDE_MOST;
			add_parts(r, at, n);
			n *= DIGEST_PART;
		}
	}
}

void
digest_end(struct digest_run *r, struct digest *out)
{
	struct digest last;

	if (r->len == DIGEST_PART) {
		*out = r->last;
		return;
	}
	end(r->part, &last);
	if (r->len < DIGEST_PART) {
		*out = last;
		return;
	}
	if (r->len % DIGEST_PART != 0)
		add(r->root, &last, sizeof(last));
	end_root(r->root, r->len, out);
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
