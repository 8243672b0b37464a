/* The disk of an installed machine is found by what an earlier run wrote on
 * it, and looking leaves every byte as it was, also when its journal waits to
 * be replayed. Needs root and a loop device. */
#include <stdio.h>
#include <sys/mount.h>

#include "agent/kexec.h"
#include "agent/layout.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "lib/text.h"
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

/* An image with a file system, and the conf of machine m7 in it. Its node,
 * owned, or NULL. */
static char *
make_disk(const char *image, const char *dir)
{
	const char *const attach[] = { "losetup", "-f", "--show", image, NULL };
	AUTO_FREE char *conf = base_printf("%s/var/lib/edeploy/conf", dir);
	AUTO_FREE char *cfg = base_printf("%s/boot/grub/grub.cfg", dir);
	AUTO_FREE char *kernel = base_printf("%s/boot/k", dir);
	static const char text[] = "VERS=1\nMACHINE=m7\n";
	static const char entry[] = "linux /boot/k root=x\n}\n";
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
			   strstr(e.text, "grub.cfg"),
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
	node = make_disk(image, dir);
	CHECK(0, node != NULL);
	if (node) {
		/* a copy while it is mounted: what a power cut leaves */
		sync();
		CHECK(0, ok("cp", image, cut, NULL));
		check_layout(dir, node);
		check_local(image, node);
		ok("losetup", "-d", node, NULL);
		check_cut(cut);
	}
	ok("rm", "-rf", top, NULL);
	return test_end();
}
