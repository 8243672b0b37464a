/* Contents of any length: the parts of all of them together, then what came of
 * the parts of each. */
#include "lib/base.h"
#include "lib/hash_side.h"

static size_t
parts_of(size_t len)
{
	return len > 0 ? (len - 1) / DIGEST_PART + 1 : 1;
}

/* The parts of `whole`, the hash of each into its place of `out`. */
static void
cut(const struct digest_job *whole, struct digest_job *part, struct digest *out)
{
	const unsigned char *bytes = whole->bytes;
	size_t i, n = parts_of(whole->len), left = whole->len;

	if (n == 1) {
		*part = *whole;
		return;
	}
	for (i = 0; i < n; i++) {
		size_t len = left < DIGEST_PART ? left : DIGEST_PART;

		part[i] = (struct digest_job){ bytes + i * DIGEST_PART, len,
					       &out[i] };
		left -= len;
	}
}

void
digest_many(const struct digest_job *job, size_t n)
{
	AUTO_FREE struct digest_job *part = NULL;
	AUTO_FREE struct digest *of_part = NULL;
	size_t i, at = 0;

	for (i = 0; i < n; i++)
		at += parts_of(job[i].len);
	part = base_array(at + 1, sizeof(*part));
	of_part = base_array(at + 1, sizeof(*of_part));
	for (i = 0, at = 0; i < n; at += parts_of(job[i++].len))
		cut(&job[i], part + at, of_part + at);
	hash_plain_many(part, at);
	for (i = 0, at = 0; i < n; at += parts_of(job[i++].len))
		if (job[i].len > DIGEST_PART)
			hash_root(of_part + at, job[i].len, job[i].out);
}

void
digest_of(const void *bytes, size_t len, struct digest *out)
{
	const struct digest_job job = { bytes, len, out };

	if (len <= DIGEST_PART)
		hash_plain(bytes, len, out);
	else
		digest_many(&job, 1);
}

void
digest_hex_of(const void *bytes, size_t len, char out[HASH_HEX])
{
	struct digest d;

	digest_of(bytes, len, &d);
	digest_hex(&d, out);
}
