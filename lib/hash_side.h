#ifndef LIB_HASH_SIDE_H
#define LIB_HASH_SIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/hash.h"

/* BLAKE2b-256 of the bytes as they are: what parts have. */
void hash_plain(const void *bytes, size_t len, struct digest *out);
void hash_plain_many(const struct digest_job *job, size_t n);

/* Of the hashes of the parts of `len` bytes, one behind the other. */
void hash_root(const struct digest *part, uint64_t len, struct digest *out);

/* Ways to take hashes side by side; hash_many.c chooses. */
typedef void hash_side_run(const struct digest_job *const *job, size_t jobs);
hash_side_run hash_side_avx2, hash_side_pair, hash_side_four, hash_side_wide;

struct hash_side {
	const char *name;
	hash_side_run *run;
	unsigned lanes;
	unsigned cost; /* of a lane, where libsodium takes 100 */
};

/* Those that this processor has and that give libsodium's digests. */
size_t hash_sides(const struct hash_side **out);

#endif
