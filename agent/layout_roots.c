/* The layout "versioned". An upgrade needs more of a disk than an installation:
 * GRUB must be able to write down that it started a trial, and what stands on
 * file systems of its own must not lie across the border between a version and
 * the machine's state. */
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/file.h"

#include "roots/classes.h"
#include "roots/kernel.h"
#include "roots/top.h"

#include "agent/layout.h"

/* ---- may it be? ---- */

/* A partition of a disk that firmware shows to GRUB, and not of one that is
 * made of others (RAID, LVM). NVMe disks with several paths are "virtual" to
 * sysfs, too, so the name tells. */
static bool
is_partition(const char *node, const char *sys)
{
	const char *name = strrchr(node, '/') + 1;
	AUTO_FREE char *link = base_printf("%s/class/block/%s", sys, name);
	AUTO_FREE char *part = base_printf("%s/partition", link);
	AUTO_FREE char *real = realpath(link, NULL);
	char *disk;

	if (!real || !file_exists(part))
		return false;
	*strrchr(real, '/') = '\0';
	disk = strrchr(real, '/') + 1;
	return !str_starts(disk, "md") && !str_starts(disk, "dm-");
}

static char *
unfit_node(const char *node, const char *sys)
{
	if (is_partition(node, sys))
		return NULL;
	return base_printf("/ is on %s, which is no partition of a disk: GRUB "
			   "cannot write there which version it tried",
			   node);
}

static char *
unfit_root(const struct layout_mount *m, const char *sys)
{
	if (!str_eq(m->fstype, "ext4") && !str_eq(m->fstype, "ext3"))
		return base_printf("/ is %s, and versions beside one another "
				   "are kept on ext4 only",
				   m->fstype);
	return unfit_node(m->node, sys);
}

/* What a version has of its own below a file system that is mounted over
 * it would be covered at each boot. */
static const char *
covered_by(const struct classes *c, const char *path)
{
	size_t i;

	for (i = 0; i < c->len; i++)
		if (c->row[i].class != CLASS_STATE &&
		    path_is_within(c->row[i].path, path))
			return c->row[i].path;
	return NULL;
}

/* The folders that make a system; one that is a file system of its own would
 * be the same for all versions. */
static bool
is_system(const char *path)
{
	static const char *const dirs[] = { "bin",  "boot",  "dev",   "edeploy",
					    "lib",  "lib32", "lib64", "libx32",
					    "proc", "run",   "sbin",  "sys",
					    "usr" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(dirs); i++)
		if (path_is_within(path, dirs[i]))
			return true;
	return false;
}

static char *
unfit_place(const struct classes *c, const char *where)
{
	const char *path = where + 1, *covered = covered_by(c, path);

	if (str_eq(path, "boot/efi"))
		return NULL;
	if (!enter_path_ok(path))
		return base_printf("%s cannot be written into a list of mounts",
				   where);
	if (covered)
		return base_printf("%s is a file system of its own, and would "
				   "cover the versions' own /%s",
				   where, covered);
	if (classes_of(c, path) == CLASS_MERGED ||
	    (classes_of(c, path) == CLASS_VERSIONED && is_system(path)))
		return base_printf("%s is a file system of its own, and each "
				   "version has its own %s",
				   where, where);
	return NULL;
}

char *
layout_unfit(const struct layout *l, const struct classes *c, const char *sys)
{
	char *why = unfit_root(&l->mounts[0], sys);
	size_t i;

	for (i = 1; i < l->len && !why; i++)
		if (l->mounts[i].where[0] == '/')
			why = unfit_place(c, l->mounts[i].where);
	return why;
}

/* ---- file systems of their own ---- */

/* Where one belongs while the machine is installed: the state's are filled
 * with the state, the others with the tree. Owned. */
static char *
target_of(const struct layout *l, const struct classes *c, const char *where)
{
	if (classes_of(c, where + 1) == CLASS_STATE)
		return base_printf("%s/" TOP_DIR "/state%s", l->top, where);
	return base_printf("%s%s", l->root, where);
}

/* The folder that a mount leaves behind, and those above it: the top has none
 * but its own. */
static void
remove_folders(const struct layout *l, const char *where)
{
	AUTO_FREE char *path = base_printf("%s%s", l->top, where);

	while (strlen(path) > strlen(l->top) && rmdir(path) == 0)
		*strrchr(path, '/') = '\0';
}

static int
move_over(const char *from, const char *to, struct err *e)
{
	if (dir_make(to, 0755, e) < 0)
		return -1;
	if (mount(from, to, NULL, MS_MOVE, NULL) < 0)
		return err_sys(e, "move %s to %s", from, to);
	return 0;
}

int
layout_divide(struct layout *l, const char *version, struct err *e)
{
	AUTO_CLEAR(classes) c = { 0 };
	size_t i;

	classes_default(&c);
	if (top_make(l->top, e) < 0)
		return -1;
	free(l->root);
	l->root = top_root(l->top, version);
	free(l->version);
	l->version = base_strdup(version);
	if (dir_make(l->root, 0755, e) < 0)
		return -1;
	/* in the order of mounting: what is inside another one moves with it
	 */
	for (i = 1; i < l->len; i++) {
		const char *where = l->mounts[i].where;
		AUTO_FREE char *from = base_printf("%s%s", l->top, where);
		AUTO_FREE char *to = target_of(l, &c, where);

		if (*where == '/' && file_exists(from) &&
		    move_over(from, to, e) < 0)
			return -1;
	}
	for (i = l->len; i-- > 1;)
		if (l->mounts[i].where[0] == '/')
			remove_folders(l, l->mounts[i].where);
	return 0;
}

/* ---- the tree is there ---- */

/* The top of a state file system looks as the tree says; what is in it is
 * seeded with the rest of the state. One that the role's own list calls state
 * was filled with the tree, and goes where it belongs. */
static int
settle_mount(const struct layout *l, const struct classes *c, const char *where,
	     struct err *e)
{
	AUTO_FREE char *from = base_printf("%s%s", l->root, where);
	AUTO_FREE char *to = target_of(l, c, where);
	AUTO_CLEAR(classes) before = { 0 };
	struct stat st;

	classes_default(&before);
	if (classes_of(c, where + 1) != CLASS_STATE)
		return 0;
	if (classes_of(&before, where + 1) != CLASS_STATE)
		return move_over(from, to, e);
	if (lstat(from, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (chown(to, st.st_uid, st.st_gid) < 0 ||
	    chmod(to, st.st_mode & 07777) < 0)
		return err_sys(e, "%s", to);
	return 0;
}

static int
settle_mounts(const struct layout *l, const struct classes *c, struct err *e)
{
	size_t i;

	for (i = 1; i < l->len; i++)
		if (l->mounts[i].where[0] == '/' &&
		    settle_mount(l, c, l->mounts[i].where, e) < 0)
			return -1;
	return 0;
}

static int
add_version(const struct layout *l, const char *args, struct err *e)
{
	AUTO_FREE char *kernel = NULL;
	AUTO_FREE char *initrd = NULL;
	struct top_version v = { .version = l->version, .args = args };

	if (kernel_find_both(l->root, &kernel, &initrd, e) < 0)
		return -1;
	v.kernel = kernel;
	v.initrd = initrd;
	return top_add(l->top, &v, e);
}

int
layout_settle(struct layout *l, const char *args, struct err *e)
{
	AUTO_CLEAR(classes) c = { 0 };
	AUTO_FREE char *why = NULL;

	if (classes_of_root(&c, l->root, e) < 0)
		return -1;
	why = layout_unfit(l, &c, "/sys");
	if (why)
		return err_set(e, ERR_INPUT,
			       "%s; layout('plain') in the script, or "
			       "LAYOUT=plain, installs it as one root",
			       why);
	if (settle_mounts(l, &c, e) < 0 || add_version(l, args, e) < 0)
		return -1;
	l->settled = true;
	return 0;
}

char *
layout_place(const struct layout *l, const char *path)
{
	AUTO_CLEAR(classes) c = { 0 };
	struct err ignored;

	if (l->settled && classes_of_root(&c, l->root, &ignored) == 0 &&
	    classes_of(&c, path + 1) == CLASS_STATE)
		return base_printf("%s/" TOP_DIR "/state%s", l->top, path);
	return base_printf("%s%s", l->root, path);
}
