/* What an upgrade would change: manifests against one another. */
#include <stdio.h>
#include <sys/statvfs.h>

#include "lib/file.h"

#include "host/affected.h"
#include "host/change.h"
#include "host/show.h"
#include "host/stage.h"

/* The machine's own gets what it lacks, and keeps what it has. */
static const char *
change_of_state(const struct stage *s, const struct manifest_entry *will)
{
	AUTO_FREE char *path =
		will ? base_printf("%s/state/%s", s->on->dir, will->path)
		     : NULL;

	return path && !file_exists(path) ? "new" : NULL;
}

/* What becomes of a path, NULL: nothing that anybody sees. One side may be
 * NULL. */
static const char *
change_of(const struct stage *s, const struct manifest_entry *was,
	  const struct manifest_entry *will)
{
	static const char own[] = "var/lib/edeploy/";
	const char *path = was ? was->path : will->path;

	if (classes_of(&s->classes, path) == CLASS_STATE)
		return change_of_state(s, will);
	/* what is in there is told as the version */
	if (str_starts(path, own))
		return NULL;
	if (!was || !will)
		return was ? "removed" : "new";
	return affected_same(was, will) ? NULL : "changed";
}

static void
compare(const struct stage *s, struct value *changes)
{
	const struct manifest *was = s->was, *will = s->will;
	size_t i = 0, k = 0;

	while (i < was->len || k < will->len) {
		const struct manifest_entry *a =
			i < was->len ? &was->entry[i] : NULL;
		const struct manifest_entry *b =
			k < will->len ? &will->entry[k] : NULL;
		int cmp = !a   ? 1
			  : !b ? -1
			       : manifest_path_cmp(a->path, b->path);
		const char *what =
			change_of(s, cmp <= 0 ? a : NULL, cmp >= 0 ? b : NULL);

		if (what)
			show_row(changes, cmp <= 0 ? a->path : b->path, what);
		i += cmp <= 0;
		k += cmp >= 0;
	}
}

static int
look_for_room(struct change *c, const struct stage *s, struct err *e)
{
	struct statvfs v;

	if (statvfs(c->on->dir, &v) < 0)
		return err_sys(e, "%s", c->on->dir);
	c->free = (uint64_t)v.f_bavail * v.f_frsize;
	return stage_room(s, &c->room, e);
}

int
change_look(struct change *c, const char *to, struct value *changes,
	    struct err *e)
{
	struct stage s = { 0 };
	int bad;

	if (change_may(c, to, e) < 0)
		return -1;
	snprintf(c->to, sizeof(c->to), "%s", to);
	bad = stage_open(&s, c->host, c->on, c->to, e);
	s.allow_downgrade = c->allow_downgrade;
	s.strict = c->strict;
	bad = bad || stage_look(&s, e) < 0 || stage_packages(&s, e) < 0 ||
	      stage_own_find(&s, e) < 0 || stage_points_look(&s, e) < 0 ||
	      stage_merge_look(&s, e) < 0;
	if (!bad) {
		compare(&s, changes);
		c->kernel = affected_kernel(s.was, s.will);
		c->start = affected_start(s.was, s.will);
		bad = look_for_room(c, &s, e);
		if (c->on->live)
			c->services = affected_services(s.was, s.will);
		c->pulled = s.pulled;
		value_free(c->notes);
		c->notes = STEAL(s.notes);
	}
	stage_clear(&s);
	return bad ? -1 : 0;
}
