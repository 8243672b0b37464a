/* Content against content: for the few files where a manifest is not at hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/same.h"

#define CHUNK (256 * 1024)

static int
compare(int a, int b, bool *same, struct err *e)
{
	AUTO_FREE char *left = base_alloc(CHUNK);
	AUTO_FREE char *right = base_alloc(CHUNK);
	off_t at = 0;
	ssize_t n, m;

	do {
		n = fd_pread_all(a, left, CHUNK, at);
		m = fd_pread_all(b, right, CHUNK, at);
		if (n < 0 || m < 0)
			return err_sys(e, "read");
		*same = n == m && memcmp(left, right, (size_t)n) == 0;
		at += n;
	} while (*same && n == CHUNK);
	return 0;
}

int
same_bytes(const char *a, const char *b, bool *same, struct err *e)
{
	AUTO_CLOSE int left = open(a, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_CLOSE int right = open(b, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat sa, sb;

	*same = false;
	if (left < 0 || right < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", left < 0 ? a : b);
	if (fstat(left, &sa) < 0 || fstat(right, &sb) < 0)
		return err_sys(e, "%s", a);
	if (sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev) {
		*same = true;
		return 0;
	}
	if (!S_ISREG(sa.st_mode) || !S_ISREG(sb.st_mode) ||
	    sa.st_size != sb.st_size)
		return 0;
	return compare(left, right, same, e) < 0 ? err_add(e, "%s", a) : 0;
}
