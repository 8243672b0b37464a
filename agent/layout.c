#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "lib/file.h"
#include "lib/mounts.h"

#include "roots/flush.h"

#include "agent/layout.h"

/* `path` below `top`, as the installed system sees it; NULL when elsewhere. */
static const char *
seen_from(const char *top, const char *path)
{
	size_t len = strlen(top);

	if (strncmp(path, top, len) != 0)
		return NULL;
	if (!path[len])
		return "/";
	return path[len] == '/' ? path + len : NULL;
}

typedef int each_mount(void *ctx, const struct mount_row *m, const char *seen,
		       struct err *e);

static int
for_each_below(const char *top, each_mount *each, void *ctx, struct err *e)
{
	AUTO_CLEAR(mounts) m = { 0 };
	size_t i;

	if (mounts_read(&m, e) < 0)
		return -1;
	for (i = 0; i < m.len; i++) {
		const char *seen = seen_from(top, m.at[i].where);

		if (seen && each(ctx, &m.at[i], seen, e) < 0)
			return -1;
	}
	return 0;
}

/* Where a superblock has its magic and its UUID. Mounts that a script's own
 * commands made are file systems that the kernel knows; these are those that
 * a root or /boot stands on. */
static const struct {
	const char *magic;
	size_t len;
	off_t magic_at, uuid_at;
} superblocks[] = {
	{ "\x53\xef", 2, 1024 + 56, 1024 + 104 }, /* ext2, 3, 4 */
	{ "XFSB", 4, 0, 32 },
	{ "_BHRfS_M", 8, 65536 + 64, 65536 + 32 }, /* btrfs */
	{ "SWAPSPACE2", 10, 4086, 1024 + 12 },
};

static char *
print_uuid(const unsigned char u[16])
{
	return base_printf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
			   "%02x%02x%02x%02x%02x%02x",
			   u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8],
			   u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

char *
layout_uuid_of(const char *node)
{
	AUTO_CLOSE int fd = open(node, O_RDONLY | O_CLOEXEC);
	static const unsigned char none[16];
	unsigned char uuid[16];
	char magic[16];
	size_t i;

	for (i = 0; fd >= 0 && i < ARRAY_LEN(superblocks); i++) {
		size_t len = superblocks[i].len;

		if (pread(fd, magic, len, superblocks[i].magic_at) !=
			    (ssize_t)len ||
		    memcmp(magic, superblocks[i].magic, len) != 0)
			continue;
		if (pread(fd, uuid, 16, superblocks[i].uuid_at) == 16 &&
		    memcmp(uuid, none, 16) != 0)
			return print_uuid(uuid);
	}
	return NULL;
}

static struct layout_mount *
add_mount(struct layout *l, const char *node, const char *where,
	  const char *fstype)
{
	struct layout_mount *m;

	l->mounts = base_resize(l->mounts, l->len + 1, sizeof(*l->mounts));
	m = &l->mounts[l->len++];
	*m = (struct layout_mount){ .node = base_strdup(node),
				    .where = base_strdup(where),
				    .fstype = base_strdup(fstype),
				    .options = base_strdup("defaults"),
				    .uuid = layout_uuid_of(node) };
	return m;
}

static int
take_mount(void *ctx, const struct mount_row *m, const char *seen,
	   struct err *e)
{
	struct layout *l = ctx;

	(void)e;
	/* /proc, /sys and binds of the initrd have no block device */
	if (str_starts(m->node, "/dev/"))
		add_mount(l, m->node, seen, m->fstype);
	return 0;
}

int
layout_plain(struct layout *out, const char *top, const char *disk,
	     struct err *e)
{
	*out = (struct layout){ .top = base_strdup(top),
				.root = base_strdup(top),
				.disk = base_strdup(disk) };
	if (for_each_below(top, take_mount, out, e) < 0)
		return -1;
	if (out->len == 0 || !str_eq(out->mounts[0].where, "/"))
		return err_set(e, ERR_INPUT,
			       "nothing is mounted on %s: the script mounts "
			       "the root file system there "
			       "(disk.mount(node, '/'))",
			       top);
	return 0;
}

static struct layout_mount *
find_mount(struct layout *l, const struct layout_mount *known)
{
	size_t i;

	for (i = 0; i < l->len; i++)
		if (str_eq(l->mounts[i].where, known->where) &&
		    str_eq(l->mounts[i].node, known->node))
			return &l->mounts[i];
	return NULL;
}

void
layout_know(struct layout *l, const struct layout_mount *known)
{
	struct layout_mount *m = find_mount(l, known);

	if (!m)
		m = add_mount(l, known->node, known->where, known->fstype);
	if (known->options && *known->options) {
		free(m->options);
		m->options = base_strdup(known->options);
	}
	if (known->uuid) {
		free(m->uuid);
		m->uuid = base_strdup(known->uuid);
	}
}

int
layout_check(const struct layout *l, struct err *e)
{
	size_t i;

	for (i = 0; i < l->len; i++)
		if (!l->mounts[i].uuid)
			return err_set(e, ERR_INPUT,
				       "%s (%s) has no UUID, so fstab and boot "
				       "loader cannot name it: format it "
				       "before it is mounted",
				       l->mounts[i].node, l->mounts[i].where);
	return 0;
}

const struct layout_mount *
layout_holding(const struct layout *l, const char *path)
{
	const struct layout_mount *best = &l->mounts[0];
	size_t i, longest = 1;

	for (i = 1; i < l->len; i++) {
		size_t len = strlen(l->mounts[i].where);

		if (len > longest && path_is_within(path, l->mounts[i].where)) {
			best = &l->mounts[i];
			longest = len;
		}
	}
	return best;
}

char *
layout_root_words(const struct layout *l)
{
	return base_printf("root=UUID=%s", l->mounts[0].uuid);
}

struct names {
	char **at;
	size_t len;
};

static int
take_name(void *ctx, const struct mount_row *m, const char *seen, struct err *e)
{
	struct names *n = ctx;

	(void)seen;
	(void)e;
	n->at = base_resize(n->at, n->len + 2, sizeof(*n->at));
	n->at[n->len++] = base_strdup(m->where);
	n->at[n->len] = NULL;
	return 0;
}

char **
layout_mounted_below(const char *top)
{
	struct names n = { base_array(1, sizeof(char *)), 0 };
	struct err ignored;

	for_each_below(top, take_name, &n, &ignored);
	return n.at;
}

static int
sync_mount(const char *dir, struct err *e)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		return err_sys(e,
			       "not all that was written to %s is on the "
			       "disk",
			       dir);
	return 0;
}

/* Where the boot loader was written, beside every file system. */
static int
sync_disk(const char *node, struct err *e)
{
	AUTO_CLOSE int fd = open(node, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, "not all that was written to %s is there",
			       node);
	return 0;
}

static int
flush_mount(const char *dir, struct err *e)
{
	if (flush(dir, e) < 0 && e->kind != ERR_REFUSED)
		return -1;
	return 0;
}

static int
bring_down(const struct layout *l, int (*one)(const char *dir, struct err *e),
	   struct err *e)
{
	char **names = layout_mounted_below(l->top);
	int bad = 0;
	size_t i;

	for (i = 0; names[i] && !bad; i++)
		bad = one(names[i], e);
	names_free(names);
	return bad ? -1 : sync_disk(l->disk, e);
}

int
layout_sync(const struct layout *l, struct err *e)
{
	return bring_down(l, sync_mount, e);
}

int
layout_flush(const struct layout *l, struct err *e)
{
	return bring_down(l, flush_mount, e);
}

/* A file system that somebody uses: its journal is emptied all the same. */
static int
settle(const char *dir, struct err *e)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
		return 0;
	if (fd < 0 || ioctl(fd, FIFREEZE, 0) < 0)
		return err_sys(e,
			       "cannot unmount %s: a program that the "
			       "script left uses it",
			       dir);
	return ioctl(fd, FITHAW, 0) < 0 ? err_sys(e, "thaw %s", dir) : 0;
}

static int
leave(const char *dir, struct err *e)
{
	if (umount2(dir, 0) == 0)
		return 0;
	return errno == EBUSY ? settle(dir, e) : err_sys(e, "unmount %s", dir);
}

int
layout_leave(const struct layout *l, struct err *e)
{
	char **names = layout_mounted_below(l->top);
	struct err later;
	size_t len = 0;
	int bad = 0;

	sync();
	while (names[len])
		len++;
	while (len-- > 0)
		if (leave(names[len], bad ? &later : e) < 0)
			bad = -1;
	names_free(names);
	return bad;
}

void
layout_clear(struct layout *l)
{
	size_t i;

	for (i = 0; i < l->len; i++) {
		free(l->mounts[i].node);
		free(l->mounts[i].where);
		free(l->mounts[i].fstype);
		free(l->mounts[i].options);
		free(l->mounts[i].uuid);
	}
	free(l->mounts);
	free(l->top);
	free(l->root);
	free(l->version);
	free(l->disk);
	*l = (struct layout){ 0 };
}
