/* The running system as a root of a version. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"

#include "rsyncd/dress.h"
#include "rsyncd/walk.h"

#include "roots/classes.h"
#include "roots/copy.h"
#include "roots/enter.h"

#include "host/convert.h"

#define FOLDER_BYTES 4096

struct building {
	int top, out; /* the file system, the new root; -1: only look */
	const struct classes *classes;
	const struct enter_places *own;
	struct walk_look *pool;
	unsigned long long bytes;
};

/* ---- what goes along ---- */

/* Something is mounted there: by the kernel, or what is the machine's own. */
static bool
is_mount_point(const struct building *b, const char *path)
{
	size_t i;

	for (i = 0; i < b->own->len; i++)
		if (str_eq(b->own->at[i].path, path))
			return true;
	return str_eq(path, "dev") || str_eq(path, "proc") ||
	       str_eq(path, "sys") || str_eq(path, "run");
}

/* State itself stays where it is. Its top is needed to mount it on, and the
 * way to what a version has below. */
static bool
is_wanted_of_state(const struct classes *c, const char *path)
{
	size_t i;

	for (i = 0; i < c->len; i++)
		if (str_eq(c->row[i].path, path) ||
		    (c->row[i].class != CLASS_STATE &&
		     path_is_within(c->row[i].path, path)))
			return true;
	return false;
}

static bool
is_wanted(const struct building *b, const char *path)
{
	if (str_eq(path, "edeploy") || str_eq(path, "lost+found"))
		return false;
	return classes_of(b->classes, path) != CLASS_STATE ||
	       is_wanted_of_state(b->classes, path);
}

/* Files that are written in place: by people, by packages, and the boot
 * loader's, of which the old root keeps its own. */
static bool
is_copied(const struct building *b, const char *path)
{
	return classes_of(b->classes, path) == CLASS_MERGED ||
	       path_is_within(path, "var") ||
	       path_is_within(path, "boot/grub") ||
	       path_is_within(path, "boot/grub2");
}

/* ---- one entry ---- */

static int
put_file(struct building *b, const struct manifest_entry *m, struct err *e)
{
	const char *base;
	AUTO_CLOSE int parent = -1;
	bool copied = m->type == 'f' && is_copied(b, m->path);

	b->bytes += copied ? m->size : 0;
	if (b->out < 0)
		return 0;
	parent = open_parent(b->out, m->path, &base, e);
	if (parent < 0)
		return -1;
	if (copied)
		return copy_file(b->top, parent, base, m, e);
	if (linkat(b->top, m->path, parent, base, 0) == 0)
		return 0;
	/* the kernel links nothing that is immutable */
	if (m->type == 'f' && (errno == EPERM || errno == EMLINK))
		return copy_file(b->top, parent, base, m, e);
	return err_sys(e, "link /%s", m->path);
}

static int carry_children(struct building *b, const char *path, struct err *e);

/* Dressed after all that is in it, for its time moves. */
static int
put_folder(struct building *b, const char *path, struct err *e)
{
	struct manifest_entry m;
	AUTO_CLOSE int fd = -1;

	b->bytes += FOLDER_BYTES;
	if (b->out >= 0 && mkdirat(b->out, path, 0700) < 0)
		return err_sys(e, "create /%s", path);
	if (!is_mount_point(b, path) && carry_children(b, path, e) < 0)
		return -1;
	if (b->out < 0)
		return 0;
	fd = open_beneath(b->out, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || walk_look(b->pool, b->top, path, &m, e) != 1)
		return err_sys(e, "/%s", path);
	return dress_fd(fd, &m, e);
}

static int
carry(struct building *b, const char *path, struct err *e)
{
	struct manifest_entry m;
	int there = walk_look(b->pool, b->top, path, &m, e);

	if (there < 0)
		return -1;
	/* gone meanwhile, or a socket */
	if (there == 0 || m.type == 0)
		return 0;
	return m.type == 'd' ? put_folder(b, path, e) : put_file(b, &m, e);
}

/* ---- all ---- */

static int
carry_children(struct building *b, const char *path, struct err *e)
{
	int fd = open_beneath(b->top, path, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	int bad = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return err_sys(e, "/%s", path);
	}
	for (errno = 0; bad == 0 && (d = readdir(dir)); errno = 0) {
		AUTO_FREE char *child =
			str_eq(path, ".")
				? base_strdup(d->d_name)
				: base_printf("%s/%s", path, d->d_name);

		if (!str_eq(d->d_name, ".") && !str_eq(d->d_name, "..") &&
		    is_wanted(b, child))
			bad = carry(b, child, e);
	}
	if (bad == 0 && errno)
		bad = err_sys(e, "/%s", path);
	closedir(dir);
	return bad;
}

static int
dress_root(struct building *b, struct err *e)
{
	struct manifest_entry m;

	if (walk_look(b->pool, b->top, ".", &m, e) != 1)
		return err_sys(e, "/");
	if (mkdirat(b->out, "edeploy", 0755) < 0)
		return err_sys(e, "create /edeploy");
	return dress_fd(b->out, &m, e);
}

int
convert_tree(int top, const char *into, const struct classes *classes,
	     const struct enter_places *own, unsigned long long *bytes,
	     struct err *e)
{
	AUTO(walk_look) pool = walk_look_new();
	AUTO_CLOSE int out = -1;
	struct building b = { top, -1, classes, own, pool, 0 };
	int bad;

	if (into) {
		if (mkdirat(top, into, 0700) < 0)
			return err_sys(e, "create /%s", into);
		out = open_beneath(top, into, O_RDONLY | O_DIRECTORY, 0);
		if (out < 0)
			return err_sys(e, "/%s", into);
		b.out = out;
	}
	bad = carry_children(&b, ".", e);
	if (bad == 0 && into)
		bad = dress_root(&b, e);
	*bytes = b.bytes;
	return bad;
}
