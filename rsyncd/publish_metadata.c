/* What an upgrade by stock rsync needs to know besides the tree. Written where
 * there is none: what a person put there stays. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/publish_parts.h"

static const char add_only[] =
#include "rsyncd/metadata_add_only.h"
	;
static const char exclude[] =
#include "rsyncd/metadata_exclude.h"
	;

static int
put_absent(const char *dir, const char *name, const char *text, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s", dir, name);

	if (file_exists(path))
		return 0;
	return file_replace(path, text, strlen(text), 0644, e);
}

int
view_metadata(const struct publishing *p, struct err *e)
{
	size_t i;

	for (i = 0; i < p->shelf->len; i++) {
		const struct shelf_version *v = &p->shelf->at[i];
		AUTO_FREE char *dir =
			base_printf("%s/metadata/%s/%s/%s", p->o->top, v->name,
				    p->o->role, p->o->version);

		/* in publish_again it is its own version's seal that is gone */
		if (!shelf_seal(v) || shelf_seal(v)->serial >= p->seal->serial)
			continue;
		if (dir_make(dir, 0755, e) < 0 ||
		    put_absent(dir, "add_only", add_only, e) < 0 ||
		    put_absent(dir, "exclude", exclude, e) < 0)
			return -1;
	}
	return 0;
}
