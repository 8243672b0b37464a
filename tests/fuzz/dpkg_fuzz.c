/* A dpkg status from anywhere: packages with a name and a version each, in
 * order, and each is found. */
#include <assert.h>

#include "rsyncd/dpkg.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(dpkg) d = dpkg_parse(base_strndup((const char *)bytes, len));
	AUTO_FREE char *list = base_strndup((const char *)bytes, len);
	size_t i;

	for (i = 0; i < d->len; i++) {
		assert(d->at[i].name && d->at[i].version);
		assert(dpkg_find(d, d->at[i].name));
		assert(i == 0 || strcmp(d->at[i - 1].name, d->at[i].name) <= 0);
		(void)dpkg_list_has(list, d->at[i].name);
	}
	free(dpkg_list_name(list));
	return 0;
}
