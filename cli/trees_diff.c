/* diff: what an upgrade from one version to another changes, in packages and
 * in files. */
#include <stdio.h>

#include "cli/ctl.h"
#include "cli/trees.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "lib/text.h"
#include "rsyncd/dpkg.h"
#include "rsyncd/pairs.h"
#include "rsyncd/shelf.h"

struct side {
	const struct shelf_version *v;
	struct manifest *m;
	struct dpkg *packages; /* NULL: no Debian in it */
};

struct diff {
	const struct trees *t;
	struct shelf *s;
	struct side a, b;
	struct value *packages, *files;
	size_t same;
};

/* ---- packages ---- */

static int
read_packages(const struct shelf *s, struct side *x, struct err *e)
{
	char *text = NULL;
	size_t len;
	int there = shelf_content(s, shelf_seal(x->v), x->m, DPKG_STATUS,
				  DPKG_STATUS_MAX, &text, &len, e);

	if (there > 0)
		x->packages = dpkg_parse(text);
	return there < 0 ? -1 : 0;
}

static void
add_package(struct diff *d, const struct dpkg_package *was,
	    const struct dpkg_package *is)
{
	struct value *x = value_dict();

	value_set_str(x, "package", was ? was->name : is->name);
	value_set(x, "was", was ? value_str(was->version) : value_none());
	value_set(x, "is", is ? value_str(is->version) : value_none());
	value_push(d->packages, x);
}

static void
compare_packages(struct diff *d)
{
	const struct dpkg none = { 0 };
	const struct dpkg *a = d->a.packages ? d->a.packages : &none;
	const struct dpkg *b = d->b.packages ? d->b.packages : &none;
	size_t i = 0, k = 0;

	while (i < a->len || k < b->len) {
		int cmp = i == a->len   ? 1
			  : k == b->len ? -1
					: strcmp(a->at[i].name, b->at[k].name);

		if (cmp != 0 || !str_eq(a->at[i].version, b->at[k].version))
			add_package(d, cmp <= 0 ? &a->at[i] : NULL,
				    cmp >= 0 ? &b->at[k] : NULL);
		i += cmp <= 0;
		k += cmp >= 0;
	}
}

/* ---- files ---- */

/* What is not the same, in words. */
static void
changes_of(const struct manifest_entry *a, const struct manifest_entry *b,
	   struct value *out)
{
	if (a->type != b->type) {
		value_push(out, value_str("type"));
		return;
	}
	if (!digest_eq(&a->hash, &b->hash) || a->size != b->size ||
	    a->major != b->major || a->minor != b->minor ||
	    !str_eq(a->link, b->link))
		value_push(out, value_str("content"));
	if (a->mode != b->mode)
		value_push(out, value_str("mode"));
	if (a->uid != b->uid || a->gid != b->gid)
		value_push(out, value_str("owner"));
	if (a->mtime_s != b->mtime_s || a->mtime_ns != b->mtime_ns)
		value_push(out, value_str("time"));
	if (out->list.len == 0)
		value_push(out, value_str("attributes"));
}

static void
add_file(struct diff *d, const struct pairs *p)
{
	const struct manifest_entry *a = p->in_a, *b = p->in_b;
	struct value *x = value_dict(), *changes = value_list();

	if (a && b)
		changes_of(a, b, changes);
	value_set_str(x, "path", a ? a->path : b->path);
	value_set(x, "was", a ? value_int((int64_t)a->size) : value_none());
	value_set(x, "is", b ? value_int((int64_t)b->size) : value_none());
	value_set(x, "changes", changes);
	value_push(d->files, x);
}

static void
compare_files(struct diff *d)
{
	struct pairs p = { .a = d->a.m, .b = d->b.m };

	while (pairs_next(&p)) {
		if (p.in_a && p.in_b && pairs_same(p.in_a, p.in_b))
			d->same++;
		else
			add_file(d, &p);
	}
}

/* ---- printing ---- */

static void
print_package(const struct value *x)
{
	const char *name = value_get_str(x, "package");
	const char *was = value_get_str(x, "was");
	const char *is = value_get_str(x, "is");

	if (!was)
		printf("+ %s %s\n", name, is);
	else if (!is)
		printf("- %s %s\n", name, was);
	else
		printf("~ %s %s -> %s\n", name, was, is);
}

static void
print_file(const struct value *x)
{
	const struct value *changes = value_get(x, "changes");
	int64_t was = value_get_int(x, "was", -1);
	int64_t is = value_get_int(x, "is", -1);
	AUTO_FREE char *size = trees_size((uint64_t)(is < 0 ? was : is));
	AUTO_CLEAR(buf) line = { 0 };
	const char *path = value_get_str(x, "path");
	size_t i;

	buf_str(&line, was < 0 ? "+ " : is < 0 ? "- " : "~ ");
	text_show(path, strlen(path), 1, &line);
	for (i = 0; i < changes->list.len; i++)
		buf_printf(&line, "%s%s", i ? ", " : ": ",
			   changes->list.at[i]->str.at);
	if (was > 0 || is > 0)
		buf_printf(&line, "  %s", size);
	puts(buf_text(&line));
}

/* 0: there is none. */
static uint64_t
delta_size(const struct diff *d)
{
	const struct seal *s = shelf_seal(d->b.v);
	size_t i;

	for (i = 0; i < s->deltas; i++)
		if (str_eq(s->delta[i].from_version, d->a.v->name))
			return s->delta[i].place.size;
	return 0;
}

static void
print_sizes(const struct diff *d)
{
	AUTO_FREE char *was = trees_size(d->a.m->bytes);
	AUTO_FREE char *is = trees_size(d->b.m->bytes);
	AUTO_FREE char *delta = trees_size(delta_size(d));
	AUTO_FREE char *packages =
		trees_count(d->packages->list.len, "package");

	printf("%s -> %s: %s -> %s", d->a.v->name, d->b.v->name, was, is);
	if (delta_size(d))
		printf(", a delta of %s", delta);
	printf("\n%s, %zu of %zu entries differ\n", packages,
	       d->files->list.len, d->files->list.len + d->same);
}

static void
print_text(struct diff *d)
{
	size_t i;

	print_sizes(d);
	if (d->packages->list.len > 0)
		puts("\npackages");
	for (i = 0; i < d->packages->list.len; i++)
		print_package(d->packages->list.at[i]);
	if (d->files->list.len > 0)
		puts("\nfiles");
	for (i = 0; i < d->files->list.len; i++)
		print_file(d->files->list.at[i]);
}

static void
print_diff_json(struct diff *d)
{
	AUTO(value) v = value_dict();

	value_set_str(v, "role", d->s->role);
	value_set_str(v, "was", d->a.v->name);
	value_set_str(v, "is", d->b.v->name);
	value_set_int(v, "bytes_was", (int64_t)d->a.m->bytes);
	value_set_int(v, "bytes_is", (int64_t)d->b.m->bytes);
	value_set_int(v, "delta", (int64_t)delta_size(d));
	value_set_int(v, "same", (int64_t)d->same);
	value_set(v, "packages", STEAL(d->packages));
	value_set(v, "files", STEAL(d->files));
	ctl_print_json(v);
}

/* ---- the door ---- */

static int
read_side(const struct diff *d, struct side *x, const char *version,
	  struct err *e)
{
	x->v = shelf_find(d->s, version);
	if (!x->v)
		return err_set(e, ERR_REFUSED,
			       "%s %s is not published below %s/trees; "
			       "edeployctl versions lists what is",
			       d->s->role, version, d->t->top);
	if (x->v->broken)
		return err_set(e, ERR_REFUSED, "%s", x->v->broken);
	if (shelf_manifest(d->s->trees, shelf_seal(x->v), &x->m, e) < 0)
		return -1;
	return read_packages(d->s, x, e);
}

static void
side_clear(struct side *x)
{
	manifest_free(x->m);
	dpkg_free(x->packages);
}

int
cmd_diff(int argc, char **argv)
{
	struct diff d = { 0 };
	struct err e = { 0 };
	struct trees t;
	int code = CMD_DONE;

	if (trees_options(&t, argc, argv, 3, 3, " --top --json ") < 0)
		return CMD_USAGE;
	d.t = &t;
	d.packages = value_list();
	d.files = value_list();
	if (shelf_open(&d.s, t.top, t.words[0], &e) < 0 ||
	    read_side(&d, &d.a, t.words[1], &e) < 0 ||
	    read_side(&d, &d.b, t.words[2], &e) < 0) {
		code = ctl_fail(&e);
	} else {
		compare_packages(&d);
		compare_files(&d);
		(t.json ? print_diff_json : print_text)(&d);
	}
	side_clear(&d.a);
	side_clear(&d.b);
	shelf_free(d.s);
	value_free(d.packages);
	value_free(d.files);
	return code;
}
