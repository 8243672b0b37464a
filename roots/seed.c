/* A walk through the version's directory, and each entry made that is missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/dress.h"
#include "rsyncd/walk.h"

#include "roots/copy.h"
#include "roots/seed.h"

struct seeding {
	int from, to;
	const struct manifest *m;
	bool *fresh; /* of each entry: a directory that was made here */
};

static int
link_file(const struct seeding *s, int parent, const char *base,
	  const struct manifest_entry *m, struct err *e)
{
	const char *name;
	AUTO_CLOSE int other = open_parent(s->to, m->link, &name, e);

	if (other < 0)
		return -1;
	if (linkat(other, name, parent, base, 0) == 0)
		return 0;
	/* what the first name stood for may have gone since */
	return errno == ENOENT ? 0 : err_sys(e, "link %s", m->path);
}

static int
plant(struct seeding *s, size_t i, struct err *e)
{
	const struct manifest_entry *m = &s->m->entry[i];
	const char *base;
	AUTO_CLOSE int parent = open_parent(s->to, m->path, &base, e);
	struct stat st;

	if (parent < 0)
		return -1;
	if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	switch (m->type) {
	case 'd':
		if (mkdirat(parent, base, 0700) < 0)
			return err_sys(e, "create %s", m->path);
		s->fresh[i] = true;
		return 0;
	case 'f':
		return copy_file(s->from, parent, base, m, e);
	case 'h':
		return link_file(s, parent, base, m, e);
	default:
		return dress_make(parent, base, m, e);
	}
}

/* A machine's own link or file may stand where the version has a directory:
 * then all below it is the machine's, too. */
static bool
is_reached(const struct seeding *s, const struct manifest_entry *m)
{
	const char *slash = strrchr(m->path, '/');
	AUTO_FREE char *parent =
		slash ? base_strndup(m->path, (size_t)(slash - m->path))
		      : base_strdup(".");
	AUTO_CLOSE int fd =
		open_beneath(s->to, parent, O_PATH | O_DIRECTORY, 0);

	return fd >= 0;
}

/* Directories last, from the innermost: what is put into one moves its time. */
static int
dress_folders(const struct seeding *s, struct err *e)
{
	size_t i;

	for (i = s->m->len; i-- > 0;) {
		AUTO_CLOSE int fd = -1;

		if (!s->fresh[i])
			continue;
		fd = open_beneath(s->to, s->m->entry[i].path,
				  O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return err_sys(e, "%s", s->m->entry[i].path);
		if (dress_fd(fd, &s->m->entry[i], e) < 0)
			return -1;
	}
	return 0;
}

static int
plant_all(struct seeding *s, struct err *e)
{
	size_t i;

	for (i = 1; i < s->m->len; i++)
		if (is_reached(s, &s->m->entry[i]) && plant(s, i, e) < 0)
			return -1;
	return dress_folders(s, e);
}

int
seed(const char *from, const char *to, struct err *e)
{
	const struct walk_opts look = { .dir = from };
	AUTO(manifest) m = NULL;
	AUTO_FREE bool *fresh = NULL;
	AUTO_CLOSE int in = open(from, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int out = -1;
	struct seeding s;
	bool is_new = !file_exists(to);

	if (in < 0)
		return err_sys(e, "%s", from);
	if (walk(&look, &m, e) < 0 || dir_make(to, 0755, e) < 0)
		return -1;
	out = open(to, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out < 0)
		return err_sys(e, "%s", to);
	fresh = base_array(m->len, sizeof(*fresh));
	fresh[0] = is_new;
	s = (struct seeding){ in, out, m, fresh };
	return plant_all(&s, e) < 0 ? err_add(e, "%s", to) : 0;
}
