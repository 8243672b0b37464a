/* An identification page from a disk that lies. */
#include <assert.h>

#include "agent/hwid_names.h"
#include "agent/vpd.h"
#include "lib/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_FREE char *serial = vpd_serial(bytes, len);
	struct vpd_id best, same;

	if (serial)
		assert(*serial && strlen(serial) <= len);
	if (vpd_best(bytes, len, &best)) {
		AUTO_FREE char *text = vpd_text(&best);
		AUTO_FREE char *word = hwid_udev_word(text);

		assert(best.at >= bytes && best.len <= len);
		assert((size_t)(best.at - bytes) <= len - best.len);
		assert(strlen(text) <= best.len * 2);
		assert(!strpbrk(word, " /\\\n\t"));
		assert(vpd_find(bytes, len, best.type, &same));
	}
	return 0;
}
