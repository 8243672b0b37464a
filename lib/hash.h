#ifndef LIB_HASH_H
#define LIB_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_HEX 65  /* BLAKE2b-256 as lower-case hex, and NUL */
#define TOKEN_HEX 33 /* 128 random bits as lower-case hex, and NUL */

/* BLAKE2b with 256 bits of output, the same as `b2sum -l 256`. */
void hash_hex(const void *bytes, size_t len, char out[HASH_HEX]);

struct digest { /* the same as bytes */
	unsigned char b[32];
};

/* The hash of contents: of up to DIGEST_PART bytes BLAKE2b-256. More are cut
 * into parts of DIGEST_PART bytes, the last one perhaps less; the hashes of the
 * parts, 32 bytes each, and the length, 8 bytes, the lowest first, are hashed
 * with DIGEST_PERSON as BLAKE2b's personalisation. So the parts even of one
 * long message can be taken side by side, and nothing shorter has the same
 * hash. */
#define DIGEST_NAME "blake2b-256-64k"
#define DIGEST_PART (64UL << 10)
#define DIGEST_PERSON "edeploy-64k" /* and zeros, to 16 bytes */

void digest_of(const void *bytes, size_t len, struct digest *out);
void digest_hex(const struct digest *d, char out[HASH_HEX]);
void digest_hex_of(const void *bytes, size_t len, char out[HASH_HEX]);
/* HASH_HEX - 1 lower-case hex digits, and nothing more; -1 otherwise. */
int digest_read(struct digest *out, const char *hex);
bool digest_eq(const struct digest *a, const struct digest *b);

/* A hash taken piece by piece: quickest in pieces of many parts. Lives on the
 * stack, and needs no clearing. */
struct digest_run {
	_Alignas(64) unsigned char part[384], root[384]; /* their states */
	uint64_t len;
	struct digest last; /* of the part that ended last */
};
void digest_begin(struct digest_run *r);
void digest_add(struct digest_run *r, const void *bytes, size_t len);
void digest_end(struct digest_run *r, struct digest *out);

/* Many at once, each as digest_of, and quicker when they are small. `out` of
 * each is another one. */
struct digest_job {
	const void *bytes;
	size_t len;
	struct digest *out;
};
void digest_many(const struct digest_job *job, size_t n);
/* Can it here? */
bool digest_many_quick(void);

/* 63 bits of it, never negative: for indexes that look again at what they
 * find. */
int64_t hash_short(const void *bytes, size_t len);

/* For a table in memory: keyed anew in each process, so that nobody can choose
 * bytes that collide. */
uint64_t hash_table(const void *bytes, size_t len);

/* 128 bits from the kernel's random number generator. */
void token_make(char out[TOKEN_HEX]);

/* `text` is TOKEN_HEX - 1 lower-case hex digits. */
int token_valid(const char *text);

/* The same text, in a time that does not tell where they differ. */
int token_equal(const char *a, const char *b);

#endif
