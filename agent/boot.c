/* GRUB, for BIOS or UEFI, in the chroot of the tree, with the tree's own tools,
 * so that boot loader and configuration are of one version. */
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/proc.h"
#include "lib/text.h"

#include "roots/kernel.h"
#include "roots/top.h"

#include "agent/boot.h"

#define DEFAULTS_MAX (256 * 1024)
#define GRUB_DEADLINE_MS (10 * 60 * 1000)

static const char *const bound[] = { "dev", "proc", "sys", "run", TOP_DIR };
static const char *const chroot_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"LC_ALL=C", "HOME=/root", NULL
};

/* How many of `bound`: a plain root has no versions beside it. */
static size_t
bound_len(const struct layout *l)
{
	return ARRAY_LEN(bound) - (l->version ? 0 : 1);
}

static int
bind(const struct layout *l, struct err *e)
{
	size_t i;

	for (i = 0; i < bound_len(l); i++) {
		bool ours = str_eq(bound[i], TOP_DIR);
		AUTO_FREE char *from =
			base_printf("%s/%s", ours ? l->top : "", bound[i]);
		AUTO_FREE char *to = base_printf("%s/%s", l->root, bound[i]);

		if (dir_make(to, 0755, e) < 0)
			return -1;
		if (mount(from, to, NULL, MS_BIND, NULL) < 0)
			return err_sys(e, "bind %s", to);
	}
	return 0;
}

static void
unbind(const struct layout *l)
{
	size_t i;

	for (i = bound_len(l); i-- > 0;) {
		AUTO_FREE char *to = base_printf("%s/%s", l->root, bound[i]);

		/* what is not mounted, or is still in use by a program that a
		 * postinst left, is told by layout_leave() */
		umount2(to, 0);
	}
}

/* Where the tree has a program, by the first of these names; owned, NULL when
 * it has none. A whole path, since PATH is searched with the initrd's. */
static char *
find_program(const char *root, const char *const names[2])
{
	static const char *const dirs[] = { "/usr/sbin", "/usr/bin", "/sbin" };
	size_t i, k;

	for (k = 0; k < 2; k++)
		for (i = 0; i < ARRAY_LEN(dirs); i++) {
			AUTO_FREE char *path =
				base_printf("%s/%s", dirs[i], names[k]);
			AUTO_FREE char *there = base_printf("%s%s", root, path);

			if (access(there, X_OK) == 0)
				return STEAL(path);
		}
	return NULL;
}

static int
run_in_tree(const struct boot_opts *o, const char *const argv[], struct err *e)
{
	const struct proc_opts p = { .chroot = o->layout->root,
				     .env = chroot_env,
				     .deadline_ms = GRUB_DEADLINE_MS,
				     .output = o->output,
				     .tick = o->tick,
				     .ctx = o->ctx };

	return proc_ok(argv, &p, e);
}

/* grub-mkconfig names the root by UUID only when udev made this link. */
static int
link_uuids(const struct layout *l, struct err *e)
{
	size_t i;

	if (dir_make("/dev/disk/by-uuid", 0755, e) < 0)
		return -1;
	for (i = 0; i < l->len; i++) {
		AUTO_FREE char *link =
			base_printf("/dev/disk/by-uuid/%s",
				    l->mounts[i].uuid ? l->mounts[i].uuid : "");

		if (l->mounts[i].uuid && symlink(l->mounts[i].node, link) < 0 &&
		    errno != EEXIST)
			return err_sys(e, "%s", link);
	}
	return 0;
}

/* /etc/default/grub is a shell text: one more line extends what it says. */
static int
extend_defaults(const struct boot_opts *o, struct err *e)
{
	AUTO_FREE char *path =
		base_printf("%s/etc/default/grub", o->layout->root);
	AUTO_FREE char *old = NULL;
	AUTO_CLEAR(buf) text = { 0 };
	AUTO_CLEAR(buf) quoted = { 0 };

	if (!file_exists(path))
		old = base_strdup("");
	else if (file_read(path, DEFAULTS_MAX, &old, NULL, e) < 0)
		return -1;
	boot_quote(o->args, &quoted);
	buf_str(&text, old);
	if (text.len && !str_ends(buf_text(&text), "\n"))
		buf_char(&text, '\n');
	buf_str(&text, "# by edeploy: text works also on a machine without a "
		       "screen, where gfxterm hangs,\n# and the boot arguments "
		       "that it was given\n"
		       "GRUB_TERMINAL=\"${GRUB_TERMINAL:-console}\"\n"
		       "GRUB_CMDLINE_LINUX_DEFAULT="
		       "\"$GRUB_CMDLINE_LINUX_DEFAULT \"");
	text_shell_quote(buf_text(&quoted), &text);
	buf_char(&text, '\n');
	return file_write(path, buf_text(&text), text.len, 0644, e);
}

static int
write_own_cfg(const struct boot_opts *o, const char *cfg, struct err *e)
{
	AUTO_CLEAR(buf) text = { 0 };
	AUTO_CLEAR(boot_entry) b = { .args = base_strdup(o->args) };

	if (kernel_find_both(o->layout->root, &b.kernel, &b.initrd, e) < 0)
		return -1;
	boot_print_cfg(o->layout, &b, o->title, &text);
	return file_replace(cfg, buf_text(&text), text.len, 0600, e);
}

static int
write_cfg(const struct boot_opts *o, const char *dir, struct err *e)
{
	static const char *const names[2] = { "grub-mkconfig",
					      "grub2-mkconfig" };
	const char *root = o->layout->root;
	AUTO_FREE char *mkconfig = find_program(root, names);
	AUTO_FREE char *inside = base_printf("/boot/%s/grub.cfg", dir);
	AUTO_FREE char *cfg = base_printf("%s%s", root, inside);
	AUTO_FREE char *parent = base_printf("%s/boot/%s", root, dir);
	const char *argv[] = { mkconfig, "-o", inside, NULL };

	if (dir_make(parent, 0755, e) < 0)
		return -1;
	if (!mkconfig)
		return write_own_cfg(o, cfg, e);
	if (extend_defaults(o, e) < 0)
		return -1;
	return run_in_tree(o, argv, e);
}

static int
check_cfg(const struct boot_opts *o, struct err *e)
{
	AUTO_FREE char *words = layout_root_words(o->layout);

	return boot_check_cfg(o->layout->root, words, e);
}

/* For UEFI where every firmware looks for a disk's boot loader: entries of
 * its own menu are left as they are, since one more would come before the
 * network, and no reinstallation would be asked for any more. */
static int
install_grub(const struct boot_opts *o, const char *grub, struct err *e)
{
	const char *folder = o->layout->version ? "--boot-directory=/" TOP_DIR
						: "--boot-directory=/boot";
	const char *const bios[] = { grub,        "--target=" BOOT_BIOS, folder,
				     "--recheck", o->layout->disk,       NULL };
	const char *const uefi[] = { grub,          "--target=" BOOT_UEFI,
				     folder,        "--efi-directory=" BOOT_ESP,
				     "--removable", "--no-nvram",
				     NULL };
	bool is_uefi = boot_is_uefi("");

	if (boot_check_grub(o->layout->root, is_uefi, e) < 0 ||
	    run_in_tree(o, is_uefi ? uefi : bios, e) < 0)
		return -1;
	sync();
	return 0;
}

/* A plain root's boot loader reads a grub.cfg of the tree's own making: later,
 * when what is done behind us is on the disk, too. */
static int
install_plain(const struct boot_opts *o, const char *grub, struct err *e)
{
	const char *dir = strstr(grub, "/grub2-") ? "grub2" : "grub";
	const struct layout *l = o->layout;
	AUTO_FREE char *cfg = base_printf("%s/boot/%s/grub.cfg", l->root, dir);
	AUTO_FREE char *kernel = NULL;
	AUTO_FREE char *initrd = NULL;
	int bad;

	if (kernel_find(l->root, NULL, &kernel, &initrd, e) < 0 ||
	    link_uuids(l, e) < 0 || write_cfg(o, dir, e) < 0 ||
	    check_cfg(o, e) < 0 || boot_hold(cfg, e) < 0)
		return -1;
	sync();
	if (install_grub(o, grub, e) < 0 || boot_cover(l, e) < 0)
		return -1;
	bad = check_cfg(o, e);
	return boot_uncover(l, bad ? &(struct err){ 0 } : e) < 0 ? -1 : bad;
}

/* What boots a version is written beside it, for GRUB and for init. */
static int
install_versioned(const struct boot_opts *o, const char *grub, struct err *e)
{
	const struct layout *l = o->layout;
	const struct top_boot b = { l->mounts[0].uuid, "ext2", o->init };

	if (link_uuids(l, e) < 0 || top_boot(l->top, &b, e) < 0)
		return -1;
	return install_grub(o, grub, e);
}

static int
install_bound(const struct boot_opts *o, struct err *e)
{
	static const char *const names[2] = { "grub-install", "grub2-install" };
	AUTO_FREE char *grub = find_program(o->layout->root, names);

	if (!grub)
		return err_set(e, ERR_INPUT,
			       "the tree has no grub-install: add "
			       "grub2-common, grub-pc-bin for BIOS and "
			       "grub-efi-amd64-bin for UEFI to the role");
	return o->layout->version ? install_versioned(o, grub, e)
				  : install_plain(o, grub, e);
}

int
boot_install(const struct boot_opts *o, struct err *e)
{
	int bad = bind(o->layout, e) < 0 || install_bound(o, e) < 0;

	unbind(o->layout);
	return bad ? err_add(e, "boot loader") : 0;
}
