#include "rsyncd/stand.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "rsyncd/look.h"

bool
stand_dress_equal(const struct manifest_entry *a,
		  const struct manifest_entry *b, const char **what)
{
	const char *differs = NULL;

	if (a->uid != b->uid || a->gid != b->gid)
		differs = "owner";
	else if (a->type != 'l' && a->mode != b->mode)
		differs = "mode";
	else if (a->mtime_s != b->mtime_s || a->mtime_ns != b->mtime_ns)
		differs = "time";
	else if (!manifest_xattrs_equal(a, b))
		differs = "attributes";
	if (differs && what)
		*what = differs;
	return !differs;
}

/* What cannot be dressed away; NULL: nothing. */
static const char *
other(const struct manifest_entry *want, const struct manifest_entry *is)
{
	if (want->type != is->type)
		return "kind";
	if (want->type == 'f' && want->size != is->size)
		return "size";
	if (want->type == 'l' && !str_eq(want->link, is->link))
		return "link";
	if ((want->type == 'c' || want->type == 'b') &&
	    (want->major != is->major || want->minor != is->minor))
		return "device";
	return NULL;
}

/* An h entry and its target, as they are. */
static bool
stat_both(int top, const struct manifest_entry *entry, struct stat *x,
	  struct stat *y)
{
	AUTO_CLOSE int a = open_beneath(top, entry->path, O_PATH, 0);
	AUTO_CLOSE int b = open_beneath(top, entry->link, O_PATH, 0);

	return a >= 0 && b >= 0 && fstat(a, x) == 0 && fstat(b, y) == 0;
}

bool
stand_linked(int top, const struct manifest_entry *entry)
{
	struct stat x, y;

	return stat_both(top, entry, &x, &y) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

bool
stand_apart(int top, const struct manifest_entry *entry)
{
	struct stat x, y;

	return stat_both(top, entry, &x, &y) && x.st_dev != y.st_dev;
}

static int
judge(const struct manifest_entry *want, const struct manifest_entry *is,
      const char **what)
{
	const char *differs = other(want, is);

	if (differs) {
		if (what)
			*what = differs;
		return STAND_OTHER;
	}
	return stand_dress_equal(want, is, what) ? STAND_SAME : STAND_DRESSED;
}

static int
absent(const char **what)
{
	if (what)
		*what = "missing";
	return STAND_ABSENT;
}

static int
look_link(int top, const struct manifest_entry *entry, const char **what)
{
	if (stand_linked(top, entry))
		return STAND_SAME;
	if (what)
		*what = "no hard link any more";
	return STAND_OTHER;
}

int
stand_entry(struct walk_look *pool, int top, const struct manifest_entry *entry,
	    const char **what, struct err *e)
{
	struct manifest_entry is;
	int there = walk_look(pool, top, entry->path, &is, e);

	if (there < 0)
		return -1;
	if (there == 0)
		return absent(what);
	if (entry->type == 'h')
		return look_link(top, entry, what);
	return judge(entry, &is, what);
}

/* ---- by stat ---- */

int
stand_stat(int top, const struct manifest_entry *entry, const char **what,
	   struct err *e)
{
	struct manifest_entry is = { .xattrs = entry->xattrs,
				     .xattrs_len = entry->xattrs_len };
	char link[MANIFEST_PATH_MAX + 1];
	struct stat st;
	ssize_t n;

	/* a link on the way is told as the folder that it replaced */
	if (fstatat(top, entry->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? absent(what)
			       : err_sys(e, "%s", entry->path);
	if (entry->type == 'h')
		return STAND_SAME;
	is.type = look_type(st.st_mode);
	is.mode = is.type == 'l' ? 0777 : st.st_mode & 07777;
	is.uid = st.st_uid;
	is.gid = st.st_gid;
	is.mtime_s = st.st_mtim.tv_sec;
	is.mtime_ns = (uint32_t)st.st_mtim.tv_nsec;
	is.size = (uint64_t)st.st_size;
	is.major = major(st.st_rdev);
	is.minor = minor(st.st_rdev);
	is.link = "";
	if (is.type == 'l' && entry->type == 'l') {
		n = readlinkat(top, entry->path, link, sizeof(link) - 1);
		link[n < 0 ? 0 : n] = '\0';
		is.link = link;
	}
	return judge(entry, &is, what);
}

/* ---- strangers ---- */

struct strangers {
	int top;
	const struct manifest *m;
	int (*stranger)(void *ctx, const char *path, struct err *e);
	void *ctx;
};

/* mkfs makes it: a folder of root's, nobody else's, in the top of a file
 * system. */
static bool
is_lost_found(int fd, const char *name)
{
	struct stat st, dir, above;

	if (!str_eq(name, "lost+found") ||
	    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode) || st.st_uid != 0)
		return false;
	return fstat(fd, &dir) == 0 && fstatat(fd, "..", &above, 0) == 0 &&
	       (dir.st_dev != above.st_dev || dir.st_ino == above.st_ino);
}

static int
strangers_in(struct strangers *s, const char *path, struct err *e)
{
	int fd = open_beneath(s->top, path, O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;
	int bad = 0;

	if (!d) { /* not there, or no folder: others say so */
		if (fd >= 0)
			close(fd);
		return 0;
	}
	for (errno = 0; bad == 0 && (x = readdir(d)); errno = 0) {
		AUTO_FREE char *full =
			str_eq(path, ".")
				? base_strdup(x->d_name)
				: base_printf("%s/%s", path, x->d_name);

		if (str_eq(x->d_name, ".") || str_eq(x->d_name, "..") ||
		    manifest_find(s->m, full) || is_lost_found(fd, x->d_name))
			continue;
		bad = s->stranger(s->ctx, full, e);
	}
	if (bad == 0 && errno)
		bad = err_sys(e, "%s", path);
	closedir(d);
	return bad;
}

int
stand_strangers(int top, const struct manifest *m,
		int (*stranger)(void *ctx, const char *path, struct err *e),
		void *ctx, struct err *e)
{
	struct strangers s = { top, m, stranger, ctx };
	size_t i;

	for (i = 0; i < m->len; i++)
		if (m->entry[i].type == 'd' &&
		    strangers_in(&s, m->entry[i].path, e) < 0)
			return -1;
	return 0;
}
