/* What an installation or an upgrade added to the running version outside of
 * merged folders: this host's own description, its keys, this command, files of
 * the configure script. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/dress.h"
#include "rsyncd/walk.h"

#include "roots/classes.h"
#include "roots/copy.h"

#include "host/prove.h"
#include "host/stage.h"

struct carrying {
	struct stage *s;
	struct walk_look *pool;
	int from, to; /* roots */
};

static bool
same_bytes(const struct manifest_entry *a, const struct manifest_entry *b)
{
	if (!a || !b || a->type != b->type)
		return a == b;
	return a->type != 'f' ||
	       (a->size == b->size && digest_eq(&a->hash, &b->hash));
}

/* The version's own change wins over what was put over its older file. */
static bool
stays_ours(const struct carrying *c, const char *path)
{
	const struct manifest_entry *was = manifest_find(c->s->was, path);
	const struct manifest_entry *will = manifest_find(c->s->will, path);

	return !will || same_bytes(was, will);
}

static int
put_folder(int parent, const char *base, const struct manifest_entry *m,
	   struct err *e)
{
	AUTO_CLOSE int fd = -1;

	if (mkdirat(parent, base, 0700) < 0)
		return errno == EEXIST ? 0 : err_sys(e, "create %s", m->path);
	fd = open_beneath(parent, base, O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? err_sys(e, "%s", m->path) : dress_fd(fd, m, e);
}

static int
put(const struct carrying *c, const struct manifest_entry *m, struct err *e)
{
	const char *base;
	AUTO_CLOSE int parent = open_parent(c->to, m->path, &base, e);
	struct stat st;

	if (parent < 0)
		return -1;
	if (m->type == 'd')
		return put_folder(parent, base, m, e);
	if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return 0;
	if (m->type == 'f')
		return copy_file(c->from, parent, base, m, e);
	if (unlinkat(parent, base, 0) < 0 && errno != ENOENT)
		return err_sys(e, "%s", m->path);
	return dress_make(parent, base, m, e);
}

/* The version has a file or a link where a folder of this host's was. */
static bool
has_no_place(const struct carrying *c, const char *path)
{
	struct err ignored;
	const char *base;
	AUTO_CLOSE int parent = open_parent(c->to, path, &base, &ignored);

	return parent < 0 && (errno == ENOTDIR || errno == ELOOP);
}

static int
carry(const struct carrying *c, const char *path, struct err *e)
{
	struct manifest_entry is;
	int there;

	if (has_no_place(c, path)) {
		stage_note(c->s, path,
			   "added here, and the version has something else in "
			   "the place of its folder: it stays behind");
		return 0;
	}
	/* as it is now: somebody may have changed it since */
	there = walk_look(c->pool, c->from, path, &is, e);
	if (there <= 0 || !is.type)
		return there < 0 ? -1 : 0;
	return put(c, &is, e);
}

static int
carry_all(const struct carrying *c, const struct classes *classes,
	  struct err *e)
{
	const struct manifest *local = c->s->local;
	size_t i;

	for (i = 1; local && i < local->len; i++) {
		const char *path = local->entry[i].path;

		if (classes_of(classes, path) == CLASS_VERSIONED &&
		    !stage_own_has(c->s, path) && stays_ours(c, path) &&
		    carry(c, path, e) < 0)
			return -1;
	}
	return 0;
}

/* Empty as they are below what is mounted. */
static int
carry_points(const struct carrying *c, const struct classes *classes,
	     struct err *e)
{
	AUTO_CLEAR(stage_points) points = { 0 };
	size_t i;

	if (stage_points_find(&points, c->s, classes, e) < 0)
		return -1;
	for (i = 0; i < points.len; i++) {
		struct manifest_entry is;
		struct err ignored;

		/* somebody's link on the way is no place to mount either */
		if (walk_look(c->pool, c->from, points.at[i], &is, &ignored) >
			    0 &&
		    is.type == 'd' && put(c, &is, e) < 0)
			return -1;
	}
	return 0;
}

/* Trees may have these, too, for hosts that nobody installed; here they say
 * where this host's versions are, and whom it believes. */
static int
carry_own(const struct carrying *c, const char *to, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s" STATE_DIR, to);

	if (dir_make(dir, 0755, e) < 0 || carry(c, &CONF_PATH[1], e) < 0 ||
	    carry(c, VERSIONED_TRUST, e) < 0)
		return -1;
	return conf_set_version(to, c->s->to, e);
}

int
stage_carry(struct stage *s, struct err *e)
{
	AUTO_FREE char *from = versioned_root(s->on, s->on->running);
	AUTO_FREE char *to = stage_dir(s);
	AUTO_CLOSE int a = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int b = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLEAR(classes) classes = { 0 };
	AUTO(walk_look) pool = walk_look_new();
	const struct carrying c = { s, pool, a, b };

	if (a < 0 || b < 0)
		return err_sys(e, "%s", a < 0 ? from : to);
	if (classes_of_root(&classes, to, e) < 0 || stage_own_find(s, e) < 0 ||
	    carry_all(&c, &classes, e) < 0 || stage_own_put(s, a, b, e) < 0 ||
	    carry_points(&c, &classes, e) < 0 || carry_own(&c, to, e) < 0)
		return -1;
	return prove_install(to, e);
}
