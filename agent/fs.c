/* How each mkfs is called, swap written by hand (32 bytes of header are not
 * worth a program in the initrd), and mounting. */
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "agent/fs.h"

/* ---- mkfs ---- */

/* `uuid` and `label` are followed by their value. A new mkfs must not use what
 * the tree's older GRUB or kernel cannot read. */
static const struct maker {
	const char *fstype;
	const char *first[6];
	const char *uuid, *uuid_head, *label;
	size_t label_max;
} makers[] = {
	{ "ext2", { "mkfs.ext2", "-F", "-q" }, "-U", "", "-L", 16 },
	{ "ext3", { "mkfs.ext3", "-F", "-q" }, "-U", "", "-L", 16 },
	{ "ext4",
	  { "mkfs.ext4", "-F", "-q", "-O", "^orphan_file,^metadata_csum_seed" },
	  "-U",
	  "",
	  "-L",
	  16 },
	{ "xfs", { "mkfs.xfs", "-f", "-q" }, "-m", "uuid=", "-L", 12 },
	{ "btrfs", { "mkfs.btrfs", "-f", "-q" }, "-U", "", "-L", 255 },
	{ "vfat", { "mkfs.vfat", "-F", "32" }, "-i", "", "-n", 11 },
};

static const struct maker *
find_maker(const char *fstype)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(makers); i++)
		if (str_eq(makers[i].fstype, fstype))
			return &makers[i];
	return NULL;
}

static void
make_id(const struct fs_want *w, char id[MARK_UUID_TEXT])
{
	if (w->uuid)
		snprintf(id, MARK_UUID_TEXT, "%s", w->uuid);
	else if (str_eq(w->fstype, "vfat"))
		snprintf(id, MARK_UUID_TEXT, "%08x", mark_id(w->identity));
	else
		mark_uuid(w->identity, id);
}

static int
check_want(const struct fs_want *w, const struct maker *m, struct err *e)
{
	size_t n = 0;

	if (!m)
		return err_set(e, ERR_INPUT,
			       "file system '%.40s' is none of ext2, ext3, "
			       "ext4, xfs, btrfs, vfat, swap",
			       w->fstype);
	if (w->label && strlen(w->label) > m->label_max)
		return err_set(e, ERR_INPUT,
			       "label '%.40s' is longer than the %zu bytes of "
			       "%s",
			       w->label, m->label_max, w->fstype);
	while (w->options && w->options[n])
		n++;
	if (n > FS_ARGS_MAX - 16)
		return err_set(e, ERR_INPUT, "%zu options are too many", n);
	return 0;
}

int
fs_command(const struct fs_want *w, struct fs_command *out, struct err *e)
{
	const struct maker *m = find_maker(w->fstype);
	size_t n = 0, i;

	if (check_want(w, m, e) < 0)
		return -1;
	make_id(w, out->id);
	snprintf(out->id_arg, sizeof(out->id_arg), "%s%s", m->uuid_head,
		 out->id);
	for (i = 0; i < ARRAY_LEN(m->first) && m->first[i]; i++)
		out->argv[n++] = m->first[i];
	out->argv[n++] = m->uuid;
	out->argv[n++] = out->id_arg;
	if (w->label) {
		out->argv[n++] = m->label;
		out->argv[n++] = w->label;
	}
	for (i = 0; w->options && w->options[i]; i++)
		out->argv[n++] = w->options[i];
	out->argv[n++] = w->node;
	out->argv[n] = NULL;
	return 0;
}

int
fs_program_here(const struct fs_command *command, struct err *e)
{
	const char *path = getenv("PATH");
	AUTO_FREE char *dirs = base_strdup(path ? path : "");
	char *at = dirs, *dir;

	while ((dir = strsep(&at, ":"))) {
		AUTO_FREE char *file =
			base_printf("%s/%s", dir, command->argv[0]);

		if (*dir && access(file, X_OK) == 0)
			return 0;
	}
	return err_set(e, ERR_INPUT,
		       "%s is not in this initrd: choose another file system, "
		       "or add its package to initrd/build",
		       command->argv[0]);
}

/* ---- swap ---- */

/* Linux's union swap_header: 1024 bytes for a boot block, then these. */
struct swap_header {
	uint32_t version, last_page, bad_pages;
	uint8_t uuid[16];
	char label[16];
};

static int
write_swap(int fd, const char *node, const struct swap_header *h, size_t page,
	   struct err *e)
{
	AUTO_FREE char *first = base_alloc(page);

	memcpy(first + 1024, h, sizeof(*h));
	memcpy(first + page - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, first, page, 0) != (ssize_t)page || fsync(fd) < 0)
		return err_sys(e, "write swap area on %s", node);
	return 0;
}

int
fs_make_swap(const char *node, const char *label, const char *uuid,
	     struct err *e)
{
	AUTO_CLOSE int fd = open(node, O_RDWR | O_CLOEXEC);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct swap_header h = { .version = 1 };
	uint64_t size = 0;

	if (fd < 0)
		return err_sys(e, "open %s", node);
	if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		return err_sys(e, "size of %s", node);
	if (label && strlen(label) > sizeof(h.label))
		return err_set(e, ERR_INPUT,
			       "label '%.40s' is longer than the 16 bytes of "
			       "swap",
			       label);
	if (!mark_uuid_bytes(uuid, h.uuid))
		return err_set(e, ERR_INPUT, "'%.60s' is no UUID", uuid);
	if (size / page < 10)
		return err_set(e, ERR_INPUT, "%s is too small for swap", node);
	h.last_page = size / page - 1 > UINT32_MAX
			      ? UINT32_MAX
			      : (uint32_t)(size / page - 1);
	if (label)
		memcpy(h.label, label, strlen(label));
	return write_swap(fd, node, &h, page, e);
}

/* ---- look ---- */

static char *
word(blkid_probe pr, const char *name)
{
	const char *text;

	return blkid_probe_lookup_value(pr, name, &text, NULL) < 0
		       ? NULL
		       : base_strdup(text);
}

int
fs_look(const char *node, struct fs_seen *out, struct err *e)
{
	AUTO_CLOSE int fd = open(node, O_RDONLY | O_CLOEXEC);
	blkid_probe pr = NULL;
	int rc;

	*out = (struct fs_seen){ 0 };
	if (fd < 0)
		return err_sys(e, "open %s", node);
	pr = blkid_new_probe();
	if (!pr || blkid_probe_set_device(pr, fd, 0, 0) < 0) {
		blkid_free_probe(pr);
		return err_sys(e, "cannot look at %s", node);
	}
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE |
						      BLKID_SUBLKS_UUID);
	rc = blkid_do_safeprobe(pr);
	if (rc == 0) {
		out->type = word(pr, "TYPE");
		out->uuid = word(pr, "UUID");
	}
	blkid_free_probe(pr);
	if (rc == -2)
		return err_set(e, ERR_SYS, "%s holds more than one file system",
			       node);
	return rc < 0 ? err_set(e, ERR_SYS, "cannot read %s", node) : 0;
}

void
fs_seen_clear(struct fs_seen *s)
{
	free(s->type);
	free(s->uuid);
	*s = (struct fs_seen){ 0 };
}

/* ---- mount ---- */

static const struct option {
	const char *word;
	unsigned long flag; /* 0: for fstab only */
} options_known[] = {
	{ "noatime", MS_NOATIME },
	{ "nodiratime", MS_NODIRATIME },
	{ "relatime", MS_RELATIME },
	{ "strictatime", MS_STRICTATIME },
	{ "lazytime", MS_LAZYTIME },
	{ "defaults", 0 },
	{ "rw", 0 },
	{ "ro", 0 },
	{ "auto", 0 },
	{ "noauto", 0 },
	{ "nofail", 0 },
	{ "exec", 0 },
	{ "noexec", 0 },
	{ "suid", 0 },
	{ "nosuid", 0 },
	{ "dev", 0 },
	{ "nodev", 0 },
	{ "user", 0 },
	{ "nouser", 0 },
	{ "users", 0 },
	{ "owner", 0 },
	{ "group", 0 },
	{ "sync", 0 },
	{ "async", 0 },
	{ "_netdev", 0 },
};

/* What is not known here is the file system's own: data for mount(2). */
static void
take_option(const char *word, unsigned long *flags, struct buf *own)
{
	size_t i;

	if (!*word || str_starts(word, "x-") || str_starts(word, "comment="))
		return;
	for (i = 0; i < ARRAY_LEN(options_known); i++) {
		if (str_eq(options_known[i].word, word)) {
			*flags |= options_known[i].flag;
			return;
		}
	}
	buf_printf(own, "%s%s", own->len ? "," : "", word);
}

int
fs_mount(const char *node, const char *dir, const char *fstype,
	 const char *options, struct err *e)
{
	AUTO_FREE char *words = base_strdup(options);
	AUTO_CLEAR(buf) own = { 0 };
	unsigned long flags = 0;
	char *at = words, *word_at;

	while ((word_at = strsep(&at, ",")))
		take_option(word_at, &flags, &own);
	if (dir_make(dir, 0755, e) < 0)
		return -1;
	if (mount(node, dir, fstype, flags, buf_text(&own)) < 0)
		return err_sys(e, "mount %s (%s) on %s", node, fstype, dir);
	return 0;
}

int
fs_umount(const char *dir, struct err *e)
{
	if (umount2(dir, 0) < 0 && errno != EINVAL && errno != ENOENT)
		return err_sys(e, "umount %s", dir);
	return 0;
}
