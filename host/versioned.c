/* Where what stands on a disk with versions beside one another. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/lock.h"
#include "lib/mounts.h"

#include "rsyncd/pull.h"

#include "roots/live.h"
#include "roots/top.h"

#include "host/versioned.h"

/* Who proves a version removes old ones meanwhile. */
#define LOCK_WAIT_MS 30000

char *
versioned_root(const struct versioned *v, const char *version)
{
	return base_printf("%s/roots/%s", v->dir, version);
}

char *
versioned_beside(const struct versioned *v, const char *version,
		 const char *suffix)
{
	return base_printf("%s/roots/%s%s", v->dir, version, suffix);
}

char *
versioned_here(const struct versioned *v)
{
	return str_eq(v->running, VERSIONED_PLAIN)
		       ? base_strdup(v->top)
		       : versioned_root(v, v->running);
}

bool
versioned_name_ok(const char *version)
{
	return top_version_ok(version) && !str_eq(version, VERSIONED_PLAIN);
}

/* ---- opening ---- */

/* The old root is the top of the file system, which a rescue system may be,
 * too. */
static bool
runs_plain(const struct versioned *v)
{
	AUTO_CLEAR(mounts) m = { 0 };
	struct err ignored;
	bool top = false;
	size_t i;

	if (!str_eq(v->state.good, VERSIONED_PLAIN) &&
	    !str_eq(v->state.prev, VERSIONED_PLAIN))
		return false;
	if (mounts_read(&m, &ignored) < 0)
		return false;
	for (i = 0; i < m.len; i++)
		if (str_eq(m.at[i].where, "/"))
			top = str_eq(m.at[i].from, "/");
	return top;
}

static int
find_running(struct versioned *v, struct err *e)
{
	AUTO_FREE char *name = live_running(e);

	if (!name && e->kind == ERR_REFUSED && runs_plain(v))
		name = base_strdup(VERSIONED_PLAIN);
	if (!name)
		return e->kind == ERR_REFUSED
			       ? err_set(e, ERR_REFUSED,
					 "/edeploy holds versions, and this "
					 "system is none of them: boot the "
					 "disk, or name its top with --root "
					 "DIR")
			       : -1;
	snprintf(v->running, sizeof(v->running), "%s", name);
	return 0;
}

int
versioned_refresh(struct versioned *v, struct err *e)
{
	struct err why = { 0 };

	if (state_read(&v->state, v->dir, &why) == 0)
		return 0;
	return why.kind == ERR_INPUT
		       ? err_set(e, ERR_INPUT,
				 "%s; boot.good beside it names the good "
				 "version: \"reboot\" makes it anew",
				 why.text)
		       : err_set(e, why.kind, "%s", why.text);
}

int
versioned_open(struct versioned *out, const char *root, struct err *e)
{
	AUTO_FREE char *cfg = base_printf("%s/edeploy/boot.cfg", root);
	struct stat st;

	*out = (struct versioned){ .top = base_strdup(root),
				   .dir = base_printf("%s/edeploy", root),
				   .live = !*root };
	if (lstat(cfg, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_sys(e, "%s (only root may look)", cfg);
	if (versioned_refresh(out, e) < 0)
		return -1;
	if (!out->live)
		snprintf(out->running, sizeof(out->running), "%s",
			 out->state.good);
	else if (find_running(out, e) < 0)
		return -1;
	return 1;
}

void
versioned_clear(struct versioned *v)
{
	free(v->top);
	free(v->dir);
	*v = (struct versioned){ 0 };
}

/* ---- versions ---- */

bool
versioned_has(const struct versioned *v, const char *version)
{
	AUTO_FREE char *root = versioned_root(v, version);
	AUTO_FREE char *grub = versioned_beside(v, version, ".grub");
	struct stat st;

	return lstat(root, &st) == 0 && S_ISDIR(st.st_mode) &&
	       file_exists(grub);
}

char **
versioned_list(const struct versioned *v)
{
	AUTO_FREE char *dir = base_printf("%s/roots", v->dir);
	char **names = dir_names(dir);
	size_t i, n = 0;

	if (!names)
		return base_array(1, sizeof(*names));
	for (i = 0; names[i]; i++) {
		if (versioned_name_ok(names[i]) && versioned_has(v, names[i]))
			names[n++] = names[i];
		else
			free(names[i]);
	}
	names[n] = NULL;
	return names;
}

const char *
versioned_next(const struct versioned *v)
{
	return *v->state.trial && v->state.left > 0 ? v->state.trial
						    : v->state.good;
}

int
versioned_lock(const struct versioned *v, struct lock *l, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/lock", v->dir);

	if (lock_take(l, path, LOCK_WAIT_MS, e) == 0)
		return 0;
	return e->kind == ERR_REFUSED
		       ? err_add(e, "another edeploy works on this host")
		       : -1;
}

/* ---- what was published ---- */

int
versioned_trust(const struct versioned *v, struct sign_trust *out,
		struct err *e)
{
	AUTO_FREE char *root = versioned_here(v);
	AUTO_FREE char *path = base_printf("%s/" VERSIONED_TRUST, root);

	if (!file_exists(path))
		return err_set(e, ERR_REFUSED,
			       "/" VERSIONED_TRUST
			       " is not there: put the public key "
			       "of those there who publish this role");
	return sign_trust_read(out, path, e);
}

int
versioned_record(const struct versioned *v, const char *version,
		 struct seal **seal, struct manifest **m, struct err *e)
{
	AUTO_FREE char *path = versioned_beside(v, version, ".record");
	struct sign_trust trust;
	int known;

	if (versioned_trust(v, &trust, e) < 0)
		return -1;
	known = record_read(path, &trust, seal, m, e);
	if (known != 0)
		return known < 0 ? -1 : 0;
	return err_set(e, ERR_REFUSED,
		       "%s: nothing there tells how %s was published; "
		       "\"edeploy verify --fix %s\" brings it again",
		       path, version, version);
}
