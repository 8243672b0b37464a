/* The first seal is made quickly, so that machines can have the version; the
 * better one in the time that nobody waits for. Its files go beside the old
 * ones under names of their own, and nobody reads them before a seal names
 * them; the old ones stay until gc. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/publish_parts.h"

static int
better_deltas(struct publishing *p, const struct seal *old, int dirfd,
	      struct err *e)
{
	size_t i;

	for (i = 0; i < old->deltas; i++) {
		const struct shelf_version *v =
			shelf_find(p->shelf, old->delta[i].from_version);

		if (!v || v->broken) {
			publish_say(p, "no delta from %s any more: it is gone",
				    old->delta[i].from_version);
			continue;
		}
		if (part_delta(p, v, dirfd, true, e) < 0)
			return -1;
	}
	return 0;
}

static int
make_files(struct publishing *p, const struct seal *old, struct err *e)
{
	AUTO_CLOSE int dirfd = view_open(p, e);

	if (dirfd < 0 || publish_work(p, e) < 0)
		return -1;
	publish_begin_seal(p, old->serial, old->revision + 1);
	p->seal->manifest = old->manifest;
	p->seal->marks = old->marks;
	return full_better(p, old, dirfd, e) < 0 ||
			       better_deltas(p, old, dirfd, e) < 0 ||
			       publish_sync(p->work, e) < 0
		       ? -1
		       : 0;
}

/* From the work folder into the version's. The same bytes may be there. */
static int
move_files(struct publishing *p, const char *dir, struct err *e)
{
	char **names;
	int failed = 0;
	size_t i;

	if (dir_list(p->work, &names, e) < 0)
		return -1;
	for (i = 0; names[i] && !failed; i++) {
		AUTO_FREE char *from = base_printf("%s/%s", p->work, names[i]);
		AUTO_FREE char *to = base_printf("%s/%s", dir, names[i]);

		if (rename(from, to) < 0)
			failed = err_sys(e, "rename %s to %s", from, to);
	}
	names_free(names);
	return failed < 0 ? -1 : publish_sync_dir(dir, e);
}

static int
repack(struct publishing *p, struct shelf_version *v, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/%s", p->role_dir, v->name);
	const struct seal *old = shelf_seal(v);

	if (shelf_manifest(p->shelf->trees, old, &p->made, e) < 0 ||
	    make_files(p, old, e) < 0 || move_files(p, dir, e) < 0 ||
	    live_write(p->seal, dir, p->o->key, e) < 0)
		return -1;
	return p->o->key ? live_role(p->role_dir, p->seal, p->o->key, e) : 0;
}

int
publish_repack(const struct publish_opts *opts, struct publish_result *out,
	       struct err *e)
{
	struct shelf_version *v;
	struct publishing p;
	int failed = -1;

	if (publish_begin(&p, opts, out, e) < 0 || shelf_whole(p.shelf, e) < 0)
		goto end;
	v = shelf_find(p.shelf, opts->version);
	if (!v) {
		err_set(e, ERR_REFUSED, "%s %s is not published below %s",
			opts->role, opts->version, p.shelf->trees);
		goto end;
	}
	failed = repack(&p, v, e);
	if (!failed) {
		out->live = opts->key != NULL;
		out->seal = STEAL(p.seal);
	}
end:
	publish_end(&p);
	return failed;
}
