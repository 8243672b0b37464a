/* From a folder to a version: look at it, compare it with what is published,
 * write all files into a folder that no client sees, make them durable, show
 * them by one rename, and name them in HEAD. Killed at any step before the
 * rename nothing happened; after it the next publish of the same tree does
 * what is left. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/publish_parts.h"
#include "rsyncd/walk.h"

/* ---- for all ---- */

void
publish_progress(void *ctx, uint64_t done, uint64_t all)
{
	const struct publishing *p = ctx;

	if (p->o->progress)
		p->o->progress(p->o->ctx, p->stage, done, all);
}

void
publish_say(const struct publishing *p, const char *fmt, ...)
{
	AUTO_CLEAR(buf) line = { 0 };
	va_list ap;

	if (!p->o->say)
		return;
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	p->o->say(p->o->ctx, buf_text(&line));
}

int
publish_sync(const char *path, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		return err_sys(e, "sync %s", path);
	return 0;
}

int
publish_sync_dir(const char *path, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, "sync %s", path);
	return 0;
}

void
publish_result_clear(struct publish_result *r)
{
	seal_free(r->seal);
	r->seal = NULL;
}

static int
check_names(const struct publish_opts *o, struct err *e)
{
	if (!name_is_safe(o->role) || !name_is_safe(o->version))
		return err_set(e, ERR_INPUT,
			       "%s %s: a role or version is made of A-Z a-z "
			       "0-9 . _ -, at most 64",
			       o->role, o->version);
	if (str_eq(o->version, "HEAD"))
		return err_set(e, ERR_INPUT,
			       "HEAD is the name of a file, not of a version");
	return 0;
}

int
publish_begin(struct publishing *p, const struct publish_opts *o,
	      struct publish_result *out, struct err *e)
{
	*out = (struct publish_result){ 0 };
	*p = (struct publishing){
		.o = o, .lock = LOCK_NONE, .result = out, .stage = "look"
	};
	if (check_names(o, e) < 0)
		return -1;
	p->role_dir = base_printf("%s/trees/%s", o->top, o->role);
	p->view = base_printf("%s/install/%s/%s", o->top, o->version, o->role);
	if (dir_make(p->role_dir, 0755, e) < 0 || publish_lock(p, e) < 0 ||
	    shelf_open(&p->shelf, o->top, o->role, e) < 0)
		return -1;
	return 0;
}

void
publish_end(struct publishing *p)
{
	struct err ignored; /* the next publish removes it, or gc */

	if (p->work)
		dir_remove(p->work, &ignored);
	if (p->view_work)
		dir_remove(p->view_work, &ignored);
	shelf_free(p->shelf);
	manifest_free(p->found);
	manifest_free(p->made);
	seal_free(p->seal);
	free(p->role_dir);
	free(p->work);
	free(p->view);
	free(p->view_work);
	lock_clear(&p->lock);
}

/* ---- what it is, and what is there ---- */

static void
walked(void *ctx, uint64_t files, uint64_t bytes)
{
	(void)files;
	publish_progress(ctx, bytes, 0);
}

static void
walk_says(void *ctx, const char *line)
{
	publish_say(ctx, "%s", line);
}

/* The same folder, however it is called. */
static bool
is_same_folder(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int
look(struct publishing *p, struct err *e)
{
	const struct walk_opts opts = { .dir = p->o->dir,
					.threads = p->o->threads,
					.no_mounts = true,
					.progress = walked,
					.say = walk_says,
					.ctx = p };

	p->in_place = is_same_folder(p->o->dir, p->view);
	return walk(&opts, &p->found, e);
}

/* A version that is there: the same tree, or refused. */
static int
check_published(struct publishing *p, const struct shelf_version *v,
		struct err *e)
{
	AUTO(manifest) m = NULL;
	const char *path;

	if (shelf_manifest(p->shelf->trees, shelf_seal(v), &m, e) < 0 ||
	    publish_carry(p->found, m, &p->made, e) < 0)
		return -1;
	path = publish_differ(p->made, m);
	if (path)
		return err_set(e, ERR_REFUSED,
			       "%s %s is published and never changes; %s is "
			       "another tree (%s): give it a new version",
			       p->o->role, v->name, p->o->dir, path);
	return 0;
}

static int
check_ids(struct publishing *p, struct err *e)
{
	size_t left = p->o->deltas < 0 ? PUBLISH_DELTAS : (size_t)p->o->deltas;
	AUTO_CLOSE int dirfd =
		open(p->o->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t i;

	if (dirfd < 0)
		return err_sys(e, "open %s", p->o->dir);
	for (i = p->shelf->len; i-- > 0 && left > 0; left--) {
		AUTO(manifest) m = NULL;

		if (shelf_manifest(p->shelf->trees,
				   shelf_seal(&p->shelf->at[i]), &m, e) < 0 ||
		    publish_ids(p, dirfd, &p->shelf->at[i], m, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- what it stands on ---- */

#define BASES_MAX 16

struct bases { /* the version before, then the roles that it is built on */
	struct view_twin twin[BASES_MAX];
	size_t twins;
	struct full_source from[BASES_MAX];
	size_t from_len;
	struct shelf *shelf[BASES_MAX];
	size_t shelves;
};

static void
bases_clear(struct bases *b)
{
	size_t i;

	for (i = 0; i < b->twins; i++) {
		if (b->twin[i].dirfd >= 0)
			close(b->twin[i].dirfd);
		manifest_free(b->twin[i].m);
	}
	for (i = 0; i < b->shelves; i++)
		shelf_free(b->shelf[i]);
}

/* Its packs, and its view when there is one. */
static int
add_base(struct bases *b, const struct shelf *s, const struct shelf_version *v,
	 struct err *e)
{
	const struct seal *seal = shelf_seal(v);
	AUTO_FREE char *view =
		base_printf("%s/install/%s/%s", s->top, v->name, s->role);
	struct view_twin twin = { .dirfd = -1 };

	if (b->from_len == BASES_MAX)
		return err_set(e, ERR_REFUSED, "built on too many roles");
	if (shelf_manifest(s->trees, seal, &twin.m, e) < 0)
		return -1;
	b->from[b->from_len++].seal = seal;
	twin.dirfd = open(view, O_PATH | O_DIRECTORY | O_CLOEXEC);
	b->twin[b->twins++] = twin;
	return 0;
}

static int
find_bases(struct publishing *p, struct bases *b, struct err *e)
{
	const struct shelf *s = p->shelf;
	size_t i;

	if (s->len > 0 && add_base(b, s, &s->at[s->len - 1], e) < 0)
		return -1;
	for (i = 0; p->o->on && p->o->on[i]; i++) {
		struct shelf *other;
		struct shelf_version *v;

		if (b->shelves == BASES_MAX)
			return err_set(e, ERR_REFUSED,
				       "built on too many roles");
		if (shelf_named(p->o->top, p->o->on[i], &other, &v, e) < 0)
			return err_add(e, "--on %s", p->o->on[i]);
		b->shelf[b->shelves++] = other;
		if (add_base(b, other, v, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- making ---- */

int
publish_work(struct publishing *p, struct err *e)
{
	AUTO_FREE char *work = base_printf("%s/.publish-XXXXXX", p->role_dir);

	if (!mkdtemp(work))
		return err_sys(e, "mkdir %s", work);
	p->work = STEAL(work);
	if (chmod(p->work, 0755) < 0)
		return err_sys(e, "chmod %s", p->work);
	return 0;
}

void
publish_begin_seal(struct publishing *p, uint64_t serial, uint64_t revision)
{
	struct seal *s = base_alloc(sizeof(*s));

	snprintf(s->role, sizeof(s->role), "%s", p->o->role);
	snprintf(s->version, sizeof(s->version), "%s", p->o->version);
	snprintf(s->root, sizeof(s->root), "%s", p->made->root);
	s->serial = serial;
	s->revision = revision;
	s->entries = p->made->len;
	s->bytes = p->made->bytes;
	p->seal = s;
}

/* All files of the version, its seal and HEAD among them, in p->work. */
static int
make_files(struct publishing *p, const struct bases *b, struct err *e)
{
	AUTO_CLOSE int dirfd = -1;

	if (view_make(p, b->twin, b->twins, e) < 0)
		return -1;
	dirfd = view_open(p, e);
	if (dirfd < 0 || publish_work(p, e) < 0)
		return -1;
	publish_begin_seal(p, shelf_serial(p->shelf) + 1, 1);
	if (part_manifest(p, e) < 0 ||
	    full_make(p, b->from, b->from_len, dirfd, e) < 0 ||
	    part_deltas(p, dirfd, e) < 0 || part_marks(p, dirfd, e) < 0)
		return -1;
	return live_write(p->seal, p->work, p->o->key, e);
}

/* The one rename by which a client sees it. */
static int
show(struct publishing *p, struct err *e)
{
	AUTO_FREE char *to = base_printf("%s/%s", p->role_dir, p->o->version);

	p->stage = "sync";
	publish_progress(p, 0, 0);
	if (publish_sync(p->work, e) < 0 ||
	    (p->view_work && publish_sync(p->view_work, e) < 0))
		return -1;
	if (rename(p->work, to) < 0)
		return errno == ENOTEMPTY || errno == EEXIST
			       ? err_set(e, ERR_REFUSED,
					 "%s was removed, and other versions "
					 "still need its packs: take another "
					 "name",
					 to)
			       : err_sys(e, "rename to %s", to);
	free(STEAL(p->work));
	return publish_sync_dir(p->role_dir, e);
}

/* What follows the rename; done again by each publish of the same tree. */
static int
finish(struct publishing *p, const struct seal *s, struct err *e)
{
	if (view_show(p, e) < 0 || view_metadata(p, e) < 0)
		return -1;
	return p->o->key ? live_role(p->role_dir, s, p->o->key, e) : 0;
}

static int
publish_new(struct publishing *p, struct err *e)
{
	struct bases b = { 0 };
	int failed = -1;

	if (find_bases(p, &b, e) < 0 ||
	    publish_carry(p->found, p->shelf->len > 0 ? b.twin[0].m : p->found,
			  &p->made, e) < 0 ||
	    check_ids(p, e) < 0 || make_files(p, &b, e) < 0 || show(p, e) < 0)
		goto clear;
	failed = finish(p, p->seal, e);
clear:
	bases_clear(&b);
	return failed;
}

/* Does what an interrupted publish left to do. */
static int
publish_again(struct publishing *p, struct shelf_version *v, struct err *e)
{
	const struct sign_key *key = p->o->key;

	if (check_published(p, v, e) < 0)
		return -1;
	if ((p->in_place || !file_exists(p->view)) &&
	    (view_make(p, NULL, 0, e) < 0 ||
	     publish_sync(p->view_work ? p->view_work : p->o->top, e) < 0))
		return -1;
	p->result->already = true;
	p->result->signed_now = key && v->waiting;
	if (key && (v->waiting || str_eq(v->key, key->id))) {
		if (live_version(p, v, &p->seal, e) < 0)
			return -1;
	} else {
		p->seal = v->waiting ? STEAL(v->waiting) : STEAL(v->live);
	}
	return view_show(p, e) < 0 || view_metadata(p, e) < 0 ? -1 : 0;
}

int
publish(const struct publish_opts *opts, struct publish_result *out,
	struct err *e)
{
	struct shelf_version *v;
	struct publishing p;
	int failed = -1;

	if (publish_begin(&p, opts, out, e) < 0 ||
	    shelf_whole(p.shelf, e) < 0 || look(&p, e) < 0)
		goto end;
	v = shelf_find(p.shelf, opts->version);
	failed = v ? publish_again(&p, v, e) : publish_new(&p, e);
	if (!failed) {
		out->live = opts->key || (v && v->live);
		out->seal = STEAL(p.seal);
	}
end:
	publish_end(&p);
	return failed;
}
