/* The version as published, under what was added to it: one manifest, that a
 * plain verify() judges by. What is mounted over a root while it runs is not
 * seen below /edeploy/roots. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/dress.h"
#include "rsyncd/pull.h"

#include "roots/classes.h"
#include "roots/copy.h"
#include "roots/local.h"

#include "host/check.h"
#include "host/own.h"
#include "host/show.h"

struct checking {
	const struct check *c;
	struct classes classes;
	struct manifest *tree, *local; /* local NULL: nothing was added */
	struct manifest *want;
	const char **said; /* of each entry: what differs */
	struct show show;
};

/* ---- what is wanted ---- */

static int
overlay(struct checking *k, struct err *e)
{
	AUTO(manifest) m = manifest_new();
	size_t i;

	for (i = 0; i < k->tree->len; i++)
		if (!k->local ||
		    !manifest_find(k->local, k->tree->entry[i].path))
			manifest_add(m, &k->tree->entry[i]);
	for (i = 0; k->local && i < k->local->len; i++)
		if (k->local->entry[i].type == 'd' ||
		    !own_is(k->tree, &k->classes, k->local->entry[i].path))
			manifest_add(m, &k->local->entry[i]);
	if (manifest_seal(m, e) < 0)
		return -1;
	k->said = base_array(m->len + 1, sizeof(*k->said));
	k->want = STEAL(m);
	return 0;
}

static int
checking_open(struct checking *k, const struct check *c, struct err *e)
{
	AUTO_FREE char *root = versioned_root(c->on, c->version);
	AUTO_FREE char *local = versioned_beside(c->on, c->version, ".local");
	AUTO(seal) seal = NULL;

	*k = (struct checking){ .c = c };
	if (versioned_record(c->on, c->version, &seal, &k->tree, e) < 0 ||
	    local_read(&k->local, local, e) < 0 ||
	    classes_of_root(&k->classes, root, e) < 0)
		return -1;
	return overlay(k, e);
}

static void
checking_clear(struct checking *k)
{
	classes_clear(&k->classes);
	manifest_free(k->tree);
	manifest_free(k->local);
	manifest_free(k->want);
	free(k->said);
}

/* ---- what is met ---- */

static void
on_differs(void *ctx, const char *path, const char *what)
{
	struct checking *k = ctx;
	const struct manifest_entry *x = manifest_find(k->want, path);
	const char **said = &k->said[x - k->want->entry];

	/* a folder's time is that of the last thing put into it */
	if (x->type == 'd' && str_eq(what, "time"))
		return;
	/* several things may be told of one path; bytes are what counts */
	if (!*said || str_eq(what, "content"))
		*said = what;
}

/* Mount points are made when a root is entered. */
static bool
is_made_by_entering(const struct checking *k, const char *path)
{
	static const char *const made[] = { "dev", "proc", "run", "sys",
					    "edeploy" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(made); i++)
		if (str_eq(path, made[i]))
			return true;
	return classes_of(&k->classes, path) == CLASS_STATE;
}

static void
on_stranger(void *ctx, const char *path)
{
	const struct checking *k = ctx;

	if (k->c->tell && !is_made_by_entering(k, path))
		k->c->tell(k->c->ctx, CHECK_STRANGER, path, "not part of it");
}

/* Edits there are somebody's work: in merged folders, and in what tells this
 * host where its versions are and whom to believe. */
static bool
is_for_editing(const struct checking *k, const char *path)
{
	return classes_of(&k->classes, path) == CLASS_MERGED ||
	       str_eq(path, &CONF_PATH[1]) || str_eq(path, VERSIONED_TRUST);
}

/* The machine's own is mounted over it: a converted root has none of that. */
static bool
is_covered(const struct checking *k, const char *path)
{
	return classes_of(&k->classes, path) == CLASS_STATE;
}

/* In the order of the manifest, whichever thread found it. */
static int64_t
tell_all(const struct checking *k)
{
	int64_t damaged = 0;
	size_t i;

	for (i = 0; i < k->want->len; i++) {
		const char *path = k->want->entry[i].path;
		enum check_kind kind =
			is_for_editing(k, path) ? CHECK_EDITED : CHECK_DAMAGED;

		if (!k->said[i] || is_covered(k, path))
			continue;
		damaged += kind == CHECK_DAMAGED;
		if (k->c->tell)
			k->c->tell(k->c->ctx, kind, path, k->said[i]);
	}
	return damaged;
}

static void
on_bytes(void *ctx, uint64_t done, uint64_t all)
{
	struct checking *k = ctx;

	if (!k->c->quiet)
		show_bytes(&k->show, "verify", done, all);
}

int64_t
check_version(const struct check *c, struct err *e)
{
	AUTO_FREE char *root = versioned_root(c->on, c->version);
	struct checking k;
	int64_t n = -1;

	if (checking_open(&k, c, e) == 0) {
		const struct verify_opts o = { .dir = root,
					       .manifest = k.want,
					       .differs = on_differs,
					       .stranger = c->strangers
								   ? on_stranger
								   : NULL,
					       .progress = on_bytes,
					       .ctx = &k };

		show_begin(&k.show, false);
		n = verify(&o, e);
		show_end(&k.show);
	}
	if (n >= 0)
		n = tell_all(&k);
	checking_clear(&k);
	return n;
}

/* ---- mending ---- */

struct mending {
	const struct checking *k;
	int from, to; /* roots */
	int64_t mended;
	int bad;
	struct err *e;
};

/* Another name of a file that is right by now. */
static int
mend_name(struct mending *m, const struct manifest_entry *x, struct err *e)
{
	const char *base, *first;
	AUTO_CLOSE int parent = open_parent(m->to, x->path, &base, e);
	AUTO_CLOSE int other = -1;

	if (parent < 0)
		return -1;
	other = open_parent(m->to, x->link, &first, e);
	if (other < 0)
		return -1;
	if ((unlinkat(parent, base, 0) < 0 && errno != ENOENT) ||
	    linkat(other, first, parent, base, 0) < 0)
		return err_sys(e, "link %s", x->path);
	return 0;
}

/* Its bytes are in the tree alone. All its names, which are behind it, are
 * those of the file that was damaged. */
static int
mend_file(struct mending *m, const struct manifest_entry *x, struct err *e)
{
	const struct manifest *tree = m->k->tree;
	const char *base;
	AUTO_CLOSE int parent = open_parent(m->to, x->path, &base, e);
	size_t i;
	int bad;

	if (parent < 0)
		return -1;
	bad = copy_file(m->from, parent, base, x, e);
	for (i = 0; i < tree->len && bad == 0; i++)
		if (tree->entry[i].type == 'h' &&
		    str_eq(tree->entry[i].link, x->path))
			bad = mend_name(m, &tree->entry[i], e);
	return bad;
}

/* One that is gone, or that something else stands in place of, is made again;
 * what was in it is told after it, and mended in its turn. */
static int
mend_folder(struct mending *m, const struct manifest_entry *x, struct err *e)
{
	const char *base;
	AUTO_CLOSE int parent = open_parent(m->to, x->path, &base, e);
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (parent < 0)
		return -1;
	if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISDIR(st.st_mode) && unlinkat(parent, base, 0) < 0)
		return err_sys(e, "remove %s", x->path);
	if (mkdirat(parent, base, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", x->path);
	fd = openat(parent, base,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", x->path);
	return dress_fd(fd, x, e);
}

/* A link, device or pipe. */
static int
mend_special(struct mending *m, const struct manifest_entry *x, struct err *e)
{
	const char *base;
	AUTO_CLOSE int parent = open_parent(m->to, x->path, &base, e);

	if (parent < 0)
		return -1;
	if (unlinkat(parent, base, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", x->path);
	return dress_make(parent, base, x, e);
}

static int
bring(const struct host *h, const struct versioned *on, const char *version,
      const char *into, struct err *e)
{
	AUTO_FREE char *base = versioned_root(on, version);
	AUTO_FREE char *record = versioned_beside(on, version, ".record");
	AUTO_FREE char *seal = versioned_beside(on, version, ".record/seal");
	struct pull_result result;
	struct sign_trust trust;
	const struct pull_opts o = { .source = { .where = h->conf.tree },
				     .trust = &trust,
				     .role = h->conf.role,
				     .version = version,
				     .into = into,
				     .base = base,
				     .base_record =
					     file_exists(seal) ? record : NULL,
				     .record =
					     file_exists(seal) ? NULL : record,
				     .share = PULL_LINK,
				     .allow_downgrade = true,
				     .hash_all = true,
				     .strict = true };

	if (!h->conf.tree)
		return err_set(e, ERR_REFUSED,
			       "%s says nowhere where trees are published: "
			       "add TREE=http://SERVER:PORT/trees",
			       CONF_PATH);
	if (versioned_trust(on, &trust, e) < 0)
		return -1;
	return pull(&o, &result, e);
}

static void
on_damaged(void *ctx, enum check_kind kind, const char *path, const char *what)
{
	struct mending *m = ctx;
	const struct manifest_entry *x = manifest_find(m->k->want, path);

	(void)what;
	if (kind != CHECK_DAMAGED || !x || m->bad)
		return;
	if (x->type == 'd')
		m->bad = mend_folder(m, x, m->e);
	else if (x->type != 'f' && x->type != 'h')
		m->bad = mend_special(m, x, m->e);
	else if (m->k->local && manifest_find(m->k->local, path))
		return; /* nobody published it */
	else
		m->bad = x->type == 'h' ? mend_name(m, x, m->e)
					: mend_file(m, x, m->e);
	m->mended += m->bad == 0;
}

static int
mend(const struct versioned *on, const char *version, const char *fix,
     int64_t *mended, struct err *e)
{
	AUTO_FREE char *root = versioned_root(on, version);
	AUTO_CLOSE int from = open(fix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int to = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct mending m = { .from = from, .to = to, .e = e };
	const struct check c = { .on = on,
				 .version = version,
				 .quiet = true,
				 .tell = on_damaged,
				 .ctx = &m };
	struct checking k;
	int bad;

	if (from < 0 || to < 0)
		return err_sys(e, "%s", from < 0 ? fix : root);
	bad = checking_open(&k, &c, e);
	m.k = &k;
	if (bad == 0)
		bad = check_version(&c, e) < 0 || m.bad ? -1 : 0;
	checking_clear(&k);
	*mended = m.mended;
	return bad;
}

int
check_fix(const struct host *h, const struct versioned *on, const char *version,
	  int64_t *mended, struct err *e)
{
	AUTO_FREE char *fix = versioned_beside(on, version, ".fix");
	struct err ignored;
	int bad;

	*mended = 0;
	bad = bring(h, on, version, fix, e) < 0 ||
	      mend(on, version, fix, mended, e) < 0;
	dir_remove(fix, &ignored);
	return bad ? -1 : 0;
}
