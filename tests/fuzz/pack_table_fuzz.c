/* Tables of packs from anywhere. The first line of an input is the number of
 * bytes before the table, which a seal would tell. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/num.h"

#include "rsyncd/frame.h"
#include "rsyncd/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check(const struct pack_table *t, uint64_t end)
{
	uint64_t at = 0, raw_at = 0, blob_at = 0;
	size_t i;

	for (i = 0; i < t->frames; i++) {
		const struct pack_frame *f = &t->frame[i];

		assert(f->at == at && f->raw_at == raw_at);
		assert(f->size > 0 && f->size <= PACK_FRAME_MAX);
		assert(f->raw > 0 && f->raw <= FRAME_RAW_MAX);
		at += f->size;
		raw_at += f->raw;
	}
	assert(at == end);
	for (i = 0; i < t->blobs; i++) {
		assert(t->blob[i].at == blob_at && t->blob[i].size > 0);
		blob_at += t->blob[i].size;
	}
	assert(blob_at == raw_at);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = memchr(bytes, '\n', len);
	AUTO(pack_table) t = NULL;
	AUTO_FREE char *first = NULL;
	AUTO_FREE char *again = NULL;
	struct err e = { 0 };
	uint64_t end;
	size_t text_len, again_len;

	if (!text)
		return 0;
	first = base_strndup((const char *)bytes,
			     (size_t)(text - (const char *)bytes));
	text++;
	text_len = len - (size_t)(text - (const char *)bytes);
	if (num_u64(first, 0, UINT64_MAX, &end, "end", &e) < 0)
		return 0;
	if (pack_table_parse(&t, text, text_len, end, "fuzz", &e) < 0) {
		assert(e.kind == ERR_INPUT && str_starts(e.text, "fuzz"));
		return 0;
	}
	check(t, end);
	again = pack_table_text(t, &again_len);
	assert(again_len == text_len && memcmp(again, text, text_len) == 0);
	return 0;
}
