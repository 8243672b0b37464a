/* Where a tree comes from, out of words alone. What somebody named is taken or
 * an error; only what nobody named is looked for in two places. */
#include "agent/tree.h"

static char *
rsync_url(const struct words *w, const char *role, const char *version)
{
	const char *path = w->rpath + strspn(w->rpath, "/");

	return base_printf("rsync://%s:%u/%s/%s/%s/", w->rserv, w->rserv_port,
			   path, version, role);
}

static void
choose_hserv(const struct words *w, const char *role, const char *version,
	     struct tree_choice *out)
{
	const char *path = w->hpath + strspn(w->hpath, "/");

	out->way = TREE_ARCHIVE;
	out->trees =
		base_printf("http://%s:%u/%s", w->hserv, w->hserv_port, path);
	out->other = base_printf("%s/%s/%s-%s.edeploy", out->trees, version,
				 role, version);
}

void
tree_choose(const struct words *w, const char *asked, const char *role,
	    const char *version, struct tree_choice *out)
{
	const char *url = asked && !str_eq(asked, "rsync") ? asked
			  : asked                          ? NULL
							   : w->tree;

	*out = (struct tree_choice){ .way = TREE_PUBLISHED };
	if (url) {
		out->trees = base_strdup(url);
	} else if (!asked && w->hserv) {
		choose_hserv(w, role, version, out);
	} else {
		out->way =
			asked || w->rsync_told ? TREE_RSYNC : TREE_RSYNC_ELSE;
		out->other = rsync_url(w, role, version);
		if (out->way == TREE_RSYNC_ELSE)
			out->trees = words_url(w, "/trees");
	}
}

void
tree_choice_clear(struct tree_choice *c)
{
	free(c->trees);
	free(c->other);
	*c = (struct tree_choice){ 0 };
}
