#include <string.h>

#include "lib/base.h"

#include "rsyncd/walk.h"

#include "roots/merge_look.h"

static bool
is_above(const char *path, const char *other)
{
	size_t len = strlen(path);

	return str_eq(path, ".") ||
	       (strncmp(path, other, len) == 0 && other[len] == '/');
}

static bool
skip(void *ctx, const char *path)
{
	const struct classes *c = ctx;
	size_t i;

	if (classes_of(c, path) == CLASS_MERGED)
		return false;
	for (i = 0; i < c->len; i++)
		if (c->row[i].class == CLASS_MERGED &&
		    is_above(path, c->row[i].path))
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
