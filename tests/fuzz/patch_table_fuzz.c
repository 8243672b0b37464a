/* Tables of deltas and marks: what is read is written back byte by byte. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base.h"

#include "rsyncd/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
same(const char *text, size_t text_len, const uint8_t *bytes, size_t len)
{
	if (text_len != len || memcmp(text, bytes, len) != 0)
		abort();
}

/* The first two bytes are the size of the file before the table. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(patch_table) t = NULL;
	AUTO(mark_table) m = NULL;
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };
	uint64_t end;
	size_t n;

	if (len < 2)
		return 0;
	end = (uint64_t)bytes[0] << 8 | bytes[1];
	bytes += 2;
	len -= 2;
	if (patch_table_parse(&t, (const char *)bytes, len, end, "t", &e) == 0)
		text = patch_table_text(t, &n);
	else if (mark_table_parse(&m, (const char *)bytes, len, end, "t", &e) ==
		 0)
		text = mark_table_text(m, &n);
	if (text)
		same(text, n, bytes, len);
	if (t && t->ops > 0 && !patch_find(t, t->op[0].new_head))
		abort();
	return 0;
}
