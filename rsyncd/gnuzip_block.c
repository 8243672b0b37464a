/* The blocks: when gzip ends one, and how it is written. */
#include <endian.h>
#include <string.h>

#include "lib/base.h"

#include "rsyncd/gnuzip_block.h"
#include "rsyncd/gnuzip_code.h"

#define END 256
#define LENGTHS 19 /* codes for code lengths */
#define BITS_MAX CODE_BITS_MAX

const uint8_t gnuzip_length_extra[29] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1,
					  1, 1, 2, 2, 2, 2, 3, 3, 3, 3,
					  4, 4, 4, 4, 5, 5, 5, 5, 0 };
const uint16_t gnuzip_length_base[29] = { 0,   1,   2,   3,   4,  5,  6,  7,
					  8,   10,  12,  14,  16, 20, 24, 28,
					  32,  40,  48,  56,  64, 80, 96, 112,
					  128, 160, 192, 224, 255 };
const uint8_t gnuzip_distance_extra[30] = {
	0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
	6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13
};
const uint16_t gnuzip_distance_base[30] = {
	0,    1,    2,    3,    4,    6,    8,    12,    16,    24,
	32,   48,   64,   96,   128,  192,  256,  384,   512,   768,
	1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576
};
static const uint8_t lengths_extra[LENGTHS] = { [16] = 2, 3, 7 };
const uint8_t gnuzip_lengths_order[LENGTHS] = { 16, 17, 18, 0,  8, 7,  9,
						6,  10, 5,  11, 4, 12, 3,
						13, 2,  14, 1,  15 };

static unsigned
length_code(unsigned len) /* less 3 */
{
	unsigned c;

	if (len == 255)
		return 28;
	if (len < 8)
		return len;
	c = 31 - (unsigned)__builtin_clz(len); /* its highest bit: 3 to 7 */
	return 4 * (c - 1) + (len >> (c - 2) & 3);
}

static unsigned
distance_code(unsigned distance) /* less 1 */
{
	unsigned c;

	if (distance < 4)
		return distance;
	c = 31 - (unsigned)__builtin_clz(distance);
	return 2 * c + (distance >> (c - 1) & 1);
}

/* ---- gathering ---- */

void
gnuzip_block_begin(struct gnuzip_block *b)
{
	b->symbols = 0;
	b->matches = 0;
	memset(b->literal_count, 0, sizeof(b->literal_count));
	memset(b->distance_count, 0, sizeof(b->distance_count));
	b->literal_count[END] = 1;
}

void
gnuzip_block_literal(struct gnuzip_block *b, unsigned char c)
{
	b->literal[b->symbols] = c;
	b->distance[b->symbols++] = 0;
	b->literal_count[c]++;
}

void
gnuzip_block_match(struct gnuzip_block *b, unsigned len, unsigned distance)
{
	b->literal[b->symbols] = (uint16_t)(len - 3);
	b->distance[b->symbols++] = (uint16_t)distance;
	b->matches++;
	b->literal_count[END + 1 + length_code(len - 3)]++;
	b->distance_count[distance_code(distance - 1)]++;
}

bool
gnuzip_block_full(const struct gnuzip_block *b, uint64_t raw)
{
	uint64_t bits = b->symbols * 8;
	size_t i;

	/* every 4096 symbols a guess whether what follows is of another kind */
	if (b->symbols % 4096 == 0 && b->matches < b->symbols / 2) {
		for (i = 0; i < BLOCK_DISTANCES; i++)
			bits += (uint64_t)b->distance_count[i] *
				(5U + gnuzip_distance_extra[i]);
		if (bits / 8 < raw / 2)
			return true;
	}
	return b->symbols == BLOCK_SYMBOLS - 1;
}

/* ---- bits ---- */

static void
put(struct gnuzip_block *b, unsigned value, unsigned len, struct buf *out)
{
	b->bits |= (uint64_t)value << b->bits_len;
	b->bits_len += len;
	while (b->bits_len >= 8) {
		buf_char(out, (char)b->bits);
		b->bits >>= 8;
		b->bits_len -= 8;
	}
}

static void
put_to_byte(struct gnuzip_block *b, struct buf *out)
{
	if (b->bits_len > 0)
		put(b, 0, 8 - b->bits_len, out);
}

/* ---- the lengths of codes, run by run ---- */

typedef void run_fn(void *ctx, unsigned symbol, unsigned extra);

/* Says the code lengths of `c` as symbols: lengths, and repetitions (16: the
 * last one 3 to 6 times; 17, 18: zero, 3 to 10 and 11 to 138 times). */
static void
runs_of(const struct gnuzip_code *c, run_fn *say, void *ctx)
{
	unsigned last = 0xffff, count = 0;
	unsigned next = c->len[0];
	unsigned most = next ? 7 : 138, least = next ? 4 : 3;
	size_t i;

	for (i = 0; i <= c->last; i++) {
		unsigned len = next;

		next = i < c->last ? c->len[i + 1] : 0xffff;
		if (++count < most && len == next)
			continue;
		if (count < least) {
			while (count--)
				say(ctx, len, 0);
		} else if (len != 0) {
			if (len != last) {
				say(ctx, len, 0);
				count--;
			}
			say(ctx, 16, count - 3);
		} else if (count <= 10) {
			say(ctx, 17, count - 3);
		} else {
			say(ctx, 18, count - 11);
		}
		count = 0;
		last = len;
		most = next == 0 ? 138 : len == next ? 6 : 7;
		least = next == 0 || len == next ? 3 : 4;
	}
}

static void
count_run(void *ctx, unsigned symbol, unsigned extra)
{
	struct gnuzip_code *lengths = ctx;

	(void)extra;
	lengths->count[symbol]++;
}

/* ---- a block ---- */

struct forms {
	struct gnuzip_code literals, distances, lengths;
	size_t lengths_used;
	uint64_t dynamic_bits, fixed_bits;
};

static unsigned
fixed_len(size_t literal)
{
	if (literal < 144)
		return 8;
	if (literal < 256)
		return 9;
	return literal < 280 ? 7 : 8;
}

/* What the fixed codes would cost. */
static uint64_t
fixed_bits(const struct gnuzip_block *b)
{
	uint64_t bits = 0;
	size_t i;

	for (i = 0; i < BLOCK_LITERALS; i++)
		bits += (uint64_t)b->literal_count[i] *
			(fixed_len(i) +
			 (i > END ? gnuzip_length_extra[i - END - 1] : 0U));
	for (i = 0; i < BLOCK_DISTANCES; i++)
		bits += (uint64_t)b->distance_count[i] *
			(5U + gnuzip_distance_extra[i]);
	return bits;
}

static void
build_forms(struct forms *f, const struct gnuzip_block *b)
{
	gnuzip_code_begin(&f->literals, b->literal_count, BLOCK_LITERALS,
			  gnuzip_length_extra, END + 1, BITS_MAX);
	gnuzip_code_build(&f->literals);
	gnuzip_code_begin(&f->distances, b->distance_count, BLOCK_DISTANCES,
			  gnuzip_distance_extra, 0, BITS_MAX);
	gnuzip_code_build(&f->distances);
	gnuzip_code_begin(&f->lengths, NULL, LENGTHS, lengths_extra, 0, 7);
	runs_of(&f->literals, count_run, &f->lengths);
	runs_of(&f->distances, count_run, &f->lengths);
	gnuzip_code_build(&f->lengths);
	f->lengths_used = LENGTHS;
	while (f->lengths_used > 4 &&
	       f->lengths.len[gnuzip_lengths_order[f->lengths_used - 1]] == 0)
		f->lengths_used--;
	f->dynamic_bits = f->literals.total + f->distances.total +
			  f->lengths.total + 3 * f->lengths_used + 14;
	f->fixed_bits = fixed_bits(b);
}

static void
fix_codes(struct forms *f)
{
	size_t i;

	gnuzip_code_begin(&f->literals, NULL, BLOCK_LITERALS,
			  gnuzip_length_extra, END + 1, BITS_MAX);
	/* two that are never written have a code, too */
	f->literals.last = BLOCK_LITERALS + 1;
	for (i = 0; i <= f->literals.last; i++)
		f->literals.len[i] = (uint16_t)fixed_len(i);
	gnuzip_code_bits(&f->literals);
	f->distances.last = BLOCK_DISTANCES - 1;
	for (i = 0; i < BLOCK_DISTANCES; i++)
		f->distances.len[i] = 5;
	gnuzip_code_bits(&f->distances);
}

struct lengths_out {
	struct gnuzip_block *b;
	const struct gnuzip_code *c;
	struct buf *out;
};

static void
put_run(void *ctx, unsigned symbol, unsigned extra)
{
	struct lengths_out *o = ctx;

	put(o->b, o->c->bits[symbol], o->c->len[symbol], o->out);
	put(o->b, extra, lengths_extra[symbol], o->out);
}

static void
put_codes(struct gnuzip_block *b, const struct forms *f, struct buf *out)
{
	struct lengths_out o = { b, &f->lengths, out };
	size_t i;

	put(b, (unsigned)f->literals.last + 1 - 257, 5, out);
	put(b, (unsigned)f->distances.last, 5, out);
	put(b, (unsigned)f->lengths_used - 4, 4, out);
	for (i = 0; i < f->lengths_used; i++)
		put(b, f->lengths.len[gnuzip_lengths_order[i]], 3, out);
	runs_of(&f->literals, put_run, &o);
	runs_of(&f->distances, put_run, &o);
}

/* The bits of a match, and how many: 48 at most. */
static inline uint64_t
match_bits(const struct forms *f, unsigned len, unsigned distance, unsigned *n)
{
	unsigned c = length_code(len), d = distance_code(distance);
	uint64_t bits = f->literals.bits[END + 1 + c];
	unsigned at = f->literals.len[END + 1 + c];

	bits |= (uint64_t)(len - gnuzip_length_base[c]) << at;
	at += gnuzip_length_extra[c];
	bits |= (uint64_t)f->distances.bits[d] << at;
	at += f->distances.len[d];
	bits |= (uint64_t)(distance - gnuzip_distance_base[d]) << at;
	*n = at + gnuzip_distance_extra[d];
	return bits;
}

/* Eight bytes at once: most of what an initrd costs is here. */
static void
put_symbols(struct gnuzip_block *b, const struct forms *f, struct buf *out)
{
	char *begin = buf_room(out, (b->symbols + 2) * 6 + sizeof(uint64_t));
	char *to = begin;
	uint64_t bits = b->bits, word;
	unsigned len = b->bits_len, n;
	size_t i;

	for (i = 0; i < b->symbols; i++) {
		if (b->distance[i]) {
			bits |= match_bits(f, b->literal[i],
					   b->distance[i] - 1U, &n)
				<< len;
			len += n;
		} else {
			bits |= (uint64_t)f->literals.bits[b->literal[i]]
				<< len;
			len += f->literals.len[b->literal[i]];
		}
		word = htole64(bits);
		memcpy(to, &word, sizeof(word));
		to += len >> 3;
		bits >>= len & ~7U;
		len &= 7;
	}
	out->len += (size_t)(to - begin);
	b->bits = bits;
	b->bits_len = len;
	put(b, f->literals.bits[END], f->literals.len[END], out);
}

static void
put_stored(struct gnuzip_block *b, const unsigned char *raw, size_t len,
	   struct buf *out)
{
	put_to_byte(b, out);
	put(b, (unsigned)len & 0xffff, 16, out);
	put(b, ~(unsigned)len & 0xffff, 16, out);
	buf_add(out, raw, len);
}

static void
put_form(struct gnuzip_block *b, struct forms *f, enum gnuzip_form form,
	 bool last, struct buf *out)
{
	put(b, 2 * (unsigned)form + last, 3, out);
	if (form == FORM_FIXED)
		fix_codes(f);
	else
		put_codes(b, f, out);
	put_symbols(b, f, out);
	if (last)
		put_to_byte(b, out);
	gnuzip_block_begin(b);
}

void
gnuzip_block_put(struct gnuzip_block *b, enum gnuzip_form form, bool last,
		 struct buf *out)
{
	AUTO_FREE struct forms *f = base_alloc(sizeof(*f));

	build_forms(f, b);
	put_form(b, f, form, last, out);
}

void
gnuzip_block_stored(struct gnuzip_block *b, const unsigned char *raw,
		    size_t raw_len, bool last, struct buf *out)
{
	put(b, last, 3, out);
	put_stored(b, raw, raw_len, out);
	gnuzip_block_begin(b);
}

void
gnuzip_block_end(struct gnuzip_block *b, const unsigned char *raw,
		 size_t raw_len, bool last, struct buf *out)
{
	AUTO_FREE struct forms *f = base_alloc(sizeof(*f));
	uint64_t dynamic, fixed, best;

	build_forms(f, b);
	dynamic = (f->dynamic_bits + 3 + 7) / 8;
	fixed = (f->fixed_bits + 3 + 7) / 8;
	best = fixed <= dynamic ? fixed : dynamic;
	if (raw && raw_len + 4 <= best)
		gnuzip_block_stored(b, raw, raw_len, last, out);
	else
		put_form(b, f, best == fixed ? FORM_FIXED : FORM_DYNAMIC, last,
			 out);
}
