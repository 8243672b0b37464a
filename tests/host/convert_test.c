/* A plain host becomes one with versions, on an ext4 of its own that is "/" of
 * a name space: stopped before each step, then whole; and what its next boot
 * would find. */
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include "lib/mounts.h"

#include "roots/classes.h"
#include "roots/grub.h"
#include "roots/live.h"
#include "roots/state.h"

#include "host/convert.h"

#include "tests/roots/lab.h"

static char image[] = "/tmp/edeploy-convert-XXXXXX";

/* ---- may it be: mounts as text ---- */

#define ROOT "20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
#define MOUNT(where) "30 20 8:2 / " where " rw shared:2 - ext4 /dev/sda2 rw\n"

static const struct {
	const char *what, *text, *says; /* NULL: it may */
} mounts[] = {
	{ "one partition", ROOT, NULL },
	{ "the kernel's", ROOT MOUNT("/proc") MOUNT("/dev/shm") MOUNT("/run"),
	  NULL },
	{ "state apart", ROOT MOUNT("/home") MOUNT("/srv/db") MOUNT("/var/log"),
	  NULL },
	{ "an ESP", ROOT MOUNT("/boot/efi"), NULL },
	{ "somebody's disk", ROOT MOUNT("/mnt/usb") MOUNT("/media/x"), NULL },
	{ "/boot", ROOT MOUNT("/boot"), "/boot is a file system of its own" },
	{ "/usr", ROOT MOUNT("/usr"), "/usr is a file system" },
	{ "/etc/x", ROOT MOUNT("/etc/x"), "/etc/x is a file system" },
	{ "/var", ROOT MOUNT("/var"), "its own /var/" },
	{ "/var/lib", ROOT MOUNT("/var/lib"), "its own /var/lib/" },
	{ "/var/lib/dpkg", ROOT MOUNT("/var/lib/dpkg"), "/var/lib/dpkg" },
	{ "xfs", "20 1 8:1 / / rw - xfs /dev/sda1 rw\n", "/ is xfs" },
	{ "no partition", "20 1 253:0 / / rw - ext4 /dev/mapper/a rw\n",
	  "no partition" },
	{ "RAID's partition", "20 1 259:1 / / rw - ext4 /dev/md0p1 rw\n",
	  "no partition" },
	{ "a folder of it", "20 1 8:1 /a / rw - ext4 /dev/sda1 rw\n",
	  "not the top" },
	{ "converted", "20 1 8:1 /edeploy/roots/V / rw - ext4 /dev/sda1 rw\n",
	  "not the top" },
	{ "nothing", "", "not mounted" },
};

static void
link_block(const char *sys, const char *number, const char *path, bool part)
{
	AUTO_FREE char *real = base_printf("%s/devices/%s", sys, path);
	AUTO_FREE char *file =
		base_printf("devices/%s/%s", path, part ? "partition" : "size");
	AUTO_FREE char *link = base_printf("%s/dev/block/%s", sys, number);

	lab_file(sys, file, "1");
	lab_file(sys, "dev/block/.x", "");
	if (symlink(real, link) < 0)
		lab_bail("%s", link);
}

static void
test_mounts(void)
{
	AUTO_CLEAR(classes) c = { 0 };
	size_t i;

	classes_default(&c);
	link_block("/run/sys", "8:1", "pci/sda/sda1", true);
	link_block("/run/sys", "253:0", "virtual/dm-0", false);
	link_block("/run/sys", "259:1", "virtual/md0/md0p1", true);
	for (i = 0; i < ARRAY_LEN(mounts); i++) {
		AUTO_CLEAR(mounts) m = { .text = base_strdup(mounts[i].text) };
		AUTO_FREE char *why = NULL;

		mounts_parse(&m, m.text);
		why = convert_unfit(&m, &c, "/run/sys");
		CHECK_SHOW(i,
			   mounts[i].says ? why && strstr(why, mounts[i].says)
					  : !why,
			   "%s: %s", mounts[i].what, why ? why : "it may");
	}
}

/* ---- a plain host ---- */

static void
put_cfg(void)
{
	AUTO_CLEAR(buf) text = { 0 };
	int i;

	for (i = 0; i < 60; i++)
		buf_printf(&text, "# line %d of the old menu\n", i);
	lab_file("", "/boot/grub/grub.cfg", buf_text(&text));
}

static void
make_plain(const char *top)
{
	AUTO_FREE char *setuid = base_printf("%s/usr/bin/su", top);
	AUTO_FREE char *link = base_printf("%s/usr/bin/sh", top);
	AUTO_FREE char *tmp = base_printf("%s/tmp", top);
	AUTO_FREE char *pipe = base_printf("%s/home/pipe", top);
	AUTO_FREE char *kernel = NULL;
	AUTO_FREE char *initrd = NULL;
	struct utsname u;

	uname(&u);
	kernel = base_printf("boot/vmlinuz-%s", u.release);
	initrd = base_printf("boot/initrd.img-%s", u.release);
	lab_mount(top, image);
	lab_file(top, "sbin/init", "#!");
	lab_file(top, kernel, "kernel");
	lab_file(top, initrd, "initrd");
	lab_file(top, "usr/bin/su", "su");
	lab_file(top, "etc/hostname", "host");
	lab_file(top, "etc/a b/c", "deep");
	lab_file(top, "var/lib/dpkg/status", "packages");
	lab_file(top, "var/lib/mysql/rows", "rows");
	lab_file(top, "home/me/letter", "dear");
	lab_file(top, "usr/local/bin/own", "own");
	lab_file(top, "root/.profile", "");
	lab_file(top, "tmp/x", "");
	lab_file(top, "var/lib/edeploy/tree/seal", "sealed");
	lab_file(top, "data/db/rows", "rows");
	lab_file(top, "with blank/f", "f");
	lab_file(top, "swapfile", "pages");
	lab_file(top, "mnt/x", "hidden");
	if (chmod(tmp, 01777) < 0 || chmod(setuid, 04755) < 0 ||
	    symlink("dash", link) < 0 || mkfifo(pipe, 0600) < 0)
		lab_bail("special files");
	lab_specials(top);
	if (chdir(top) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		lab_bail("pivot: %s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		lab_bail("shared");
}

/* The loop device plays a partition. */
static void
make_disk(void)
{
	struct stat st;
	AUTO_FREE char *number = NULL;

	if (stat("/", &st) < 0)
		lab_bail("/");
	number = base_printf("%u:%u", major(st.st_dev), minor(st.st_dev));
	link_block("/run/sys", number, "pci/vda/vda1", true);
	if (mknod("/dev/vda1", S_IFBLK | 0600, st.st_dev) < 0)
		lab_bail("mknod");
}

/* As what it was published: no /data, no /mnt. */
static int
published(void *ctx, const char *folder, struct manifest **tree, struct err *e)
{
	static const char *const dirs[] = { ".",    "boot", "dev",  "etc",
					    "home", "proc", "root", "run",
					    "sbin", "sys",  "tmp",  "usr",
					    "var" };
	size_t i;

	(void)ctx;
	(void)folder;
	*tree = manifest_new();
	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		struct manifest_entry d = { .type = 'd', .mode = 0755 };

		d.path = dirs[i];
		manifest_add(*tree, &d);
	}
	return manifest_seal(*tree, e);
}

/* ---- what a boot would find ---- */

static bool
is_redirected(void)
{
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	if (file_read("/boot/grub/grub.cfg", 100000, &text, NULL, &e) < 0)
		lab_bail("%s", e.text);
	return strstr(text, "\nconfigfile /edeploy/grub/grub.cfg\n") != NULL;
}

static bool
is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino;
}

static bool
has_in(const char *path, const char *part)
{
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	return file_read(path, 1 << 20, &text, NULL, &e) == 0 &&
	       strstr(text, part);
}

/* Whatever it was stopped at, the disk boots what it booted. */
static void
check_stops(struct host *h, struct convert *c)
{
	struct lab_stop stop = { 0 };
	struct convert stopped = *c;
	struct err e = { 0 };

	stopped.step = lab_stops;
	stopped.ctx = &stop;
	for (stop.at = 0; stop.at < 100; stop.at++) {
		stop.seen = 0;
		if (convert(h, &stopped, &e) == 0)
			break;
		CHECK_SHOW(stop.at, strstr(e.text, "stopped before"), "%s",
			   e.text);
		CHECK(stop.at, !is_redirected());
		CHECK(stop.at, lab_holds("/home/me/letter", "dear"));
		CHECK(stop.at, !file_exists("/boot/grub/grub.cfg.plain"));
	}
	/* the last one is the move, without which all is there */
	CHECK_SHOW(0, stop.at == 9, "%zu", stop.at);
	CHECK(0, !stopped.live && stopped.why_not &&
			 strstr(stopped.why_not, "stopped before: the move"));
	CHECK(0, is_redirected());
	free(stopped.why_not);
}

#define V "/edeploy/roots/V-1"

static bool
names_a_trial(void)
{
	struct err e = { 0 };
	struct state s;

	return state_read(&s, "/edeploy", &e) == 0 && *s.trial;
}

/* In the old root once more: before anything that a boot could enter is
 * touched, nothing enters it. */
static void
check_again(struct host *h, struct convert *c)
{
	struct lab_stop stop = { 0 };
	struct convert stopped = *c;
	struct err e = { 0 };

	stopped.step = lab_stops;
	stopped.ctx = &stop;
	lab_file("", V "/made/in-it", "x");
	lab_file("", V "/clash/f", "its own");
	lab_file("", "/clash/f", "of plain");
	for (stop.at = 0; stop.at < 9; stop.at++) {
		lab_file("", V "/usr/bin/of-before", "old");
		stop.seen = 0;
		CHECK(stop.at, convert(h, &stopped, &e) < 0);
		CHECK(stop.at, is_redirected() == (stop.at == 0));
		/* is whole as long as it is named */
		CHECK_SHOW(stop.at,
			   names_a_trial() == (stop.at == 0 || stop.at == 8),
			   "%zu", stop.at);
		CHECK(stop.at,
		      has_in("/boot/grub/grub.cfg",
			     "# line 0 of the old menu") == !is_redirected());
		CHECK(stop.at,
		      file_exists(V "/usr/bin/of-before") == (stop.at < 4));
	}
	/* update-grub, by hand */
	put_cfg();
	lab_file("", "/boot/grub/grub.cfg.plain", "of before");
	stop.at = 9;
	stop.seen = 0;
	CHECK_SHOW(9, convert(h, &stopped, &e) == 0, "%s", e.text);
	CHECK(9, is_redirected());
	CHECK(10, has_in("/boot/grub/grub.cfg.plain", "line 0 of the old"));
	free(stopped.why_not);
	/* what was made while it ran */
	CHECK(11, lab_holds("/edeploy/state/made/in-it", "x"));
	CHECK(12, lab_holds("/edeploy/state/clash/f", "of plain"));
	CHECK(13, lab_holds("/edeploy/state/clash.V-1.1/f", "its own"));
	/* and until it runs */
	lab_file("", "/data/late", "late");
	CHECK(14, lab_holds("/edeploy/state/data/late", "late"));
}

/* Two of one name. */
static void
test_clash(struct host *h, struct convert *c)
{
	struct err e = { 0 };

	lab_file("", "/both/f", "of plain");
	lab_file("", "/edeploy/state/both/f", "of a version");
	CHECK(0, convert(h, c, &e) < 0 && e.kind == ERR_REFUSED);
	CHECK_SHOW(0, strstr(e.text, "give one of the two another name"), "%s",
		   e.text);
	CHECK(0, lab_holds("/edeploy/state/both/f", "of a version"));
	CHECK(0, !is_redirected());
	if (rename("/both", "/data/both") < 0)
		lab_bail("/both");
}

/* Without the copy nobody knows what the sector was. */
static void
test_no_copy(struct host *h, struct convert *c)
{
	struct err e = { 0 };

	if (unlink("/boot/grub/grub.cfg.plain") < 0)
		lab_bail("grub.cfg.plain");
	CHECK(0, convert(h, c, &e) < 0 && e.kind == ERR_REFUSED);
	CHECK_SHOW(0, strstr(e.text, "update-grub"), "%s", e.text);
	CHECK(0, is_redirected() && names_a_trial());
	lab_file("", "/boot/grub/grub.cfg.plain", "# line 0 of the old menu\n");
}

static void
check_root(void)
{
	struct stat st;
	char link[10] = "";

	CHECK(0, is_same_file("/usr/bin/su", V "/usr/bin/su"));
	CHECK(1, stat(V "/usr/bin/su", &st) == 0 && st.st_mode == 0104755);
	CHECK(2,
	      readlink(V "/usr/bin/sh", link, 9) == 4 && str_eq(link, "dash"));
	CHECK(3, lab_holds(V "/etc/hostname", "host"));
	CHECK(4, !is_same_file("/etc/hostname", V "/etc/hostname"));
	CHECK(5, lab_holds(V "/etc/a b/c", "deep"));
	CHECK(6, lab_holds(V "/var/lib/dpkg/status", "packages"));
	CHECK(7,
	      !is_same_file("/var/lib/dpkg/status", V "/var/lib/dpkg/status"));
	CHECK(8, !file_exists(V "/var/lib/mysql"));
	CHECK(9, !file_exists(V "/home/me") && file_exists(V "/home"));
	CHECK(10,
	      !file_exists(V "/usr/local/bin") && file_exists(V "/usr/local"));
	CHECK(11, file_exists(V "/proc") && !file_exists(V "/proc/self"));
	CHECK(12, stat(V "/tmp", &st) == 0 && st.st_mode == 0041777);
	CHECK(13,
	      !is_same_file("/boot/grub/grub.cfg", V "/boot/grub/grub.cfg"));
	CHECK(14, lab_holds("/edeploy/state/home/me/letter", "dear"));
	CHECK(15, lab_holds("/edeploy/state/usr/local/bin/own", "own"));
	CHECK(16, lab_holds(V ".record/seal", "sealed"));
	CHECK(17, stat("/edeploy", &st) == 0 && st.st_mode == 0040700);
	CHECK(18, stat("/edeploy/init", &st) == 0 && st.st_mode == 0100755 &&
			  st.st_size > 10000);
	CHECK(19, !file_exists("/edeploy/init.new") && !file_exists(V ".new"));
	/* what no version brought */
	CHECK(20, file_exists(V "/data") && !file_exists(V "/data/db"));
	CHECK(21, lab_holds("/edeploy/state/data/db/rows", "rows"));
	CHECK(22, has_in(V ".mounts", "\nstate data\n"));
	CHECK(23, is_same_file("/with blank/f", V "/with blank/f") &&
			  is_same_file("/swapfile", V "/swapfile"));
	/* where something is mounted, it is not what is seen that stays */
	CHECK(24, lab_holds(V "/mnt/x", "hidden") &&
			  !has_in(V ".mounts", "state mnt\n"));
}

static void
check_boot(void)
{
	struct state s;
	struct stat st;
	struct err e = { 0 };
	struct utsname u;
	AUTO_FREE char *kernel = NULL;

	uname(&u);
	kernel =
		base_printf("set ed_kernel='" V "/boot/vmlinuz-%s'", u.release);
	CHECK_SHOW(0, state_read(&s, "/edeploy", &e) == 0, "%s", e.text);
	CHECK(1, str_eq(s.good, "plain") && str_eq(s.trial, "V-1") &&
			 s.left == STATE_TRIES);
	CHECK(2, has_in(V ".grub", kernel));
	CHECK(3, !has_in(V ".grub", "root="));
	CHECK(4, has_in("/edeploy/roots/plain.grub", "init=/sbin/init'\n"));
	CHECK(5, has_in("/edeploy/roots/plain.grub", "'/boot/vmlinuz-"));
	CHECK(6, has_in("/boot/grub/grub.cfg.plain", "line 0 of the old"));
	/* nothing but the first sector was touched */
	CHECK(7, has_in("/boot/grub/grub.cfg", "# line 59 of the old menu"));
	CHECK(8, stat("/boot/grub/grub.cfg", &st) == 0 && st.st_size > 1000);
	CHECK(9, has_in("/edeploy/grub/grub.cfg", "fs-uuid --set=root "));
}

/* As roots/init.c enters it, from another mount of the disk. */
static void
check_entered(void)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(enter_plan) plan = { 0 };
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	if (file_read(V ".mounts", 10000, &text, NULL, &e) < 0 ||
	    enter_places_parse(&places, text, "mounts", &e) < 0)
		lab_bail("%s", e.text);
	if (mkdir("/run/t", 0700) < 0 ||
	    mount("/dev/vda1", "/run/t", "ext4", 0, NULL) < 0)
		lab_bail("mount: %s", strerror(errno));
	mount(NULL, "/run/t", NULL, MS_PRIVATE, NULL);
	lab_specials("/run/t");
	enter_plan_make(&plan, "/run/t", "V-1", &places);
	CHECK_SHOW(0, enter_do(&plan, &e) == 0, "%s", e.text);
	CHECK(1, lab_holds("/run/t/edeploy/sysroot/etc/hostname", "edited"));
	CHECK(2, lab_holds("/run/t/edeploy/sysroot/home/me/letter", "dear"));
	CHECK(3, lab_holds("/run/t/edeploy/sysroot/usr/local/bin/own", "own"));
	CHECK(4, lab_holds("/run/t/edeploy/sysroot/var/lib/mysql/rows",
			   "more rows"));
	CHECK(5, lab_holds("/run/t/edeploy/sysroot/var/lib/dpkg/status",
			   "packages"));
	CHECK(5, lab_holds("/run/t/edeploy/sysroot/data/late", "later"));
	/* and as the old root, with the same rows */
	CHECK(6, lab_holds("/run/t/etc/hostname", "host"));
	CHECK(7, lab_holds("/run/t/var/lib/mysql/rows", "more rows"));
	CHECK(8, lab_holds("/run/t/data/late", "later"));
}

/* As a conversion leaves it that is killed while it puts the root together. */
static void
leave_mounts(void)
{
	if (mount("/edeploy", "/edeploy", NULL, MS_BIND, NULL) < 0 ||
	    mount("edeploy", "/edeploy/sysroot", "tmpfs", 0, NULL) < 0 ||
	    mkdir("/edeploy/sysroot/r", 0755) < 0 ||
	    mount(V, "/edeploy/sysroot/r", NULL, MS_BIND, NULL) < 0 ||
	    mount("/run", "/edeploy/sysroot/r/run", NULL, MS_BIND, NULL) < 0)
		lab_bail("remains: %s", strerror(errno));
}

static void
check_live(struct host *h, struct convert *c)
{
	AUTO_FREE char *running = NULL;
	struct err e = { 0 };

	leave_mounts();
	CHECK_SHOW(0, convert(h, c, &e) == 0, "%s", e.text);
	CHECK_SHOW(1, c->live && !c->why_not, "%s",
		   c->why_not ? c->why_not : "");
	running = live_running(&e);
	CHECK(2, running && str_eq(running, "V-1"));
	CHECK(3, lab_holds("/var/lib/mysql/rows", "rows"));
	CHECK(4, lab_holds("/home/me/letter", "dear"));
	lab_file("", "/etc/hostname", "edited");
	lab_file("", "/var/lib/mysql/rows", "more rows");
	CHECK(4, lab_holds("/data/late", "late"));
	lab_file("", "/data/late", "later");
	CHECK(5, convert(h, c, &e) < 0 && e.kind == ERR_REFUSED);
	CHECK_SHOW(5, strstr(e.text, "and V-1 runs"), "%s", e.text);
	free(c->why_not);
}

static void
test_refusals(struct host *h, struct convert *c)
{
	struct utsname u;
	struct err e = { 0 };
	AUTO_FREE char *initrd = NULL;
	AUTO_FREE char *away = NULL;
	char *version = h->conf.version, plain[] = "plain";

	uname(&u);
	initrd = base_printf("/boot/initrd.img-%s", u.release);
	away = base_printf("%s.away", initrd);
	CHECK(0, convert(h, c, &e) < 0 && e.kind == ERR_REFUSED);
	CHECK_SHOW(0, strstr(e.text, "grub.cfg"), "%s", e.text);
	put_cfg();
	rename(initrd, away);
	CHECK(1, convert(h, c, &e) < 0 && e.kind == ERR_REFUSED);
	CHECK_SHOW(1, strstr(e.text, "no initrd"), "%s", e.text);
	rename(away, initrd);
	lab_file("", "/run/words", "quiet dyndbg=\"file a.c +p\"\n");
	if (mount("/run/words", "/proc/cmdline", NULL, MS_BIND, NULL) < 0)
		lab_bail("/proc/cmdline: %s", strerror(errno));
	CHECK(5, convert(h, c, &e) < 0 && e.kind == ERR_REFUSED);
	CHECK_SHOW(5, strstr(e.text, "without. Nothing was changed"), "%s",
		   e.text);
	umount("/proc/cmdline");
	h->conf.version = plain;
	CHECK(2, convert(h, c, &e) < 0 && e.kind == ERR_INPUT);
	h->conf.version = version;
	h->root = "/somewhere";
	CHECK(3, convert(h, c, &e) < 0 && e.kind == ERR_REFUSED);
	h->root = "";
	CHECK(4, !file_exists("/edeploy"));
}

/* A grub.cfg shorter than a sector. */
static void
test_short_cfg(void)
{
	struct err e = { 0 };

	lab_file("", "/boot/short.cfg", "linux /x\n");
	CHECK_SHOW(0, convert_redirect("/boot/short.cfg", "u-u", &e) == 0, "%s",
		   e.text);
	CHECK(1, has_in("/boot/short.cfg", "--set=root u-u\nconfigfile "));
	CHECK(2, lab_holds("/boot/short.cfg.plain", "linux /x\n"));
	/* once more changes nothing, and keeps the first copy */
	CHECK(3, convert_redirect("/boot/short.cfg", "u-u", &e) == 0);
	CHECK(4, lab_holds("/boot/short.cfg.plain", "linux /x\n"));
	/* and back, twice */
	CHECK(5, convert_restore("/boot/short.cfg", &e) == 0);
	CHECK(6, has_in("/boot/short.cfg", "linux /x\n\n###"));
	CHECK(6, !has_in("/boot/short.cfg", "configfile"));
	CHECK(7, convert_restore("/boot/short.cfg", &e) == 0);
}

static int
run(const char *top)
{
	struct host h = { .root = "" };
	struct convert c = { .sys = "/run/sys", .record = published };

	make_plain(top);
	make_disk();
	if (mount("mnt", "/mnt", "tmpfs", 0, NULL) < 0)
		lab_bail("/mnt: %s", strerror(errno));
	test_mounts();
	h.conf.version = base_strdup("V-1");
	test_refusals(&h, &c);
	check_stops(&h, &c);
	check_root();
	check_boot();
	test_no_copy(&h, &c);
	check_again(&h, &c);
	check_root();
	check_boot();
	test_clash(&h, &c);
	check_live(&h, &c);
	check_entered();
	test_short_cfg();
	free(h.conf.version);
	return test_end();
}

int
main(void)
{
	return lab_run_on(image, run);
}
