/* pull, verify: published trees in folders, and whether they are right. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/ctl.h"
#include "cli/options.h"
#include "cli/trees.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "lib/file.h"
#include "lib/text.h"
#include "rsyncd/pull.h"

#define HOST_PUB "/var/lib/edeploy/trees.pub"
#define HOST_RECORD "var/lib/edeploy/tree"
#define TRIES 10 /* under two minutes: somebody waits, and may call again */

/* ---- options ---- */

struct fetching {
	const char *from, *base, *share, *trust, *record, *ca;
	bool dry_run, strict, hash_all, downgrade, json, quick;
	char **word; /* what is left, in argv */
	int len;
};

static int
take_options(struct fetching *f, int argc, char **argv, int least, int most)
{
	const bool pulls = str_eq(argv[0], "pull");
	const struct option rows[] = {
		{ "--from", !pulls, .value = &f->from },
		{ "--base", !pulls, .value = &f->base },
		{ "--share", !pulls, .value = &f->share },
		{ "--ca", !pulls, .value = &f->ca },
		{ "--trust", .value = &f->trust },
		{ "--record", .value = &f->record },
		{ "-n", !pulls, .flag = &f->dry_run },
		{ "--dry-run", !pulls, .flag = &f->dry_run },
		{ "--strict", !pulls, .flag = &f->strict },
		{ "--hash-all", !pulls, .flag = &f->hash_all },
		{ "--allow-downgrade", !pulls, .flag = &f->downgrade },
		{ "--quick", pulls, .flag = &f->quick },
		{ "--json", .flag = &f->json },
	};

	*f = (struct fetching){ .from = TREES_TOP "/trees", .word = argv + 1 };
	f->len = options_take(rows, ARRAY_LEN(rows), argc, argv, least, most);
	return f->len < 0 ? -1 : 0;
}

static int
read_trust(const struct fetching *f, struct sign_trust *out, struct err *e)
{
	const char *path = trees_pub(f->trust);

	if (!path && file_exists(HOST_PUB))
		path = HOST_PUB;
	if (!path)
		return err_set(e, ERR_INPUT,
			       "none of " TREES_PUB ", " TREES_KEY
			       ".pub and " HOST_PUB
			       " is there: name the public key with --trust "
			       "FILE");
	return sign_trust_read(out, path, e);
}

/* Where the record of a folder is: beside it, or in it on an installed host. */
static char *
record_of(const char *dir)
{
	size_t len = strlen(dir);
	AUTO_FREE char *inside = NULL, *beside = NULL, *seal = NULL;

	while (len > 1 && dir[len - 1] == '/')
		len--;
	beside = base_printf("%.*s.edeploy", (int)len, dir);
	inside = base_printf("%s/" HOST_RECORD, dir);
	seal = base_printf("%s/seal", inside);
	if (file_exists(beside) || !file_exists(seal))
		return STEAL(beside);
	return STEAL(inside);
}

/* ---- pull ---- */

struct pulling {
	struct trees_bar bar;
	uint64_t wire;
};

static void
on_progress(void *ctx, const struct pull_progress *p)
{
	struct pulling *x = ctx;

	trees_bar_draw(&x->bar, p->stage, p->bytes, p->bytes_all);
}

static void
on_say(void *ctx, const char *line)
{
	struct pulling *x = ctx;

	trees_bar_say(&x->bar, line);
}

static const char *
way_name(enum pull_way way)
{
	static const char *const names[] = { "nothing", "full", "delta",
					     "chain", "frames" };

	return names[way];
}

static int
print_json(const struct fetching *f, const struct pull_result *r)
{
	AUTO(value) v = value_dict();

	value_set_str(v, "role", f->word[0]);
	value_set_str(v, "version", r->version);
	value_set_str(v, "root", r->root);
	value_set_str(v, "way", way_name(r->way));
	value_set_int(v, "serial", (int64_t)r->serial);
	value_set_int(v, "entries", (int64_t)r->files);
	value_set_int(v, "bytes", (int64_t)r->bytes);
	value_set_int(v, "shared", (int64_t)r->shared);
	value_set_int(v, "copied", (int64_t)r->copied);
	value_set_int(v, "patched", (int64_t)r->patched);
	value_set_int(v, "fetched", (int64_t)r->fetched);
	value_set_int(v, "drifted", (int64_t)r->drifted);
	value_set_int(v, "marks", (int64_t)r->marks);
	value_set_int(v, "wire", (int64_t)r->wire);
	return ctl_print_json(v);
}

static int
print_result(const struct fetching *f, const struct pull_result *r)
{
	AUTO_FREE char *bytes = trees_size(r->bytes);
	AUTO_FREE char *wire = trees_size(r->wire);
	const char *dir = f->word[f->len - 1];

	if (f->dry_run)
		printf("%s %s: %s of %s would be fetched (%s)\n", f->word[0],
		       r->version, wire, bytes, way_name(r->way));
	else if (r->way == PULL_NOTHING)
		printf("%s is %s %s: nothing to do\n", dir, f->word[0],
		       r->version);
	else
		printf("%s is %s %s: %" PRIu64 " entries, %s; %s fetched "
		       "(%s)\n",
		       dir, f->word[0], r->version, r->files, bytes, wire,
		       way_name(r->way));
	if (r->shared + r->copied + r->patched > 0)
		printf("files shared %" PRIu64 ", copied %" PRIu64
		       ", patched %" PRIu64 ", fetched %" PRIu64 "\n",
		       r->shared, r->copied, r->patched, r->fetched);
	if (r->drifted > 0)
		printf("%" PRIu64 " files of the base are not as recorded\n",
		       r->drifted);
	return CMD_DONE;
}

static int
share_of(const struct fetching *f, struct pull_opts *o, struct err *e)
{
	static const char *const names[] = { "copy", "reflink", "link" };
	size_t i;

	for (i = 0; f->share && i < ARRAY_LEN(names); i++)
		if (str_eq(f->share, names[i])) {
			o->share = (enum pull_share)i;
			return 0;
		}
	if (!f->share) {
		o->share = PULL_REFLINK;
		return 0;
	}
	return err_set(e, ERR_INPUT, "--share is copy, reflink or link");
}

static int
run_pull(const struct fetching *f, struct pull_result *r, struct err *e)
{
	AUTO_FREE char *record = f->record ? base_strdup(f->record)
					   : record_of(f->word[f->len - 1]);
	AUTO_FREE char *base_record = f->base ? record_of(f->base) : NULL;
	struct pulling x = { 0 };
	struct sign_trust trust = { 0 };
	struct pull_opts o = {
		.source = { .where = f->from,
			    .ca = f->ca,
			    .tries = TRIES,
			    .say = on_say,
			    .ctx = &x },
		.trust = &trust,
		.role = f->word[0],
		.version = f->len == 3 ? f->word[1] : NULL,
		.into = f->word[f->len - 1],
		.base = f->base,
		.base_record = base_record,
		.record = record,
		.allow_downgrade = f->downgrade,
		.dry_run = f->dry_run,
		.strict = f->strict,
		.hash_all = f->hash_all,
		.progress = on_progress,
		.ctx = &x,
	};
	int bad;

	if (read_trust(f, &trust, e) < 0 || share_of(f, &o, e) < 0)
		return -1;
	trees_bar_begin(&x.bar);
	bad = pull(&o, r, e);
	trees_bar_end(&x.bar);
	return bad;
}

int
cmd_pull(int argc, char **argv)
{
	struct pull_result r;
	struct fetching f;
	struct err e = { 0 };

	if (take_options(&f, argc, argv, 2, 3) < 0)
		return CMD_USAGE;
	if (run_pull(&f, &r, &e) < 0)
		return ctl_fail(&e);
	return f.json ? print_json(&f, &r) : print_result(&f, &r);
}

/* ---- verify ---- */

struct verdict {
	struct trees_bar bar;
	bool json;
	struct value *differs, *strangers;
	uint64_t strange;
};

static void
print_line(struct verdict *v, const char *path, const char *what)
{
	AUTO_CLEAR(buf) line = { 0 };

	text_show(path, strlen(path), 1, &line);
	trees_bar_end(&v->bar);
	printf("%s: %s\n", buf_text(&line), what);
}

static void
on_differs(void *ctx, const char *path, const char *what)
{
	struct verdict *v = ctx;
	struct value *row;

	if (!v->json) {
		print_line(v, path, what);
		return;
	}
	row = value_dict();
	value_set_str(row, "path", path);
	value_set_str(row, "what", what);
	value_push(v->differs, row);
}

static void
on_stranger(void *ctx, const char *path)
{
	struct verdict *v = ctx;

	v->strange++;
	if (v->json)
		value_push(v->strangers, value_str(path));
	else
		print_line(v, path, "not part of it");
}

static void
on_bytes(void *ctx, uint64_t done, uint64_t all)
{
	struct verdict *v = ctx;

	trees_bar_draw(&v->bar, "verify", done, all);
}

/* How many differences; -1. */
static int64_t
run_verify(const struct fetching *f, struct verdict *v, struct seal **seal,
	   struct err *e)
{
	AUTO_FREE char *record =
		f->record ? base_strdup(f->record) : record_of(f->word[0]);
	AUTO(manifest) m = NULL;
	struct sign_trust trust = { 0 };
	struct verify_opts o = { .dir = f->word[0],
				 .quick = f->quick,
				 .differs = on_differs,
				 .stranger = on_stranger,
				 .progress = on_bytes,
				 .ctx = v };
	int64_t differ;
	int known;

	if (read_trust(f, &trust, e) < 0)
		return -1;
	known = record_read(record, &trust, seal, &m, e);
	if (known < 0)
		return -1;
	if (known == 0 && access(f->word[0], F_OK) < 0)
		return err_sys(e, "%s", f->word[0]);
	if (known == 0)
		return err_set(e, ERR_INPUT,
			       "%s: no record of what %s is: a pull that was "
			       "broken goes on when it is called again; "
			       "--record names a record elsewhere",
			       record, f->word[0]);
	o.manifest = m;
	trees_bar_begin(&v->bar);
	differ = verify(&o, e);
	trees_bar_end(&v->bar);
	return differ;
}

/* What is not part of it counts: the next pull would refuse it. */
static void
print_verdict(const struct fetching *f, const struct verdict *v,
	      const struct seal *s, int64_t differ)
{
	AUTO_FREE char *places = trees_count((uint64_t)differ, "place");

	if (differ == 0 && v->strange == 0) {
		printf("%s is %s %s%s\n", f->word[0], s->role, s->version,
		       f->quick ? ", contents not read" : "");
		return;
	}
	printf("%s differs from %s %s in %s", f->word[0], s->role, s->version,
	       places);
	if (v->strange)
		printf(", %" PRIu64 " not part of it", v->strange);
	putchar('\n');
}

int
cmd_verify(int argc, char **argv)
{
	AUTO(value) out = value_dict();
	AUTO(seal) seal = NULL;
	struct verdict v = { 0 };
	struct fetching f;
	struct err e = { 0 };
	int64_t differ;

	if (take_options(&f, argc, argv, 1, 1) < 0)
		return CMD_USAGE;
	v.json = f.json;
	v.differs = value_list();
	v.strangers = value_list();
	value_set(out, "differs", v.differs);
	value_set(out, "strangers", v.strangers);
	differ = run_verify(&f, &v, &seal, &e);
	if (differ < 0)
		return ctl_fail(&e);
	if (f.json) {
		value_set_str(out, "role", seal->role);
		value_set_str(out, "version", seal->version);
		ctl_print_json(out);
	} else {
		print_verdict(&f, &v, seal, differ);
	}
	return differ == 0 && !v.strange ? CMD_DONE : CMD_FAILED;
}
