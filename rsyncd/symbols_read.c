/* A deflate stream (RFC 1951) is read and nothing of it carried out: what a
 * match would copy is of no interest. The bits come from a window of the file;
 * behind its end come zeros, a few, so that the last symbols are met. */
#include <endian.h>
#include <string.h>

#include "lib/base.h"

#include "rsyncd/gnuzip_block.h"
#include "rsyncd/gnuzip_code.h"
#include "rsyncd/spool.h"
#include "rsyncd/symbols.h"

#define ROOM (64UL << 10)
#define SPARE 512 /* behind it: one item, and what is behind a run's begin */
#define TRAILER 8
#define FAST 10
#define END 256
#define LENGTHS 19
#define PAST_MAX 64

/* A code: by its first bits where it is short, else by counting. */
struct code {
	uint16_t fast[1 << FAST]; /* symbol << 4 | length; 0: a longer one */
	uint16_t count[CODE_BITS_MAX + 1], symbol[CODE_SYMBOLS];
};

struct reader {
	int fd;
	uint64_t size, from; /* of the file; where the next read begins */
	size_t at, have;     /* in `in` */
	size_t past;         /* zeros behind the end */
	uint64_t bits;
	unsigned bits_len;
	bool odd; /* it is no deflate stream that we can tell */
	gzip_sink *sink;
	void *ctx;
	uint64_t left; /* that may still come out */
	unsigned char *to, *run;
	struct code literals, distances, lengths;
	unsigned char in[ROOM + SPARE], out[ROOM + SPARE];
};

/* ---- bits ---- */

/* More of the file behind what is left in `in`. */
static int
more(struct reader *r, struct err *e)
{
	size_t keep = r->have - r->at, want = ROOM - keep;

	memmove(r->in, r->in + r->at, keep);
	if (want > r->size - r->from)
		want = (size_t)(r->size - r->from);
	if (want > 0 && read_at(r->fd, r->from, r->in + keep, want, e) < 0)
		return -1;
	r->at = 0;
	r->from += want;
	r->have = keep + want;
	if (r->have < sizeof(uint64_t)) {
		size_t zeros = sizeof(uint64_t) - r->have;

		memset(r->in + r->have, 0, zeros);
		r->have += zeros;
		r->past += zeros;
		r->odd |= r->past > PAST_MAX;
	}
	return 0;
}

/* At least 56 bits: a match has no more than 48. */
static inline int
refill(struct reader *r, struct err *e)
{
	uint64_t next;

	if (r->have - r->at < sizeof(next) && more(r, e) < 0)
		return -1;
	memcpy(&next, r->in + r->at, sizeof(next));
	r->bits |= le64toh(next) << r->bits_len;
	r->at += (63 - r->bits_len) >> 3;
	r->bits_len |= 56;
	return 0;
}

static inline unsigned
take(struct reader *r, unsigned n)
{
	unsigned v = (unsigned)(r->bits & ((1ULL << n) - 1));

	r->bits >>= n;
	r->bits_len -= n;
	return v;
}

/* ---- codes ---- */

static unsigned
reversed(unsigned code, unsigned len)
{
	unsigned out = 0;

	for (; len > 0; len--, code >>= 1)
		out = out << 1 | (code & 1);
	return out;
}

static void
fill_fast(struct code *c, unsigned symbol, unsigned code, unsigned len)
{
	unsigned i;

	for (i = reversed(code, len); i < 1U << FAST; i += 1U << len)
		c->fast[i] = (uint16_t)(symbol << 4 | len);
}

/* False: more codes than there can be. */
static bool
code_build(struct code *c, const uint8_t *len, size_t n)
{
	unsigned next[CODE_BITS_MAX + 2] = { 0 }, at[CODE_BITS_MAX + 2] = { 0 };
	unsigned bits;
	int left = 1;
	size_t i;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < n; i++)
		c->count[len[i]]++;
	c->count[0] = 0;
	for (bits = 1; bits <= CODE_BITS_MAX; bits++) {
		left = 2 * left - c->count[bits];
		if (left < 0)
			return false;
		next[bits + 1] = (next[bits] + c->count[bits]) << 1;
		at[bits + 1] = at[bits] + c->count[bits];
	}
	for (i = 0; i < n; i++) {
		if (len[i] == 0)
			continue;
		c->symbol[at[len[i]]++] = (uint16_t)i;
		if (len[i] <= FAST)
			fill_fast(c, (unsigned)i, next[len[i]], len[i]);
		next[len[i]]++;
	}
	return true;
}

static unsigned
take_long(struct reader *r, const struct code *c)
{
	unsigned code = 0, first = 0, at = 0, bits;

	for (bits = 1; bits <= CODE_BITS_MAX; bits++) {
		code |= (unsigned)(r->bits >> (bits - 1)) & 1;
		if (code < first + c->count[bits]) {
			take(r, bits);
			return c->symbol[at + code - first];
		}
		at += c->count[bits];
		first = (first + c->count[bits]) << 1;
		code <<= 1;
	}
	r->odd = true;
	return END;
}

static inline unsigned
take_symbol(struct reader *r, const struct code *c)
{
	unsigned got = c->fast[r->bits & ((1U << FAST) - 1)];

	if (got == 0)
		return take_long(r, c);
	take(r, got & 15);
	return got >> 4;
}

/* ---- what comes out ---- */

/* All but an unfinished run goes to the sink. */
static int
flush(struct reader *r, struct err *e)
{
	unsigned char *upto = r->run ? r->run : r->to;
	size_t len = (size_t)(upto - r->out), rest = (size_t)(r->to - upto);

	if (len > r->left) {
		r->odd = true;
		return 0;
	}
	r->left -= len;
	if (len > 0 && r->sink(r->ctx, r->out, len, e) < 0)
		return -1;
	memmove(r->out, upto, rest);
	r->to = r->out + rest;
	r->run = r->run ? r->out : NULL;
	return 0;
}

static inline int
make_room(struct reader *r, struct err *e)
{
	return r->to - r->out < (ptrdiff_t)ROOM ? 0 : flush(r, e);
}

static inline void
put(struct reader *r, unsigned c)
{
	*r->to++ = (unsigned char)c;
}

static inline void
begin_run(struct reader *r)
{
	r->run = r->to;
	put(r, 0);
}

static inline void
put_match(struct reader *r, unsigned len, unsigned distance)
{
	put(r, len);
	put(r, distance & 255);
	put(r, distance >> 8);
}

/* ---- blocks ---- */

static int
read_stored(struct reader *r, struct err *e)
{
	unsigned len, i;

	take(r, r->bits_len & 7);
	if (refill(r, e) < 0)
		return -1;
	len = take(r, 16);
	r->odd |= take(r, 16) != (len ^ 0xffff);
	put(r, len & 255);
	put(r, len >> 8);
	for (i = 0; i < len && !r->odd; i++) {
		if (refill(r, e) < 0 || make_room(r, e) < 0)
			return -1;
		put(r, take(r, 8));
	}
	return 0;
}

static void
read_match(struct reader *r, unsigned c)
{
	unsigned len, d;

	if (c >= ARRAY_LEN(gnuzip_length_base)) {
		r->odd = true;
		return;
	}
	len = gnuzip_length_base[c] + take(r, gnuzip_length_extra[c]);
	d = take_symbol(r, &r->distances);
	if (d >= BLOCK_DISTANCES) {
		r->odd = true;
		return;
	}
	put_match(r, len,
		  1U + gnuzip_distance_base[d] +
			  take(r, gnuzip_distance_extra[d]));
	begin_run(r);
}

static int
read_symbols(struct reader *r, struct err *e)
{
	size_t n;
	unsigned s;

	begin_run(r);
	for (n = 0; !r->odd; n++) {
		if (refill(r, e) < 0 || make_room(r, e) < 0)
			return -1;
		s = take_symbol(r, &r->literals);
		if (s == END)
			break;
		r->odd |= n == BLOCK_SYMBOLS - 1;
		if (s > END) {
			read_match(r, s - END - 1);
			continue;
		}
		put(r, s);
		if (++*r->run == 255)
			begin_run(r);
	}
	put_match(r, 0, 0);
	r->run = NULL;
	return 0;
}

/* ---- the codes of a block ---- */

static bool
fixed_codes(struct reader *r)
{
	uint8_t len[CODE_SYMBOLS];

	memset(len, 8, 144);
	memset(len + 144, 9, 112);
	memset(len + 256, 7, 24);
	memset(len + 280, 8, 8);
	if (!code_build(&r->literals, len, CODE_SYMBOLS))
		return false;
	memset(len, 5, 32);
	return code_build(&r->distances, len, 32);
}

/* One word of the lengths, which may stand for several; 0: it cannot be. */
static unsigned
repeated(struct reader *r, unsigned s, unsigned at, const uint8_t *len,
	 uint8_t *which)
{
	*which = s < 16 ? (uint8_t)s : 0;
	if (s < 16)
		return 1;
	if (s == 16 && at == 0)
		return 0;
	if (s == 16)
		*which = len[at - 1];
	return s == 16   ? 3 + take(r, 2)
	       : s == 17 ? 3 + take(r, 3)
			 : 11 + take(r, 7);
}

static int
read_lengths(struct reader *r, uint8_t *len, unsigned want, struct err *e)
{
	unsigned at = 0;

	while (at < want && !r->odd) {
		uint8_t which;
		unsigned n;

		if (refill(r, e) < 0)
			return -1;
		n = repeated(r, take_symbol(r, &r->lengths), at, len, &which);
		if (n == 0 || n > want - at) {
			r->odd = true;
			break;
		}
		memset(len + at, which, n);
		at += n;
	}
	return 0;
}

static int
dynamic_codes(struct reader *r, struct err *e)
{
	uint8_t len[CODE_SYMBOLS + 32] = { 0 }, of_len[LENGTHS] = { 0 };
	unsigned literals = 257 + take(r, 5), distances = 1 + take(r, 5);
	unsigned lengths = 4 + take(r, 4), i;

	for (i = 0; i < lengths; i++) {
		if (refill(r, e) < 0)
			return -1;
		of_len[gnuzip_lengths_order[i]] = (uint8_t)take(r, 3);
	}
	r->odd |= literals > BLOCK_LITERALS || distances > BLOCK_DISTANCES ||
		  !code_build(&r->lengths, of_len, LENGTHS);
	if (r->odd)
		return 0;
	if (read_lengths(r, len, literals + distances, e) < 0)
		return -1;
	r->odd |= !code_build(&r->literals, len, literals) ||
		  !code_build(&r->distances, len + literals, distances);
	return 0;
}

static int
read_block(struct reader *r, bool *last, struct err *e)
{
	unsigned type;

	if (refill(r, e) < 0 || make_room(r, e) < 0)
		return -1;
	*last = take(r, 1);
	type = take(r, 2);
	put(r, type + (*last ? 4 : 0));
	if (type == 0)
		return read_stored(r, e);
	if (type == 1)
		r->odd |= !fixed_codes(r);
	else if (type == 3)
		r->odd = true;
	else if (dynamic_codes(r, e) < 0)
		return -1;
	return r->odd ? 0 : read_symbols(r, e);
}

/* ---- the file ---- */

/* The header and the stream behind it. */
static int
read_header(struct reader *r, struct err *e)
{
	size_t len;

	if (more(r, e) < 0)
		return -1;
	len = gzip_header_len(r->in, r->have - r->past);
	r->odd = len == 0;
	put(r, len & 255);
	put(r, (unsigned)len >> 8);
	memcpy(r->to, r->in, len);
	r->to += len;
	r->at = len;
	return 0;
}

/* Nothing may be behind the trailer, or missing before it. */
static int
read_trailer(struct reader *r, struct err *e)
{
	uint64_t at = r->from + r->past - (r->have - r->at) - r->bits_len / 8;

	if (r->odd || r->size < TRAILER || at != r->size - TRAILER)
		return 0;
	if (make_room(r, e) < 0 || read_at(r->fd, at, r->to, TRAILER, e) < 0)
		return -1;
	r->to += TRAILER;
	if (flush(r, e) < 0)
		return -1;
	return !r->odd;
}

int
symbols_read(int fd, uint64_t size, uint64_t max, gzip_sink *sink, void *ctx,
	     struct err *e)
{
	AUTO_FREE struct reader *r = base_alloc(sizeof(*r));
	bool last = false;

	r->fd = fd;
	r->size = size;
	r->sink = sink;
	r->ctx = ctx;
	r->left = max;
	r->to = r->out;
	if (read_header(r, e) < 0)
		return -1;
	while (!r->odd && !last)
		if (read_block(r, &last, e) < 0)
			return -1;
	return read_trailer(r, e);
}
