#include "rsyncd/walk.h"

#include "roots/merge_look.h"

static bool
skip(void *ctx, const char *path)
{
	const struct classes *c = ctx;
	size_t i;

	if (str_eq(path, ".") || classes_of(c, path) == CLASS_MERGED)
		return false;
	for (i = 0; i < c->len; i++)
		if (c->row[i].class == CLASS_MERGED &&
		    path_is_below(c->row[i].path, path))
			return false;
	return true;
}

int
merge_look(const char *root, const struct classes *c, struct manifest **out,
	   struct err *e)
{
	struct classes known = *c; /* walk's ctx is not const */
	const struct walk_opts o = {
		.dir = root, .threads = 1, .skip = skip, .ctx = &known
	};

	return walk(&o, out, e);
}
