/* Paragraphs of `Field: value`, a blank line between them; a line that begins
 * with a blank goes on with the field above, and none of these matter here. */
#include "lib/num.h"

#include "rsyncd/dpkg.h"

struct paragraph {
	const char *name, *version, *arch;
	bool installed, same; /* Multi-Arch: same */
	uint64_t size_kib;
};

static const char *
value_of(char *line, const char *field)
{
	size_t n = strlen(field);

	if (!str_starts(line, field) || line[n] != ':')
		return NULL;
	line += n + 1;
	return line + strspn(line, " \t");
}

static void
take_line(struct paragraph *p, char *line)
{
	struct err ignored;
	const char *v;

	if ((v = value_of(line, "Package")))
		p->name = v;
	else if ((v = value_of(line, "Version")))
		p->version = v;
	else if ((v = value_of(line, "Architecture")))
		p->arch = v;
	else if ((v = value_of(line, "Multi-Arch")))
		p->same = str_eq(v, "same");
	else if ((v = value_of(line, "Status")))
		p->installed = str_ends(v, " installed");
	else if ((v = value_of(line, "Installed-Size")))
		(void)num_u64(v, 0, UINT32_MAX, &p->size_kib, "size", &ignored);
}

static void
add(struct dpkg *d, const struct paragraph *p)
{
	struct dpkg_package x = { .version = p->version,
				  .size_kib = p->size_kib };

	if (!p->name || !p->version || !p->installed)
		return;
	x.name = p->same && p->arch ? base_printf("%s:%s", p->name, p->arch)
				    : base_strdup(p->name);
	d->at = base_resize(d->at, d->len + 1, sizeof(x));
	d->at[d->len++] = x;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct dpkg_package *)a)->name,
		      ((const struct dpkg_package *)b)->name);
}

static int
by_key(const void *key, const void *row)
{
	return strcmp(key, ((const struct dpkg_package *)row)->name);
}

struct dpkg *
dpkg_parse(char *text)
{
	struct dpkg *d = base_alloc(sizeof(*d));
	struct paragraph p = { 0 };
	char *line = text, *next;

	d->text = text;
	for (; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (*line) {
			take_line(&p, line);
			continue;
		}
		add(d, &p);
		p = (struct paragraph){ 0 };
	}
	add(d, &p);
	if (d->len > 0)
		qsort(d->at, d->len, sizeof(*d->at), by_name);
	return d;
}

const struct dpkg_package *
dpkg_find(const struct dpkg *d, const char *name)
{
	return d->len == 0
		       ? NULL
		       : bsearch(name, d->at, d->len, sizeof(*d->at), by_key);
}

void
dpkg_free(struct dpkg *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; i < d->len; i++)
		free(d->at[i].name);
	free(d->at);
	free(d->text);
	free(d);
}

char *
dpkg_list_name(const char *path)
{
	static const char folder[] = "var/lib/dpkg/info/";
	static const char tail[] = ".list";
	size_t len = strlen(path);

	if (!str_starts(path, folder) || !str_ends(path, tail) ||
	    len < sizeof(folder) + sizeof(tail) - 1)
		return NULL;
	return base_strndup(path + sizeof(folder) - 1,
			    len - (sizeof(folder) - 1) - (sizeof(tail) - 1));
}

/* A whole line "/PATH". */
static bool
has_line(const char *list, const char *path)
{
	size_t n = strlen(path);
	const char *at = list;

	for (; (at = strstr(at, path)); at++)
		if (at - list >= 1 && at[-1] == '/' &&
		    (at - list == 1 || at[-2] == '\n') &&
		    (at[n] == '\n' || at[n] == '\0'))
			return true;
	return false;
}

bool
dpkg_list_has(const char *list, const char *path)
{
	return *path &&
	       (has_line(list, path) || (str_starts(path, "usr/") && path[4] &&
					 has_line(list, path + 4)));
}
