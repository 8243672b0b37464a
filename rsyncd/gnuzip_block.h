#ifndef RSYNCD_GNUZIP_BLOCK_H
#define RSYNCD_GNUZIP_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"

/* One block of a deflate stream (RFC 1951): symbols are gathered, then written
 * in whichever form is the shortest. */
#define BLOCK_SYMBOLS 0x8000
#define BLOCK_LITERALS 286 /* literal, end, and length codes */
#define BLOCK_DISTANCES 30
#define BLOCK_DISTANCE_MAX 32768
enum gnuzip_form { FORM_STORED, FORM_FIXED, FORM_DYNAMIC };

/* Lengths less 3, distances less 1, by their codes. */
extern const uint8_t gnuzip_length_extra[29], gnuzip_distance_extra[30];
extern const uint16_t gnuzip_length_base[29], gnuzip_distance_base[30];
extern const uint8_t gnuzip_lengths_order[19];

struct gnuzip_block {
	uint16_t literal[BLOCK_SYMBOLS];  /* or length - 3 */
	uint16_t distance[BLOCK_SYMBOLS]; /* 0: a literal */
	size_t symbols, matches;
	uint16_t literal_count[BLOCK_LITERALS];
	uint16_t distance_count[BLOCK_DISTANCES];
	uint64_t bits; /* of the stream, that are no whole byte yet */
	unsigned bits_len;
};

void gnuzip_block_begin(struct gnuzip_block *b);
void gnuzip_block_literal(struct gnuzip_block *b, unsigned char c);
/* `len` 3 to 258, `distance` 1 to 32768. */
void gnuzip_block_match(struct gnuzip_block *b, unsigned len,
			unsigned distance);

/* Does gzip end the block here, after a symbol? `raw` is how many bytes of
 * input the block has, in gzip's eyes. */
bool gnuzip_block_full(const struct gnuzip_block *b, uint64_t raw);

/* Write the block, and begin the next one. `raw` are the bytes that it says,
 * or NULL when they are no longer there. */
void gnuzip_block_end(struct gnuzip_block *b, const unsigned char *raw,
		      size_t raw_len, bool last, struct buf *out);

/* The same in a form that is told; `raw_len` below 65536. */
void gnuzip_block_put(struct gnuzip_block *b, enum gnuzip_form form, bool last,
		      struct buf *out);
void gnuzip_block_stored(struct gnuzip_block *b, const unsigned char *raw,
			 size_t raw_len, bool last, struct buf *out);

#endif
