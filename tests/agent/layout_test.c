/* Which disks may hold versions beside one another, and which are told what is
 * in the way: each way of laying out a disk is a row. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/classes.h"

#include "agent/layout.h"

#include "tests/test.h"

static char sys[] = "/tmp/edeploy-layout-XXXXXX";

/* A block device as /sys shows it. */
static void
add_node(const char *name, const char *where, bool partition)
{
	AUTO_FREE char *dir = base_printf("%s/devices/%s", sys, where);
	AUTO_FREE char *part = base_printf("%s/partition", dir);
	AUTO_FREE char *link = base_printf("%s/class/block/%s", sys, name);
	struct err e;

	CHECK(0, dir_make(dir, 0755, &e) == 0 && symlink(dir, link) == 0);
	if (partition)
		CHECK(0, file_write(part, "1\n", 2, 0644, &e) == 0);
}

#define BOOT_OF_ITS_OWN "/boot is a file system of its own"
static const struct {
	const char *node, *fstype;
	const char *more[3]; /* other places */
	const char *classes; /* of the role */
	const char *why;     /* NULL: it may be */
} rows[] = {
	{ "/dev/vda2", "ext4", { 0 }, NULL, NULL },
	{ "/dev/vda2", "ext3", { 0 }, NULL, NULL },
	{ "/dev/nvme0n1p2", "ext4", { 0 }, NULL, NULL },
	/* file systems where a power cut, or GRUB, may leave less than two
	 * roots */
	{ "/dev/vda2", "ext2", { 0 }, NULL, "/ is ext2" },
	{ "/dev/vda2", "xfs", { 0 }, NULL, "/ is xfs" },
	{ "/dev/vda2", "btrfs", { 0 }, NULL, "/ is btrfs" },
	/* disks that GRUB only reads */
	{ "/dev/vda", "ext4", { 0 }, NULL, "no partition of a disk" },
	{ "/dev/md0", "ext4", { 0 }, NULL, "no partition of a disk" },
	{ "/dev/md0p1", "ext4", { 0 }, NULL, "no partition of a disk" },
	{ "/dev/data/root", "ext4", { 0 }, NULL, "no partition of a disk" },
	/* the machine's own, and what no version has */
	{ "/dev/vda2", "ext4", { "/home", "/srv/db", "none" }, NULL, NULL },
	{ "/dev/vda2", "ext4", { "/var/lib/mysql", "/opt" }, NULL, NULL },
	{ "/dev/vda2", "ext4", { "/data", "/mnt/x" }, NULL, NULL },
	{ "/dev/vda2", "ext4", { "/boot/efi", "/library" }, NULL, NULL },
	{ "/dev/vda2", "ext4", { "/usr/local" }, NULL, NULL },
	/* each version's own, or half of it */
	{ "/dev/vda2", "ext4", { "/boot" }, NULL, BOOT_OF_ITS_OWN },
	{ "/dev/vda2",
	  "ext4",
	  { "/home", "/boot", "/boot/efi" },
	  NULL,
	  BOOT_OF_ITS_OWN },
	{ "/dev/vda2", "ext4", { "/usr" }, NULL, "/usr is a file system" },
	{ "/dev/vda2", "ext4", { "/lib64" }, NULL, "/lib64 is a file" },
	{ "/dev/vda2", "ext4", { "/etc" }, NULL, "/etc is a file system" },
	{ "/dev/vda2", "ext4", { "/etc/x" }, NULL, "/etc/x is a file system" },
	{ "/dev/vda2", "ext4", { "/var" }, NULL, "cover the versions' own" },
	{ "/dev/vda2", "ext4", { "/var/lib" }, NULL, "cover the versions'" },
	{ "/dev/vda2", "ext4", { "/var/lib/dpkg" }, NULL, "own /var/lib/dpkg" },
	{ "/dev/vda2", "ext4", { "/a b" }, NULL, "cannot be written" },
	/* as the role says */
	{ "/dev/vda2",
	  "ext4",
	  { "/opt" },
	  "edeploy-classes 1\nversioned opt/vendor\n",
	  "cover the versions' own /opt/vendor" },
	{ "/dev/vda2",
	  "ext4",
	  { "/usr/share/big" },
	  "edeploy-classes 1\nstate usr/share/big\n",
	  NULL },
};

static void
check_row(size_t i)
{
	struct layout_mount m[4] = { 0 };
	struct layout l = { .mounts = m, .len = 1 };
	AUTO_CLEAR(classes) c = { 0 };
	AUTO_FREE char *node = base_strdup(rows[i].node);
	AUTO_FREE char *fstype = base_strdup(rows[i].fstype);
	AUTO_FREE char *why = NULL;
	char root[] = "/";
	struct err e = { 0 };

	m[0].node = node;
	m[0].fstype = fstype;
	m[0].where = root;
	for (; l.len < 4 && rows[i].more[l.len - 1]; l.len++)
		m[l.len].where = base_strdup(rows[i].more[l.len - 1]);
	classes_default(&c);
	if (rows[i].classes)
		CHECK(i, classes_parse(&c, rows[i].classes, "row", &e) == 0);
	why = layout_unfit(&l, &c, sys);
	CHECK_SHOW(i,
		   rows[i].why ? why && strstr(why, rows[i].why) != NULL : !why,
		   "%s: %s", rows[i].node, why ? why : "it may be");
	while (--l.len > 0)
		free(m[l.len].where);
}

/* What is written where, before the state is there and after. */
static void
check_places(void)
{
	struct layout l = { 0 };
	static const struct {
		const char *path, *before, *after;
	} places[] = {
		{ "/etc/fstab", "/t/edeploy/roots/V/etc/fstab",
		  "/t/edeploy/roots/V/etc/fstab" },
		{ "/var/log/x", "/t/edeploy/roots/V/var/log/x",
		  "/t/edeploy/state/var/log/x" },
		{ "/var/lib/edeploy/conf",
		  "/t/edeploy/roots/V/var/lib/edeploy/conf",
		  "/t/edeploy/roots/V/var/lib/edeploy/conf" },
	};
	size_t i;

	l.top = base_strdup("/t");
	l.root = base_strdup("/t/edeploy/roots/V");
	l.version = base_strdup("V");
	for (i = 0; i < ARRAY_LEN(places); i++) {
		AUTO_FREE char *before = NULL;
		AUTO_FREE char *after = NULL;

		l.settled = false;
		before = layout_place(&l, places[i].path);
		l.settled = true;
		after = layout_place(&l, places[i].path);
		CHECK_SHOW(i, str_eq(before, places[i].before), "%s", before);
		CHECK_SHOW(i, str_eq(after, places[i].after), "%s", after);
	}
	layout_clear(&l);
}

int
main(void)
{
	AUTO_FREE char *block = NULL;
	struct err e = { 0 };
	size_t i;

	if (!mkdtemp(sys))
		return 1;
	block = base_printf("%s/class/block", sys);
	CHECK(0, dir_make(block, 0755, &e) == 0);
	add_node("vda", "pci0/virtio1/block/vda", false);
	add_node("vda2", "pci0/virtio1/block/vda/vda2", true);
	add_node("nvme0n1p2",
		 "virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p2", true);
	add_node("md0", "virtual/block/md0", false);
	add_node("md0p1", "virtual/block/md0/md0p1", true);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
	check_places();
	dir_remove(sys, &e);
	return test_end();
}
