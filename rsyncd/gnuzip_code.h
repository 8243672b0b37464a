#ifndef RSYNCD_GNUZIP_CODE_H
#define RSYNCD_GNUZIP_CODE_H

#include <stddef.h>
#include <stdint.h>

/* Huffman codes as GNU gzip chooses them. */
#define CODE_SYMBOLS 288
#define CODE_NODES (2 * 286 + 1)
#define CODE_BITS_MAX 15

/* A code for `n` symbols that occur `count` times. */
struct gnuzip_code {
	size_t n, last; /* last symbol with a code */
	const uint8_t *extra;
	size_t extra_from; /* first symbol with extra bits */
	unsigned bits_max;
	uint32_t count[CODE_NODES];
	uint16_t parent[CODE_NODES];
	uint8_t depth[CODE_NODES];
	uint16_t len[CODE_NODES + 1], bits[CODE_SYMBOLS];
	uint64_t total; /* bits to write all symbols, extra ones too */
};

/* A code for `n` symbols (their counts; NULL: none yet), the last of which,
 * from `extra_from` on, are followed by extra bits. */
void gnuzip_code_begin(struct gnuzip_code *c, const uint16_t *count, size_t n,
		       const uint8_t *extra, size_t extra_from,
		       unsigned bits_max);

/* The shortest code for the counts: sets last, len, bits, total. */
void gnuzip_code_build(struct gnuzip_code *c);

/* Set bits from len: codes of one length are counted up in the order of their
 * symbols (RFC 1951 3.2.2), first bit lowest. */
void gnuzip_code_bits(struct gnuzip_code *c);

#endif
