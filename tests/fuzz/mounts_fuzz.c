/* A table of mounts: nothing is read behind a line's end. */
#include <assert.h>

#include "lib/base.h"
#include "lib/mounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct mounts m = { .text = base_strndup((const char *)bytes, len) };
	size_t i, sum = 0;

	mounts_parse(&m, m.text);
	for (i = 0; i < m.len; i++)
		sum += strlen(m.at[i].from) + strlen(m.at[i].where) +
		       strlen(m.at[i].fstype) + strlen(m.at[i].node);
	assert(sum <= len);
	mounts_clear(&m);
	return 0;
}
