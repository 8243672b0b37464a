/* What is the machine's own while its root becomes a version. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/file.h"

#include "roots/classes.h"
#include "roots/enter.h"

#include "host/convert.h"
#include "host/own.h"

#define DIR "/edeploy"

int
convert_link(const char *path, struct err *e)
{
	AUTO_FREE char *place = base_printf(DIR "/state/%s", path);
	AUTO_FREE char *dir = base_strdup(place);
	AUTO_CLEAR(buf) to = { 0 };
	const char *c;

	buf_str(&to, "../../");
	for (c = path; (c = strchr(c, '/')); c++)
		buf_str(&to, "../");
	buf_str(&to, path);
	*strrchr(dir, '/') = '\0';
	if (dir_make(dir, 0755, e) < 0)
		return -1;
	if (symlink(buf_text(&to), place) < 0 && errno != EEXIST)
		return err_sys(e, "%s", place);
	return 0;
}

static bool
is_one(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

/* Before its name in edeploy/state may go to what an older root has. */
static int
link_own(const struct enter_places *own, struct err *e)
{
	size_t i;

	for (i = 0; i < own->len; i++) {
		const char *name = own->at[i].path;
		AUTO_FREE char *here = base_printf("/%s", name);
		AUTO_FREE char *place = base_printf(DIR "/state/%s", name);

		if (convert_link(name, e) < 0)
			return -1;
		if (!is_one(here, place))
			return err_set(e, ERR_REFUSED,
				       "/%s is this host's own, and so is "
				       "%s: give one of the two another name",
				       name, place);
	}
	return 0;
}

int
convert_own_find(int top, const struct manifest *tree,
		 const struct classes *classes, struct enter_places *out,
		 struct err *e)
{
	AUTO_FREE char *dir = base_printf("/proc/self/fd/%d", top);
	char **names;
	size_t i;

	if (dir_list(dir, &names, e) < 0)
		return -1;
	for (i = 0; names[i]; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", dir, names[i]);
		AUTO_FREE char *seen = base_printf("/%s", names[i]);

		if (own_is(tree, classes, names[i]) &&
		    enter_path_ok(names[i]) && dir_exists(path) &&
		    is_one(path, seen) && own_holds_files(path))
			enter_places_add(out, true, names[i]);
	}
	names_free(names);
	return link_own(out, e);
}

int
convert_own_adopt(int top, const char *version, const struct manifest *tree,
		  struct err *e)
{
	AUTO_FREE char *plain = base_printf("/proc/self/fd/%d", top);
	char dir[] = DIR;
	const struct versioned v = { .top = plain,
				     .dir = dir,
				     .running = CONVERT_PLAIN };

	return own_adopt_of(&v, version, tree, e);
}
