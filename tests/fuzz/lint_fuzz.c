/* Text from an operator that `lint` reads, and the small texts of scripts:
 * sizes, UUIDs, passwords. */
#include <assert.h>

#include "lib/base.h"

#include "agent/disk.h"
#include "agent/disk_mark.h"
#include "agent/own.h"
#include "agent/script_lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check_names(const char *text, size_t len)
{
	struct value *names = script_vars(text, len);
	size_t i;

	for (i = 0; i < names->list.len; i++) {
		assert(names->list.at[i]->kind == VALUE_STR);
		assert(i == 0 || strcmp(names->list.at[i - 1]->str.at,
					names->list.at[i]->str.at) < 0);
	}
	value_free(names);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_FREE char *text = base_strndup((const char *)bytes, len);
	AUTO_FREE char *shadow = NULL;
	struct disk_size size;
	struct err e = { 0 };
	uint8_t id[16];
	int line;

	check_names((const char *)bytes, len);
	if (script_compile("x", (const char *)bytes, len, &line, &e) < 0)
		assert(*e.text && line >= 0);
	if (disk_size_parse(text, &size, &e) == 0)
		assert((size.bytes > 0) + (size.percent > 0) + size.rest == 1 &&
		       size.percent <= 100);
	mark_uuid_bytes(text, id);
	assert(!mark_uuid_ours("m1", text));
	shadow = own_shadow(text, text, &e);
	assert(shadow || *e.text);
	return 0;
}
