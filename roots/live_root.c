/* What is "/" now, and what the kernel that runs needs of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/mounts.h"

#include "roots/live.h"

#define ROOTS "/edeploy/roots"

/* "/edeploy/roots/V", with what a subvolume of btrfs puts before it. */
static const char *
version_of(const char *from)
{
	const char *at = strstr(from, ROOTS "/");
	const char *name = at ? at + strlen(ROOTS "/") : NULL;

	return name && name_is_safe(name) ? name : NULL;
}

char *
live_running(struct err *e)
{
	AUTO_CLEAR(mounts) m = { 0 };
	const char *version = NULL;
	size_t i;

	if (mounts_read(&m, e) < 0)
		return NULL;
	for (i = 0; i < m.len; i++)
		if (str_eq(m.at[i].where, "/"))
			version = version_of(m.at[i].from);
	if (version)
		return base_strdup(version);
	err_set(e, ERR_REFUSED,
		"this system's / is no version below " ROOTS
		": it is laid out as plain");
	return NULL;
}

/* ---- modules ---- */

/* As a root finds it itself: /lib may be a link. -1 when it has none. */
static int
open_modules(const char *root, const char *release)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT };
	AUTO_FREE char *path = base_printf("lib/modules/%s", release);
	AUTO_CLOSE int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -1
		       : (int)syscall(SYS_openat2, dir, path, &how,
				      sizeof(how));
}

static bool
has_files(const char *dir)
{
	char **names = dir_names(dir);
	bool some = names && names[0];

	names_free(names);
	return some;
}

int
live_keep_modules(const char *from, const char *release, struct err *e)
{
	AUTO_FREE char *root = base_printf(ROOTS "/%s", from);
	AUTO_FREE char *place = base_printf("/lib/modules/%s", release);
	AUTO_CLOSE int fd = open_modules(root, release);
	AUTO_FREE char *source = NULL;

	if (fd < 0 || has_files(place))
		return 0;
	source = base_printf("/proc/self/fd/%d", fd);
	if (dir_make(place, 0755, e) < 0)
		return -1;
	if (mount(source, place, NULL, MS_BIND, NULL) < 0)
		return err_sys(e, "%s of %s", place, from);
	return 0;
}
