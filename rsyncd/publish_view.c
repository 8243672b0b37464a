/* The files once more as a plain folder, for stock rsync, and what packs and
 * deltas are read from: so what a client gets is what was hashed, whatever
 * somebody does to DIR meanwhile. A file that the version before (or the role
 * that this one is built on) has at the same path with all its metadata is the
 * same inode; at another path never, or two files would become one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/dress.h"
#include "rsyncd/pairs.h"
#include "rsyncd/place.h"
#include "rsyncd/publish_parts.h"
#include "rsyncd/view_copy.h"
#include "rsyncd/walk.h"

struct view {
	struct publishing *p;
	const struct view_twin *twin;
	size_t twins;
	int from; /* DIR */
	int into; /* the view */
	uint64_t done;
};

/* ---- the same file elsewhere ---- */

static bool
looks_like(int fd, const struct manifest_entry *m)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == m->size &&
	       (st.st_mode & 07777) == m->mode && st.st_uid == m->uid &&
	       st.st_gid == m->gid && st.st_mtim.tv_sec == m->mtime_s &&
	       st.st_mtim.tv_nsec == (long)m->mtime_ns;
}

/* Link the twin's file as `name` in `dirfd`. 0: there is none; 1: linked. */
static int
link_twin(const struct view *v, const struct manifest_entry *m, int dirfd,
	  const char *name)
{
	size_t i;

	for (i = 0; i < v->twins; i++) {
		const struct manifest_entry *t =
			manifest_find(v->twin[i].m, m->path);
		AUTO_FREE char *proc = NULL;
		AUTO_CLOSE int fd = -1;

		if (!t || !pairs_same(t, m))
			continue;
		fd = open_beneath(v->twin[i].dirfd, m->path, O_PATH, 0);
		if (fd < 0 || !looks_like(fd, m))
			continue; /* somebody was in that view */
		proc = base_printf("/proc/self/fd/%d", fd);
		/* too many links, or another file system: it is copied */
		if (linkat(AT_FDCWD, proc, dirfd, name, AT_SYMLINK_FOLLOW) == 0)
			return 1;
	}
	return 0;
}

/* ---- making ---- */

static int
make_file(struct view *v, const struct manifest_entry *m,
	  const struct manifest_entry *found, int dirfd, const char *base,
	  struct err *e)
{
	AUTO_CLOSE int from = -1;
	AUTO_CLOSE int into = -1;

	if (link_twin(v, m, dirfd, base) > 0) {
		v->p->result->linked += m->size;
		return 0;
	}
	from = open_beneath(v->from, m->path, O_RDONLY, 0);
	if (from < 0)
		return err_sys(e, "open %s/%s", v->p->o->dir, m->path);
	into = openat(dirfd, base,
		      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		      0600);
	if (into < 0)
		return err_sys(e, "create %s", m->path);
	if (view_copy(from, into, found, e) < 0)
		return e->kind == ERR_SYS ? err_add(e, "%s", v->p->view) : -1;
	return dress_fd(into, m, e);
}

static int
make_link(const struct view *v, const struct manifest_entry *m, int dirfd,
	  const char *base, struct err *e)
{
	const char *target_base;
	AUTO_CLOSE int target = open_parent(v->into, m->link, &target_base, e);

	if (target < 0)
		return -1;
	if (linkat(target, target_base, dirfd, base, 0) < 0)
		return err_sys(e, "link %s to %s", m->path, m->link);
	return 0;
}

static int
make_entry(struct view *v, size_t i, struct err *e)
{
	const struct manifest_entry *m = &v->p->made->entry[i];
	const char *base;
	AUTO_CLOSE int dirfd = open_parent(v->into, m->path, &base, e);

	if (dirfd < 0)
		return -1;
	switch (m->type) {
	case 'd':
		if (mkdirat(dirfd, base, 0700) < 0)
			return err_sys(e, "mkdir %s", m->path);
		return 0;
	case 'f':
		return make_file(v, m, &v->p->found->entry[i], dirfd, base, e);
	case 'h':
		return make_link(v, m, dirfd, base, e);
	default:
		return dress_make(dirfd, base, m, e);
	}
}

/* Folders from the last to the first: their times move no more. */
static int
dress_folders(const struct view *v, struct err *e)
{
	const struct manifest *m = v->p->made;
	size_t i;

	for (i = m->len; i-- > 0;) {
		AUTO_CLOSE int fd = -1;

		if (m->entry[i].type != 'd')
			continue;
		fd = open_beneath(v->into, m->entry[i].path,
				  O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return err_sys(e, "open %s", m->entry[i].path);
		if (dress_fd(fd, &m->entry[i], e) < 0)
			return -1;
	}
	return 0;
}

static int
make_all(struct view *v, struct err *e)
{
	const struct manifest *m = v->p->made;
	size_t i;

	for (i = 1; i < m->len; i++) { /* 0 is the folder itself */
		if (make_entry(v, i, e) < 0)
			return -1;
		v->done += m->entry[i].size;
		publish_progress(v->p, v->done, m->bytes);
	}
	return dress_folders(v, e);
}

/* ---- in its place ---- */

/* Files that have a second name here keep their inode, or the two would part.
 */
static bool *
find_linked(const struct manifest *m)
{
	bool *linked = base_array(m->len, sizeof(*linked));
	size_t i;

	for (i = 0; i < m->len; i++)
		if (m->entry[i].type == 'h')
			linked[manifest_find(m, m->entry[i].link) - m->entry] =
				true;
	return linked;
}

/* Put the twin's inode in place of an equal file, at once. 1: done. */
static int
swap_twin(struct view *v, const struct manifest_entry *m, int parent,
	  const char *base, int aside, struct err *e)
{
	if (link_twin(v, m, aside, "twin") == 0)
		return 0;
	if (renameat(aside, "twin", parent, base) < 0) {
		if (errno != EXDEV)
			return err_sys(e, "rename to %s", m->path);
		/* a view on a file system of its own keeps its file */
		(void)!unlinkat(aside, "twin", 0);
		return 0;
	}
	/* the same inode already: then rename does nothing at all */
	(void)!unlinkat(aside, "twin", 0);
	v->p->result->linked += m->size;
	return 1;
}

static int
settle_entry(struct view *v, size_t i, bool linked, int aside, struct err *e)
{
	const struct manifest_entry *m = &v->p->made->entry[i];
	const char *base;
	AUTO_CLOSE int parent = open_parent(v->into, m->path, &base, e);
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
				     { m->mtime_s, m->mtime_ns } };
	int swapped;

	if (parent < 0)
		return -1;
	if (m->type == 'f' && !linked) {
		swapped = swap_twin(v, m, parent, base, aside, e);
		if (swapped != 0)
			return swapped < 0 ? -1 : 0;
	}
	if (pairs_same(m, &v->p->found->entry[i]))
		return 0;
	if (utimensat(parent, base, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "set the time of %s", m->path);
	return 0;
}

static int
settle_all(struct view *v, int aside, struct err *e)
{
	const struct manifest *m = v->p->made;
	AUTO_FREE bool *linked = find_linked(m);
	size_t i;

	for (i = 1; i < m->len; i++)
		if (m->entry[i].type != 'd' && m->entry[i].type != 'h' &&
		    settle_entry(v, i, linked[i], aside, e) < 0)
			return -1;
	return dress_folders(v, e);
}

/* ---- the door ---- */

/* A view that is there and is not DIR has to be the same tree. */
static int
check_there(const struct publishing *p, struct err *e)
{
	const struct walk_opts opts = { .dir = p->view,
					.threads = p->o->threads };
	AUTO(manifest) there = NULL;
	const char *path;

	if (walk(&opts, &there, e) < 0)
		return -1;
	path = publish_differ(there, p->made);
	if (path)
		return err_set(e, ERR_REFUSED,
			       "%s is there and is another tree (%s): publish "
			       "that folder itself, or remove it",
			       p->view, path);
	return 0;
}

static int
make_work(struct publishing *p, struct err *e)
{
	AUTO_FREE char *install = base_printf("%s/install", p->o->top);
	AUTO_FREE char *work =
		base_printf("%s/.%s.publish-XXXXXX", install, p->o->role);

	if (dir_make(install, 0755, e) < 0)
		return -1;
	if (!mkdtemp(work))
		return err_sys(e, "mkdir %s", work);
	p->view_work = STEAL(work);
	return 0;
}

int
view_make(struct publishing *p, const struct view_twin *twin, size_t twins,
	  struct err *e)
{
	struct view v = { .p = p, .twin = twin, .twins = twins };
	AUTO_CLOSE int from = open(p->o->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int work = -1;

	p->stage = "view";
	if (from < 0)
		return err_sys(e, "open %s", p->o->dir);
	if (!p->in_place && file_exists(p->view))
		return check_there(p, e);
	if (make_work(p, e) < 0)
		return -1;
	work = open(p->view_work, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (work < 0)
		return err_sys(e, "open %s", p->view_work);
	v.from = from;
	v.into = p->in_place ? from : work;
	if (p->in_place)
		return settle_all(&v, work, e);
	return make_all(&v, e);
}

/* Where the view's files are now. */
static const char *
view_now(const struct publishing *p)
{
	return p->view_work && !p->in_place ? p->view_work : p->view;
}

int
view_open(const struct publishing *p, struct err *e)
{
	int fd = open(view_now(p), O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "open %s", view_now(p)) : fd;
}

int
view_show(struct publishing *p, struct err *e)
{
	AUTO_FREE char *folder =
		base_printf("%s/install/%s", p->o->top, p->o->version);

	if (!p->view_work || p->in_place)
		return 0;
	if (dir_make(folder, 0755, e) < 0)
		return -1;
	if (rename(p->view_work, p->view) < 0)
		return err_sys(e, "rename %s to %s", p->view_work, p->view);
	free(STEAL(p->view_work));
	return publish_sync_dir(folder, e);
}
