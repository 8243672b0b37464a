/* What stands on the disk: is it right, what is there, what may go. */
#include <stdio.h>

#include "lib/file.h"
#include "lib/lock.h"

#include "host/call.h"
#include "host/check.h"
#include "host/cmds.h"
#include "host/keep.h"
#include "host/show.h"

/* ---- verify on a plain host ---- */

static void
print_plain(const struct call *c, struct value *changes)
{
	size_t n = changes->list.len;
	struct value *v;

	if (!c->host.json) {
		printf("%zu change%s\n", n, n == 1 ? "" : "s");
		return;
	}
	v = value_dict();
	value_set_str(v, "version", c->host.conf.version);
	value_set_str(v, "to", c->host.conf.version);
	value_set(v, "changes", value_copy(changes));
	call_print(v);
}

static int
verify_plain(const struct call *c, struct err *e)
{
	struct value *changes __attribute__((cleanup(value_freep))) =
		value_list();

	if (c->words || c->fix)
		return err_set(e, ERR_INPUT,
			       "this host is not laid out in versions: verify "
			       "takes no VERSION and no --fix here, \"edeploy "
			       "upgrade\" of a version makes files equal");
	if (upgrade_verify(&c->host, changes, e) < 0)
		return -1;
	print_plain(c, changes);
	return changes->list.len ? 1 : 0;
}

/* ---- verify of versions ---- */

struct verdict {
	const struct call *c;
	const char *version;
	struct value *rows;
	int64_t damaged, edited, strangers;
};

static void
on_meet(void *ctx, enum check_kind kind, const char *path, const char *what)
{
	static const char *const names[] = { "damaged", "edited", "stranger" };
	struct verdict *v = ctx;
	AUTO_CLEAR(buf) shown = { 0 };
	struct value *row;

	v->damaged += kind == CHECK_DAMAGED;
	v->edited += kind == CHECK_EDITED;
	v->strangers += kind == CHECK_STRANGER;
	show_path(path, &shown);
	if (!v->c->host.json) {
		printf("%-8s  %s: %s\n", names[kind], buf_text(&shown), what);
		return;
	}
	row = value_dict();
	value_set_str(row, "version", v->version);
	value_set_str(row, "kind", names[kind]);
	value_set_str(row, "path", buf_text(&shown));
	value_set_str(row, "what", what);
	value_push(v->rows, row);
}

/* What cannot be told, for its record is gone, is brought again as well. */
static bool
is_right(const struct verdict *v)
{
	const struct check check = { .on = &v->c->on, .version = v->version };
	struct err ignored;

	return check_version(&check, &ignored) == 0;
}

static int
fix_one(struct verdict *v, struct err *e)
{
	AUTO_CLEAR(lock) l = LOCK_NONE;
	int64_t mended;

	if (is_right(v))
		return 0;
	if (versioned_lock(&v->c->on, &l, e) < 0 ||
	    check_fix(&v->c->host, &v->c->on, v->version, &mended, e) < 0)
		return -1;
	if (!v->c->host.json)
		printf("%s: %lld file%s mended\n", v->version,
		       (long long)mended, mended == 1 ? "" : "s");
	return 0;
}

static void
print_verdict(const struct verdict *v, int64_t damaged)
{
	const char *version = v->version, *s = damaged == 1 ? "" : "s";

	if (damaged == 0)
		printf("%s: right\n", version);
	else if (v->c->fix)
		printf("%s: DAMAGED, %lld file%s that the installation added: "
		       "copy %s from another host\n",
		       version, (long long)damaged, s,
		       damaged == 1 ? "it" : "them");
	else
		printf("%s: DAMAGED, %lld file%s: \"edeploy verify --fix%s%s\" "
		       "brings %s again\n",
		       version, (long long)damaged, s, v->c->words ? " " : "",
		       v->c->words ? version : "",
		       damaged == 1 ? "it" : "them");
}

static int
verify_one(struct verdict *v, const char *version, struct err *e)
{
	const struct check check = { .on = &v->c->on,
				     .version = version,
				     .strangers = v->c->strangers,
				     .tell = on_meet,
				     .ctx = v };
	int64_t before = v->damaged;

	if (!versioned_has(&v->c->on, version))
		return err_set(e, ERR_INPUT,
			       "%.70s is not on this disk (\"edeploy list\")",
			       version);
	v->version = version;
	if (v->c->fix && fix_one(v, e) < 0)
		return -1;
	if (check_version(&check, e) < 0)
		return err_add(e, "%s", version);
	if (!v->c->host.json)
		print_verdict(v, v->damaged - before);
	return 0;
}

/* Each once, and none that nobody published. */
static int
verify_named(struct verdict *v, struct err *e)
{
	const struct versioned *on = &v->c->on;
	const struct state *s = &on->state;
	const char *const named[] = { on->live ? on->running : "", s->good,
				      s->trial, s->prev };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(named); i++) {
		for (k = 0; k < i && !str_eq(named[k], named[i]); k++)
			;
		if (k == i && *named[i] && !str_eq(named[i], VERSIONED_PLAIN) &&
		    (named[i] != s->prev || versioned_has(on, s->prev)) &&
		    verify_one(v, named[i], e) < 0)
			return -1;
	}
	return 0;
}

/* The version that runs. All that may boot on a disk that is looked at from
 * elsewhere, and to mend: what is shared is damaged in each of them. */
static int
verify_all(struct verdict *v, struct err *e)
{
	if (v->c->words)
		return verify_one(v, v->c->word[0], e);
	if (!v->c->on.live || v->c->fix)
		return verify_named(v, e);
	if (str_eq(v->c->on.running, VERSIONED_PLAIN))
		return err_set(e, ERR_REFUSED,
			       "the old root runs, which nobody published: "
			       "name a version (\"edeploy status\")");
	return verify_one(v, v->c->on.running, e);
}

static int
verify_versions(const struct call *c, struct err *e)
{
	struct verdict v = { .c = c, .rows = value_list() };
	int bad = verify_all(&v, e);
	struct value *out;

	if (bad || !c->host.json) {
		value_free(v.rows);
		return bad ? -1 : v.damaged > 0;
	}
	out = value_dict();
	value_set_int(out, "damaged", v.damaged);
	value_set_int(out, "edited", v.edited);
	value_set_int(out, "strangers", v.strangers);
	value_set(out, "differences", v.rows);
	call_print(out);
	return v.damaged > 0;
}

int
cmd_verify(int argc, char **argv)
{
	static const struct call_takes takes = { "verify [VERSION] [--fix]", 0,
						 1, "--fix --strangers" };
	struct err e = { 0 };
	struct call c;
	int is;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	is = call_open(&c, &e);
	if (is == 0)
		is = c.is_versioned ? verify_versions(&c, &e)
				    : verify_plain(&c, &e);
	call_clear(&c);
	if (is < 0)
		return call_fail(&e);
	return is ? CMD_FAILED : CMD_DONE;
}

/* ---- list ---- */

static int
list_plain(const struct call *c, struct value *list, struct err *e)
{
	char **names = NULL;
	size_t i;

	if (transfer_list(&c->host, &names, e) < 0)
		return -1;
	for (i = 0; names[i]; i++)
		value_push(list, value_str(names[i]));
	names_free(names);
	return 0;
}

/* The newest that is published; what cannot be asked is said and no failure:
 * the disk's own versions are known. */
static char *
newest_published(const struct call *c)
{
	const struct source_opts opts = { .where = c->host.conf.tree,
					  .tries = 2,
					  .pause_max_s = 1,
					  .stall_s = 10 };
	AUTO_FREE char *path = base_printf("%s/HEAD", c->host.conf.role);
	AUTO_CLEAR(buf) text = { 0 };
	struct source *s = NULL;
	struct sign_trust trust;
	struct err e = { 0 };
	struct head head;
	int there = 0;

	if (!c->host.conf.tree || versioned_trust(&c->on, &trust, &e) < 0)
		return NULL;
	if (source_open(&s, &opts, &e) == 0)
		there = source_small(s, path, HEAD_TEXT_MAX, true, &text, &e);
	source_close(s);
	if (there > 0 &&
	    head_read(&head, text.at, text.len, &trust, path, &e) < 0)
		there = -1;
	if (there <= 0 && e.kind)
		show_say("warning: ", e.text);
	return there > 0 ? base_strdup(head.version) : NULL;
}

static void
list_versions(const struct call *c, struct value *list, char **newest_out)
{
	AUTO_FREE char *newest = newest_published(c);
	char **names = versioned_list(&c->on);
	bool here = false;
	size_t i;

	for (i = 0; names[i]; i++) {
		here |= str_eq(names[i], newest);
		value_push(list, value_str(names[i]));
	}
	if (newest && !here)
		value_push(list, value_str(newest));
	names_free(names);
	*newest_out = STEAL(newest);
}

/* For who looks; programs get names alone. */
static const char *
remark(const struct call *c, const char *version, const char *newest)
{
	const struct state *s = &c->on.state;

	if (!c->is_versioned)
		return "";
	if (c->on.live && str_eq(version, c->on.running))
		return "runs";
	if (str_eq(version, s->trial) && s->left > 0)
		return "the next boot tries it";
	if (str_eq(version, s->good))
		return "the good one";
	if (str_eq(version, s->prev))
		return "\"edeploy rollback\" goes back to it";
	if (versioned_has(&c->on, version))
		return "on the disk";
	return str_eq(version, newest) ? "published" : "";
}

static void
print_list(const struct call *c, struct value *list, const char *newest)
{
	bool is_looked_at = isatty(STDOUT_FILENO);
	struct value *v;
	size_t i;

	for (i = 0; !c->host.json && i < list->list.len; i++) {
		const char *name = list->list.at[i]->str.at;
		const char *more = is_looked_at ? remark(c, name, newest) : "";

		printf("%s%s%s\n", name, *more ? "  " : "", more);
	}
	if (!c->host.json)
		return;
	v = value_dict();
	value_set_str(v, "version", c->host.conf.version);
	value_set(v, "versions", value_copy(list));
	if (c->is_versioned)
		value_set(v, "published",
			  newest ? value_str(newest) : value_none());
	call_print(v);
}

int
cmd_list(int argc, char **argv)
{
	static const struct call_takes takes = { .usage = "list" };
	struct value *list __attribute__((cleanup(value_freep))) = value_list();
	AUTO_FREE char *newest = NULL;
	struct err e = { 0 };
	struct call c;
	int bad;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	bad = call_open(&c, &e);
	if (bad == 0 && c.is_versioned)
		list_versions(&c, list, &newest);
	else if (bad == 0)
		bad = list_plain(&c, list, &e);
	if (bad == 0)
		print_list(&c, list, newest);
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}

/* ---- gc ---- */

static void
on_removed(void *ctx, const char *version)
{
	struct value *removed = ctx;

	value_push(removed, value_str(version));
}

static int
collect(struct call *c, struct value *removed, struct err *e)
{
	AUTO_CLEAR(lock) l = LOCK_NONE;

	if (!c->is_versioned)
		return err_set(e, ERR_REFUSED,
			       "this host is not laid out in versions: there "
			       "is nothing to clean");
	if (versioned_lock(&c->on, &l, e) < 0 ||
	    versioned_refresh(&c->on, e) < 0)
		return -1;
	return keep_needed(&c->on, NULL, on_removed, removed, e);
}

int
cmd_gc(int argc, char **argv)
{
	static const struct call_takes takes = { .usage = "gc" };
	struct value *removed = value_list();
	struct err e = { 0 };
	struct call c;
	int bad;
	size_t i;

	if (!call_parse(&c, argc, argv, &takes)) {
		value_free(removed);
		return CMD_USAGE;
	}
	bad = call_open(&c, &e) < 0 || collect(&c, removed, &e) < 0;
	if (!bad && !c.host.json && removed->list.len == 0)
		printf("nothing to remove: a boot may enter each version that "
		       "is here\n");
	for (i = 0; !bad && !c.host.json && i < removed->list.len; i++)
		printf("%s is gone\n", removed->list.at[i]->str.at);
	if (!bad && c.host.json) {
		struct value *v = value_dict();

		value_set(v, "removed", STEAL(removed));
		call_print(v);
	}
	value_free(removed);
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}
