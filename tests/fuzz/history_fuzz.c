/* Lines that a machine whose power went may have left in any state. */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"

#include "host/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_CLOSE int fd = memfd_create("history", MFD_CLOEXEC);
	AUTO_FREE char *path = base_printf("/proc/self/fd/%d", fd);
	struct value *rows = NULL;
	struct err e = { 0 };
	size_t i;

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		return 0;
	assert(history_read(&rows, path, path, &e) == 0);
	for (i = 0; i < rows->list.len; i++) {
		const struct value *r = rows->list.at[i];

		assert(value_get_str(r, "time") && value_get_str(r, "action") &&
		       value_get_str(r, "from") && value_get_str(r, "to") &&
		       value_get_str(r, "words"));
		assert(i == 0 ||
		       strcmp(value_get_str(rows->list.at[i - 1], "time"),
			      value_get_str(r, "time")) <= 0);
	}
	value_free(rows);
	return 0;
}
