/* --strict: in merged folders only what a version or an installation brought,
 * and what makes this machine itself, comes along. */
#include <fnmatch.h>

#include "host/stage.h"

/* What a machine makes for itself when it first starts, and would be another
 * one without. */
static const char *const own[] = {
	"etc/adjtime",        "etc/hostname",   "etc/hosts",
	"etc/localtime",      "etc/machine-id", "etc/mtab",
	"etc/resolv.conf",    "etc/timezone",   "etc/fstab",
	"etc/ssh/ssh_host_*",
};

static bool
is_stranger(const struct stage *s, const struct manifest_entry *x)
{
	size_t i;

	if (x->type == 'd' || manifest_find(s->was, x->path) ||
	    manifest_find(s->will, x->path) ||
	    (s->local && manifest_find(s->local, x->path)))
		return false;
	for (i = 0; i < ARRAY_LEN(own); i++)
		if (fnmatch(own[i], x->path, FNM_PATHNAME) == 0)
			return false;
	return true;
}

int
stage_without_strangers(struct stage *s, struct manifest **ours, bool tell,
			struct err *e)
{
	AUTO(manifest) kept = manifest_new();
	size_t i;

	for (i = 0; i < (*ours)->len; i++) {
		const struct manifest_entry *x = &(*ours)->entry[i];
		const struct manifest_entry *of =
			x->type == 'h' ? manifest_find(*ours, x->link) : x;

		if (!is_stranger(s, x) && !is_stranger(s, of))
			manifest_add(kept, x);
		else if (tell)
			stage_note(s, x->path,
				   "brought by no version: it stays behind");
	}
	if (manifest_seal(kept, e) < 0)
		return -1;
	manifest_free(*ours);
	*ours = STEAL(kept);
	return 0;
}
