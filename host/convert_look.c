/* May this disk hold versions? As strict as the agent is at an installation,
 * and for the same reasons: GRUB must read the file system and write to it, and
 * what is mounted must not lie across the border of a version and the state. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/mounts.h"

#include "roots/classes.h"

#include "host/convert.h"

/* ---- the disk ---- */

/* A partition of a disk that firmware shows to GRUB, and not of one that is
 * made of others (RAID, LVM). */
static bool
is_partition(const struct mount_row *m, const char *sys)
{
	AUTO_FREE char *link =
		base_printf("%s/dev/block/%u:%u", sys, m->major, m->minor);
	AUTO_FREE char *part = base_printf("%s/partition", link);
	AUTO_FREE char *real = realpath(link, NULL);
	const char *disk;

	if (!real || !file_exists(part))
		return false;
	*strrchr(real, '/') = '\0';
	disk = strrchr(real, '/') + 1;
	return !str_starts(disk, "md") && !str_starts(disk, "dm-");
}

static char *
unfit_root(const struct mount_row *m, const char *sys)
{
	if (!str_eq(m->from, "/"))
		return base_printf("/ is %s of its file system, and not the "
				   "top",
				   m->from);
	if (!str_eq(m->fstype, "ext4") && !str_eq(m->fstype, "ext3"))
		return base_printf("/ is %s, and versions beside one another "
				   "are kept on ext4 only",
				   m->fstype);
	if (!is_partition(m, sys))
		return base_printf("/ is on %s, which is no partition of a "
				   "disk: GRUB cannot write there which "
				   "version it tried",
				   m->node);
	return NULL;
}

/* ---- what is mounted on it ---- */

/* The kernel's own, and what belongs to no root. */
static bool
is_apart(const char *path)
{
	static const char *const dirs[] = { "/dev", "/proc",     "/sys",
					    "/run", "/mnt",      "/media",
					    "/efi", "/boot/efi", "/edeploy" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(dirs); i++)
		if (path_is_within(path, dirs[i]))
			return true;
	return false;
}

/* What a version has of its own at or below a mount, or NULL. */
static const char *
splits(const struct classes *c, const char *path)
{
	size_t i;

	if (classes_of(c, path) != CLASS_STATE)
		return path;
	for (i = 0; i < c->len; i++)
		if (c->row[i].class != CLASS_STATE &&
		    path_is_within(c->row[i].path, path))
			return c->row[i].path;
	return NULL;
}

static char *
unfit_mount(const struct mount_row *m, const struct classes *classes)
{
	const char *own;

	if (str_eq(m->where, "/") || is_apart(m->where))
		return NULL;
	own = splits(classes, m->where + 1);
	return own ? base_printf("%s is a file system of its own, and each "
				 "version has its own /%s",
				 m->where, own)
		   : NULL;
}

char *
convert_unfit(const struct mounts *m, const struct classes *classes,
	      const char *sys)
{
	char *why = base_strdup("/ is not mounted");
	size_t i;

	for (i = 0; i < m->len; i++)
		if (str_eq(m->at[i].where, "/")) {
			free(why);
			why = unfit_root(&m->at[i], sys);
		}
	for (i = 0; i < m->len && !why; i++)
		why = unfit_mount(&m->at[i], classes);
	return why;
}

const char *
convert_covered(const struct mounts *m, const struct enter_places *places)
{
	size_t i, k;

	for (i = 0; i < m->len; i++)
		for (k = 0; k < places->len; k++)
			if (places->at[k].state &&
			    path_is_below(m->at[i].where + 1,
					  places->at[k].path))
				return m->at[i].where;
	return NULL;
}

int
convert_open_top(struct err *e)
{
	int fd = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		err_sys(e, "looking at / without what is mounted on it "
			   "(open_tree, Linux 5.2)");
	return fd;
}
