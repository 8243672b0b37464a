/* Two builds of the same package give files that differ in nothing but the
 * time: of 12,110 unchanged files of a Debian tree 4,137. Their old times are
 * kept, so that a client leaves them alone and rsync does not count them. */
#include "lib/base.h"

#include "rsyncd/pairs.h"
#include "rsyncd/publish_parts.h"

const char *
publish_differ(const struct manifest *a, const struct manifest *b)
{
	struct pairs p = { .a = a, .b = b };

	while (pairs_next(&p)) {
		if (!p.in_a || !p.in_b)
			return p.in_a ? p.in_a->path : p.in_b->path;
		if (!pairs_same(p.in_a, p.in_b))
			return p.in_a->path;
	}
	return NULL;
}

/* The folder of `path` in `m` has other names in it than before. */
static void
mark_folder(const struct manifest *m, const char *path, bool *moved)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *folder =
		slash ? base_strndup(path, (size_t)(slash - path))
		      : base_strdup(".");
	const struct manifest_entry *d = manifest_find(m, folder);

	if (d)
		moved[d - m->entry] = true;
}

static bool *
find_moved(const struct manifest *found, const struct manifest *old)
{
	struct pairs p = { .a = found, .b = old };
	bool *moved = base_array(found->len, sizeof(*moved));

	while (pairs_next(&p))
		if (!p.in_a || !p.in_b)
			mark_folder(found, p.in_a ? p.in_a->path : p.in_b->path,
				    moved);
	return moved;
}

int
publish_carry(const struct manifest *found, const struct manifest *old,
	      struct manifest **out, struct err *e)
{
	AUTO_FREE bool *moved = find_moved(found, old);
	AUTO(manifest) m = manifest_new();
	struct pairs p = { .a = found, .b = old };

	while (pairs_next(&p)) {
		struct manifest_entry x;

		if (!p.in_a)
			continue;
		x = *p.in_a;
		if (p.in_b && pairs_alike(p.in_a, p.in_b) &&
		    !(x.type == 'd' && moved[p.in_a - found->entry])) {
			x.mtime_s = p.in_b->mtime_s;
			x.mtime_ns = p.in_b->mtime_ns;
		}
		manifest_add(m, &x);
	}
	if (manifest_seal(m, e) < 0)
		return -1;
	*out = STEAL(m);
	return 0;
}
