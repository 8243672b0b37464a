/* Scripts that write real block devices: loop devices, so root only. What is
 * refused must leave every byte as it was; what is written must be found by
 * the next run of the same machine, and by it alone. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/proc.h"

#include "agent/fs.h"
#include "agent/guard_use.h"
#include "agent/script.h"
#include "tests/test.h"

#define IMAGE_BYTES (96L << 20)

static char dir[] = "/tmp/edeploy-disk-XXXXXX";
static char *image, *chroot_dir, *post;
static char *loop; /* /dev/loop7 */
static struct buf said;

static void
say(void *ctx, const char *line)
{
	(void)ctx;
	buf_printf(&said, "%s\n", line);
}

static void
phase(void *ctx, const char *name)
{
	(void)ctx;
	buf_printf(&said, "phase %s\n", name);
}

static int
shell(const char *command, struct err *e)
{
	AUTO_FREE char *text = base_printf(
		"export PATH=$PATH:/sbin:/usr/sbin; d=%s; %s", loop, command);
	const char *argv[] = { "/bin/sh", "-ec", text, NULL };

	return proc_ok(argv, NULL, e);
}

static int
run_as(const char *identity, const char *text, struct script_result *r,
       struct err *e)
{
	const struct script_env env = { .identity = identity,
					.chroot = chroot_dir,
					.post_rsync = post,
					.sys_root = "",
					.say = say,
					.phase = phase };
	AUTO_FREE char *all = base_printf("local d, c = '%s', '%s'\n%s", loop,
					  chroot_dir, text);

	said.len = 0;
	buf_str(&said, "");
	return script_run(&env, "vm.configure", all, strlen(all), r, e);
}

static void
hash_disk(char out[HASH_HEX])
{
	AUTO_FREE char *bytes = NULL;
	struct err e = { 0 };
	size_t len = 0;

	sync();
	strcpy(out, "unread");
	if (file_read(loop, IMAGE_BYTES, &bytes, &len, &e) == 0)
		hash_hex(bytes, len, out);
}

/* ---- a loop device of our own ---- */

static int
attach(struct err *e)
{
	const char *argv[] = { "losetup", "-f", "--show", image, NULL };
	struct proc p;
	char line[64];
	int bad;

	if (truncate(image, 0) < 0 || truncate(image, IMAGE_BYTES) < 0)
		return err_sys(e, "%s", image);
	bad = proc_run(argv, NULL, &p, e);
	if (!bad && p.status == 0)
		loop = base_strdup(proc_last_line(&p, line, sizeof(line)));
	proc_clear(&p);
	return loop ? 0 : -1;
}

static void
detach(void)
{
	struct err e = { 0 };

	if (loop)
		shell("partx -d $d 2>/dev/null || true; losetup -d $d", &e);
	free(loop);
	loop = NULL;
}

/* An empty disk again, without the kernel's partitions. */
static int
blank(struct err *e)
{
	return shell("partx -d $d 2>/dev/null || true; "
		     "dd if=/dev/zero of=$d bs=1M status=none 2>/dev/null "
		     "|| true; sync",
		     e);
}

/* ---- the whole way, twice, then by a stranger ---- */

#define LAYOUT(wipe)                                                           \
	"disk.label(d, 'gpt'" wipe ")\n"                                       \
	"disk.partition(d, {size = '1M', type = 'bios'})\n"                    \
	"local swap = disk.partition(d, {size = '16M', type = 'swap'})\n"      \
	"local root = disk.partition(d, {size = 'rest', name = 'root'})\n"     \
	"log(swap .. ' ' .. root)\n"                                           \
	"disk.format(swap, 'swap', {label = 'swap'})\n"                        \
	"disk.format(root, 'ext4', {label = 'root', options = {'-m', '0'}})\n" \
	"disk.mount(root, '/', {options = 'noatime'})\n"                       \
	"disk.swap(swap)\n"                                                    \
	"io.open('"                                                            \
	"%s"                                                                   \
	"/marker', 'w'):write('x'):close()\n"                                  \
	"set_role('mysql', 'D12-F.1.0.0', d)\n"

static void
check_mounts(const struct script_result *r)
{
	AUTO_FREE char *p2 = base_printf("%sp2", loop);
	AUTO_FREE char *p3 = base_printf("%sp3", loop);

	CHECK(0, str_eq(r->role, "mysql") && str_eq(r->version, "D12-F.1.0.0"));
	CHECK(0, str_eq(r->disk, loop));
	CHECK(0, r->mounts_len == 2);
	if (r->mounts_len != 2)
		return;
	CHECK(0, str_eq(r->mounts[0].node, p3) &&
			 str_eq(r->mounts[0].where, "/") &&
			 str_eq(r->mounts[0].fstype, "ext4") &&
			 str_eq(r->mounts[0].options, "noatime"));
	CHECK(0, r->mounts[0].uuid &&
			 mark_uuid_ours("m1 test", r->mounts[0].uuid));
	CHECK(0, str_eq(r->mounts[1].node, p2) &&
			 str_eq(r->mounts[1].where, "none") &&
			 str_eq(r->mounts[1].fstype, "swap") &&
			 str_eq(r->mounts[1].options, "defaults"));
	CHECK(0, r->mounts[1].uuid &&
			 mark_uuid_ours("m1 test", r->mounts[1].uuid));
}

static void
test_whole_way(void)
{
	AUTO_FREE char *text = base_printf(LAYOUT(""), chroot_dir);
	AUTO_FREE char *wipe =
		base_printf(LAYOUT(", {wipe = 'any'}"), chroot_dir);
	AUTO_FREE char *marker = base_printf("%s/marker", chroot_dir);
	char before[HASH_HEX], after[HASH_HEX];
	struct script_result r;
	struct err e = { 0 };
	int i;

	CHECK_SHOW(0, blank(&e) == 0, "%s", e.text);
	/* the second run meets what the first one left */
	for (i = 0; i < 2; i++) {
		CHECK_SHOW(i, run_as("m1 test", text, &r, &e) == 0, "%s\n%s",
			   e.text, buf_text(&said));
		CHECK(i, strstr(buf_text(&said), "phase disks\n") != NULL);
		check_mounts(&r);
		CHECK(i, file_exists(marker));
		CHECK_SHOW(i,
			   shell("e2fsck -fn ${d}p3 || test $? = 4", &e) == 0,
			   "%s", e.text);
		script_result_clear(&r);
		CHECK_SHOW(i, fs_umount(chroot_dir, &e) == 0, "%s", e.text);
	}
	/* sfdisk and sgdisk's view: the table is whole, both headers */
	CHECK_SHOW(0, shell("sfdisk --verify $d", &e) == 0, "%s", e.text);
	/* another machine with that disk stops */
	hash_disk(before);
	CHECK(0, run_as("m2 other", text, &r, &e) < 0 && e.kind == ERR_REFUSED);
	CHECK_SHOW(0, strstr(e.text, "not left by eDeploy on this machine"),
		   "%s", e.text);
	CHECK_SHOW(0, r.failure.line == 2, "line %d", r.failure.line);
	script_result_clear(&r);
	hash_disk(after);
	CHECK(0, strcmp(before, after) == 0);
	/* unless it may */
	CHECK_SHOW(0, run_as("m2 other", wipe, &r, &e) == 0, "%s", e.text);
	script_result_clear(&r);
	CHECK(0, fs_umount(chroot_dir, &e) == 0);
	/* an identity that nobody gave knows only its own run */
	CHECK(0, run_as("", text, &r, &e) < 0 && e.kind == ERR_REFUSED);
	script_result_clear(&r);
	CHECK(0, blank(&e) == 0);
	CHECK_SHOW(0, run_as(NULL, text, &r, &e) == 0, "%s", e.text);
	script_result_clear(&r);
	CHECK(0, fs_umount(chroot_dir, &e) == 0);
}

/* ---- refused: why, and not a byte changed ---- */

static const struct {
	const char *prepare; /* shell, on an empty disk */
	const char *layout;  /* script that runs well as m1 before, or NULL */
	const char *text, *why;
	int line; /* of `text` */
} refused[] = {
	{ "mkfs.ext4 -q -F -L data $d", NULL, "disk.label(d)",
	  "ext4 file system 'data'", 1 },
	{ "mkfs.ext4 -q -F -L data $d", NULL, "\ndisk.format(d, 'ext4')",
	  "ext4 file system 'data'", 2 },
	{ "echo 'label: gpt' | sfdisk -q $d", NULL, "disk.label(d, 'msdos')",
	  "gpt partition table", 1 },
	{ "echo 'label: dos' | sfdisk -q $d", NULL, "disk.label(d)",
	  "dos partition table", 1 },
	{ "mkswap -q $d", NULL, "disk.label(d)", "swap area", 1 },
	/* ours, with a stranger in it */
	{ NULL,
	  "disk.label(d) local p = disk.partition(d, {size='rest'})\n"
	  "run('mkfs.ext4 -q -F -L mine %s', p) boot_local()",
	  "disk.label(d)", "ext4 file system 'mine' on loop", 1 },
	/* a stranger's partition: also its table counts */
	{ "printf 'label: gpt\\n,\\n' | sfdisk -q $d; partx -a $d || true",
	  NULL, "disk.format(d .. 'p1', 'ext4')",
	  "gpt partition table around it", 1 },
	/* in use */
	{ NULL,
	  "disk.label(d) local p = disk.partition(d, {})\n"
	  "disk.format(p, 'ext4') disk.mount(p, '/') boot_local()",
	  "disk.label(d, 'gpt', {wipe='any'})", "is in use: mounted at ", 1 },
	/* words in the wrong place */
	{ NULL, NULL, "disk.partition(d, {size='rest'})", "disk.label(", 1 },
	{ NULL, NULL, "disk.mount(d, '/')", "disk.format comes first", 1 },
	{ NULL, NULL, "disk.format(d, 'ntfs')", "is none of", 1 },
	{ NULL, NULL, "disk.format(d, 'ext4', {label='12345678901234567'})",
	  "longer than the 16 bytes", 1 },
	{ NULL, NULL, "disk.label(d, 'gpt', {wipe='all'})", "wipe is 'any'",
	  1 },
	{ NULL, NULL, "disk.label(d, 'bsd')", "'gpt' or 'msdos'", 1 },
	{ NULL, NULL, "disk.uuid('raid')", "invalid option 'raid'", 1 },
	{ NULL, NULL, "disk.format(d, 'ext4', {lable='x'})",
	  "no option 'lable'", 1 },
};

static int
prepare(size_t i, struct err *e)
{
	struct script_result r;
	int bad;

	if (blank(e) < 0)
		return -1;
	if (refused[i].prepare)
		return shell(refused[i].prepare, e);
	if (!refused[i].layout)
		return 0;
	bad = run_as("m1 test", refused[i].layout, &r, e);
	script_result_clear(&r);
	return bad;
}

static void
test_refused(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(refused); i++) {
		char before[HASH_HEX], after[HASH_HEX];
		struct script_result r;
		struct err e = { 0 }, ignored;

		CHECK_SHOW(i, prepare(i, &e) == 0, "%s", e.text);
		hash_disk(before);
		CHECK(i, run_as("m1 test", refused[i].text, &r, &e) < 0);
		CHECK_SHOW(i, strstr(e.text, refused[i].why), "%s", e.text);
		CHECK_SHOW(i, strstr(e.text, "vm.configure:"), "%s", e.text);
		/* one line is the test's own */
		CHECK_SHOW(i, r.failure.line == refused[i].line + 1, "line %d",
			   r.failure.line);
		script_result_clear(&r);
		hash_disk(after);
		CHECK(i, strcmp(before, after) == 0);
		CHECK(i, !strstr(buf_text(&said), "phase disks"));
		fs_umount(chroot_dir, &ignored);
	}
}

/* ---- the boot loader's disk ---- */

static const struct {
	const char *prepare, *text;
	const char *why; /* NULL: accepted */
} boots[] = {
	/* nothing of the new system is there */
	{ "mkfs.ext4 -q -F -L data $d", "set_role('a', '1', d)",
	  "ext4 file system 'data' and nothing of" },
	{ "echo 'label: gpt' | sfdisk -q $d", "set_role('a', '1', d)",
	  "gpt partition table" },
	/* prepared by commands of the script's own */
	{ NULL,
	  "run('printf \"label: dos\\n,\\n\" | sfdisk -q %s; "
	  "partx -a %s || true', d, d)\n"
	  "run('mkfs.ext4 -q -F -L mine %sp1', d)\n"
	  "run('mount %sp1 %s', d, c)\n"
	  "set_role('a', '1', d)",
	  NULL },
	/* empty, or this machine's */
	{ NULL, "set_role('a', '1', d)", NULL },
	{ NULL, "disk.label(d) set_role('a', '1', d)", NULL },
};

/* A node by another name, as LVM makes them without udev. */
static void
check_other_name(void)
{
	AUTO_FREE char *alias = base_printf("%s/alias", dir);
	struct stat st;

	CHECK(0, stat(loop, &st) == 0 &&
			 mknod(alias, S_IFBLK | 0600, st.st_rdev) == 0);
	CHECK(0, guard_stands_on(alias, loop));
	CHECK(0, guard_stands_on(loop, alias));
	CHECK(0, !guard_stands_on(image, loop) &&
			 !guard_stands_on("/dev/null", loop));
	unlink(alias);
}

static void
test_boot_disk(void)
{
	size_t i;

	check_other_name();
	for (i = 0; i < ARRAY_LEN(boots); i++) {
		struct script_result r;
		struct err e = { 0 }, ignored;
		int bad;

		CHECK_SHOW(i, blank(&e) == 0, "%s", e.text);
		if (boots[i].prepare)
			CHECK_SHOW(i, shell(boots[i].prepare, &e) == 0, "%s",
				   e.text);
		bad = run_as("m1 test", boots[i].text, &r, &e);
		CHECK_SHOW(i, (bad < 0) == (boots[i].why != NULL), "%s",
			   e.text);
		CHECK_SHOW(i, !bad || strstr(e.text, boots[i].why), "%s",
			   e.text);
		script_result_clear(&r);
		fs_umount(chroot_dir, &ignored);
	}
}

/* An initrd without the program: said before what is there is erased. */
static void
test_no_program(void)
{
	AUTO_FREE char *path = base_strdup(getenv("PATH"));
	char before[HASH_HEX], after[HASH_HEX];
	struct script_result r;
	struct err e = { 0 };

	CHECK(0, blank(&e) == 0 && shell("mkfs.ext4 -q -F $d", &e) == 0);
	hash_disk(before);
	setenv("PATH", ":/nowhere", 1);
	CHECK(0, run_as("m1 test", "disk.format(d, 'ext4', {wipe='any'})", &r,
			&e) < 0);
	setenv("PATH", path, 1);
	CHECK_SHOW(0, strstr(e.text, "mkfs.ext4 is not in this initrd"), "%s",
		   e.text);
	script_result_clear(&r);
	hash_disk(after);
	CHECK(0, strcmp(before, after) == 0);
}

/* ---- other good layouts ---- */

static const struct {
	const char *text;
	const char *check; /* shell */
} layouts[] = {
	{ "disk.label(d, 'msdos')\n"
	  "local p = disk.partition(d, {size = '50%', boot = true})\n"
	  "assert(p == d .. 'p1')\n"
	  "disk.format(p, 'ext4') boot_local()",
	  "sfdisk --dump $d | grep -q bootable; "
	  "blkid -p -s TYPE -o value ${d}p1 | grep -qx ext4" },
	{ "disk.label(d)\n"
	  "local p = disk.partition(d, {size = '40M', type = 'esp'})\n"
	  "local id = disk.format(p, 'vfat', {label = 'EFI'})\n"
	  "assert(#id == 8) boot_local()",
	  "blkid -p ${d}p1 | grep -q 'TYPE=\"vfat\"'" },
	{ "disk.format(d, 'ext3', {label = 'whole'}) boot_local()",
	  "blkid -p $d | grep -q 'LABEL=\"whole\"'" },
	{ "disk.format(d, 'ext4', "
	  "{uuid = '01234567-89ab-cdef-0123-456789abcdef'}) boot_local()",
	  "blkid -p $d | grep -q 01234567-89ab-cdef-0123-456789abcdef" },
	{ "assert(#disk.uuid() == 36 and disk.uuid() ~= disk.uuid())\n"
	  "assert(#disk.uuid('lvm') == 38) boot_local()",
	  "true" },
	{ "disk.format(d, 'swap', {label = 'sw'}) boot_local()",
	  "swaplabel $d | grep -q sw" },
	/* wipe='any' leaves nothing of what was there */
	{ "run('mkfs.ext4 -q -F -L old -E offset=1048576 %s 20m', d)\n"
	  "disk.label(d, 'gpt', {wipe = 'any'})\n"
	  "local p = disk.partition(d, {size = 'rest'}) boot_local()",
	  "! blkid -p ${d}p1 | grep -q ext4" },
	/* a failing command unmounts what was mounted */
	{ "disk.label(d) local p = disk.partition(d, {})\n"
	  "disk.format(p, 'ext4') disk.mount(p, '/')\n"
	  "pcall(disk.mount, p, '/') boot_local()",
	  "true" },
};

static void
test_layouts(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(layouts); i++) {
		struct script_result r;
		struct err e = { 0 }, ignored;

		CHECK_SHOW(i, blank(&e) == 0, "%s", e.text);
		CHECK_SHOW(i, run_as("m1 test", layouts[i].text, &r, &e) == 0,
			   "%s", e.text);
		CHECK_SHOW(i, shell(layouts[i].check, &e) == 0, "%s", e.text);
		script_result_clear(&r);
		fs_umount(chroot_dir, &ignored);
	}
}

/* What a file system of ours held (here: images of machines) is no stranger
 * to the next run, wherever it shows up; on a disk that only looks empty the
 * same bytes stop it. */
static void
test_places(void)
{
	static const char first[] =
		"disk.label(d) local p = disk.partition(d, {})\n"
		"disk.format(p, 'ext4')\n"
		"run('mkfs.ext4 -q -F -L vm1 -E offset=2097152 %s 8m', d)\n"
		"run('mkfs.ext4 -q -F -L vm2 -E offset=18874368 %s 8m', d)\n"
		"boot_local()";
	static const char next[] =
		"disk.label(d) disk.partition(d, {size='1M', type='bios'})\n"
		"disk.format(disk.partition(d, {size = '16M'}), 'ext4')\n"
		"disk.format(disk.partition(d, {size = 'rest'}), 'ext4')\n"
		"boot_local()";
	struct script_result r;
	struct err e = { 0 };

	CHECK(0, blank(&e) == 0);
	CHECK_SHOW(0, run_as("m1 test", first, &r, &e) == 0, "%s", e.text);
	script_result_clear(&r);
	CHECK_SHOW(0, run_as("m1 test", next, &r, &e) == 0, "%s", e.text);
	script_result_clear(&r);
	CHECK(0, blank(&e) == 0);
	CHECK_SHOW(0,
		   shell("mkfs.ext4 -q -F -L old -E offset=18874368 $d 8m",
			 &e) == 0,
		   "%s", e.text);
	CHECK(0, run_as("m1 test", next, &r, &e) < 0);
	CHECK_SHOW(0, strstr(e.text, "ext4 file system 'old'"), "%s", e.text);
	script_result_clear(&r);
	CHECK_SHOW(0, shell("blkid -p -O 18874368 $d | grep -q old", &e) == 0,
		   "%s", e.text);
}

/* What was mounted is not left behind by a script that fails. */
static void
test_unmounts(void)
{
	struct script_result r;
	struct err e = { 0 };

	CHECK(0, blank(&e) == 0);
	CHECK(0, run_as("m1 test",
			"disk.format(d, 'ext4') disk.mount(d, '/')\n"
			"run('exit 3')",
			&r, &e) < 0);
	CHECK_SHOW(0, r.failure.status == 3 && r.failure.line == 3,
		   "status %d line %d", r.failure.status, r.failure.line);
	script_result_clear(&r);
	CHECK_SHOW(0, shell("! grep -q \"$d \" /proc/mounts", &e) == 0, "%s",
		   e.text);
}

/* ---- the example, as it is delivered ---- */

static const struct {
	const char *path, *want;
} example_files[] = {
	{ "/etc/hostname", "host3\n" },
	{ "/etc/hosts", "127.0.0.1\tlocalhost\n192.168.122.3\thost3\n" },
	{ "/etc/systemd/network/10-eth0.link",
	  "[Match]\nMACAddress=52:54:00:aa:00:01\nType=ether\n\n[Link]\n"
	  "Name=eth0\n" },
	{ "/etc/network/interfaces",
	  "auto lo\niface lo inet loopback\n\nauto eth0\n"
	  "iface eth0 inet static\n\taddress 192.168.122.3\n"
	  "\tnetmask 255.255.255.0\n\tgateway 192.168.122.1\n" },
};

static void
test_example(void)
{
	AUTO_FREE char *script = NULL, *text = NULL;
	struct script_result r;
	struct err e = { 0 };
	size_t i;

	CHECK_SHOW(0, blank(&e) == 0, "%s", e.text);
	CHECK_SHOW(0, file_read(EXAMPLE, 65536, &script, NULL, &e) == 0, "%s",
		   e.text);
	text = base_printf("var = {disk = d, eth = 'eth0', "
			   "mac = '52:54:00:aa:00:01', hostname = 'host3', "
			   "ip = '192.168.122.3', netmask = '255.255.255.0', "
			   "gateway = '192.168.122.1', "
			   "root_password = '$6$salt$hash'}\n%s",
			   script ? script : "");
	CHECK_SHOW(0, run_as("m1 test", text, &r, &e) == 0, "%s", e.text);
	CHECK(0, str_eq(r.role, "mysql") && str_eq(r.disk, loop));
	CHECK(0, str_eq(r.passwords, "root:$6$salt$hash\n"));
	CHECK(0, r.mounts_len == 1);
	for (i = 0; i < ARRAY_LEN(example_files); i++) {
		AUTO_FREE char *path =
			base_printf("%s%s", post, example_files[i].path);
		AUTO_FREE char *got = NULL;

		CHECK_SHOW(i,
			   file_read(path, 4096, &got, NULL, &e) == 0 &&
				   str_eq(got, example_files[i].want),
			   "%s", got ? got : e.text);
	}
	script_result_clear(&r);
	CHECK_SHOW(0, fs_umount(chroot_dir, &e) == 0, "%s", e.text);
}

int
main(void)
{
	const char *const clean[] = { "rm", "-rf", dir, NULL };
	struct err e = { 0 };

	if (!mkdtemp(dir))
		return 99;
	image = base_printf("%s/disk", dir);
	chroot_dir = base_printf("%s/chroot", dir);
	post = base_printf("%s/post_rsync", dir);
	CHECK(0, file_write(image, "", 0, 0600, &e) == 0);
	CHECK(0, dir_make(chroot_dir, 0755, &e) == 0);
	if (attach(&e) < 0) {
		printf("ok %d - loop device # SKIP there is none: needs root\n",
		       ++test_count);
	} else {
		test_whole_way();
		test_refused();
		test_boot_disk();
		test_no_program();
		test_layouts();
		test_places();
		test_unmounts();
		test_example();
		detach();
	}
	CHECK(0, proc_ok(clean, NULL, &e) == 0);
	buf_clear(&said);
	free(image);
	free(chroot_dir);
	free(post);
	return test_end();
}
