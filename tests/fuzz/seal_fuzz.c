/* A seal or a HEAD from anywhere: refused with its name, or what is written
 * from it are the same bytes. */
#include <assert.h>

#include "lib/base.h"

#include "rsyncd/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
same_begin(char *again, const char *text, size_t len)
{
	assert(strlen(again) <= len && memcmp(again, text, strlen(again)) == 0);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;
	AUTO(seal) s = NULL;
	struct err e = { 0 };
	char key[SIGN_ID];
	struct head h;

	if (seal_peek(&s, text, len, key, "in", &e) == 0)
		same_begin(seal_text(s), text, len);
	else
		assert(e.kind == ERR_INPUT && str_starts(e.text, "in:"));
	e = (struct err){ 0 };
	if (head_peek(&h, text, len, key, "in", &e) == 0)
		same_begin(head_text(&h), text, len);
	else
		assert(e.kind == ERR_INPUT && str_starts(e.text, "in:"));
	return 0;
}
