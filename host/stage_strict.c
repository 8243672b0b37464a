/* --strict: in merged folders only what a version or an installation brought,
 * and what makes this machine itself, comes along. */
#include "roots/identity.h"

#include "host/pkgmngr.h"
#include "host/stage.h"

/* What a machine makes for itself when it first starts, as well. */
static const char *const own[] = {
	"etc/fstab", "etc/hosts",       "etc/localtime",
	"etc/mtab",  "etc/resolv.conf", "etc/timezone",
};

static bool
is_stranger(const struct stage *s, const struct manifest_entry *x)
{
	size_t i;

	if (x->type == 'd' || manifest_find(s->was, x->path) ||
	    manifest_find(s->will, x->path) ||
	    (s->local && manifest_find(s->local, x->path)))
		return false;
	if (pkgmngr_is_switch(x->path))
		return false;
	for (i = 0; i < ARRAY_LEN(own); i++)
		if (str_eq(own[i], x->path))
			return false;
	return !identity_is(x->path);
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
