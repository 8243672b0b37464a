/* versions, ids, gc, fsck: what is on the shelf, and keeping it tidy. */
#include <stdio.h>
#include <sys/stat.h>

#include "cli/ctl.h"
#include "cli/table.h"
#include "cli/trees.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "lib/file.h"
#include "rsyncd/fsck.h"
#include "rsyncd/gc.h"
#include "rsyncd/shelf.h"

/* ---- versions ---- */

static const char *
state_of(const struct shelf *s, const struct shelf_version *v)
{
	if (v->broken)
		return "damaged";
	if (!v->live)
		return "unsigned";
	if (v->waiting)
		return "live, a better one unsigned";
	return str_eq(s->head.version, v->name) ? "newest" : "live";
}

/* What was packed for it: packs of others stand with those. */
static uint64_t
packed_of(const struct seal *s)
{
	AUTO_FREE char *own = base_printf("%s/%s/", s->role, s->version);
	uint64_t sum = s->manifest.place.size;
	size_t i;

	for (i = 0; i < s->fulls; i++)
		if (str_starts(s->full[i].path, own))
			sum += s->full[i].place.size;
	return sum;
}

static char *
froms_of(const struct seal *s)
{
	AUTO_CLEAR(buf) b = { 0 };
	size_t i;

	for (i = 0; i < s->deltas; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", s->delta[i].from_version);
	return buf_take(&b);
}

static void
add_row(struct table *rows, const struct shelf *s,
	const struct shelf_version *v)
{
	const struct seal *seal = shelf_seal(v);
	AUTO_FREE char *serial = NULL;
	AUTO_FREE char *entries = NULL;
	AUTO_FREE char *bytes = NULL;
	AUTO_FREE char *packs = NULL;
	AUTO_FREE char *froms = NULL;

	if (seal) {
		serial = base_printf("%llu.%llu",
				     (unsigned long long)seal->serial,
				     (unsigned long long)seal->revision);
		entries =
			base_printf("%llu", (unsigned long long)seal->entries);
		bytes = trees_size(seal->bytes);
		packs = trees_size(packed_of(seal));
		froms = froms_of(seal);
	}
	table_add(rows, s->role);
	table_add(rows, v->name);
	table_add(rows, serial);
	table_add(rows, seal ? seal->date : NULL);
	table_add(rows, entries);
	table_add(rows, bytes);
	table_add(rows, packs);
	table_add(rows, state_of(s, v));
	table_add(rows, froms && *froms ? froms : NULL);
}

static void
add_delta(struct value *list, const struct seal_file *f)
{
	struct value *d = value_dict();

	value_set_str(d, "from", f->from_version);
	value_set_int(d, "size", (int64_t)f->place.size);
	value_push(list, d);
}

static void
add_json(struct value *list, const struct shelf *s,
	 const struct shelf_version *v)
{
	const struct seal *seal = shelf_seal(v);
	struct value *x = value_dict(), *deltas = value_list();
	size_t i;

	value_set_str(x, "role", s->role);
	value_set_str(x, "version", v->name);
	value_set_str(x, "state", state_of(s, v));
	if (seal) {
		value_set_int(x, "serial", (int64_t)seal->serial);
		value_set_int(x, "revision", (int64_t)seal->revision);
		value_set_str(x, "date", seal->date);
		value_set_str(x, "root", seal->root);
		value_set_int(x, "entries", (int64_t)seal->entries);
		value_set_int(x, "bytes", (int64_t)seal->bytes);
		value_set_int(x, "packed", (int64_t)packed_of(seal));
		for (i = 0; i < seal->deltas; i++)
			add_delta(deltas, &seal->delta[i]);
	}
	value_set_str(x, "key", v->key);
	value_set(x, "deltas", deltas);
	if (v->broken)
		value_set_str(x, "problem", v->broken);
	value_push(list, x);
}

static void
add_role(const struct shelf *s, struct table *rows, struct value *list)
{
	size_t i;

	for (i = s->len; i-- > 0;) {
		add_row(rows, s, &s->at[i]);
		add_json(list, s, &s->at[i]);
	}
}

static int
no_role(const struct trees *t, const char *role, struct err *e)
{
	return err_set(e, ERR_REFUSED,
		       "%s is not published below %s/trees; edeployctl "
		       "versions lists what is",
		       role, t->top);
}

static int
print_versions(const struct trees *t, char **roles, struct err *e)
{
	static const char *const heads[] = { "ROLE",   "VERSION", "SERIAL",
					     "DATE",   "ENTRIES", "SIZE",
					     "PACKED", "STATE",   "DELTAS" };
	struct table rows = { .columns = ARRAY_LEN(heads),
			      .heads = true,
			      .leaves = "8463",
			      .drops = true };
	AUTO(value) list = value_list();
	int failed = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(heads); i++)
		table_add(&rows, heads[i]);
	for (i = 0; roles[i] && !failed; i++) {
		AUTO(shelf) s = NULL;

		failed = shelf_open(&s, t->top, roles[i], e);
		if (!failed && s->len == 0 && t->len > 0)
			failed = no_role(t, roles[i], e);
		if (!failed)
			add_role(s, &rows, list);
	}
	if (!failed && t->json)
		ctl_print_json(list);
	else if (!failed && list->list.len > 0)
		table_print(&rows);
	else if (!failed)
		fprintf(stderr, "nothing is published below %s/trees\n",
			t->top);
	table_clear(&rows);
	return failed;
}

int
cmd_versions(int argc, char **argv)
{
	char *one[2] = { NULL, NULL };
	struct err e = { 0 };
	char **roles = one;
	struct trees t;
	int failed;

	if (trees_options(&t, argc, argv, 0, 1, " --top --json ") < 0)
		return CMD_USAGE;
	one[0] = t.words[0];
	if (!one[0] && shelf_roles(t.top, &roles, &e) < 0)
		return ctl_fail(&e);
	failed = print_versions(&t, roles, &e);
	if (roles != one)
		names_free(roles);
	return failed ? ctl_fail(&e) : CMD_DONE;
}

/* ---- ids ---- */

static int
give_ids(const struct trees *t, const char *path, const struct shelf *s,
	 const struct seal *seal, const struct manifest *m, struct err *e)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *to = NULL;
	size_t len;
	int there = shelf_content(s, seal, m, path, 1 << 20, &text, &len, e);

	if (there == 0)
		return err_set(e, ERR_REFUSED, "%s %s has no %s", s->role,
			       seal->version, path);
	if (there < 0)
		return -1;
	if (!t->words[1]) {
		fwrite(text, 1, len, stdout);
		return 0;
	}
	to = base_printf("%s/%s", t->words[1], strrchr(path, '/') + 1);
	return file_write(to, text, len, 0644, e);
}

int
cmd_ids(int argc, char **argv)
{
	AUTO(shelf) s = NULL;
	AUTO(manifest) m = NULL;
	struct shelf_version *v;
	struct err e = { 0 };
	struct trees t;

	if (trees_options(&t, argc, argv, 1, 2, " --top ") < 0)
		return CMD_USAGE;
	if (shelf_named(t.top, t.words[0], &s, &v, &e) < 0 ||
	    shelf_manifest(s->trees, shelf_seal(v), &m, &e) < 0 ||
	    give_ids(&t, "etc/passwd", s, shelf_seal(v), m, &e) < 0 ||
	    give_ids(&t, "etc/group", s, shelf_seal(v), m, &e) < 0)
		return ctl_fail(&e);
	return CMD_DONE;
}

/* ---- gc ---- */

struct gone {
	const struct trees *t;
	struct value *list;
};

static void
on_removed(void *ctx, const char *path, uint64_t bytes)
{
	const struct gone *g = ctx;
	AUTO_FREE char *size = trees_size(bytes);
	struct value *x = value_dict();

	value_set_str(x, "path", path);
	value_set_int(x, "bytes", (int64_t)bytes);
	value_push(g->list, x);
	if (!g->t->json)
		printf("%s  %s\n", path, size);
}

static int
print_gone(const struct gone *g, const struct gc_result *r)
{
	AUTO_FREE char *size = trees_size(r->bytes);
	AUTO_FREE char *files = trees_count(r->files, "file");
	AUTO_FREE char *versions = trees_count(r->versions, "old version");
	AUTO(value) v = value_dict();

	if (!g->t->json) {
		printf("%s%s, %s, %s\n",
		       g->t->dry_run ? "would remove " : "removed ", files,
		       size, versions);
		return CMD_DONE;
	}
	value_set_int(v, "files", (int64_t)r->files);
	value_set_int(v, "bytes", (int64_t)r->bytes);
	value_set_int(v, "versions", (int64_t)r->versions);
	value_set(v, "removed", value_copy(g->list));
	return ctl_print_json(v);
}

int
cmd_gc(int argc, char **argv)
{
	struct gc_result r;
	struct err e = { 0 };
	struct trees t;
	AUTO(value) list = value_list();
	struct gone g = { &t, list };
	struct gc_opts o = { .removed = on_removed, .ctx = &g };

	if (trees_options(&t, argc, argv, 0, 0,
			  " --top --keep -n --dry-run --now --json ") < 0)
		return CMD_USAGE;
	o.top = t.top;
	o.keep = (size_t)t.keep;
	o.dry_run = t.dry_run;
	o.now = t.now;
	if (trees_there(&t, &e) < 0 || gc(&o, &r, &e) < 0)
		return ctl_fail(&e);
	return print_gone(&g, &r);
}

/* ---- fsck ---- */

struct looking {
	const struct trees *t;
	struct trees_bar bar;
	struct value *problems;
	bool believes; /* there are public keys */
};

static void
on_problem(void *ctx, const char *line)
{
	struct looking *l = ctx;

	trees_bar_end(&l->bar);
	value_push(l->problems, value_str(line));
	if (!l->t->json)
		puts(line);
}

static void
on_look(void *ctx, const char *path, uint64_t bytes)
{
	struct looking *l = ctx;

	(void)path;
	trees_bar_draw(&l->bar, "fsck", bytes, 0);
}

static int
print_fsck(const struct looking *l, const struct fsck_result *r)
{
	AUTO_FREE char *size = trees_size(r->bytes);
	AUTO_FREE char *versions = trees_count(r->versions, "version");
	AUTO_FREE char *files = trees_count(r->files, "file");
	AUTO_FREE char *problems = trees_count(r->problems, "problem");
	AUTO(value) v = value_dict();

	if (l->t->json) {
		value_set_int(v, "versions", (int64_t)r->versions);
		value_set_int(v, "files", (int64_t)r->files);
		value_set_int(v, "bytes", (int64_t)r->bytes);
		value_set(v, "problems", value_copy(l->problems));
		ctl_print_json(v);
	} else {
		printf("%s, %s, %s: %s\n", versions, files, size, problems);
	}
	if (!l->believes)
		fputs("signatures were not checked: neither " TREES_PUB
		      " nor " TREES_KEY ".pub is there; say --key FILE\n",
		      stderr);
	return r->problems ? CMD_FAILED : CMD_DONE;
}

int
cmd_fsck(int argc, char **argv)
{
	struct sign_trust trust;
	struct fsck_result r;
	struct err e = { 0 };
	struct trees t;
	AUTO(value) problems = value_list();
	struct looking l = { .t = &t, .problems = problems };
	struct fsck_opts o = { .problem = on_problem,
			       .progress = on_look,
			       .ctx = &l };
	const char *pub;

	if (trees_options(&t, argc, argv, 0, 1, " --top --key --json ") < 0)
		return CMD_USAGE;
	o.top = t.top;
	o.role = t.words[0];
	pub = trees_pub(t.key);
	if (trees_there(&t, &e) < 0 ||
	    (pub && sign_trust_read(&trust, pub, &e) < 0))
		return ctl_fail(&e);
	l.believes = pub != NULL;
	o.trust = pub ? &trust : NULL;
	trees_bar_begin(&l.bar);
	if (fsck(&o, &r, &e) < 0) {
		trees_bar_end(&l.bar);
		return ctl_fail(&e);
	}
	trees_bar_end(&l.bar);
	if (o.role && r.versions + r.problems == 0) {
		no_role(&t, o.role, &e);
		return ctl_fail(&e);
	}
	return print_fsck(&l, &r);
}
