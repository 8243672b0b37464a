#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/identity.h"
#include "roots/same.h"

#define LEN_MAX (64 * 1024)

static const char *const own[] = { "etc/adjtime", "etc/hostname",
				   "etc/machine-id", "etc/ssh/ssh_host_*" };
static const char *const dirs[] = { "etc", "etc/ssh" };

bool
identity_is(const char *path)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(own); i++)
		if (fnmatch(own[i], path, FNM_PATHNAME) == 0)
			return true;
	return false;
}

static bool
is_file(const char *path, struct stat *st)
{
	return lstat(path, st) == 0 && S_ISREG(st->st_mode);
}

/* A new one is nobody else's to read until it has its owner. */
static int
put(const char *from, const struct stat *like, const char *to, struct err *e)
{
	AUTO_FREE char *bytes = NULL;
	size_t len;

	if (file_read(from, LEN_MAX, &bytes, &len, e) < 0 ||
	    file_replace(to, bytes, len, 0600, e) < 0)
		return -1;
	if (lchown(to, like->st_uid, like->st_gid) < 0 ||
	    chmod(to, like->st_mode & 07777) < 0)
		return err_sys(e, "%s", to);
	return 0;
}

static int
bring(const char *from, const char *to, struct err *e)
{
	struct stat ours, theirs;
	bool same = false;

	if (!is_file(from, &ours))
		return 0;
	if (is_file(to, &theirs) && same_bytes(from, to, &same, e) < 0)
		return -1;
	return same ? 0 : put(from, &ours, to, e);
}

int
identity_bring(const char *from, const char *to, struct err *e)
{
	int bad = 0;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(dirs) && !bad; i++) {
		AUTO_FREE char *there = base_printf("%s/%s", to, dirs[i]);
		AUTO_FREE char *here = base_printf("%s/%s", from, dirs[i]);
		char **names;

		if (!dir_exists(there) || !dir_exists(here))
			continue;
		if (dir_list(here, &names, e) < 0)
			return -1;
		for (k = 0; names[k] && !bad; k++) {
			AUTO_FREE char *path =
				base_printf("%s/%s", dirs[i], names[k]);
			AUTO_FREE char *source =
				base_printf("%s/%s", from, path);
			AUTO_FREE char *place = base_printf("%s/%s", to, path);

			if (identity_is(path))
				bad = bring(source, place, e);
		}
		names_free(names);
	}
	return bad;
}
