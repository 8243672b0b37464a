/* A kernel starts another one: for ONSUCCESS=kexec, and to boot the disk of an
 * installed machine when firmware brought it here all the same (a static PXE
 * menu knows no better). */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/proc.h"

#include "roots/state.h"
#include "roots/top.h"

#include "agent/boot.h"
#include "agent/kexec.h"

#define LOCAL_DIR "/run/edeploy/local"
#define LOCAL_BOOT LOCAL_DIR "/boot"
#define CONF_MAX 65536

/* `b` is what `root` boots; it is cleared. */
static int
load(const char *root, struct boot_entry *b, const char *consoles,
     struct err *e)
{
	bool told = strstr(b->args, "console=") || !*consoles;
	AUTO_FREE char *kernel = base_printf("%s%s", root, b->kernel);
	AUTO_FREE char *initrd =
		base_printf("--initrd=%s%s", root, b->initrd ? b->initrd : "");
	AUTO_FREE char *args =
		base_printf("--command-line=%s%s%s", b->args, told ? "" : " ",
			    told ? "" : consoles);
	const char *const argv[] = {
		"kexec", "-l", kernel, args, b->initrd ? initrd : NULL, NULL
	};
	int bad = proc_ok(argv, &(struct proc_opts){ .deadline_ms = 60000 }, e);

	boot_entry_clear(b);
	return bad;
}

int
kexec_load(const char *root, const char *part, const char *consoles,
	   struct err *e)
{
	struct boot_entry b = { 0 };

	if (boot_read_entry(root, part, &b, e) == 0)
		return load(root, &b, consoles, e);
	boot_entry_clear(&b);
	return -1;
}

int
kexec_load_good(const char *top, const char *uuid, const char *part,
		const char *consoles, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/" TOP_DIR, top);
	struct boot_entry b = { 0 };
	struct state s;

	if (state_read(&s, dir, e) < 0 ||
	    boot_read_version(top, s.good, uuid, part, &b, e) < 0)
		return -1;
	return load(top, &b, consoles, e);
}

int
kexec_start(struct err *e)
{
	const char *const argv[] = { "kexec", "-e", NULL };

	if (proc_ok(argv, &(struct proc_opts){ .deadline_ms = 60000 }, e) < 0)
		return -1;
	return err_set(e, ERR_SYS, "kexec -e came back");
}

/* ---- the disk of an installed machine ---- */

/* The mount options that leave the bytes of this file system alone, by what
 * its superblock says; NULL when it is none that we install on. */
static const char *
quiet_options(const char *node, const char **fstype)
{
	AUTO_CLOSE int fd = open(node, O_RDONLY | O_CLOEXEC);
	unsigned char head[4] = { 0 }, ext[2] = { 0 };

	if (fd < 0 || pread(fd, head, 4, 0) != 4 ||
	    pread(fd, ext, 2, 1024 + 56) != 2)
		return NULL;
	if (memcmp(head, "XFSB", 4) == 0) {
		*fstype = "xfs";
		return "norecovery,nouuid";
	}
	if (ext[0] == 0x53 && ext[1] == 0xef) {
		*fstype = "ext4";
		return "noload";
	}
	return NULL;
}

/* The version that is good on the mounted disk; false: it has none beside one
 * another. */
static bool
good_version(struct state *out)
{
	struct err ignored;

	return state_read(out, LOCAL_DIR "/" TOP_DIR, &ignored) == 0;
}

static bool
is_ours(const char *machine)
{
	struct state s;
	AUTO_FREE char *line = base_printf("MACHINE=%s", machine);
	AUTO_FREE char *root = good_version(&s) ? top_root(LOCAL_DIR, s.good)
						: base_strdup(LOCAL_DIR);
	AUTO_FREE char *path = base_printf("%s/var/lib/edeploy/conf", root);
	AUTO_FREE char *conf = NULL;
	struct err ignored;
	char *at, *one;

	if (file_read(path, CONF_MAX, &conf, NULL, &ignored) < 0)
		return false;
	for (at = conf; (one = strsep(&at, "\n"));)
		if (str_eq(one, line))
			return true;
	return false;
}

static bool
mount_quietly(const char *node, const char *dir)
{
	const char *fstype, *options = quiet_options(node, &fstype);

	return options && mount(node, dir, fstype,
				MS_RDONLY | MS_NOEXEC | MS_NOSUID | MS_NODEV,
				options) == 0;
}

static bool
holds_machine(const char *node, const char *machine)
{
	bool found;

	if (!mount_quietly(node, LOCAL_DIR))
		return false;
	found = is_ours(machine);
	umount2(LOCAL_DIR, 0);
	return found;
}

/* The one node that holds this machine's root. Owned, NULL with `e` set. */
static char *
find_root(const char *machine, struct err *e)
{
	char **names = dir_names("/sys/class/block");
	AUTO_FREE char *found = NULL;
	int count = 0;
	size_t i;

	for (i = 0; names && names[i]; i++) {
		AUTO_FREE char *node = base_printf("/dev/%s", names[i]);

		if (!holds_machine(node, machine))
			continue;
		count++;
		free(found);
		found = STEAL(node);
	}
	names_free(names);
	if (count == 1)
		return STEAL(found);
	err_set(e, ERR_INPUT,
		count ? "%d disks hold an installation of machine %s"
		      : "%d disks hold an installation of machine %s: was the "
			"disk changed? \"edeployctl reinstall\" installs again",
		count, machine);
	return NULL;
}

/* What the found root's fstab calls /boot: "UUID=... /boot ...". Owned, NULL
 * when kernels are in the root itself. */
static char *
boot_uuid(void)
{
	AUTO_FREE char *fstab = NULL;
	struct err ignored;
	char *at, *line;

	if (file_read(LOCAL_DIR "/etc/fstab", CONF_MAX, &fstab, NULL,
		      &ignored) < 0)
		return NULL;
	for (at = fstab; (line = strsep(&at, "\n"));) {
		char uuid[40], where[8];

		if (sscanf(line, " UUID=%39s %7s", uuid, where) == 2 &&
		    str_eq(where, "/boot"))
			return base_strdup(uuid);
	}
	return NULL;
}

static int
mount_boot(struct err *e)
{
	AUTO_FREE char *wanted = boot_uuid();
	char **names = dir_names("/sys/class/block");
	bool done = !wanted;
	size_t i;

	for (i = 0; names && names[i] && !done; i++) {
		AUTO_FREE char *node = base_printf("/dev/%s", names[i]);
		AUTO_FREE char *uuid = layout_uuid_of(node);

		done = str_eq(uuid, wanted) && mount_quietly(node, LOCAL_BOOT);
	}
	names_free(names);
	return done ? 0
		    : err_set(e, ERR_INPUT,
			      "no disk holds the /boot of its fstab (UUID %s)",
			      wanted);
}

static int
load_mounted(const char *node, const char *part, const char *consoles,
	     struct err *e)
{
	AUTO_FREE char *uuid = layout_uuid_of(node);
	struct state s;

	if (good_version(&s))
		return kexec_load_good(LOCAL_DIR, uuid ? uuid : "", part,
				       consoles, e);
	if (mount_boot(e) < 0)
		return -1;
	return kexec_load(LOCAL_DIR, part, consoles, e);
}

int
kexec_load_local(const char *machine, const char *part, const char *consoles,
		 struct err *e)
{
	AUTO_FREE char *node = NULL;
	int bad;

	if (dir_make(LOCAL_DIR, 0700, e) < 0)
		return -1;
	node = find_root(machine, e);
	if (!node)
		return -1;
	if (!mount_quietly(node, LOCAL_DIR))
		return err_sys(e, "mount %s", node);
	bad = load_mounted(node, part, consoles, e);
	umount2(LOCAL_BOOT, 0);
	umount2(LOCAL_DIR, 0);
	return bad ? -1 : 0;
}
