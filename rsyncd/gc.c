/* First everything that a seal names is written down, of all roles, since packs
 * are shared between them; then files whose names are ours and that are not on
 * the list go. Strangers stay: somebody put them there. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/mounts.h"

#include "rsyncd/gc.h"
#include "rsyncd/publish_parts.h"

struct names { /* paths below trees that stay, sorted once all are there */
	char **at;
	size_t len;
};

struct cleaning {
	const struct gc_opts *o;
	struct gc_result *out;
	struct lock all, *lock;
	size_t locks;
	struct shelf **shelf;
	size_t shelves;
	struct names stay;
};

/* ---- what stays ---- */

static void
stays(struct cleaning *c, char *path)
{
	struct names *n = &c->stay;

	n->at = base_resize(n->at, n->len + 1, sizeof(*n->at));
	n->at[n->len++] = path;
}

static void
stay_all(struct cleaning *c, const struct seal *s, const char *tail)
{
	size_t i;

	if (!s)
		return;
	stays(c, base_printf("%s/%s/seal-%s%s", s->role, s->version, s->hash,
			     tail));
	stays(c, base_strdup(s->manifest.path));
	for (i = 0; i < s->fulls; i++)
		stays(c, base_strdup(s->full[i].path));
	for (i = 0; i < s->deltas; i++)
		stays(c, base_strdup(s->delta[i].path));
	if (s->marks.path[0])
		stays(c, base_strdup(s->marks.path));
}

/* The role's HEAD may still name an older seal of its version: somebody was
 * interrupted between the two HEADs. */
static int
stay_head(struct cleaning *c, const struct shelf *s, struct err *e)
{
	const struct shelf_version *v = shelf_find(s, s->head.version);
	AUTO_FREE char *path =
		base_printf("%s/%s/%s/seal-%s", s->trees, s->role,
			    s->head.version, s->head.seal);
	AUTO_FREE char *text = NULL;
	AUTO(seal) seal = NULL;
	char key[SIGN_ID];
	size_t len;

	if (!s->head.role[0] ||
	    (v && v->live && str_eq(v->live->hash, s->head.seal)))
		return 0;
	if (!v || !file_exists(path))
		return err_set(e, ERR_REFUSED,
			       "%s/%s/HEAD names %s, which is not there any "
			       "more: publish the next version first",
			       s->trees, s->role, s->head.version);
	if (file_read(path, SEAL_TEXT_MAX, &text, &len, e) < 0 ||
	    seal_peek(&seal, text, len, key, path, e) < 0)
		return -1;
	stay_all(c, seal, "");
	return 0;
}

/* `i` in the order of age. */
static bool
is_old(const struct cleaning *c, const struct shelf *s, size_t i)
{
	const struct shelf_version *v = &s->at[i];
	size_t k, newer = 0;

	if (c->o->keep == 0 || v->waiting || str_eq(v->name, s->head.version))
		return false;
	for (k = i + 1; k < s->len; k++)
		newer += s->at[k].live != NULL;
	return newer >= c->o->keep;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What may be at the host with the key at this moment. */
static void
stay_older(struct cleaning *c, const struct shelf_version *v)
{
	for (size_t i = 0; i < v->olders && !c->o->now; i++)
		stay_all(c, v->older[i], ".unsigned");
}

static int
list_names(struct cleaning *c, struct err *e)
{
	size_t i, k;

	for (i = 0; i < c->shelves; i++) {
		const struct shelf *s = c->shelf[i];

		for (k = 0; k < s->len; k++) {
			if (is_old(c, s, k))
				continue;
			stay_all(c, s->at[k].live, "");
			stay_all(c, s->at[k].waiting, ".unsigned");
			stay_older(c, &s->at[k]);
		}
		if (stay_head(c, s, e) < 0)
			return -1;
	}
	if (c->stay.len > 0)
		qsort(c->stay.at, c->stay.len, sizeof(*c->stay.at), by_text);
	return 0;
}

static bool
is_named(const struct cleaning *c, const char *path)
{
	return c->stay.len > 0 &&
	       bsearch(&path, c->stay.at, c->stay.len, sizeof(path), by_text);
}

/* ---- what goes ---- */

static bool
is_ours(const char *name)
{
	static const char *const heads[] = {
		"seal-", "manifest-", "full-", "from-", "marks-", "HEAD.new."
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(heads); i++)
		if (str_starts(name, heads[i]))
			return true;
	return false;
}

static int
remove_file(struct cleaning *c, const char *role, const char *version,
	    const char *name, struct err *e)
{
	AUTO_FREE char *shown =
		base_printf("trees/%s/%s/%s", role, version, name);
	AUTO_FREE char *path = base_printf("%s/%s", c->o->top, shown);
	struct stat st = { 0 };

	if (lstat(path, &st) < 0)
		return err_sys(e, "stat %s", path);
	if (!c->o->dry_run && unlink(path) < 0)
		return err_sys(e, "remove %s", path);
	c->out->files++;
	c->out->bytes += (uint64_t)st.st_size;
	if (c->o->removed)
		c->o->removed(c->o->ctx, shown, (uint64_t)st.st_size);
	return 0;
}

/* Its HEAD changed a moment ago. */
static bool
in_grace(const struct cleaning *c, const char *dir)
{
	AUTO_FREE char *head = base_printf("%s/HEAD", dir);
	struct stat st;

	return !c->o->now && stat(head, &st) == 0 &&
	       time(NULL) - st.st_mtim.tv_sec < GC_GRACE_S;
}

/* A version's folder, or what is left of one. */
static int
clean_folder(struct cleaning *c, const char *role, const char *version,
	     bool old, struct err *e)
{
	AUTO_FREE char *dir =
		base_printf("%s/trees/%s/%s", c->o->top, role, version);
	char **names = !old && in_grace(c, dir) ? NULL : dir_names(dir);
	int failed = 0;
	size_t i;

	for (i = 0; names && names[i] && !failed; i++) {
		AUTO_FREE char *path =
			base_printf("%s/%s/%s", role, version, names[i]);

		if (is_ours(names[i]) && !is_named(c, path))
			failed = remove_file(c, role, version, names[i], e);
	}
	names_free(names);
	if (!failed && !c->o->dry_run)
		(void)!rmdir(dir); /* unless something is still in it */
	return failed;
}

/* Who builds a role in its view has /proc and /dev mounted there. */
static int
check_mounts(const char *view, struct err *e)
{
	AUTO_FREE char *real = realpath(view, NULL);
	AUTO_CLEAR(mounts) m = { 0 };
	size_t i;

	if (!real || mounts_read(&m, e) < 0)
		return real ? -1 : err_sys(e, "%s", view);
	for (i = 0; i < m.len; i++)
		if (path_is_within(m.at[i].where, real))
			return err_set(e, ERR_REFUSED,
				       "%s is mounted in a view that is to be "
				       "removed: unmount it, and try again",
				       m.at[i].where);
	return 0;
}

/* Its view, which leaves the sight of clients at once. */
static int
remove_view(struct cleaning *c, const char *role, const char *version,
	    struct err *e)
{
	AUTO_FREE char *folder =
		base_printf("%s/install/%s", c->o->top, version);
	AUTO_FREE char *view = base_printf("%s/%s", folder, role);
	/* called as what publish_sweep removes */
	AUTO_FREE char *gone =
		base_printf("%s/install/.%s.publish-gone00", c->o->top, role);
	AUTO_FREE char *shown = base_printf("install/%s/%s", version, role);

	if (!file_exists(view))
		return 0;
	if (check_mounts(view, e) < 0)
		return -1;
	if (c->o->removed)
		c->o->removed(c->o->ctx, shown, 0);
	if (c->o->dry_run)
		return 0;
	if (rename(view, gone) < 0)
		return err_sys(e, "rename %s", view);
	(void)!rmdir(folder); /* other roles may be in it */
	return dir_remove(gone, e);
}

/* The view first, since without a HEAD nobody knows any more that it is one of
 * a version: whatever ends this between the two, the next one goes on. */
static int
remove_version(struct cleaning *c, const struct shelf *s, size_t i,
	       struct err *e)
{
	const char *version = s->at[i].name;

	if (remove_view(c, s->role, version, e) < 0 ||
	    remove_file(c, s->role, version, "HEAD", e) < 0)
		return -1;
	c->out->versions++;
	return 0;
}

static int
clean_role(struct cleaning *c, const struct shelf *s, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/%s", s->trees, s->role);
	char **names;
	int failed = 0;
	size_t i;

	if (!c->o->dry_run && publish_sweep(c->o->top, s->role, e) < 0)
		return -1;
	for (i = 0; i < s->len && !failed; i++)
		if (is_old(c, s, i))
			failed = remove_version(c, s, i, e);
	names = dir_names(dir);
	for (i = 0; names && names[i] && !failed; i++) {
		const struct shelf_version *v = shelf_find(s, names[i]);
		bool old = v && is_old(c, s, (size_t)(v - s->at));

		if (name_is_safe(names[i]) && !str_eq(names[i], "HEAD"))
			failed = clean_folder(c, s->role, names[i], old, e);
	}
	names_free(names);
	return failed;
}

/* ---- the door ---- */

static int
read_shelves(struct cleaning *c, struct err *e)
{
	char **roles;
	int failed = 0;
	size_t i;

	if (shelf_roles(c->o->top, &roles, e) < 0)
		return -1;
	for (i = 0; roles[i] && !failed; i++) {
		struct shelf *s = NULL;

		failed = shelf_open(&s, c->o->top, roles[i], e);
		if (failed)
			break;
		c->shelf = base_resize(c->shelf, c->shelves + 1,
				       sizeof(struct shelf *));
		c->shelf[c->shelves++] = s;
		failed = shelf_whole(s, e);
	}
	names_free(roles);
	return failed;
}

static void
cleaning_clear(struct cleaning *c)
{
	size_t i;

	for (i = 0; i < c->shelves; i++)
		shelf_free(c->shelf[i]);
	free(c->shelf);
	for (i = 0; i < c->stay.len; i++)
		free(c->stay.at[i]);
	free(c->stay.at);
	for (i = 0; i < c->locks; i++)
		lock_clear(&c->lock[i]);
	free(c->lock);
	lock_clear(&c->all);
}

int
gc(const struct gc_opts *opts, struct gc_result *out, struct err *e)
{
	struct cleaning c = { .o = opts, .out = out, .all = LOCK_NONE };
	int failed = -1;
	size_t i;

	*out = (struct gc_result){ 0 };
	if (publish_lock_all(opts->top, &c.all, &c.lock, &c.locks, e) < 0 ||
	    read_shelves(&c, e) < 0 || list_names(&c, e) < 0)
		goto clear;
	for (failed = 0, i = 0; i < c.shelves && !failed; i++)
		failed = clean_role(&c, c.shelf[i], e);
clear:
	cleaning_clear(&c);
	return failed;
}
