#include <inttypes.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "rsyncd/frame.h"
#include "rsyncd/patch.h"
#include "rsyncd/scan.h"

#define SIZE_LIMIT (1ULL << 50) /* of one content, and of all marks */
#define MARK_LINE_MIN 95

static void
read_mark(struct scan *s, struct mark *m, uint64_t left)
{
	struct patch_piece *p = &m->piece;

	scan_hex(s, m->head, sizeof(m->head), "the hash");
	scan_blank(s);
	m->new_size = scan_number(s, SIZE_LIMIT, "the size");
	scan_blank(s);
	p->size = (uint32_t)scan_number(s, PACK_FRAME_MAX,
					"the signature's size");
	scan_blank(s);
	p->raw = (uint32_t)scan_number(s, FRAME_RAW_MAX, "its raw size");
	scan_blank(s);
	scan_digest(s, &p->hash, "its hash");
	if (p->size == 0 || p->raw == 0 || m->new_size == 0)
		scan_fail(s, "a mark of nothing");
	if (p->size > left)
		scan_fail(s, "the mark ends behind the table's begin");
	scan_newline(s);
}

static void
read_marks(struct scan *s, struct mark_table *t, uint64_t end)
{
	uint64_t at = 0;
	size_t i;

	for (i = 0; i < t->len && !s->bad; i++) {
		struct mark *m = &t->mark[i];

		read_mark(s, m, end - at);
		if (i > 0 && memcmp(m[-1].head, m->head, 12) >= 0)
			scan_fail(s, "not in the order of the hashes");
		m->piece.at = at;
		if (!s->bad)
			at += m->piece.size;
	}
	if (!s->bad && at != end)
		scan_fail(s, "the marks do not add up to the file");
}

int
mark_table_parse(struct mark_table **out, const char *text, size_t len,
		 uint64_t end, const char *name, struct err *e)
{
	AUTO(mark_table) t = base_alloc(sizeof(*t));
	struct scan s;

	if (len > PATCH_TABLE_MAX || end > SIZE_LIMIT)
		return err_set(e, ERR_INPUT, "%s: too large", name);
	scan_begin(&s, text, len, name, e);
	scan_text(&s, "edeploy-marks 1\n");
	scan_text(&s, "hash " DIGEST_NAME "\n");
	t->len = scan_count(&s, "marks", MARK_LINE_MIN);
	t->mark = base_array(t->len, sizeof(*t->mark));
	read_marks(&s, t, end);
	if (scan_end(&s) < 0)
		return -1;
	*out = STEAL(t);
	return 0;
}

char *
mark_table_text(const struct mark_table *t, size_t *len)
{
	AUTO_CLEAR(buf) b = { 0 };
	char hash[HASH_HEX];
	size_t i, k;

	buf_printf(&b, "edeploy-marks 1\nhash " DIGEST_NAME "\nmarks %zu\n",
		   t->len);
	for (i = 0; i < t->len; i++) {
		const struct mark *m = &t->mark[i];

		for (k = 0; k < sizeof(m->head); k++)
			buf_printf(&b, "%02x", m->head[k]);
		digest_hex(&m->piece.hash, hash);
		buf_printf(&b, " %" PRIu64 " %" PRIu32 " %" PRIu32 " %s\n",
			   m->new_size, m->piece.size, m->piece.raw, hash);
	}
	*len = b.len;
	return buf_take(&b);
}

const struct mark *
mark_find(const struct mark_table *t, const unsigned char head[12])
{
	size_t low = 0, high = t->len;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = memcmp(t->mark[mid].head, head, 12);

		if (c == 0)
			return &t->mark[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

void
mark_table_free(struct mark_table *t)
{
	if (!t)
		return;
	free(t->mark);
	free(t);
}
