/* The table of a pack: offsets are not written but added up, so frames cannot
 * overlap and contents cannot lie outside of them. */
#include "lib/base.h"
#include "lib/buf.h"

#include "rsyncd/frame.h"
#include "rsyncd/pack.h"
#include "rsyncd/scan.h"

#define FRAME_LINE_MIN 69 /* "1 1 HASH" and a newline */
#define BLOB_LINE_MIN 27  /* "SHORT 1" and a newline */

/* One byte or more in every frame and every content. */
static uint64_t
positive(struct scan *s, uint64_t max, const char *what)
{
	uint64_t n = scan_number(s, max, what);

	if (n == 0)
		scan_fail(s, "%s is 0", what);
	return n;
}

static void
read_frames(struct scan *s, struct pack_table *t, uint64_t *at,
	    uint64_t *raw_at)
{
	size_t n = scan_count(s, "frames", FRAME_LINE_MIN);

	t->frame = base_array(n, sizeof(*t->frame));
	for (; t->frames < n && !s->bad; t->frames++) {
		struct pack_frame *f = &t->frame[t->frames];

		f->size = (uint32_t)positive(s, PACK_FRAME_MAX,
					     "the frame's size");
		scan_blank(s);
		f->raw = (uint32_t)positive(s, FRAME_RAW_MAX,
					    "the frame's raw size");
		scan_blank(s);
		scan_digest(s, &f->hash, "the frame's hash");
		scan_newline(s);
		f->at = *at;
		f->raw_at = *raw_at;
		*at += f->size;
		*raw_at += f->raw;
	}
}

static void
read_blobs(struct scan *s, struct pack_table *t, uint64_t raw_all)
{
	size_t n = scan_count(s, "blobs", BLOB_LINE_MIN);
	uint64_t at = 0;

	t->blob = base_array(n, sizeof(*t->blob));
	for (; t->blobs < n && !s->bad; t->blobs++) {
		struct pack_blob *b = &t->blob[t->blobs];

		scan_hex(s, b->head, sizeof(b->head), "the short hash");
		scan_blank(s);
		b->size = positive(s, raw_all - at, "the content's size");
		scan_newline(s);
		b->at = at;
		at += b->size;
	}
	if (at != raw_all)
		scan_fail(s, "the contents have %llu bytes, the frames %llu",
			  (unsigned long long)at, (unsigned long long)raw_all);
}

int
pack_table_parse(struct pack_table **out, const char *text, size_t len,
		 uint64_t end, const char *name, struct err *e)
{
	AUTO(pack_table) t = base_alloc(sizeof(*t));
	uint64_t at = 0, raw_at = 0;
	struct scan s;

	if (len > PACK_TABLE_MAX)
		return err_set(e, ERR_INPUT, "%s: more than %lu bytes", name,
			       PACK_TABLE_MAX);
	scan_begin(&s, text, len, name, e);
	scan_text(&s, "edeploy-pack 1\n");
	scan_text(&s, "hash " DIGEST_NAME "\n");
	read_frames(&s, t, &at, &raw_at);
	if (at != end)
		scan_fail(&s, "the frames have %llu bytes, the pack %llu",
			  (unsigned long long)at, (unsigned long long)end);
	read_blobs(&s, t, raw_at);
	if (scan_end(&s) < 0)
		return -1;
	*out = STEAL(t);
	return 0;
}

static void
add_hex(const unsigned char *bytes, size_t len, struct buf *out)
{
	size_t i;

	for (i = 0; i < len; i++)
		buf_printf(out, "%02x", bytes[i]);
}

char *
pack_table_text(const struct pack_table *t, size_t *len)
{
	AUTO_CLEAR(buf) out = { 0 };
	char hex[HASH_HEX];
	size_t i;

	buf_printf(&out, "edeploy-pack 1\nhash " DIGEST_NAME "\nframes %zu\n",
		   t->frames);
	for (i = 0; i < t->frames; i++) {
		digest_hex(&t->frame[i].hash, hex);
		buf_printf(&out, "%u %u %s\n", t->frame[i].size,
			   t->frame[i].raw, hex);
	}
	buf_printf(&out, "blobs %zu\n", t->blobs);
	for (i = 0; i < t->blobs; i++) {
		add_hex(t->blob[i].head, sizeof(t->blob[i].head), &out);
		buf_printf(&out, " %llu\n",
			   (unsigned long long)t->blob[i].size);
	}
	*len = out.len;
	return buf_take(&out);
}

void
pack_table_free(struct pack_table *t)
{
	if (!t)
		return;
	free(t->frame);
	free(t->blob);
	free(t);
}
