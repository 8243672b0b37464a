/* Whether a disk is free to be written, and who has it when it is not: the
 * kernel says only "busy", an operator wants to know by what. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/base.h"
#include "lib/file.h"

#include "agent/guard.h"
#include "agent/guard_use.h"

#define MOUNTS_MAX_BYTES (4u * 1024 * 1024)
#define LAYERS_MAX 16 /* a partition on LVM on RAID on partitions, and more */

/* The kernel's name of a node, by its number: nodes may be links
 * (/dev/disk/by-id/…) or have names of their own (/dev/mapper/vg-root). */
static char *
kernel_name(const char *node)
{
	AUTO_FREE char *link = NULL, *real = NULL;
	const char *slash;
	struct stat st;

	if (stat(node, &st) < 0 || !S_ISBLK(st.st_mode))
		return NULL;
	link = base_printf("/sys/dev/block/%u:%u", major(st.st_rdev),
			   minor(st.st_rdev));
	real = realpath(link, NULL);
	slash = real ? strrchr(real, '/') : NULL;
	return slash ? base_strdup(slash + 1) : NULL;
}

char *
guard_disk_of(const char *node)
{
	AUTO_FREE char *name = kernel_name(node);
	AUTO_FREE char *dir = NULL, *real = NULL, *flag = NULL;
	char *slash;

	if (!name)
		return NULL;
	flag = base_printf("/sys/class/block/%s/partition", name);
	if (!file_exists(flag))
		return NULL;
	dir = base_printf("/sys/class/block/%s", name);
	real = realpath(dir, NULL);
	slash = real ? strrchr(real, '/') : NULL;
	if (!slash)
		return NULL;
	*slash = '\0'; /* .../block/sda/sda1: the folder above is the disk */
	slash = strrchr(real, '/');
	return slash ? base_printf("/dev/%s", slash + 1) : NULL;
}

/* `name` is the disk or one of its partitions. */
static bool
is_part_of(const char *disk, const char *name)
{
	AUTO_FREE char *part =
		base_printf("/sys/class/block/%s/%s", disk, name);

	return str_eq(disk, name) || file_exists(part);
}

/* By the kernel's names. */
static bool
reaches(const char *name, const char *disk, int layers)
{
	AUTO_FREE char *dir = base_printf("/sys/class/block/%s/slaves", name);
	AUTO_FREE char *node = base_printf("/dev/%s", name);
	AUTO_FREE char *whole = guard_disk_of(node);
	char **below;
	bool found;
	size_t i;

	if (is_part_of(disk, name))
		return true;
	if (layers == 0)
		return false;
	found = whole && reaches(strrchr(whole, '/') + 1, disk, layers - 1);
	below = dir_names(dir);
	for (i = 0; below && below[i] && !found; i++)
		found = reaches(below[i], disk, layers - 1);
	names_free(below);
	return found;
}

bool
guard_stands_on(const char *node, const char *disk)
{
	AUTO_FREE char *name = kernel_name(node);
	AUTO_FREE char *whole = kernel_name(disk);

	return name && whole && reaches(name, whole, LAYERS_MAX);
}

static void
add_user(struct buf *out, const char *how, const char *what)
{
	buf_printf(out, "%s%s %s", out->len ? ", " : "", how, what);
}

/* "… /where … - ext4 /dev/sda1 rw" and "/dev/sda2 partition …". */
static void
add_mounts(const char *disk, struct buf *out)
{
	AUTO_FREE char *text = NULL;
	struct err ignored;
	char *at, *line;

	if (file_read("/proc/self/mountinfo", MOUNTS_MAX_BYTES, &text, NULL,
		      &ignored) < 0)
		return;
	for (at = text; (line = strsep(&at, "\n"));) {
		char where[256], source[256];
		const char *tail = strstr(line, " - ");

		if (!tail ||
		    sscanf(line, "%*s %*s %*s %*s %255s", where) != 1 ||
		    sscanf(tail, " - %*s %255s", source) != 1 ||
		    !str_starts(source, "/dev/"))
			continue;
		if (is_part_of(disk, source + 5))
			add_user(out, "mounted at", where);
	}
}

static void
add_swaps(const char *disk, struct buf *out)
{
	AUTO_FREE char *text = NULL;
	struct err ignored;
	char *at, *line;

	if (file_read("/proc/swaps", MOUNTS_MAX_BYTES, &text, NULL, &ignored) <
	    0)
		return;
	for (at = text; (line = strsep(&at, "\n"));) {
		line[strcspn(line, " \t")] = '\0';
		if (str_starts(line, "/dev/") && is_part_of(disk, line + 5))
			add_user(out, "swap on", line);
	}
}

static void
add_holders(const char *disk, const char *name, struct buf *out)
{
	AUTO_FREE char *dir = base_printf("/sys/class/block/%s%s%s/holders",
					  disk, str_eq(disk, name) ? "" : "/",
					  str_eq(disk, name) ? "" : name);
	char **holders = dir_names(dir);
	size_t i;

	for (i = 0; holders && holders[i]; i++)
		add_user(out, "held by", holders[i]);
	names_free(holders);
}

void
guard_users(const char *node, struct buf *out)
{
	AUTO_FREE char *disk = kernel_name(node), *dir = NULL;
	char **names;
	size_t i;

	if (!disk)
		return;
	add_mounts(disk, out);
	add_swaps(disk, out);
	add_holders(disk, disk, out);
	dir = base_printf("/sys/class/block/%s", disk);
	names = dir_names(dir);
	for (i = 0; names && names[i]; i++)
		if (str_starts(names[i], disk))
			add_holders(disk, names[i], out);
	names_free(names);
}

int
guard_idle(const char *node, struct err *e)
{
	AUTO_CLEAR(buf) users = { 0 };
	AUTO_CLOSE int fd = -1;
	struct stat st;
	int read_only = 0;

	if (stat(node, &st) < 0)
		return err_sys(e, "%s", node);
	if (S_ISREG(st.st_mode))
		return 0;
	if (!S_ISBLK(st.st_mode))
		return err_set(e, ERR_REFUSED, "%s is no disk", node);
	/* O_EXCL on a block device fails while the kernel uses any of it */
	fd = open(node, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd < 0 && errno != EBUSY)
		return err_sys(e, "open %s", node);
	if (fd < 0) {
		guard_users(node, &users);
		return err_set(e, ERR_REFUSED, "%s is in use: %.120s", node,
			       users.len ? buf_text(&users)
					 : "the kernel says busy");
	}
	if (ioctl(fd, BLKROGET, &read_only) == 0 && read_only)
		return err_set(e, ERR_REFUSED, "%s is read only", node);
	return 0;
}
