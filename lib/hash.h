#ifndef LIB_HASH_H
#define LIB_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_HEX 65  /* BLAKE2b-256 as lower-case hex, and NUL */
#define TOKEN_HEX 33 /* 128 random bits as lower-case hex, and NUL */

/* BLAKE2b with 256 bits of output, the same as `b2sum -l 256`. */
void hash_hex(const void *bytes, size_t len, char out[HASH_HEX]);

/* 63 bits of it, never negative: for indexes that look again at what they
 * find. */
int64_t hash_short(const void *bytes, size_t len);

/* 128 bits from the kernel's random number generator. */
void token_make(char out[TOKEN_HEX]);

/* `text` is TOKEN_HEX - 1 lower-case hex digits. */
int token_valid(const char *text);

/* The same text, in a time that does not tell where they differ. */
int token_equal(const char *a, const char *b);

#endif
