/* Packages that somebody changed in the running version: they do not come
 * along, and who asks should know. */
#include <fcntl.h>
#include <stdio.h>

#include "lib/file.h"

#include "rsyncd/stand.h"

#include "host/pkgmngr.h"
#include "host/stage.h"

#define INFO "var/lib/dpkg/info"

/* Names, one behind the other. */
struct told {
	struct buf names;
	size_t len;
};

static void
tell(struct told *t, const char *list)
{
	const char *end = strrchr(list, '.');

	buf_printf(&t->names, "%s%.*s", t->len++ ? ", " : "", (int)(end - list),
		   list);
}

static void
note(struct stage *s, struct told *t, const char *path, const char *what)
{
	AUTO_FREE char *all = NULL;

	if (t->len > 0)
		all = base_printf("%zu package%s %s %s: %s", t->len,
				  t->len == 1 ? "" : "s", what, s->to,
				  buf_text(&t->names));
	if (all)
		stage_note(s, path, all);
	buf_clear(&t->names);
}

/* The list of a package's files is written anew whenever it is unpacked. */
static bool
is_as_published(int root, const struct manifest_entry *was)
{
	struct err ignored;

	return stand_stat(root, was, NULL, &ignored) == STAND_SAME;
}

/* What the installation added is nobody's change. */
static const struct manifest_entry *
before(const struct stage *s, const char *path)
{
	const struct manifest_entry *local =
		s->local ? manifest_find(s->local, path) : NULL;

	return local ? local : manifest_find(s->was, path);
}

/* What dpkg keeps: a file NAME.list for each package. */
static void
look_at_dpkg(struct stage *s, const char *path, int root)
{
	AUTO_FREE char *dir = base_printf("%s/" INFO, path);
	struct told added = { 0 }, changed = { 0 };
	char **names = dir_names(dir);
	size_t i;

	for (i = 0; names && names[i]; i++) {
		AUTO_FREE char *list = base_printf(INFO "/%s", names[i]);
		const struct manifest_entry *was = before(s, list);

		if (!str_ends(names[i], ".list"))
			continue;
		if (was && !is_as_published(root, was))
			tell(&changed, names[i]);
		else if (!was && !manifest_find(s->will, list))
			tell(&added, names[i]);
	}
	names_free(names);
	note(s, &added, INFO, "installed here and not part of");
	note(s, &changed, INFO, "changed here, and as published in");
}

/* One file of rpm's tells of all. */
static void
look_at_rpm(struct stage *s, const struct pkgmngr *p, int root)
{
	AUTO_FREE char *what =
		base_printf("packages were changed here; they are as "
			    "published in %s",
			    s->to);
	size_t i;

	for (i = 0; i < ARRAY_LEN(p->db) && p->db[i]; i++) {
		const struct manifest_entry *was = before(s, p->db[i]);

		if (was && !is_as_published(root, was))
			stage_note(s, p->db[i], what);
	}
}

int
stage_packages(struct stage *s, struct err *e)
{
	AUTO_FREE char *path = versioned_root(s->on, s->on->running);
	AUTO_CLOSE int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct pkgmngr *p = NULL;

	if (root < 0)
		return err_sys(e, "%s", path);
	while ((p = pkgmngr_next(p, path))) {
		if (str_eq(p->name, "dpkg"))
			look_at_dpkg(s, path, root);
		else
			look_at_rpm(s, p, root);
	}
	return 0;
}
