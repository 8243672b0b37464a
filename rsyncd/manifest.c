/* A manifest in memory: entries in order, their strings in one arena. */
#include "rsyncd/manifest_form.h"

struct manifest *
manifest_new(void)
{
	struct manifest *m = base_alloc(sizeof(*m));

	m->pool = base_alloc(sizeof(*m->pool));
	m->pool->arena = arena_new();
	return m;
}

void
manifest_free(struct manifest *m)
{
	if (!m)
		return;
	arena_free(m->pool->arena);
	free(m->pool);
	free(m->entry);
	free(m->text);
	free(m);
}

/* ---- order ---- */

/* The slash is lowest, so that a directory is followed by what is in it. */
static int
rank(char c)
{
	if (c == '\0')
		return 0;
	return c == '/' ? 1 : (unsigned char)c + 1;
}

int
manifest_path_cmp(const char *a, const char *b)
{
	bool a_top = a[0] == '.' && a[1] == '\0';
	bool b_top = b[0] == '.' && b[1] == '\0';

	if (a_top || b_top)
		return (int)b_top - (int)a_top;
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return rank(*a) - rank(*b);
}

static int
entry_cmp(const void *a, const void *b)
{
	const struct manifest_entry *x = a, *y = b;

	return manifest_path_cmp(x->path, y->path);
}

const struct manifest_entry *
manifest_find_in(const struct manifest *m, size_t len, const char *path)
{
	struct manifest_entry key = { .path = path };

	if (len == 0)
		return NULL;
	return bsearch(&key, m->entry, len, sizeof(key), entry_cmp);
}

const struct manifest_entry *
manifest_find(const struct manifest *m, const char *path)
{
	return manifest_find_in(m, m->len, path);
}

/* ---- making one ---- */

int
manifest_xattr_cmp(const void *a, const void *b)
{
	const struct manifest_xattr *x = a, *y = b;

	return strcmp(x->name, y->name);
}

bool
manifest_has_xattr(const struct manifest_entry *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->xattrs_len; i++)
		if (str_eq(m->xattrs[i].name, name))
			return true;
	return false;
}

bool
manifest_xattrs_equal(const struct manifest_entry *a,
		      const struct manifest_entry *b)
{
	size_t i;

	if (a->xattrs_len != b->xattrs_len)
		return false;
	for (i = 0; i < a->xattrs_len; i++)
		if (!str_eq(a->xattrs[i].name, b->xattrs[i].name) ||
		    a->xattrs[i].len != b->xattrs[i].len ||
		    memcmp(a->xattrs[i].value, b->xattrs[i].value,
			   a->xattrs[i].len) != 0)
			return false;
	return true;
}

static void
copy_xattrs(struct arena *arena, struct manifest_entry *x)
{
	const struct manifest_xattr *from = x->xattrs;
	struct manifest_xattr *all =
		arena_array(arena, x->xattrs_len, sizeof(*all));
	size_t i;

	for (i = 0; i < x->xattrs_len; i++) {
		all[i].name =
			arena_copy(arena, from[i].name, strlen(from[i].name));
		all[i].value = (unsigned char *)arena_copy(arena, from[i].value,
							   from[i].len);
		all[i].len = from[i].len;
	}
	qsort(all, x->xattrs_len, sizeof(*all), manifest_xattr_cmp);
	x->xattrs = all;
}

/* Only what a line of this type says. */
static void
keep_fields(struct manifest_entry *to, const struct manifest_entry *x)
{
	const char *fields = manifest_fields(x->type);

	to->type = x->type;
	to->path = x->path;
	to->mode = x->type == 'l' ? 0777 : 0;
	if (strchr(fields, 'm'))
		to->mode = x->mode;
	if (strchr(fields, 'o')) {
		to->uid = x->uid;
		to->gid = x->gid;
		to->mtime_s = x->mtime_s;
		to->mtime_ns = x->mtime_ns;
		to->xattrs = x->xattrs;
		to->xattrs_len = x->xattrs_len;
	}
	if (x->type == 'f') {
		to->size = x->size;
		to->hash = x->hash;
		to->sparse = x->sparse;
	}
	if (strchr(fields, 'r')) {
		to->major = x->major;
		to->minor = x->minor;
	}
	if (strchr(fields, 'l'))
		to->link = x->link;
}

void
manifest_add(struct manifest *m, const struct manifest_entry *entry)
{
	struct arena *arena = m->pool->arena;
	struct manifest_entry *x;

	if (m->len == m->pool->room) {
		m->pool->room = m->len ? 2 * m->len : 64;
		m->entry = base_resize(m->entry, m->pool->room, sizeof(*x));
	}
	x = &m->entry[m->len++];
	*x = (struct manifest_entry){ 0 };
	keep_fields(x, entry);
	x->path = arena_copy(arena, x->path, strlen(x->path));
	if (x->link)
		x->link = arena_copy(arena, x->link, strlen(x->link));
	if (x->xattrs_len > 0)
		copy_xattrs(arena, x);
}

static int
check_all(struct manifest *m, struct err *e)
{
	AUTO_FREE struct manifest_check *c = base_alloc(sizeof(*c));
	AUTO_CLEAR(buf) path = { 0 };
	size_t i;

	if (m->len == 0 || m->len > MANIFEST_ENTRIES_MAX)
		return err_set(e, ERR_INPUT,
			       "%zu entries: not between 1 and %d", m->len,
			       MANIFEST_ENTRIES_MAX);
	manifest_check_begin(c, m);
	for (i = 0; i < m->len; i++) {
		const char *wrong = manifest_check_entry(c, i);

		if (!wrong)
			continue;
		manifest_escape(m->entry[i].path, &path);
		/* a path may be longer than the message can be */
		return err_set(e, ERR_INPUT, "%s: %s", wrong, buf_text(&path));
	}
	m->bytes = c->bytes;
	return 0;
}

int
manifest_seal(struct manifest *m, struct err *e)
{
	AUTO_CLEAR(buf) text = { 0 };

	if (m->len > 0)
		qsort(m->entry, m->len, sizeof(*m->entry), entry_cmp);
	if (check_all(m, e) < 0)
		return -1;
	manifest_write(m, &text);
	if (text.len > MANIFEST_TEXT_MAX)
		return err_set(e, ERR_INPUT,
			       "the manifest would have %zu bytes, and %lu are "
			       "allowed",
			       text.len, MANIFEST_TEXT_MAX);
	free(m->text);
	m->text_len = text.len;
	m->text = buf_take(&text);
	digest_hex_of(m->text, m->text_len, m->root);
	return 0;
}
