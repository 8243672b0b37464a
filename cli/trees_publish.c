/* key, publish, repack, seal: what changes the shelf. */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ctl.h"
#include "cli/trees.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "rsyncd/publish.h"

static void
on_progress(void *ctx, const char *stage, uint64_t done, uint64_t all)
{
	trees_bar_draw(ctx, stage, done, all);
}

static void
on_say(void *ctx, const char *line)
{
	trees_bar_say(ctx, line);
}

/* ---- telling what was done ---- */

static struct value *
json_of(const struct seal *s, bool live)
{
	struct value *v = value_dict();

	value_set_str(v, "role", s->role);
	value_set_str(v, "version", s->version);
	value_set_int(v, "serial", (int64_t)s->serial);
	value_set_int(v, "revision", (int64_t)s->revision);
	value_set_str(v, "date", s->date);
	value_set_str(v, "root", s->root);
	value_set_str(v, "seal", s->hash);
	value_set_int(v, "entries", (int64_t)s->entries);
	value_set_int(v, "bytes", (int64_t)s->bytes);
	value_set(v, "live", value_bool(live));
	return v;
}

static int
print_json(const struct publish_result *r)
{
	AUTO(value) v = json_of(r->seal, r->live);

	value_set(v, "already", value_bool(r->already));
	value_set_int(v, "packed", (int64_t)r->packed);
	value_set_int(v, "reused", (int64_t)r->reused);
	value_set_int(v, "linked", (int64_t)r->linked);
	return ctl_print_json(v);
}

static int
print_text(const struct publish_result *r, const char *done)
{
	const struct seal *s = r->seal;
	AUTO_FREE char *bytes = trees_size(s->bytes);
	AUTO_FREE char *packed = trees_size(r->packed);
	AUTO_FREE char *reused = trees_size(r->reused);
	AUTO_FREE char *linked = trees_size(r->linked);

	printf("%s %s %s: %llu entries, %s\n", s->role, s->version, done,
	       (unsigned long long)s->entries, bytes);
	if (!r->already)
		printf("%s written, %s of packs used again, %s of files "
		       "shared\n",
		       packed, reused, linked);
	if (!r->live)
		printf("no client sees it yet: edeployctl seal %s %s --key "
		       "FILE\n",
		       s->role, s->version);
	return CMD_DONE;
}

/* As JSON it is one document: where packing follows, what that made. */
static int
print_result(const struct publish_result *r, const struct trees *t,
	     const char *done, bool more)
{
	if (r->already)
		done = r->signed_now ? "waited with this tree and is signed now"
				     : "was published already, with this tree";
	if (!t->json)
		return print_text(r, done);
	return more ? CMD_DONE : print_json(r);
}

/* ---- publish, repack ---- */

typedef int publish_call(const struct publish_opts *opts,
			 struct publish_result *out, struct err *e);

/* One of the two calls, with its bar; `more`: the other one follows. */
static int
run(publish_call *call, struct publish_opts *o, const struct trees *t,
    const char *done, bool more)
{
	struct trees_bar bar;
	struct publish_result r;
	struct err e = { 0 };
	int code;

	trees_bar_begin(&bar);
	o->progress = on_progress;
	o->say = on_say;
	o->ctx = &bar;
	code = call(o, &r, &e);
	trees_bar_end(&bar);
	if (code < 0) {
		publish_result_clear(&r);
		return ctl_fail(&e);
	}
	code = print_result(&r, t, done, more);
	publish_result_clear(&r);
	return code;
}

/* In the time that nobody else wants. */
static int
run_repack(struct publish_opts *o, const struct trees *t)
{
	if (setpriority(PRIO_PROCESS, 0, 19) < 0)
		perror("edeployctl: nice");
	return run(publish_repack, o, t, "is packed better", false);
}

static int
read_key(const struct trees *t, struct publish_opts *o, struct sign_key *key)
{
	struct err e = { 0 };
	int there = trees_key(t, key, &e);

	if (there < 0)
		return ctl_fail(&e);
	o->key = there ? key : NULL;
	return 0;
}

static struct publish_opts
opts_of(const struct trees *t)
{
	/* a server of another user reads what is published */
	umask(022);
	return (struct publish_opts){ .top = t->top,
				      .role = t->words[0],
				      .version = t->words[1],
				      .dir = t->words[2],
				      .on = t->on,
				      .deltas = (int)t->deltas,
				      .level = (int)t->level,
				      .new_ids = t->new_ids };
}

int
cmd_publish(int argc, char **argv)
{
	struct sign_key key = { 0 };
	struct publish_opts o;
	struct trees t;
	int code;

	if (trees_options(&t, argc, argv, 3, 3,
			  " --top --key --unsigned --on --deltas --level "
			  "--new-ids --repack --json ") < 0)
		return CMD_USAGE;
	o = opts_of(&t);
	code = read_key(&t, &o, &key);
	if (code == 0)
		code = run(publish, &o, &t, "is published", t.repack);
	o.level = 0;
	if (code == 0 && t.repack)
		code = run_repack(&o, &t);
	sign_key_clear(&key);
	return code;
}

int
cmd_repack(int argc, char **argv)
{
	struct sign_key key = { 0 };
	struct publish_opts o;
	struct trees t;
	int code;

	if (trees_options(&t, argc, argv, 2, 2,
			  " --top --key --unsigned --level --json ") < 0)
		return CMD_USAGE;
	o = opts_of(&t);
	code = read_key(&t, &o, &key);
	if (code == 0)
		code = run_repack(&o, &t);
	sign_key_clear(&key);
	return code;
}

/* ---- key, seal ---- */

int
cmd_key(int argc, char **argv)
{
	struct sign_key key = { 0 };
	struct err e = { 0 };
	struct trees t;

	if (trees_options(&t, argc, argv, 1, 1, " ") < 0)
		return CMD_USAGE;
	if (sign_key_make(t.words[0], &e) < 0 ||
	    sign_key_read(&key, t.words[0], &e) < 0)
		return ctl_fail(&e);
	printf("key %s\n%s signs: whoever has it decides what machines run\n"
	       "%s.pub is for those who shall believe it\n",
	       key.id, t.words[0], t.words[0]);
	sign_key_clear(&key);
	return CMD_DONE;
}

static int
print_sealed(const struct seal *s, const struct trees *t)
{
	AUTO(value) v = json_of(s, true);
	AUTO_FREE char *bytes = trees_size(s->bytes);

	if (t->json)
		return ctl_print_json(v);
	printf("%s %s is live: serial %llu, revision %llu, %s\nroot %s\n",
	       s->role, s->version, (unsigned long long)s->serial,
	       (unsigned long long)s->revision, bytes, s->root);
	return CMD_DONE;
}

int
cmd_seal(int argc, char **argv)
{
	struct sign_key key = { 0 };
	struct err e = { 0 };
	AUTO(seal) s = NULL;
	struct trees t;
	int there;

	if (trees_options(&t, argc, argv, 2, 2, " --top --key --json ") < 0)
		return CMD_USAGE;
	umask(022);
	there = trees_key(&t, &key, &e);
	if (there == 0)
		err_set(&e, ERR_INPUT,
			"there is no " TREES_KEY "; say --key FILE, or make "
			"one: edeployctl key " TREES_KEY);
	if (there <= 0 ||
	    publish_seal(t.top, t.words[0], t.words[1], &key, &s, &e) < 0) {
		sign_key_clear(&key);
		return ctl_fail(&e);
	}
	sign_key_clear(&key);
	return print_sealed(s, &t);
}
