/* why: which versions of a role hold a path, as what, from which package, and
 * in whose pack its content stands. */
#include <stdio.h>

#include "cli/ctl.h"
#include "cli/table.h"
#include "cli/trees.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "rsyncd/dpkg.h"
#include "rsyncd/shelf.h"

struct why {
	const struct trees *t;
	const struct shelf *s;
	const char *path;
	struct table rows;
	struct value *list;
	size_t found;
};

/* What is known of the path in one version. */
struct answer {
	const struct manifest_entry *m;    /* as the manifest has it */
	const struct manifest_entry *file; /* the f behind an h, or `m` */
	char *package;                     /* "bash 5.2", or NULL */
	char *pack;                        /* ROLE/VERSION, or NULL */
};

/* "bash" with its version, when dpkg's status has it. */
static char *
with_version(const struct why *w, const struct seal *s,
	     const struct manifest *m, const char *name, struct err *e)
{
	AUTO(dpkg) d = NULL;
	const struct dpkg_package *p = NULL;
	char *text = NULL;
	size_t len;

	if (shelf_content(w->s, s, m, DPKG_STATUS, DPKG_STATUS_MAX, &text, &len,
			  e) > 0) {
		d = dpkg_parse(text);
		p = dpkg_find(d, name);
	}
	return p ? base_printf("%s %s", name, p->version) : base_strdup(name);
}

static int
find_package(const struct why *w, const struct seal *s,
	     const struct manifest *m, struct answer *a, struct err *e)
{
	size_t i;

	for (i = 0; i < m->len && !a->package; i++) {
		AUTO_FREE char *name = dpkg_list_name(m->entry[i].path);
		AUTO_FREE char *list = NULL;
		size_t len;

		if (!name)
			continue;
		if (shelf_content(w->s, s, m, m->entry[i].path, DPKG_LIST_MAX,
				  &list, &len, e) < 0)
			return -1;
		if (list && dpkg_list_has(list, a->m->path))
			a->package = with_version(w, s, m, name, e);
	}
	return e->kind == ERR_NONE ? 0 : -1;
}

/* As a client chooses: the first pack that has it. */
static int
find_pack(const struct why *w, const struct seal *s, struct answer *a,
	  struct err *e)
{
	size_t i, k;

	for (i = 0; a->file->type == 'f' && a->file->size && i < s->fulls;
	     i++) {
		AUTO(pack_table) t = NULL;

		if (shelf_pack(w->s->trees, &s->full[i], &t, e) < 0)
			return -1;
		for (k = 0; k < t->blobs; k++)
			if (t->blob[k].size == a->file->size &&
			    memcmp(t->blob[k].head, a->file->hash.b, 12) == 0) {
				const char *path = s->full[i].path;

				a->pack = base_strndup(
					path,
					(size_t)(strrchr(path, '/') - path));
				return 0;
			}
	}
	return 0;
}

static const char *
type_word(char type)
{
	static const struct {
		char type;
		const char *word;
	} rows[] = { { 'd', "folder" }, { 'f', "file" },   { 'h', "hard link" },
		     { 'l', "link" },   { 'c', "device" }, { 'b', "device" } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].type == type)
			return rows[i].word;
	return "pipe";
}

static void
add_answer(struct why *w, const struct seal *s, const struct answer *a)
{
	const struct manifest_entry *f = a->file;
	AUTO_FREE char *mode = base_printf("%04o", (unsigned)f->mode);
	AUTO_FREE char *owner = base_printf("%u:%u", f->uid, f->gid);
	AUTO_FREE char *size = trees_size(f->size);
	struct value *x = value_dict();
	char hash[HASH_HEX] = "";

	if (f->type == 'f')
		digest_hex(&f->hash, hash);
	value_set_str(x, "version", s->version);
	value_set_str(x, "path", a->m->path);
	value_set_str(x, "type", type_word(a->m->type));
	value_set_str(x, "mode", mode);
	value_set_int(x, "uid", f->uid);
	value_set_int(x, "gid", f->gid);
	value_set_int(x, "size", (int64_t)f->size);
	value_set_str(x, "hash", hash);
	value_set_str(x, "link", a->m->link ? a->m->link : "");
	value_set(x, "package",
		  a->package ? value_str(a->package) : value_none());
	value_set(x, "pack", a->pack ? value_str(a->pack) : value_none());
	value_push(w->list, x);
	hash[12] = '\0';
	table_add(&w->rows, s->version);
	table_add(&w->rows, type_word(a->m->type));
	table_add(&w->rows, mode);
	table_add(&w->rows, owner);
	table_add(&w->rows, f->type == 'f' ? size : NULL);
	table_add(&w->rows, hash[0] ? hash : a->m->link);
	table_add(&w->rows, a->package);
	table_add(&w->rows, a->pack);
}

/* bin/ls where bin is a link to usr/bin; NULL: no link of the tree is in the
 * way. Owned. */
static char *
through_link(const struct manifest *m, const char *path)
{
	const char *end = path;

	while ((end = strchr(end, '/'))) {
		AUTO_FREE char *head = base_strndup(path, (size_t)(end - path));
		const struct manifest_entry *l = manifest_find(m, head);
		char *slash = strrchr(head, '/');

		if (l && l->type == 'l' && l->link[0] == '/')
			return base_printf("%s%s", l->link + 1, end);
		if (l && l->type == 'l' && slash) {
			*slash = '\0';
			return base_printf("%s/%s%s", head, l->link, end);
		}
		if (l && l->type == 'l')
			return base_printf("%s%s", l->link, end);
		end++;
	}
	return NULL;
}

static const struct manifest_entry *
find_path(const struct manifest *m, const char *path)
{
	const struct manifest_entry *found = manifest_find(m, path);
	AUTO_FREE char *at = base_strdup(path);
	int links;

	for (links = 0; !found && links < 8; links++) {
		char *next = through_link(m, at);

		if (!next)
			break;
		free(at);
		at = next;
		found = manifest_find(m, at);
	}
	return found;
}

static int
look_at_version(struct why *w, const struct shelf_version *v, struct err *e)
{
	const struct seal *s = shelf_seal(v);
	AUTO(manifest) m = NULL;
	struct answer a = { 0 };
	int failed;

	if (shelf_manifest(w->s->trees, s, &m, e) < 0)
		return -1;
	a.m = a.file = find_path(m, w->path);
	if (!a.m)
		return 0;
	if (a.m->type == 'h')
		a.file = manifest_find(m, a.m->link);
	failed = find_package(w, s, m, &a, e) < 0 || find_pack(w, s, &a, e) < 0;
	if (!failed)
		add_answer(w, s, &a);
	w->found++;
	free(a.package);
	free(a.pack);
	return failed ? -1 : 0;
}

static int
look_at_all(struct why *w, const struct shelf_version *only, struct err *e)
{
	static const char *const heads[] = { "VERSION", "TYPE", "MODE",
					     "OWNER",   "SIZE", "CONTENT",
					     "PACKAGE", "PACK" };
	size_t i;

	w->rows = (struct table){ .columns = ARRAY_LEN(heads),
				  .heads = true,
				  .leaves = "7532",
				  .drops = true };
	for (i = 0; i < ARRAY_LEN(heads); i++)
		table_add(&w->rows, heads[i]);
	if (only)
		return look_at_version(w, only, e);
	for (i = w->s->len; i-- > 0;)
		if (!w->s->at[i].broken &&
		    look_at_version(w, &w->s->at[i], e) < 0)
			return -1;
	return 0;
}

static int
answer(struct why *w, const struct shelf_version *only, struct err *e)
{
	int code = CMD_DONE;

	if (look_at_all(w, only, e) < 0)
		code = ctl_fail(e);
	else if (w->t->json)
		code = ctl_print_json(w->list);
	else if (w->found > 0)
		table_print(&w->rows);
	if (code == CMD_DONE && w->found == 0) {
		fprintf(stderr, "edeployctl: no version of %s has %s\n",
			w->s->role, w->path);
		code = CMD_FAILED;
	}
	table_clear(&w->rows);
	return code;
}

int
cmd_why(int argc, char **argv)
{
	AUTO(shelf) s = NULL;
	AUTO(value) list = value_list();
	struct shelf_version *v;
	struct err e = { 0 };
	struct trees t;
	struct why w = { .t = &t, .list = list };

	if (trees_options(&t, argc, argv, 2, 2, " --top --json ") < 0)
		return CMD_USAGE;
	if (shelf_named(t.top, t.words[0], &s, &v, &e) < 0)
		return ctl_fail(&e);
	w.s = s;
	/* as people write it, and as a manifest does */
	w.path = t.words[1] + strspn(t.words[1], "/");
	if (!*w.path)
		w.path = ".";
	return answer(&w, strchr(t.words[0], '/') ? v : NULL, &e);
}
