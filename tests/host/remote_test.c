/* What other machines mount, too, is left alone by an upgrade: which mounts
 * these are, and that the real rsync reads the pattern as it is meant. */
#include <stdio.h>
#include <string.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/proc.h"

#include "host/remote.h"

#include "tests/test.h"

static const struct {
	const char *what, *fstype, *node, *where, *root;
	const char *want; /* NULL: it is the role's */
} rows[] = {
	{ "NFS", "nfs4", "nas:/x", "/mnt/x", "", "/mnt/x" },
	{ "a share", "cifs", "//nas/x", "/mnt/my share", "", "/mnt/my share" },
	{ "Lustre", "lustre", "10.0.0.1@tcp:/fs", "/scratch", "", "/scratch" },
	{ "BeeGFS", "beegfs", "beegfs_nodev", "/data", "", "/data" },
	{ "GPFS", "gpfs", "gpfs0", "/gpfs", "", "/gpfs" },
	{ "the host's folder", "virtiofs", "tag", "/host", "", "/host" },
	{ "a shared disk", "ocfs2", "/dev/sdb1", "/shared", "", "/shared" },
	{ "sshfs", "fuse.sshfs", "me@far:/x", "/far", "", "/far" },
	{ "a kind of tomorrow", "newfs", "nas:/x", "/new", "", "/new" },
	{ "its share", "newfs", "//nas/x", "/new", "", "/new" },
	{ "a disk", "ext4", "/dev/sda1", "/data", "", NULL },
	{ "memory", "tmpfs", "tmpfs", "/run", "", NULL },
	{ "ZFS", "zfs", "pool/home", "/home", "", NULL },
	{ "the top itself", "nfs", "nas:/root", "/", "", NULL },
	{ "below a root", "nfs", "nas:/x", "/t/mnt", "/t", "/mnt" },
	{ "beside it", "nfs", "nas:/x", "/tt/mnt", "/t", NULL },
	{ "that root itself", "nfs", "nas:/x", "/t", "/t", NULL },
	{ "wildcards", "nfs", "nas:/x", "/m/a*b[c]?", "", "/m/a\\*b\\[c]\\?" },
	{ "a backslash", "nfs", "nas:/x", "/m/a\\b", "", "/m/a\\b" },
	{ "both", "nfs", "nas:/x", "/m/a\\b*", "", "/m/a\\\\b\\*" },
	{ "a line's end", "nfs", "nas:/x", "/m/a\nb", "", "/m/a\nb" },
};

static char top[] = "/tmp/remote_test.XXXXXX";

/* rsync, told so, leaves what is mounted there, and no more than that. */
static bool
is_left_alone(const char *where, const char *pattern)
{
	AUTO_FREE char *from = base_printf("%s/from/", top);
	AUTO_FREE char *to = base_printf("%s/to/", top);
	AUTO_FREE char *folder = base_printf("%s/to%s", top, where);
	AUTO_FREE char *file = base_printf("%s/theirs", folder);
	AUTO_FREE char *beside = base_printf("%s/to/beside", top);
	AUTO_FREE char *exclude = base_printf("--exclude=%s", pattern);
	const char *const argv[] = { "rsync", "-a", "--delete-after",
				     exclude, from, to,
				     NULL };
	struct err e = { 0 };
	bool good = dir_make(from, 0755, &e) == 0 &&
		    dir_make(folder, 0755, &e) == 0 &&
		    file_write(file, "x", 1, 0644, &e) == 0 &&
		    file_write(beside, "x", 1, 0644, &e) == 0 &&
		    proc_ok(argv, NULL, &e) == 0 && file_exists(file) &&
		    !file_exists(beside);

	if (e.kind)
		printf("# %s\n", e.text);
	return dir_remove(to, &e) == 0 && good;
}

int
main(void)
{
	struct err e = { 0 };
	size_t i;

	CHECK(0, mkdtemp(top));
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct mount_row m = {
			.where = (char *)(uintptr_t)rows[i].where,
			.fstype = (char *)(uintptr_t)rows[i].fstype,
			.node = (char *)(uintptr_t)rows[i].node,
		};
		AUTO_FREE char *got = remote_pattern(&m, rows[i].root);

		CHECK_SHOW(i, str_eq(got, rows[i].want), "%s: %s", rows[i].what,
			   got ? got : "none");
		if (got)
			CHECK_SHOW(i,
				   is_left_alone(rows[i].where +
							 strlen(rows[i].root),
						 got),
				   "%s", rows[i].what);
	}
	CHECK(0, dir_remove(top, &e) == 0);
	return test_end();
}
