#include "lib/swaps.h"

#include "lib/base.h"
#include "lib/file.h"
#include "lib/mounts.h"

#define SWAPS "/proc/swaps"
#define SWAPS_MAX 65536

bool
swaps_has(const struct stat *st)
{
	AUTO_FREE char *text = NULL;
	struct err ignored = { 0 };
	char *at, *line;

	if (!S_ISREG(st->st_mode) ||
	    file_read(SWAPS, SWAPS_MAX, &text, NULL, &ignored) < 0)
		return false;
	for (at = text; (line = strsep(&at, "\n"));) {
		struct stat is;
		char *path = strsep(&line, " \t");

		mounts_unescape(path);
		if (*path == '/' && stat(path, &is) == 0 &&
		    is.st_dev == st->st_dev && is.st_ino == st->st_ino)
			return true;
	}
	return false;
}
