/* The three lists. What Debian keeps about its packages lies below /var, and
 * belongs to the version all the same: dpkg would else speak of files that
 * another version has. */
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/classes.h"

#define HEADER "edeploy-classes 1\n"

static const char *const names[] = { "versioned", "merged", "state" };

static const struct {
	enum path_class class;
	const char *path;
} defaults[] = {
	{ CLASS_MERGED, "etc" },
	{ CLASS_STATE, "home" },
	{ CLASS_STATE, "opt" },
	{ CLASS_STATE, "root" },
	{ CLASS_STATE, "srv" },
	/* in the version it would be left behind by a live switch */
	{ CLASS_STATE, "tmp" },
	{ CLASS_STATE, "usr/local" },
	{ CLASS_STATE, "var" },
	/* questions that packages asked, and their answers */
	{ CLASS_VERSIONED, "var/cache/debconf" },
	{ CLASS_VERSIONED, "var/lib/dpkg" },
	/* what this version is, and how it came */
	{ CLASS_VERSIONED, "var/lib/edeploy" },
	{ CLASS_VERSIONED, "var/lib/pam" },
	{ CLASS_VERSIONED, "var/lib/rpm" },
	{ CLASS_VERSIONED, "var/lib/systemd/deb-systemd-helper-enabled" },
	{ CLASS_VERSIONED, "var/lib/systemd/deb-systemd-helper-masked" },
	{ CLASS_VERSIONED, "var/lib/systemd/deb-systemd-user-helper-enabled" },
	{ CLASS_VERSIONED, "var/lib/ucf" },
};

/* ---- rows ---- */

static void
put(struct classes *c, enum path_class class, const char *path)
{
	size_t i;

	for (i = 0; i < c->len; i++)
		if (str_eq(c->row[i].path, path)) {
			c->row[i].class = class;
			return;
		}
	c->row = base_resize(c->row, c->len + 1, sizeof(*c->row));
	c->row[c->len++] = (struct class_row){ class, base_strdup(path) };
}

void
classes_default(struct classes *out)
{
	size_t i;

	*out = (struct classes){ 0 };
	for (i = 0; i < ARRAY_LEN(defaults); i++)
		put(out, defaults[i].class, defaults[i].path);
}

static int
parse_line(struct classes *c, const char *line)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		size_t len = strlen(names[i]);

		if (strncmp(line, names[i], len) != 0 || line[len] != ' ')
			continue;
		if (!enter_path_ok(line + len + 1))
			return -1;
		put(c, (enum path_class)i, line + len + 1);
		return 0;
	}
	return -1;
}

int
classes_parse(struct classes *c, const char *text, const char *name,
	      struct err *e)
{
	AUTO_FREE char *copy = base_strdup(text);
	char *at = copy;
	size_t n = 1;

	if (!str_starts(at, HEADER))
		return err_set(e, ERR_INPUT, "%s, line 1: not \"%.*s\"", name,
			       (int)strlen(HEADER) - 1, HEADER);
	for (at += strlen(HEADER); *at;) {
		bool whole = strchr(at, '\n');
		char *line = strsep(&at, "\n");

		n++;
		if (!whole || parse_line(c, line) < 0)
			return err_set(e, ERR_INPUT,
				       "%s, line %zu: not \"versioned PATH\", "
				       "\"merged PATH\" or \"state PATH\" with "
				       "a path below the root",
				       name, n);
		if (c->len > CLASSES_MAX)
			return err_set(e, ERR_INPUT, "%s: more than %d paths",
				       name, CLASSES_MAX);
		if (!at)
			break;
	}
	return 0;
}

int
classes_of_root(struct classes *out, const char *root, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/" CLASSES_FILE, root);
	AUTO_FREE char *text = NULL;

	classes_default(out);
	if (!file_exists(path))
		return 0;
	if (file_read(path, CLASSES_TEXT_MAX, &text, NULL, e) < 0)
		return -1;
	return classes_parse(out, text, path, e);
}

void
classes_clear(struct classes *c)
{
	size_t i;

	for (i = 0; i < c->len; i++)
		free(c->row[i].path);
	free(c->row);
	*c = (struct classes){ 0 };
}

/* ---- what they say ---- */

/* The row that decides for `path`, but for its own when `above`. */
static const struct class_row *
decides(const struct classes *c, const char *path, bool above)
{
	const struct class_row *best = NULL;
	size_t i;

	for (i = 0; i < c->len; i++) {
		const struct class_row *r = &c->row[i];

		if (path_is_within(path, r->path) &&
		    !(above && str_eq(r->path, path)) &&
		    (!best || strlen(r->path) > strlen(best->path)))
			best = r;
	}
	return best;
}

enum path_class
classes_of(const struct classes *c, const char *path)
{
	const struct class_row *r = decides(c, path, false);

	return r ? r->class : CLASS_VERSIONED;
}

bool
classes_merged_top(const struct classes *c, size_t row)
{
	size_t i;

	for (i = 0; i < c->len; i++)
		if (i != row && c->row[i].class == CLASS_MERGED &&
		    path_is_within(c->row[row].path, c->row[i].path))
			return false;
	return c->row[row].class == CLASS_MERGED;
}

static int
by_path(const void *a, const void *b)
{
	const struct class_row *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

/* Is it a mount of its own: state in what is not, or the other way round. */
static bool
is_place(const struct classes *c, const struct class_row *r)
{
	const struct class_row *above = decides(c, r->path, true);
	bool in_state = above && above->class == CLASS_STATE;

	return (r->class == CLASS_STATE) != in_state;
}

static int
add_place(const struct class_row *r, const char *root, struct enter_places *out,
	  struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s", root, r->path);
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		enter_places_add(out, r->class == CLASS_STATE, r->path);
	else if (r->class == CLASS_STATE)
		return err_set(e, ERR_INPUT,
			       "/%s is the machine's state and no directory in "
			       "the tree: make it one, or list its target in "
			       "/" CLASSES_FILE,
			       r->path);
	return 0;
}

int
classes_places(const struct classes *c, const char *root,
	       struct enter_places *out, struct err *e)
{
	AUTO_FREE const struct class_row **sorted =
		base_array(c->len, sizeof(*sorted));
	size_t i;

	for (i = 0; i < c->len; i++)
		sorted[i] = &c->row[i];
	/* what is above is mounted first */
	qsort(sorted, c->len, sizeof(*sorted), by_path);
	for (i = 0; i < c->len; i++)
		if (is_place(c, sorted[i]) &&
		    add_place(sorted[i], root, out, e) < 0)
			return -1;
	return 0;
}

static bool
has_place(const struct enter_places *p, const char *path)
{
	size_t i;

	for (i = 0; i < p->len; i++)
		if (str_eq(p->at[i].path, path))
			return true;
	return false;
}

void
classes_keep(const struct classes *c, const char *state,
	     struct enter_places *out)
{
	size_t i;

	for (i = 0; i < c->len; i++) {
		const struct class_row *r = &c->row[i];
		AUTO_FREE char *path = base_printf("%s/%s", state, r->path);

		if (r->class == CLASS_STATE && is_place(c, r) &&
		    !has_place(out, r->path) && file_exists(path))
			enter_places_add(out, true, r->path);
	}
}
