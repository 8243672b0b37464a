/* Trees carry numbers, not names: a build that gave mysql another number than
 * the version before would hand /var/lib/mysql of every upgraded host to
 * somebody else. So names keep their numbers, or publishing ends here. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/num.h"

#include "rsyncd/publish_parts.h"

#define IDS_TEXT_MAX (1UL << 20)
#define NAMED_MAX 4 /* in the message */

struct id {
	const char *name; /* into the text */
	uint64_t number;
};

struct ids {
	char *text;
	struct id *at;
	size_t len;
};

static void
ids_clear(struct ids *ids)
{
	free(ids->text);
	free(ids->at);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct id *)a)->name,
		      ((const struct id *)b)->name);
}

/* NAME:PASSWORD:NUMBER[:...]; what is none (a comment, NIS) names nobody. */
static void
parse_line(struct ids *ids, char *line)
{
	char *password = strchr(line, ':');
	char *number = password ? strchr(password + 1, ':') : NULL;
	struct id id = { .name = line };
	struct err ignored;

	if (!number || password == line)
		return;
	*password = '\0';
	number++;
	number[strcspn(number, ":")] = '\0';
	if (num_u64(number, 0, UINT32_MAX, &id.number, "number", &ignored) < 0)
		return;
	ids->at = base_resize(ids->at, ids->len + 1, sizeof(id));
	ids->at[ids->len++] = id;
}

/* Takes the text; NULL has no names. */
static void
parse(struct ids *ids, char *text)
{
	char *line, *next;

	ids->text = text;
	for (line = text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		/* two colons at least, so that parse_line stays inside */
		if (strchr(line, ':') &&
		    strchr(line, ':') != strrchr(line, ':'))
			parse_line(ids, line);
	}
	if (ids->len > 0)
		qsort(ids->at, ids->len, sizeof(*ids->at), by_name);
}

static int
read_new(struct ids *ids, const struct publishing *p, int dirfd,
	 const char *path, struct err *e)
{
	AUTO_CLOSE int fd = open_beneath(dirfd, path, O_RDONLY, 0);
	AUTO_FREE char *there = NULL;
	char *text = NULL;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0; /* a tree without users */
	if (fd < 0 && errno == ELOOP && p->o->new_ids)
		return 0;
	if (fd < 0 && errno == ELOOP)
		return err_set(e, ERR_REFUSED,
			       "%s is a link, or behind one: whether numbers "
			       "differ is not known (--new-ids: they may)",
			       path);
	if (fd < 0)
		return err_sys(e, "%s", path);
	there = base_printf("/proc/self/fd/%d", fd);
	if (file_read(there, IDS_TEXT_MAX, &text, NULL, e) < 0)
		return err_add(e, "%s", path);
	parse(ids, text);
	return 0;
}

static int
read_old(struct ids *ids, const struct publishing *p,
	 const struct shelf_version *old, const struct manifest *m,
	 const char *path, struct err *e)
{
	char *text = NULL;
	size_t len;

	if (shelf_content(p->shelf, shelf_seal(old), m, path, IDS_TEXT_MAX,
			  &text, &len, e) < 0)
		return -1;
	parse(ids, text);
	return 0;
}

struct found { /* those that differ, for a person */
	struct buf text;
	size_t count;
};

static void
compare(const struct ids *old, const struct ids *new, const char *what,
	struct found *out)
{
	size_t i = 0, k = 0;

	while (i < old->len && k < new->len) {
		const struct id *a = &old->at[i], *b = &new->at[k];
		int cmp = strcmp(a->name, b->name);

		if (cmp == 0 && a->number != b->number &&
		    ++out->count <= NAMED_MAX)
			buf_printf(&out->text, "%s%s %.32s %llu -> %llu",
				   out->text.len ? ", " : "", what, a->name,
				   (unsigned long long)a->number,
				   (unsigned long long)b->number);
		i += cmp <= 0;
		k += cmp >= 0;
	}
}

static int
compare_file(const struct publishing *p, int dirfd,
	     const struct shelf_version *old, const struct manifest *m,
	     const char *path, struct found *out, struct err *e)
{
	struct ids was = { 0 }, is = { 0 };
	int failed = read_new(&is, p, dirfd, path, e) < 0 ||
		     read_old(&was, p, old, m, path, e) < 0;

	if (!failed)
		compare(&was, &is, strstr(path, "passwd") ? "user" : "group",
			out);
	ids_clear(&was);
	ids_clear(&is);
	return failed ? -1 : 0;
}

/* What to do stands in front: the names are cut first when they are long. */
static int
refuse(const struct publishing *p, const struct shelf_version *old,
       const struct found *f, struct err *e)
{
	AUTO_FREE char *more =
		f->count > NAMED_MAX
			? base_printf(", and %zu more", f->count - NAMED_MAX)
			: base_strdup("");

	if (p->o->new_ids) {
		publish_say(p, "other numbers than in %s, as told: %s%s",
			    old->name, buf_text(&f->text), more);
		return 0;
	}
	return err_set(e, ERR_REFUSED,
		       "numbers differ from %.24s (build with its ids, or "
		       "--new-ids): %s%s",
		       old->name, buf_text(&f->text), more);
}

int
publish_ids(const struct publishing *p, int dirfd,
	    const struct shelf_version *old, const struct manifest *m,
	    struct err *e)
{
	struct found f = { 0 };
	int failed;

	failed = compare_file(p, dirfd, old, m, "etc/passwd", &f, e) < 0 ||
		 compare_file(p, dirfd, old, m, "etc/group", &f, e) < 0;
	if (!failed && f.count > 0)
		failed = refuse(p, old, &f, e) < 0;
	buf_clear(&f.text);
	return failed ? -1 : 0;
}
