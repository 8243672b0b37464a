/* The kernel walks the path: what is checked before and opened after can be
 * exchanged in between. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/beneath.h"

int
open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC | O_NOFOLLOW,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};

	/* openat2 refuses what openat would ignore */
	if (!(flags & O_PATH))
		how.flags |= O_NOCTTY;
	if (!(flags & O_CREAT) && (flags & O_TMPFILE) != O_TMPFILE)
		how.mode = 0;
	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}
