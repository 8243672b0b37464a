/* A walk through the root that steps over what is as it was published. */
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/stand.h"
#include "rsyncd/walk.h"

#include "roots/local.h"

#define LOCAL_TEXT_MAX (256 * 1024 * 1024)

struct comparing {
	const struct manifest *tree;
	int top;
	bool (*skip)(void *ctx, const char *path);
	void *ctx;
};

/* Folders are walked: what is new may be below any. */
static bool
is_as_published(void *ctx, const char *path)
{
	const struct comparing *c = ctx;
	const struct manifest_entry *want = manifest_find(c->tree, path);
	struct err ignored;

	if (c->skip && c->skip(c->ctx, path))
		return true;
	return want && want->type != 'd' &&
	       stand_stat(c->top, want, NULL, &ignored) == STAND_SAME;
}

/* A folder's time changes with what is put into it, and tells nothing. */
static bool
is_new(const struct manifest *tree, const struct manifest_entry *is)
{
	const struct manifest_entry *was = manifest_find(tree, is->path);

	return is->type != 'd' || !was || was->type != 'd' ||
	       was->mode != is->mode || was->uid != is->uid ||
	       was->gid != is->gid;
}

static void
keep_parent(const struct manifest *all, const char *path, bool *kept)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *parent =
		slash ? base_strndup(path, (size_t)(slash - path))
		      : base_strdup(".");

	kept[manifest_find(all, parent) - all->entry] = true;
}

/* The top is always there: a manifest starts with it. */
static int
pick(const struct manifest *all, const struct manifest *tree,
     struct manifest **out, struct err *e)
{
	AUTO_FREE bool *kept = base_array(all->len + 1, sizeof(*kept));
	AUTO(manifest) m = manifest_new();
	size_t i;

	kept[0] = true;
	for (i = all->len; i-- > 1;) {
		kept[i] |= is_new(tree, &all->entry[i]);
		if (kept[i])
			keep_parent(all, all->entry[i].path, kept);
	}
	for (i = 0; i < all->len; i++)
		if (kept[i])
			manifest_add(m, &all->entry[i]);
	if (manifest_seal(m, e) < 0)
		return -1;
	*out = STEAL(m);
	return 0;
}

int
local_make(struct manifest **out, const char *root, const struct manifest *tree,
	   bool (*skip)(void *ctx, const char *path), void *ctx, struct err *e)
{
	AUTO_CLOSE int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct comparing c = { tree, top, skip, ctx };
	const struct walk_opts look = {
		.dir = root, .threads = 1, .skip = is_as_published, .ctx = &c
	};
	AUTO(manifest) all = NULL;

	if (top < 0)
		return err_sys(e, "%s", root);
	if (walk(&look, &all, e) < 0)
		return -1;
	return pick(all, tree, out, e);
}

int
local_read(struct manifest **out, const char *path, struct err *e)
{
	AUTO_FREE char *text = NULL;
	size_t len;

	*out = NULL;
	if (!file_exists(path))
		return 0;
	if (file_read(path, LOCAL_TEXT_MAX, &text, &len, e) < 0)
		return -1;
	return manifest_parse(out, text, len, path, e);
}

int
local_write(const struct manifest *local, const char *path, struct err *e)
{
	return file_replace(path, local->text, local->text_len, 0644, e);
}
