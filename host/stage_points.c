/* Where something is mounted, here or by fstab, and that is no version's
 * folder: the next version has it, too. systemd would make it at the boot, a
 * small init would not. */
#include <stdio.h>

#include "lib/file.h"
#include "lib/mounts.h"

#include "host/stage.h"

#define FSTAB_MAX (1024 * 1024)

/* Made whenever a root is entered. */
static bool
is_systems(const char *path)
{
	static const char *const own[] = { "dev", "edeploy", "proc", "run",
					   "sys" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(own); i++)
		if (str_eq(path, own[i]) ||
		    (str_starts(path, own[i]) && path[strlen(own[i])] == '/'))
			return true;
	return false;
}

static bool
has(const struct stage_points *p, const char *path)
{
	size_t i;

	for (i = 0; i < p->len; i++)
		if (str_eq(p->at[i], path))
			return true;
	return false;
}

static void
put(struct stage_points *p, const char *path, size_t len)
{
	AUTO_FREE char *one = base_strndup(path, len);

	if (has(p, one))
		return;
	p->at = base_resize(p->at, p->len + 1, sizeof(*p->at));
	p->at[p->len++] = STEAL(one);
}

/* The folders of `path` that the new version lacks. */
static void
add(struct stage *s, const struct classes *classes, const char *path,
    struct stage_points *out)
{
	size_t len;

	path += strspn(path, "/");
	if (!*path || is_systems(path) ||
	    classes_of(classes, path) != CLASS_VERSIONED)
		return;
	for (len = strcspn(path, "/");;
	     len += 1 + strcspn(path + len + 1, "/")) {
		AUTO_FREE char *folder = base_strndup(path, len);
		const struct manifest_entry *will =
			manifest_find(s->will, folder);

		if (will && will->type != 'd') {
			stage_note(s, path,
				   "a file system is mounted here, and the "
				   "version has a file or a link in its way");
			return;
		}
		if (!will && classes_of(classes, folder) == CLASS_VERSIONED)
			put(out, path, len);
		if (!path[len])
			return;
	}
}

/* Of "DEVICE  FOLDER  TYPE ..."; NULL: nothing that is mounted anywhere, or
 * with a blank (\040) in it: what is mounted is found all the same. */
static const char *
folder_of(char *line)
{
	char *word = line + strspn(line, " \t");
	size_t len;

	if (*word == '#')
		return NULL;
	word += strcspn(word, " \t");
	word += strspn(word, " \t");
	len = strcspn(word, " \t");
	while (len > 1 && word[len - 1] == '/')
		len--;
	word[len] = '\0';
	return *word == '/' && enter_path_ok(word + 1) ? word : NULL;
}

static void
add_fstab(struct stage *s, const struct classes *classes, char *text,
	  struct stage_points *out)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		const char *folder = folder_of(line);

		if (folder)
			add(s, classes, folder, out);
	}
}

int
stage_points_find(struct stage_points *out, struct stage *s,
		  const struct classes *classes, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);
	AUTO_FREE char *fstab = base_printf("%s/etc/fstab", root);
	AUTO_CLEAR(mounts) m = { 0 };
	AUTO_FREE char *text = NULL;
	size_t i;

	*out = (struct stage_points){ 0 };
	if (file_exists(fstab) &&
	    file_read(fstab, FSTAB_MAX, &text, NULL, e) < 0)
		return -1;
	if (text)
		add_fstab(s, classes, text, out);
	if (s->on->live && mounts_read(&m, e) < 0)
		return -1;
	for (i = 0; i < m.len; i++)
		add(s, classes, m.at[i].where, out);
	return 0;
}

int
stage_points_look(struct stage *s, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);
	AUTO_CLEAR(stage_points) ignored = { 0 };
	AUTO_CLEAR(classes) classes = { 0 };

	if (classes_of_root(&classes, root, e) < 0)
		return -1;
	return stage_points_find(&ignored, s, &classes, e);
}

void
stage_points_clear(struct stage_points *p)
{
	while (p->len-- > 0)
		free(p->at[p->len]);
	free(p->at);
	*p = (struct stage_points){ 0 };
}
