/* The disk of an installed machine is found by what an earlier run wrote on
 * it, and looking leaves every byte as it was, also when its journal waits to
 * be replayed. Needs root and a loop device. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "agent/boot.h"
#include "agent/kexec.h"
#include "agent/layout.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "lib/text.h"
#include "roots/state.h"
#include "roots/top.h"
#include "tests/test.h"

static char top[] = "/tmp/local_test.XXXXXX";

static bool
ok(const char *a, const char *b, const char *c, const char *d)
{
	const char *const argv[] = { a, b, c, d, NULL };
	struct err e = { 0 };

	if (proc_ok(argv, NULL, &e) == 0)
		return true;
	printf("# %s\n", e.text);
	return false;
}

/* What a program prints, trimmed. Owned. */
static char *
said(const char *const argv[])
{
	struct proc p = { 0 };
	struct err e;
	char *text;

	if (proc_run(argv, NULL, &p, &e) < 0)
		return base_strdup("");
	text = base_strdup(buf_text(&p.out));
	proc_clear(&p);
	memmove(text, text_trim(text), strlen(text_trim(text)) + 1);
	return text;
}

static char *
hash_of(const char *image)
{
	const char *const argv[] = { "sha256sum", image, NULL };

	return said(argv);
}

static const char by_entry[] = "linux /boot/vmlinuz-1 root=x\n}\n";
static const char by_version[] =
	"set ed_kernel='/edeploy/roots/V1/boot/vmlinuz-1'\n"
	"set ed_initrd=''\nset ed_args='quiet'\n";

/* V1 is good, another one on trial. */
static bool
make_good(const char *dir)
{
	AUTO_FREE char *at = base_printf("%s/edeploy", dir);
	struct err e;
	struct state s;

	state_first(&s, "V1");
	return state_arm(&s, "V2", 2, &e) == 0 && state_write(&s, at, &e) == 0;
}

/* An image with a file system, and the conf of machine m7 in it, in the one
 * root or in one of several. Its node, owned, or NULL. */
static char *
make_disk(const char *image, const char *dir, bool versioned)
{
	const char *const attach[] = { "losetup", "-f", "--show", image, NULL };
	AUTO_FREE char *root =
		versioned ? top_root(dir, "V1") : base_strdup(dir);
	AUTO_FREE char *conf = base_printf("%s/var/lib/edeploy/conf", root);
	AUTO_FREE char *cfg =
		versioned ? base_printf("%s.grub", root)
			  : base_printf("%s/boot/grub/grub.cfg", root);
	AUTO_FREE char *kernel = base_printf("%s/boot/vmlinuz-1", root);
	static const char text[] = "VERS=1\nMACHINE=m7\n";
	const char *entry = versioned ? by_version : by_entry;
	AUTO_FREE char *node = NULL;
	struct err e;

	if (!ok("truncate", "-s", "16M", image) ||
	    !ok("mkfs.ext4", "-q", "-F", image))
		return NULL;
	node = said(attach);
	if (!str_starts(node, "/dev/loop") || dir_make(dir, 0700, &e) < 0 ||
	    mount(node, dir, "ext4", 0, NULL) < 0)
		return NULL;
	file_write(conf, text, strlen(text), 0644, &e);
	file_write(cfg, entry, strlen(entry), 0644, &e);
	file_write(kernel, "no kernel", 9, 0644, &e);
	if (versioned && !make_good(dir))
		return NULL;
	return STEAL(node);
}

static void
check_layout(const char *dir, const char *node)
{
	const struct layout_mount swap = { (char *)(uintptr_t)node,
					   (char *)(uintptr_t) "none",
					   (char *)(uintptr_t) "swap", NULL,
					   (char *)(uintptr_t) "u-u" };
	struct layout l;
	struct err e = { 0 };
	const char *const blkid[] = { "blkid", "-p",    "-s", "UUID",
				      "-o",    "value", node, NULL };
	AUTO_FREE char *root = NULL;
	AUTO_FREE char *uuid = NULL;

	CHECK_SHOW(0, layout_plain(&l, dir, "/dev/loop", &e) == 0, "%s",
		   e.text);
	CHECK(0, l.len == 1 && str_eq(l.mounts[0].node, node) &&
			 str_eq(l.mounts[0].fstype, "ext4") &&
			 l.mounts[0].uuid && strlen(l.mounts[0].uuid) == 36);
	root = layout_root_words(&l);
	uuid = said(blkid);
	CHECK_SHOW(0, str_eq(root + strlen("root=UUID="), uuid), "%s %s", root,
		   uuid);
	layout_know(&l, &swap);
	CHECK(0, l.len == 2 && str_eq(l.mounts[1].uuid, "u-u"));
	CHECK(0, layout_check(&l, &e) == 0);
	CHECK_SHOW(0, layout_leave(&l, &e) == 0, "%s", e.text);
	layout_clear(&l);
	CHECK(0, layout_plain(&l, dir, "/dev/loop", &e) < 0 &&
			 strstr(e.text, "nothing is mounted"));
	layout_clear(&l);
}

/* The text of a file as GRUB reads it: no journal is replayed. Owned. */
static char *
read_raw(const char *image, const char *path)
{
	AUTO_FREE char *copy = base_printf("%s/raw", top);
	AUTO_FREE char *ask = base_printf("cat %s", path);
	const char *const cat[] = { "debugfs", "-R", ask, copy, NULL };
	const struct proc_opts quiet = { .split_stderr = true };
	struct proc p = { 0 };
	struct err e;
	char *text;

	ok("cp", image, copy, NULL);
	if (proc_run(cat, &quiet, &p, &e) < 0)
		return base_strdup("");
	text = base_strdup(buf_text(&p.out));
	proc_clear(&p);
	return text;
}

/* A program that the script left keeps the root busy: by reading, or by
 * writing. */
static void
check_busy(const char *image, const char *dir, const char *node)
{
	static const int flags[] = { O_RDONLY, O_WRONLY };
	size_t i;

	for (i = 0; i < ARRAY_LEN(flags); i++) {
		AUTO_FREE char *path = base_printf("%s/late%zu", dir, i);
		AUTO_FREE char *raw = NULL;
		struct layout l;
		struct err e = { 0 };
		int fd;

		CHECK(i, mount(node, dir, "ext4", 0, NULL) == 0);
		CHECK(i, file_write(path, "late", 4, 0644, &e) == 0);
		fd = open(path, flags[i] | O_CLOEXEC);
		CHECK(i, layout_plain(&l, dir, node, &e) == 0);
		CHECK_SHOW(i, layout_sync(&l, &e) == 0, "%s", e.text);
		CHECK_SHOW(i, layout_leave(&l, &e) == 0, "%s", e.text);
		raw = read_raw(image, path + strlen(dir));
		CHECK_SHOW(i, str_eq(raw, "late"), "%s", raw);
		close(fd);
		umount2(dir, 0);
		layout_clear(&l);
	}
}

/* A disk that takes no more bytes says so only to who asks. */
static void
check_full(const char *dir)
{
	AUTO_FREE char *small = base_printf("%s/small", top);
	AUTO_FREE char *image = base_printf("%s/disk", small);
	AUTO_FREE char *big = base_printf("%s/big", dir);
	AUTO_FREE char *bytes = base_alloc(4 << 20);
	const char *const attach[] = { "losetup", "-f", "--show", image, NULL };
	AUTO_FREE char *node = NULL;
	struct layout l;
	struct err e = { 0 };

	CHECK(0, dir_make(small, 0700, &e) == 0 &&
			 mount("tmpfs", small, "tmpfs", 0, "size=3m") == 0);
	CHECK(0, ok("truncate", "-s", "16M", image) &&
			 ok("mkfs.ext4", "-q", "-F", image));
	node = said(attach);
	CHECK(0, mount(node, dir, "ext4", 0, NULL) == 0);
	CHECK(0, layout_plain(&l, dir, node, &e) == 0);
	memset(bytes, 'x', 4 << 20);
	CHECK_SHOW(0, file_write(big, bytes, 4 << 20, 0644, &e) == 0, "%s",
		   e.text);
	sync();
	CHECK_SHOW(0,
		   layout_sync(&l, &e) < 0 &&
			   strstr(e.text, "not all that was written"),
		   "%s", e.text);
	layout_clear(&l);
	umount2(dir, MNT_DETACH);
	ok("losetup", "-d", node, NULL);
	umount2(small, MNT_DETACH);
}

static void
check_local(const char *image, const char *node)
{
	AUTO_FREE char *before = hash_of(image);
	AUTO_FREE char *after = NULL;
	struct err e = { 0 };

	/* found: what fails is only that its kernel is none */
	CHECK_SHOW(0,
		   kexec_load_local("m7", NULL, "", &e) < 0 &&
			   strstr(e.text, "kexec"),
		   "%s", e.text);
	CHECK_SHOW(0,
		   kexec_load_local("m8", NULL, "", &e) < 0 &&
			   strstr(e.text, "0 disks hold"),
		   "%s", e.text);
	CHECK_SHOW(0,
		   kexec_load_local("m7", "other", "", &e) < 0 &&
			   strstr(e.text, " named like other"),
		   "%s", e.text);
	ok("blockdev", "--flushbufs", node, NULL);
	after = hash_of(image);
	CHECK_SHOW(0, strlen(before) > 64 && str_eq(before, after), "%s %s",
		   before, after);
}

static void
check_cut(const char *cut)
{
	const char *const attach[] = { "losetup", "-f", "--show", cut, NULL };
	const char *const features[] = { "dumpe2fs", "-h", cut, NULL };
	AUTO_FREE char *node = said(attach);
	AUTO_FREE char *header = said(features);

	CHECK(1, strstr(header, "needs_recovery") != NULL);
	check_local(cut, node);
	ok("losetup", "-d", node, NULL);
}

/* The same of a disk with versions. */
static void
check_versions(const char *dir)
{
	AUTO_FREE char *image = base_printf("%s/versions", top);
	AUTO_FREE char *node = make_disk(image, dir, true);
	AUTO_FREE char *root = top_root(dir, "V1");
	struct boot_entry b;
	struct err e = { 0 };

	CHECK(0, node != NULL);
	if (!node)
		return;
	CHECK_SHOW(
		1,
		boot_read_version(dir, "V1", "u-u", NULL, &b, &e) == 0 &&
			str_eq(b.kernel, "/edeploy/roots/V1/boot/vmlinuz-1") &&
			str_eq(b.args, "root=UUID=u-u init=/edeploy/init "
				       "edeploy.root=V1 quiet"),
		"%s", e.text);
	boot_entry_clear(&b);
	CHECK(2, boot_read_version(dir, "V2", "u-u", NULL, &b, &e) < 0);
	boot_entry_clear(&b);
	umount2(dir, 0);
	check_local(image, node);
	ok("losetup", "-d", node, NULL);
}

static bool
has_entry(const char *dir)
{
	struct boot_entry b;
	struct err ignored;
	int bad = boot_read_entry(dir, NULL, &b, &ignored);

	boot_entry_clear(&b);
	return bad == 0;
}

/* What GRUB reads, and what our programs read, until all is there. */
static void
check_held(const char *dir)
{
	static const char path[] = "/boot/grub/grub.cfg";
	AUTO_FREE char *image = base_printf("%s/held", top);
	AUTO_FREE char *node = make_disk(image, dir, false);
	AUTO_FREE char *cfg = base_printf("%s%s", dir, path);
	AUTO_FREE char *held = base_printf("%s" BOOT_HELD, cfg);
	AUTO_FREE char *notes = base_printf("%s/notes", dir);
	AUTO_FREE char *early = NULL;
	AUTO_FREE char *late = NULL;
	AUTO_FREE char *noted = NULL;
	struct layout l;
	struct err e = { 0 };

	CHECK(0, node && layout_plain(&l, dir, node, &e) == 0);
	if (!node)
		return;
	CHECK_SHOW(1, boot_name(&l, &e) < 0 && strstr(e.text, "no grub.cfg"),
		   "%s", e.text);
	CHECK_SHOW(2, boot_hold(cfg, &e) == 0 && !has_entry(dir), "%s", e.text);
	CHECK_SHOW(3, boot_cover(&l, &e) == 0 && has_entry(dir), "%s", e.text);
	CHECK_SHOW(4, boot_uncover(&l, &e) == 0 && !has_entry(dir), "%s",
		   e.text);
	CHECK(5, layout_flush(&l, &e) == 0);
	early = read_raw(image, path);
	CHECK_SHOW(6, strstr(early, "was not installed to the end"), "%s",
		   early);
	CHECK(7, file_write(notes, "all", 3, 0644, &e) == 0);
	/* mounted all the time: GRUB does not wait for a clean way down */
	CHECK_SHOW(8, boot_name(&l, &e) == 0, "%s", e.text);
	late = read_raw(image, path);
	noted = read_raw(image, "/notes");
	CHECK_SHOW(9, str_eq(late, by_entry), "%s", late);
	CHECK_SHOW(10, str_eq(noted, "all"), "%s", noted);
	CHECK(11, !file_exists(held) && has_entry(dir));
	layout_clear(&l);
	umount2(dir, 0);
	ok("losetup", "-d", node, NULL);
}

int
main(void)
{
	AUTO_FREE char *image = NULL;
	AUTO_FREE char *cut = NULL;
	AUTO_FREE char *dir = NULL;
	AUTO_FREE char *node = NULL;

	if (geteuid() != 0 || access("/dev/loop-control", W_OK) < 0) {
		printf("1..0 # SKIP needs root and loop devices\n");
		return 0;
	}
	if (!mkdtemp(top))
		return 1;
	image = base_printf("%s/disk", top);
	cut = base_printf("%s/cut", top);
	dir = base_printf("%s/mnt", top);
	node = make_disk(image, dir, false);
	CHECK(0, node != NULL);
	if (node) {
		/* a copy while it is mounted: what a power cut leaves */
		sync();
		CHECK(0, ok("cp", image, cut, NULL));
		check_layout(dir, node);
		check_busy(image, dir, node);
		check_full(dir);
		check_local(image, node);
		ok("losetup", "-d", node, NULL);
		check_cut(cut);
		check_versions(dir);
		check_held(dir);
	}
	ok("rm", "-rf", top, NULL);
	return test_end();
}
