/* A walk through the version's directory, and each entry made that is missing.
 * Contents are copied by the kernel, which shares blocks where it can. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/dress.h"
#include "rsyncd/walk.h"

#include "roots/seed.h"

struct seeding {
	int from, to;
	const struct manifest *m;
	bool *fresh; /* of each entry: a directory that was made here */
};

/* The folder of `path` below `top`, and what it is called there. */
static int
open_parent(int top, const char *path, const char **base, struct err *e)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *parent =
		slash ? base_strndup(path, (size_t)(slash - path))
		      : base_strdup(".");
	int fd = open_beneath(top, parent, O_PATH | O_DIRECTORY, 0);

	*base = slash ? slash + 1 : path;
	return fd < 0 ? err_sys(e, "%s", parent) : fd;
}

/* `len` bytes from where `from` stands, by the kernel where it can. */
static int
copy_run(int from, int to, off_t len, const char *path, struct err *e)
{
	char bytes[65536];

	while (len > 0) {
		ssize_t n =
			copy_file_range(from, NULL, to, NULL, (size_t)len, 0);

		if (n < 0 && (errno == EXDEV || errno == EINVAL ||
			      errno == EOPNOTSUPP)) {
			n = read(from, bytes,
				 sizeof(bytes) < (size_t)len ? sizeof(bytes)
							     : (size_t)len);
			if (n > 0 && fd_write_all(to, bytes, (size_t)n, e) < 0)
				return err_add(e, "copy %s", path);
		}
		if (n < 0)
			return err_sys(e, "copy %s", path);
		if (n == 0)
			return err_set(e, ERR_REFUSED,
				       "%s became shorter while it was copied",
				       path);
		len -= n;
	}
	return 0;
}

/* Holes stay holes. */
static int
copy_bytes(int from, int to, const char *path, struct err *e)
{
	off_t at = 0, end = lseek(from, 0, SEEK_END), hole;

	if (end < 0 || ftruncate(to, end) < 0)
		return err_sys(e, "copy %s", path);
	while (at < end && (at = lseek(from, at, SEEK_DATA)) >= 0) {
		hole = lseek(from, at, SEEK_HOLE);
		if (hole < 0 || lseek(from, at, SEEK_SET) < 0 ||
		    lseek(to, at, SEEK_SET) < 0)
			return err_sys(e, "copy %s", path);
		if (copy_run(from, to, hole - at, path, e) < 0)
			return -1;
		at = hole;
	}
	/* ENXIO: nothing but a hole is left */
	return at < 0 && errno != ENXIO ? err_sys(e, "copy %s", path) : 0;
}

/* Under another name first: what is there is whole. */
static int
copy_file(const struct seeding *s, int parent, const char *base,
	  const struct manifest_entry *m, struct err *e)
{
	static const char temporary[] = ".edeploy-seed";
	AUTO_CLOSE int from = open_beneath(s->from, m->path, O_RDONLY, 0);
	AUTO_CLOSE int to = -1;

	if (from < 0)
		return err_sys(e, "%s", m->path);
	unlinkat(parent, temporary, 0);
	to = openat(parent, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(e, "create %s", m->path);
	if (copy_bytes(from, to, m->path, e) < 0 || dress_fd(to, m, e) < 0)
		return -1;
	if (renameat(parent, temporary, parent, base) < 0)
		return err_sys(e, "%s", m->path);
	return 0;
}

static int
link_file(const struct seeding *s, int parent, const char *base,
	  const struct manifest_entry *m, struct err *e)
{
	const char *name;
	AUTO_CLOSE int other = open_parent(s->to, m->link, &name, e);

	if (other < 0)
		return -1;
	if (linkat(other, name, parent, base, 0) == 0)
		return 0;
	/* what the first name stood for may have gone since */
	return errno == ENOENT ? 0 : err_sys(e, "link %s", m->path);
}

static int
plant(struct seeding *s, size_t i, struct err *e)
{
	const struct manifest_entry *m = &s->m->entry[i];
	const char *base;
	AUTO_CLOSE int parent = open_parent(s->to, m->path, &base, e);
	struct stat st;

	if (parent < 0)
		return -1;
	if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	switch (m->type) {
	case 'd':
		if (mkdirat(parent, base, 0700) < 0)
			return err_sys(e, "create %s", m->path);
		s->fresh[i] = true;
		return 0;
	case 'f':
		return copy_file(s, parent, base, m, e);
	case 'h':
		return link_file(s, parent, base, m, e);
	default:
		return dress_make(parent, base, m, e);
	}
}

/* A machine's own link or file may stand where the version has a directory:
 * then all below it is the machine's, too. */
static bool
is_reached(const struct seeding *s, const struct manifest_entry *m)
{
	const char *slash = strrchr(m->path, '/');
	AUTO_FREE char *parent =
		slash ? base_strndup(m->path, (size_t)(slash - m->path))
		      : base_strdup(".");
	AUTO_CLOSE int fd =
		open_beneath(s->to, parent, O_PATH | O_DIRECTORY, 0);

	return fd >= 0;
}

/* Directories last, from the innermost: what is put into one moves its time. */
static int
dress_folders(const struct seeding *s, struct err *e)
{
	size_t i;

	for (i = s->m->len; i-- > 0;) {
		AUTO_CLOSE int fd = -1;

		if (!s->fresh[i])
			continue;
		fd = open_beneath(s->to, s->m->entry[i].path,
				  O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return err_sys(e, "%s", s->m->entry[i].path);
		if (dress_fd(fd, &s->m->entry[i], e) < 0)
			return -1;
	}
	return 0;
}

static int
plant_all(struct seeding *s, struct err *e)
{
	size_t i;

	for (i = 1; i < s->m->len; i++)
		if (is_reached(s, &s->m->entry[i]) && plant(s, i, e) < 0)
			return -1;
	return dress_folders(s, e);
}

int
seed(const char *from, const char *to, struct err *e)
{
	const struct walk_opts look = { .dir = from };
	AUTO(manifest) m = NULL;
	AUTO_FREE bool *fresh = NULL;
	AUTO_CLOSE int in = open(from, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int out = -1;
	struct seeding s;
	bool is_new = !file_exists(to);

	if (in < 0)
		return err_sys(e, "%s", from);
	if (walk(&look, &m, e) < 0 || dir_make(to, 0755, e) < 0)
		return -1;
	out = open(to, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out < 0)
		return err_sys(e, "%s", to);
	fresh = base_array(m->len, sizeof(*fresh));
	fresh[0] = is_new;
	s = (struct seeding){ in, out, m, fresh };
	return plant_all(&s, e) < 0 ? err_add(e, "%s", to) : 0;
}
