/* Who holds packages here holds them at the last door: programs that ask for
 * changes are many, the two that make them are dpkg and rpm. */
#include <errno.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "host/pkgmngr.h"

static const char hold_dpkg[] =
#include "host/pkgmngr_dpkg.h"
	;
/* Must stay as it is: where a role brings it and a host let go, another text
 * would be put beside it as macros.edeploy.edeploy-new, and rpm reads each
 * macros.*. */
static const char hold_rpm[] =
#include "host/pkgmngr_rpm.h"
	;

static const struct pkgmngr managers[] = {
	{ "dpkg",
	  "etc/dpkg/dpkg.cfg.d/edeploy",
	  hold_dpkg,
	  "usr/bin/dpkg",
	  { "var/lib/dpkg/status" } },
	{ "rpm",
	  "etc/rpm/macros.edeploy",
	  hold_rpm,
	  "usr/bin/rpm",
	  { "var/lib/rpm/Packages", "var/lib/rpm/rpmdb.sqlite",
	    "usr/lib/sysimage/rpm/rpmdb.sqlite" } },
};

static bool
has(const char *root, const char *path)
{
	AUTO_FREE char *all = base_printf("%s/%s", root, path);
	struct stat st;

	return lstat(all, &st) == 0;
}

const struct pkgmngr *
pkgmngr_next(const struct pkgmngr *p, const char *root)
{
	for (p = p ? p + 1 : managers; p < managers + ARRAY_LEN(managers); p++)
		if (has(root, p->program))
			return p;
	return NULL;
}

bool
pkgmngr_held(const char *root)
{
	const struct pkgmngr *p = NULL;

	while ((p = pkgmngr_next(p, root)))
		if (has(root, p->path))
			return true;
	return false;
}

bool
pkgmngr_is_switch(const char *path)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(managers); i++)
		if (str_eq(path, managers[i].path))
			return true;
	return false;
}

static int
set_one(const struct pkgmngr *p, const char *root, bool held, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s", root, p->path);
	AUTO_FREE char *dir =
		base_strndup(path, (size_t)(strrchr(path, '/') - path));

	if (!held)
		return unlink(path) < 0 && errno != ENOENT
			       ? err_sys(e, "%s", path)
			       : 0;
	if (dir_make(dir, 0755, e) < 0)
		return -1;
	return file_replace(path, p->text, strlen(p->text), 0644, e);
}

int
pkgmngr_set(const char *root, bool held, bool *changed, struct err *e)
{
	const struct pkgmngr *p = pkgmngr_next(NULL, root);

	*changed = false;
	if (!p)
		return err_set(e, ERR_REFUSED,
			       "%s/: neither dpkg nor rpm is there: there is "
			       "nothing to switch",
			       root);
	for (; p; p = pkgmngr_next(p, root)) {
		*changed |= has(root, p->path) != held;
		if (set_one(p, root, held, e) < 0)
			return -1;
	}
	return 0;
}
