/* Is there room for what is missing? On each file system below the folder, and
 * before the first byte is fetched. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "rsyncd/job.h"

/* What one of the file systems below `into` is to take. */
struct room {
	dev_t dev;
	const char *path; /* a folder on it */
	uint64_t bytes, files;
};

struct rooms {
	struct room at[16];
	size_t len;
};

/* How files of the base may take no room here: nothing is shared between file
 * systems, and blocks only by some of them. */
struct sharable {
	bool inodes, blocks;
};

static struct sharable
what_is_shared(const struct job *j)
{
	struct stat in, base;
	struct statfs fs;

	if (!j->base.m || fstat(j->into, &in) < 0 ||
	    fstat(j->base.fd, &base) < 0 || in.st_dev != base.st_dev)
		return (struct sharable){ 0 };
	return (struct sharable){ .inodes = true,
				  .blocks = fstatfs(j->into, &fs) == 0 &&
					    (fs.f_type == BTRFS_SUPER_MAGIC ||
					     fs.f_type == XFS_SUPER_MAGIC) };
}

static bool
takes_room(const struct job *j, const struct manifest_entry *x,
	   const struct sharable *s)
{
	enum pull_share how = j->o->share;

	if (x->type != 'f' || x->sparse)
		return false;
	if (!s->inodes || !contents_find(j->base.h.contents, &x->hash))
		return true;
	if (j->o->share_of)
		how = j->o->share_of(j->o->ctx, x->path);
	return !(how == PULL_LINK || (how == PULL_REFLINK && s->blocks));
}

/* Of the file system on which the folder of entry `i` is or will be; NULL:
 * not known. */
static struct room *
room_of(struct rooms *r, const struct job *j, const char *folder)
{
	struct stat st;
	size_t i;

	if (fstatat(j->into, folder, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL; /* will be made in one that is there */
	for (i = 0; i < r->len && r->at[i].dev != st.st_dev; i++)
		;
	if (i == ARRAY_LEN(r->at))
		return NULL;
	if (i == r->len)
		r->at[r->len++] = (struct room){ st.st_dev, folder, 0, 0 };
	return &r->at[i];
}

/* The folder that an entry is in. Entries come in the order of their folders:
 * the last answer does for most. */
struct above {
	const char *path; /* of an entry in it, or NULL */
	size_t len, entry;
};

static size_t
find_above(struct above *a, const struct manifest *m, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	AUTO_FREE char *up = NULL;

	if (a->path && len == a->len && memcmp(a->path, path, len) == 0)
		return a->entry;
	up = slash ? base_strndup(path, len) : base_strdup(".");
	*a = (struct above){ path, len,
			     (size_t)(manifest_find(m, up) - m->entry) };
	return a->entry;
}

static void
count_needs(struct rooms *r, const struct job *j)
{
	const struct sharable shared = what_is_shared(j);
	size_t *number = base_array(j->m->len + 1, sizeof(*number));
	struct above last = { 0 };
	size_t i;

	for (i = 0; i < j->m->len; i++) {
		const struct manifest_entry *x = &j->m->entry[i];
		size_t above = number[find_above(&last, j->m, x->path)];
		struct room *own =
			x->type == 'd' ? room_of(r, j, x->path) : NULL;

		number[i] = own ? (size_t)(own - r->at) : above;
		if (j->entry[i] != ENTRY_ABSENT)
			continue;
		r->at[above].files += x->type != 'h';
		if (takes_room(j, x, &shared))
			r->at[above].bytes += (x->size + 4095) / 4096 * 4096;
	}
	free(number);
}

static int
has_room(const struct job *j, const struct room *r, struct err *e)
{
	AUTO_CLOSE int fd =
		open_beneath(j->into, r->path, O_RDONLY | O_DIRECTORY, 0);
	struct statvfs v;
	uint64_t left;

	if (fd < 0 || fstatvfs(fd, &v) < 0)
		return 0;
	left = (uint64_t)v.f_bavail * v.f_frsize;
	if (r->bytes > left)
		return err_set(e, ERR_SYS,
			       "%s/%s: no room: %s %s needs %" PRIu64
			       " MB more there, %" PRIu64 " MB are free",
			       j->o->into, r->path, j->seal->role,
			       j->seal->version, r->bytes / 1000000,
			       left / 1000000);
	if (v.f_files > 0 && r->files > v.f_favail && j->o->share != PULL_LINK)
		return err_set(e, ERR_SYS,
			       "%s/%s: no room: %s %s has %" PRIu64
			       " files more there, %" PRIu64 " inodes are free",
			       j->o->into, r->path, j->seal->role,
			       j->seal->version, r->files,
			       (uint64_t)v.f_favail);
	return 0;
}

int
into_room(struct job *j, struct err *e)
{
	struct rooms r = { 0 };
	size_t i;

	if (j->into < 0 || !room_of(&r, j, "."))
		return 0;
	count_needs(&r, j);
	for (i = 0; i < r.len; i++)
		if (has_room(j, &r.at[i], e) < 0)
			return -1;
	return 0;
}
