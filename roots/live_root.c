/* What is "/" now, and what the kernel that runs needs of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/mounts.h"

#include "roots/live.h"

#define ROOTS "/edeploy/roots"
#define STAGE "/edeploy/sysroot" /* of roots/live.c */

/* "/edeploy/roots/V", with what a subvolume of btrfs puts before it. */
static const char *
version_of(const char *from)
{
	const char *at = strstr(from, ROOTS "/");
	const char *name = at ? at + strlen(ROOTS "/") : NULL;

	return name && name_is_safe(name) ? name : NULL;
}

/* The version in which pid 1 stands, when that is not "/". Owned, or NULL. */
static char *
first_elsewhere(void)
{
	struct stat here, first, root;
	char **names, *found = NULL;
	size_t i;

	if (stat("/", &here) < 0 || stat("/proc/1/root/", &first) < 0 ||
	    first.st_dev != here.st_dev || first.st_ino == here.st_ino)
		return NULL;
	names = dir_names(ROOTS);
	for (i = 0; names && names[i] && !found; i++) {
		AUTO_FREE char *path = base_printf(ROOTS "/%s", names[i]);

		if (stat(path, &root) == 0 && root.st_dev == first.st_dev &&
		    root.st_ino == first.st_ino)
			found = base_strdup(names[i]);
	}
	names_free(names);
	return found;
}

char *
live_running(struct err *e)
{
	AUTO_FREE char *first = first_elsewhere();
	AUTO_CLEAR(mounts) m = { 0 };
	const struct mount_row *root;
	const char *version;

	if (mounts_read(&m, e) < 0)
		return NULL;
	root = mounts_root(&m);
	version = root ? version_of(root->from) : NULL;
	if (first && version) {
		err_set(e, ERR_INPUT,
			"this shell stands in %s still, and the system has "
			"moved to %s: log in again",
			version, first);
		return NULL;
	}
	if (version)
		return base_strdup(version);
	err_set(e, ERR_REFUSED,
		"this system's / is no version below " ROOTS
		": it is laid out as plain");
	return NULL;
}

/* ---- the end of a move ---- */

/* The old root that stands over `root`, which a version is. */
static const struct mount_row *
find_cover(const struct mounts *m, const struct mount_row *root)
{
	size_t i;

	for (i = 0; i < m->len; i++)
		if (m->at[i].parent == root->id &&
		    str_eq(m->at[i].where, "/") &&
		    m->at[i].major == root->major &&
		    m->at[i].minor == root->minor && version_of(root->from))
			return &m->at[i];
	return NULL;
}

/* Killed anywhere, it can be done again: the cover goes last, and it is shared
 * until the new root is. "/" itself is never covered, what is above it is. */
static int
take_off(const struct mount_row *cover)
{
	if (cover->shared && mount(NULL, "/", NULL, MS_SHARED, NULL) < 0)
		return -1;
	return chdir("/..") < 0 ||
			       mount(NULL, ".", NULL, MS_REC | MS_PRIVATE,
				     NULL) < 0 ||
			       umount2(".", MNT_DETACH) < 0
		       ? -1
		       : 0;
}

static void
tear_down(void)
{
	if (mount(NULL, STAGE, NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		umount2(STAGE, MNT_DETACH);
}

int
live_finish(struct err *e)
{
	AUTO_CLEAR(mounts) m = { 0 };
	const struct mount_row *root, *cover;
	int bad = 0;

	tear_down();
	if (mounts_read(&m, e) < 0)
		return -1;
	root = mounts_root(&m);
	cover = root ? find_cover(&m, root) : NULL;
	if (cover && take_off(cover) < 0)
		bad = err_sys(e, "the old root, %s", cover->from);
	return chdir("/") < 0 && !bad ? err_sys(e, "/") : bad;
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
