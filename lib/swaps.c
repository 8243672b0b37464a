#include "lib/swaps.h"

#include "lib/base.h"
#include "lib/file.h"

#define SWAPS "/proc/swaps"
#define SWAPS_MAX 65536

/* The kernel writes blanks and backslashes as \NNN. */
static void
unescape(char *path)
{
	char *to = path;

	for (; *path; path++) {
		if (path[0] == '\\' && path[1] >= '0' && path[1] <= '3' &&
		    path[2] >= '0' && path[2] <= '7' && path[3] >= '0' &&
		    path[3] <= '7') {
			*to++ = (char)((path[1] - '0') << 6 |
				       (path[2] - '0') << 3 | (path[3] - '0'));
			path += 3;
		} else {
			*to++ = *path;
		}
	}
	*to = '\0';
}

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

		unescape(path);
		if (*path == '/' && stat(path, &is) == 0 &&
		    is.st_dev == st->st_dev && is.st_ino == st->st_ino)
			return true;
	}
	return false;
}
