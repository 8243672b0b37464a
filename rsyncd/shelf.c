/* The shelf is its files: a version is a folder whose HEAD names a seal, or
 * that has a seal which waits for its signature. There is no index that could
 * say something else. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/shelf.h"

/* ---- one version ---- */

static int
read_seal(struct seal **out, const char *path, char key[SIGN_ID], struct err *e)
{
	AUTO_FREE char *text = NULL;
	size_t len;

	if (file_read(path, SEAL_TEXT_MAX, &text, &len, e) < 0)
		return -1;
	return seal_peek(out, text, len, key, path, e);
}

/* 0: there is none. */
static int
read_head(struct head *out, const char *dir, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/HEAD", dir);
	AUTO_FREE char *text = NULL;
	char key[SIGN_ID];
	size_t len;

	if (!file_exists(path))
		return 0;
	if (file_read(path, HEAD_TEXT_MAX, &text, &len, e) < 0)
		return -1;
	return head_peek(out, text, len, key, path, e) < 0 ? -1 : 1;
}

static int
read_live(struct shelf_version *v, const char *dir, struct err *e)
{
	struct head h;
	int there = read_head(&h, dir, e);
	AUTO_FREE char *path = NULL;

	if (there <= 0)
		return there;
	path = base_printf("%s/seal-%s", dir, h.seal);
	if (read_seal(&v->live, path, v->key, e) < 0)
		return err_add(e, "%s/HEAD", dir);
	if (!str_eq(v->live->hash, h.seal) || v->key[0] == '\0')
		return err_set(e, ERR_INPUT, "%s: not the seal that HEAD names",
			       path);
	return 0;
}

/* Those that are newer than the live one; the newest waits, but an older one
 * may be at the host with the key now. */
static void
keep_waiting(struct shelf_version *v, struct seal *s)
{
	struct seal *older = s;

	if (v->live && s->revision <= v->live->revision) {
		seal_free(s);
		return;
	}
	if (!v->waiting || s->revision > v->waiting->revision) {
		older = v->waiting;
		v->waiting = s;
	}
	if (!older)
		return;
	v->older = base_resize(v->older, v->olders + 1, sizeof(*v->older));
	v->older[v->olders++] = older;
}

static int
read_waiting(struct shelf_version *v, const char *dir, struct err *e)
{
	char **names;
	char key[SIGN_ID];
	int failed = 0;
	size_t i;

	if (dir_list(dir, &names, e) < 0)
		return -1;
	for (i = 0; names[i] && !failed; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", dir, names[i]);
		struct seal *s = NULL;

		if (!str_starts(names[i], "seal-") ||
		    !str_ends(names[i], ".unsigned"))
			continue;
		failed = read_seal(&s, path, key, e);
		if (!failed)
			keep_waiting(v, s);
	}
	names_free(names);
	return failed;
}

/* The folder says who it is; a seal of another must not stand in it. */
static int
check_names(const struct shelf *s, const struct shelf_version *v,
	    const struct seal *seal, struct err *e)
{
	if (!seal ||
	    (str_eq(seal->role, s->role) && str_eq(seal->version, v->name)))
		return 0;
	return err_set(e, ERR_INPUT, "%s/%s/%s: has the seal of %s %s in it",
		       s->trees, s->role, v->name, seal->role, seal->version);
}

static void
read_version(const struct shelf *s, struct shelf_version *v)
{
	AUTO_FREE char *dir =
		base_printf("%s/%s/%s", s->trees, s->role, v->name);
	struct err e = { 0 };

	if (read_live(v, dir, &e) < 0 || read_waiting(v, dir, &e) < 0 ||
	    check_names(s, v, v->live, &e) < 0 ||
	    check_names(s, v, v->waiting, &e) < 0)
		v->broken = base_strdup(e.text);
}

static void
clear_version(struct shelf_version *v)
{
	seal_free(v->live);
	seal_free(v->waiting);
	for (size_t i = 0; i < v->olders; i++)
		seal_free(v->older[i]);
	free(v->older);
	free(v->broken);
}

/* ---- a role ---- */

static int
by_serial(const void *a, const void *b)
{
	const struct seal *x = shelf_seal(a), *y = shelf_seal(b);
	uint64_t n = x ? x->serial : 0, m = y ? y->serial : 0;

	return (n > m) - (n < m);
}

static int
read_versions(struct shelf *s, const char *dir, struct err *e)
{
	char **names;
	size_t i;

	if (dir_list(dir, &names, e) < 0)
		return -1;
	for (i = 0; names[i]; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", dir, names[i]);
		struct shelf_version v = { 0 };

		if (!name_is_safe(names[i]) || !dir_exists(path))
			continue;
		snprintf(v.name, sizeof(v.name), "%s", names[i]);
		read_version(s, &v);
		if (!v.live && !v.waiting && !v.broken)
			continue; /* packs that other versions still need */
		s->at = base_resize(s->at, s->len + 1, sizeof(v));
		s->at[s->len++] = v;
	}
	names_free(names);
	if (s->len > 0)
		qsort(s->at, s->len, sizeof(*s->at), by_serial);
	return 0;
}

int
shelf_open(struct shelf **out, const char *top, const char *role, struct err *e)
{
	AUTO(shelf) s = base_alloc(sizeof(*s));
	AUTO_FREE char *dir = NULL;

	if (!name_is_safe(role))
		return err_set(e, ERR_INPUT,
			       "%s: a role is made of A-Z a-z 0-9 . _ -", role);
	s->top = base_strdup(top);
	s->trees = base_printf("%s/trees", top);
	snprintf(s->role, sizeof(s->role), "%s", role);
	dir = base_printf("%s/%s", s->trees, role);
	if (read_head(&s->head, dir, e) < 0 || read_versions(s, dir, e) < 0)
		return -1;
	*out = STEAL(s);
	return 0;
}

void
shelf_free(struct shelf *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->len; i++)
		clear_version(&s->at[i]);
	free(s->at);
	free(s->top);
	free(s->trees);
	free(s);
}

int
shelf_whole(const struct shelf *s, struct err *e)
{
	size_t i;

	for (i = 0; i < s->len; i++)
		if (s->at[i].broken)
			return err_set(e, ERR_REFUSED,
				       "%s %s is damaged (edeployctl fsck "
				       "tells more): %s",
				       s->role, s->at[i].name, s->at[i].broken);
	return 0;
}

struct shelf_version *
shelf_find(const struct shelf *s, const char *version)
{
	size_t i;

	for (i = 0; i < s->len; i++)
		if (str_eq(s->at[i].name, version))
			return &s->at[i];
	return NULL;
}

const struct seal *
shelf_seal(const struct shelf_version *v)
{
	return v->waiting ? v->waiting : v->live;
}

uint64_t
shelf_serial(const struct shelf *s)
{
	uint64_t max = s->head.serial;
	size_t i;

	for (i = 0; i < s->len; i++) {
		const struct seal *seal = shelf_seal(&s->at[i]);

		if (seal && seal->serial > max)
			max = seal->serial;
	}
	return max;
}

int
shelf_roles(const char *top, char ***out, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/trees", top);
	char **names;
	size_t i, kept = 0;

	if (dir_list(dir, &names, e) < 0)
		return -1;
	for (i = 0; names[i]; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", dir, names[i]);

		if (name_is_safe(names[i]) && dir_exists(path))
			names[kept++] = names[i];
		else
			free(names[i]);
	}
	names[kept] = NULL;
	*out = names;
	return 0;
}

int
shelf_named(const char *top, const char *name, struct shelf **out,
	    struct shelf_version **v, struct err *e)
{
	const char *slash = strchr(name, '/');
	AUTO_FREE char *role = base_strndup(name, slash ? (size_t)(slash - name)
							: strlen(name));
	AUTO(shelf) s = NULL;

	if (shelf_open(&s, top, role, e) < 0)
		return -1;
	if (slash)
		*v = shelf_find(s, slash + 1);
	else
		*v = s->len > 0 ? &s->at[s->len - 1] : NULL;
	if (!*v)
		return err_set(e, ERR_REFUSED,
			       "%s is not published below %s; edeployctl "
			       "versions lists what is",
			       name, s->trees);
	if ((*v)->broken)
		return err_set(e, ERR_REFUSED, "%s", (*v)->broken);
	*out = STEAL(s);
	return 0;
}
