/* What an upgrade by stock rsync needs to know besides the tree. Written where
 * there is none: what a person put there stays. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/publish_parts.h"

static const char add_only[] =
#include "rsyncd/metadata_add_only.h"
	;
static const char exclude[] =
#include "rsyncd/metadata_exclude.h"
	;

#define TEXT_MAX (1024 * 1024)

/* What the role brings for its own version, as the first eDeploy's builds do:
 * TREE/var/lib/edeploy/VERSION/NAME. Nothing else than a file with text in it
 * is taken for one. NULL: none. */
static int
read_own(const struct publishing *p, const char *name, char **text,
	 struct err *e)
{
	AUTO_CLOSE int view = open(p->view, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FREE char *inside =
		base_printf("var/lib/edeploy/%s/%s", p->o->version, name);
	AUTO_FREE char *path = base_printf("%s/%s", p->view, inside);
	AUTO_CLOSE int fd = -1;
	struct stat st;

	*text = NULL;
	if (view < 0)
		return err_sys(e, "%s", p->view);
	fd = open_beneath(view, inside, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size == 0)
		return 0;
	return file_read(path, TEXT_MAX, text, NULL, e);
}

static int
put_absent(const struct publishing *p, const char *dir, const char *name,
	   const char *usual, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s", dir, name);
	AUTO_FREE char *own = NULL;

	if (file_exists(path))
		return 0;
	if (read_own(p, name, &own, e) < 0)
		return -1;
	if (own)
		usual = own;
	return file_replace(path, usual, strlen(usual), 0644, e);
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
		    put_absent(p, dir, "add_only", add_only, e) < 0 ||
		    put_absent(p, dir, "exclude", exclude, e) < 0)
			return -1;
	}
	return 0;
}
