/* What is alike within the reach of one frame is found once. Two builds of a
 * program, the same locale of many programs, modules of one kernel: they share
 * an extension and often a name, seldom a folder. */
#include <string.h>

#include "lib/base.h"

#include "rsyncd/pack.h"

#define MIDDLE ((uint64_t)512 << 10)

bool
pack_is_edited(const struct content *c)
{
	return c->size < PACK_LARGE && str_starts(c->first->path, "etc/");
}

static int
size_class(const struct content *c)
{
	if (pack_is_edited(c))
		return -1;
	if (c->size >= PACK_LARGE)
		return 2;
	return c->size >= MIDDLE;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *
extension(const char *base)
{
	const char *dot = strrchr(base, '.');

	return dot && dot > base ? dot : "";
}

static int
order_cmp(const void *a, const void *b)
{
	const struct content *x = *(const struct content *const *)a,
			     *y = *(const struct content *const *)b;
	const char *x_base = base_name(x->first->path),
		   *y_base = base_name(y->first->path);
	int diff = size_class(x) - size_class(y);

	if (!diff)
		diff = strcmp(extension(x_base), extension(y_base));
	if (!diff)
		diff = strcmp(x_base, y_base);
	return diff ? diff : manifest_path_cmp(x->first->path, y->first->path);
}

void
pack_order(const struct content **want, size_t len)
{
	if (len > 0)
		qsort(want, len, sizeof(const struct content *), order_cmp);
}
