/* One publish at a time on a role, and none while the shelf is cleaned: gc
 * removes packs that nobody names, and a publish is about to name some. The
 * lock of all is held only while a role's is taken, except by gc. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/publish_parts.h"

#define WAIT_STEP_US 200000
#define WAIT_ALL_MS (3600 * 1000)
#define RANDOM_LEN 6 /* of mkdtemp */

static char *
lock_of_all(const char *top)
{
	return base_printf("%s/trees/.lock", top);
}

static char *
lock_of_role(const char *top, const char *role)
{
	return base_printf("%s/trees/%s/.lock", top, role);
}

/* 1: somebody has it. */
static int
try_role(struct lock *l, const char *top, const char *role, struct err *e)
{
	AUTO_FREE char *all_path = lock_of_all(top);
	AUTO_FREE char *path = lock_of_role(top, role);
	AUTO_CLEAR(lock) all = LOCK_NONE;

	if (lock_take(&all, all_path, WAIT_ALL_MS, e) < 0)
		return -1;
	if (lock_take(l, path, 0, e) == 0)
		return 0;
	return e->kind == ERR_REFUSED ? 1 : -1;
}

int
publish_lock(struct publishing *p, struct err *e)
{
	bool told = false;
	int busy;

	while ((busy = try_role(&p->lock, p->o->top, p->o->role, e)) > 0) {
		if (!told)
			publish_say(p, "%s; waiting for it", e->text);
		told = true;
		usleep(WAIT_STEP_US);
	}
	if (busy < 0)
		return -1;
	*e = (struct err){ 0 };
	return publish_sweep(p->o->top, p->o->role, e);
}

int
publish_lock_all(const char *top, struct lock *all, struct lock **roles,
		 size_t *len, struct err *e)
{
	AUTO_FREE char *all_path = lock_of_all(top);
	char **names;
	int failed = 0;
	size_t i;

	if (lock_take(all, all_path, 0, e) < 0 ||
	    shelf_roles(top, &names, e) < 0)
		return -1;
	for (i = 0; names[i] && !failed; i++) {
		AUTO_FREE char *path = lock_of_role(top, names[i]);

		*roles = base_resize(*roles, *len + 1, sizeof(**roles));
		(*roles)[*len] = (struct lock)LOCK_NONE;
		failed = lock_take(&(*roles)[*len], path, 0, e);
		*len += failed == 0;
	}
	names_free(names);
	return failed < 0 ? err_add(e, "somebody publishes; try again later")
			  : 0;
}

/* ---- what interrupted work left ---- */

/* Remove `dir`/NAME, a folder or not (a version may be called as what
 * file_replace leaves for a moment), where NAME is `head` and what mkdtemp made
 * of it. */
static int
sweep(const char *dir, const char *head, bool folder, struct err *e)
{
	char **names = dir_names(dir);
	int failed = 0;
	size_t i;

	for (i = 0; names && names[i] && !failed; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", dir, names[i]);

		if (str_starts(names[i], head) &&
		    strlen(names[i]) == strlen(head) + RANDOM_LEN &&
		    dir_exists(path) == folder)
			failed = dir_remove(path, e);
	}
	names_free(names);
	return failed;
}

/* TOP/metadata/FROM/ROLE/TO, of each FROM and TO. */
static int
sweep_metadata(const char *top, const char *role, struct err *e)
{
	AUTO_FREE char *metadata = base_printf("%s/metadata", top);
	char **froms = dir_names(metadata);
	int failed = 0;
	size_t i, k;

	for (i = 0; froms && froms[i] && !failed; i++) {
		AUTO_FREE char *dir =
			base_printf("%s/%s/%s", metadata, froms[i], role);
		char **tos = dir_names(dir);

		for (k = 0; tos && tos[k] && !failed; k++) {
			AUTO_FREE char *to = base_printf("%s/%s", dir, tos[k]);

			failed = sweep(to, "add_only.new.", false, e) < 0 ||
				 sweep(to, "exclude.new.", false, e) < 0;
		}
		names_free(tos);
	}
	names_free(froms);
	return failed ? -1 : 0;
}

int
publish_sweep(const char *top, const char *role, struct err *e)
{
	AUTO_FREE char *role_dir = base_printf("%s/trees/%s", top, role);
	AUTO_FREE char *install = base_printf("%s/install", top);
	AUTO_FREE char *view = base_printf(".%s.publish-", role);

	return sweep(role_dir, ".publish-", true, e) < 0 ||
			       sweep(role_dir, "HEAD.new.", false, e) < 0 ||
			       sweep(install, view, true, e) < 0 ||
			       sweep_metadata(top, role, e) < 0
		       ? -1
		       : 0;
}
