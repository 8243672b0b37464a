/* The table at the end of a delta. A line that asks for what nobody may be
 * asked for (a prefix outside of the old file, more memory than was promised)
 * is refused here, so that taking a patch need not look again. */
#include <inttypes.h>
#include <string.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "rsyncd/frame.h"
#include "rsyncd/patch.h"
#include "rsyncd/scan.h"

#define SIZE_LIMIT (1ULL << 50) /* of one content, and of a delta */
#define OP_LINE_MIN 40
#define PIECE_LINE_MIN 79

static const char *const kinds[] = { [PATCH_WHOLE] = "whole",
				     [PATCH_ZSTD] = "zstd",
				     [PATCH_GZIP] = "gzip",
				     [PATCH_SYMBOLS] = "symbols",
				     [PATCH_RSYNC] = "rsync" };

/* Short hashes are random bits already, so they are their own hash. */
struct patch_index {
	size_t mask;
	uint32_t slot[]; /* number of an op, from 1; 0: free */
};

/* ---- find ---- */

static size_t
first_slot(const struct patch_index *x, const unsigned char head[12])
{
	uint64_t h;

	memcpy(&h, head, sizeof(h));
	return (size_t)h & x->mask;
}

/* Put op `i` in its place. False when its content is there already. */
static bool
index_add(struct patch_table *t, size_t i)
{
	struct patch_index *x = t->index;
	size_t at = first_slot(x, t->op[i].new_head);

	for (; x->slot[at]; at = (at + 1) & x->mask)
		if (memcmp(t->op[x->slot[at] - 1].new_head, t->op[i].new_head,
			   12) == 0)
			return false;
	x->slot[at] = (uint32_t)i + 1;
	return true;
}

static void
index_room(struct patch_table *t)
{
	size_t slots = 16;

	while (slots < t->ops * 2)
		slots *= 2;
	t->index = base_alloc(sizeof(*t->index) + slots * sizeof(uint32_t));
	t->index->mask = slots - 1;
}

const struct patch_op *
patch_find(const struct patch_table *t, const unsigned char new_head[12])
{
	const struct patch_index *x = t->index;
	size_t at = first_slot(x, new_head);

	for (; x->slot[at]; at = (at + 1) & x->mask)
		if (memcmp(t->op[x->slot[at] - 1].new_head, new_head, 12) == 0)
			return &t->op[x->slot[at] - 1];
	return NULL;
}

/* Those that make the same stand in this order. */
static int
rank(const struct patch_op *op)
{
	return op->kind == PATCH_GZIP ? 0 : op->kind == PATCH_SYMBOLS ? 1 : 2;
}

/* Does it make the same as the op before it, with less work? */
static bool
is_plain(const struct patch_table *t, size_t i)
{
	const struct patch_op *op = &t->op[i];

	return i > 0 && rank(&op[-1]) < rank(op) &&
	       op[-1].new_size == op->new_size &&
	       memcmp(op[-1].new_head, op->new_head, 12) == 0;
}

const struct patch_op *
patch_plain(const struct patch_table *t, const struct patch_op *op)
{
	size_t next = (size_t)(op - t->op) + 1;

	return next < t->ops && is_plain(t, next) ? &t->op[next] : NULL;
}

uint64_t
patch_size(const struct patch_table *t, const struct patch_op *op)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < op->pieces; i++)
		sum += t->piece[op->piece + i].size;
	return sum;
}

/* ---- read ---- */

struct reader {
	struct scan s;
	struct patch_table *t;
	size_t room;       /* in t->piece */
	uint64_t at;       /* where the next piece begins */
	uint64_t end;      /* and where the last one must end */
	uint64_t old_size; /* what prefixes of this op are taken from */
	bool prefix;       /* they may be */
};

static struct patch_piece *
piece_room(struct reader *r)
{
	struct patch_table *t = r->t;

	if (t->pieces == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		t->piece = base_resize(t->piece, r->room, sizeof(*t->piece));
	}
	return &t->piece[t->pieces++];
}

static void
check_prefix(struct reader *r, const struct patch_piece *p)
{
	if (p->base_len == 0 && p->base_at != 0)
		scan_fail(&r->s, "an offset without a length");
	else if (p->base_len > 0 && !r->prefix)
		scan_fail(&r->s, "this kind has no prefix");
	else if (p->base_len > r->old_size ||
		 p->base_at > r->old_size - p->base_len)
		scan_fail(&r->s, "the prefix is not in the old content");
}

/* One `piece` line; its raw size. */
static uint64_t
read_piece(struct reader *r)
{
	struct patch_piece *p = piece_room(r);
	struct scan *s = &r->s;

	*p = (struct patch_piece){ .at = r->at };
	scan_text(s, "piece ");
	p->size = (uint32_t)scan_number(s, PACK_FRAME_MAX, "the size");
	scan_blank(s);
	p->raw = (uint32_t)scan_number(s, FRAME_RAW_MAX, "the raw size");
	scan_blank(s);
	scan_digest(s, &p->hash, "the hash");
	scan_blank(s);
	p->base_at = scan_number(s, SIZE_LIMIT, "the offset");
	scan_blank(s);
	p->base_len = (uint32_t)scan_number(s, FRAME_PREFIX_MAX, "the length");
	if (p->raw == 0 || p->size == 0)
		scan_fail(s, "a piece of nothing");
	if (p->size > r->end - r->at)
		scan_fail(s, "the piece ends behind the table's begin");
	check_prefix(r, p);
	scan_newline(s);
	if (!s->bad)
		r->at += p->size;
	return p->raw;
}

/* `n` piece lines; the sum of their raw sizes. */
static uint64_t
read_pieces(struct reader *r, size_t n)
{
	uint64_t raw = 0;
	size_t i;

	for (i = 0; i < n && !r->s.bad; i++)
		raw += read_piece(r);
	return raw;
}

/* How many pieces follow: at least one, no more than the text has room for. */
static size_t
read_count(struct scan *s)
{
	size_t left = (size_t)(s->end - s->at) / PIECE_LINE_MIN;
	size_t n = (size_t)scan_number(s, SIZE_MAX, "the number of pieces");

	if (n == 0 || n > left)
		scan_fail(s, "%zu pieces cannot be", n);
	return s->bad ? 0 : n;
}

static void
read_manifest(struct reader *r)
{
	size_t n;

	scan_text(&r->s, "manifest ");
	n = read_count(&r->s);
	scan_newline(&r->s);
	r->prefix = true;
	r->old_size = MANIFEST_TEXT_MAX;
	if (read_pieces(r, n) > MANIFEST_TEXT_MAX)
		scan_fail(&r->s, "the manifest is too large");
	r->t->manifest_pieces = r->t->pieces;
}

static enum patch_kind
read_kind(struct scan *s)
{
	const char *word;
	size_t len = scan_word(s, &word, "the kind"), i;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (strlen(kinds[i]) == len && memcmp(kinds[i], word, len) == 0)
			return (enum patch_kind)i;
	scan_fail(s, "the kind is none that is known");
	return PATCH_WHOLE;
}

static void
read_header(struct scan *s, struct patch_op *op)
{
	const char *word, *begin;
	size_t len;

	begin = s->at;
	len = scan_word(s, &word, "the header");
	if (len < 20 || len % 2 || len / 2 > PATCH_HEADER_MAX) {
		scan_fail(s, "the header is not 10 to %d bytes",
			  PATCH_HEADER_MAX);
		return;
	}
	s->at = begin;
	op->header_len = len / 2;
	op->header = base_alloc(op->header_len);
	scan_hex(s, op->header, op->header_len, "the header");
}

/* Of what the pieces are over, where that is not the files. */
static void
read_raw_sizes(struct scan *s, struct patch_op *op)
{
	scan_blank(s);
	op->new_raw = scan_number(s, PATCH_GZIP_RAW_MAX, "the new raw size");
	scan_blank(s);
	op->old_raw = scan_number(s, PATCH_GZIP_RAW_MAX, "the old raw size");
}

static void
read_gzip(struct scan *s, struct patch_op *op)
{
	scan_blank(s);
	op->level = (uint8_t)scan_number(s, 9, "the level");
	scan_blank(s);
	op->mem_level = (uint8_t)scan_number(s, 9, "the memory level");
	scan_blank(s);
	read_header(s, op);
	read_raw_sizes(s, op);
	if (op->level < (op->mem_level == 0 ? 4 : 1))
		scan_fail(s, "there is no such level");
}

/* The words of an `op` line; how many pieces it has. */
static size_t
read_op_line(struct scan *s, struct patch_op *op)
{
	size_t n;

	scan_text(s, "op ");
	op->kind = read_kind(s);
	scan_blank(s);
	scan_hex(s, op->new_head, sizeof(op->new_head), "the new hash");
	scan_blank(s);
	op->new_size = scan_number(s, SIZE_LIMIT, "the new size");
	scan_blank(s);
	if (op->kind == PATCH_WHOLE)
		scan_text(s, "- 0");
	else
		scan_hex(s, op->old_head, sizeof(op->old_head), "the old hash");
	if (op->kind != PATCH_WHOLE) {
		scan_blank(s);
		op->old_size = scan_number(s, SIZE_LIMIT, "the old size");
	}
	scan_blank(s);
	n = read_count(s);
	if (op->kind == PATCH_GZIP)
		read_gzip(s, op);
	if (op->kind == PATCH_SYMBOLS)
		read_raw_sizes(s, op);
	if (op->new_size == 0 || (op->kind != PATCH_WHOLE && op->old_size == 0))
		scan_fail(s, "a content of nothing");
	scan_newline(s);
	return n;
}

static void
read_op(struct reader *r, size_t i)
{
	struct patch_op *op = &r->t->op[i];
	size_t n = read_op_line(&r->s, op);
	uint64_t raw;

	const bool inside = op->kind == PATCH_GZIP || op->kind == PATCH_SYMBOLS;

	op->piece = r->t->pieces;
	op->pieces = n;
	r->prefix = op->kind == PATCH_ZSTD || inside;
	r->old_size = inside ? op->old_raw : op->old_size;
	raw = read_pieces(r, n);
	if (op->kind != PATCH_RSYNC &&
	    raw != (inside ? op->new_raw : op->new_size))
		scan_fail(&r->s, "the pieces do not add up to the content");
	if (!r->s.bad && !is_plain(r->t, i) && !index_add(r->t, i))
		scan_fail(&r->s, "the same content again");
}

static void
read_root(struct scan *s, const char *word, char out[HASH_HEX])
{
	struct digest d;

	scan_text(s, word);
	scan_blank(s);
	scan_digest(s, &d, "the root");
	digest_hex(&d, out);
	scan_newline(s);
}

int
patch_table_parse(struct patch_table **out, const char *text, size_t len,
		  uint64_t end, const char *name, struct err *e)
{
	AUTO(patch_table) t = base_alloc(sizeof(*t));
	struct reader r = { .t = t, .end = end };
	struct scan *s = &r.s;
	size_t i;

	if (len > PATCH_TABLE_MAX || end > SIZE_LIMIT)
		return err_set(e, ERR_INPUT, "%s: too large", name);
	scan_begin(s, text, len, name, e);
	scan_text(s, "edeploy-delta 1\n");
	scan_text(s, "hash " DIGEST_NAME "\n");
	read_root(s, "from", t->from);
	read_root(s, "to", t->to);
	read_manifest(&r);
	t->ops = scan_count(s, "ops", OP_LINE_MIN + PIECE_LINE_MIN);
	t->op = base_array(t->ops, sizeof(*t->op));
	index_room(t);
	for (i = 0; i < t->ops && !s->bad; i++)
		read_op(&r, i);
	if (!s->bad && r.at != end)
		scan_fail(s, "the pieces do not add up to the file");
	if (scan_end(s) < 0)
		return -1;
	*out = STEAL(t);
	return 0;
}

/* ---- write ---- */

static void
put_hex(struct buf *b, const unsigned char *bytes, size_t len)
{
	static const char digit[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		buf_char(b, digit[bytes[i] >> 4]);
		buf_char(b, digit[bytes[i] & 15]);
	}
}

static void
put_pieces(struct buf *b, const struct patch_piece *p, size_t n)
{
	char hash[HASH_HEX];
	size_t i;

	for (i = 0; i < n; i++) {
		digest_hex(&p[i].hash, hash);
		buf_printf(b,
			   "piece %" PRIu32 " %" PRIu32 " %s %" PRIu64
			   " %" PRIu32 "\n",
			   p[i].size, p[i].raw, hash, p[i].base_at,
			   p[i].base_len);
	}
}

static void
put_op(struct buf *b, const struct patch_op *op)
{
	buf_printf(b, "op %s ", kinds[op->kind]);
	put_hex(b, op->new_head, sizeof(op->new_head));
	buf_printf(b, " %" PRIu64 " ", op->new_size);
	if (op->kind == PATCH_WHOLE)
		buf_char(b, '-');
	else
		put_hex(b, op->old_head, sizeof(op->old_head));
	buf_printf(b, " %" PRIu64 " %zu",
		   op->kind == PATCH_WHOLE ? 0 : op->old_size, op->pieces);
	if (op->kind == PATCH_GZIP) {
		buf_printf(b, " %u %u ", op->level, op->mem_level);
		put_hex(b, op->header, op->header_len);
	}
	if (op->kind == PATCH_GZIP || op->kind == PATCH_SYMBOLS)
		buf_printf(b, " %" PRIu64 " %" PRIu64, op->new_raw,
			   op->old_raw);
	buf_char(b, '\n');
}

char *
patch_table_text(const struct patch_table *t, size_t *len)
{
	AUTO_CLEAR(buf) b = { 0 };
	size_t i;

	buf_printf(&b,
		   "edeploy-delta 1\nhash " DIGEST_NAME "\nfrom %s\nto %s\n",
		   t->from, t->to);
	buf_printf(&b, "manifest %zu\n", t->manifest_pieces);
	put_pieces(&b, t->piece, t->manifest_pieces);
	buf_printf(&b, "ops %zu\n", t->ops);
	for (i = 0; i < t->ops; i++) {
		put_op(&b, &t->op[i]);
		put_pieces(&b, t->piece + t->op[i].piece, t->op[i].pieces);
	}
	*len = b.len;
	return buf_take(&b);
}

void
patch_table_free(struct patch_table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->ops && t->op; i++)
		free(t->op[i].header);
	free(t->op);
	free(t->piece);
	free(t->index);
	free(t);
}
