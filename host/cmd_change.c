/* Moving this host from one version to another. */
#include <stdio.h>

#include "lib/proc.h"

#include "host/call.h"
#include "host/change.h"
#include "host/cmds.h"
#include "host/history.h"
#include "host/show.h"

/* ---- what happened to edits ---- */

static void
print_notes(const struct value *notes)
{
	size_t i;

	for (i = 0; i < notes->list.len; i++) {
		const struct value *r = notes->list.at[i];

		printf("%s:\n", value_get_str(r, "path"));
		show_words(stdout, value_get_str(r, "what"), 4);
	}
}

static struct value *
json_of(const struct change *x)
{
	struct value *v = value_dict();

	value_set_str(v, "from", x->from);
	value_set_str(v, "version", x->to);
	value_set(v, "entered", value_bool(x->entered));
	value_set(v, "proved", value_bool(x->proved));
	value_set(v, "at_boot", value_bool(x->at_boot));
	value_set(v, "reboot", value_bool(x->reboot));
	value_set_int(v, "wire", (int64_t)x->pulled.wire);
	value_set(v, "notes", value_copy(x->notes));
	value_set(v, "old",
		  x->services ? value_copy(x->services) : value_list());
	return v;
}

/* ---- reboot ---- */

static int
restart(const struct host *h, struct err *e)
{
	const char *const argv[] = { "reboot", NULL };

	if (*h->root) {
		fprintf(stderr, "edeploy: this version wants a reboot\n");
		return 0;
	}
	fprintf(stderr, "edeploy: rebooting, as this version wants\n");
	fflush(stdout);
	sync();
	sleep(2);
	return proc_ok(argv, NULL, e);
}

/* ---- in place ---- */

static int
upgrade_plain(struct call *c, struct err *e)
{
	AUTO_FREE char *history = base_printf("%s" HISTORY_PLAIN, c->host.root);
	const char *to = c->word[0];
	bool reboot = false;

	if (upgrade(&c->host, to, &reboot, e) < 0)
		return -1;
	history_add(history, "upgrade", c->host.conf.version, to, "in place");
	if (c->host.json) {
		struct value *v = value_dict();

		value_set_str(v, "from", c->host.conf.version);
		value_set_str(v, "version", to);
		value_set(v, "reboot", value_bool(reboot));
		call_print(v);
	} else {
		printf("done: %s, from %s\n", to, c->host.conf.version);
	}
	return reboot ? restart(&c->host, e) : 0;
}

/* ---- beside one another ---- */

/* What runs old files still: a unit once. */
static void
print_old(const struct value *old)
{
	const char *last = "";
	size_t i;

	for (i = 0; old && i < old->list.len; i++) {
		const struct value *r = old->list.at[i];
		const char *unit = value_get_str(r, "unit");

		if (i == 0)
			printf("What runs files of the old version still:\n");
		if (!*unit || !str_eq(unit, last))
			printf("    %-8lld%s%s%s\n",
			       (long long)value_get_int(r, "pid", 0),
			       value_get_str(r, "name"), *unit ? "  " : "",
			       unit);
		last = unit;
	}
}

/* What the host is now, and what to do. */
static void
print_outcome(const struct change *x)
{
	const struct state *s = &x->on->state;
	AUTO_FREE char *say = NULL;

	if (x->at_boot && str_eq(x->to, VERSIONED_PLAIN))
		say = base_printf("The next boot enters the old root as it was "
				  "converted, with today's /var and /home: "
				  "\"reboot\" when it suits you.");
	else if (x->proved && *s->prev)
		say = base_printf("%s runs, and is the good version. \"edeploy "
				  "rollback\" goes back to %s.",
				  x->to,
				  str_eq(s->prev, VERSIONED_PLAIN)
					  ? "the old root"
					  : s->prev);
	else if (x->proved)
		say = base_printf("%s runs, and is the good version.", x->to);
	else if (x->entered)
		say = base_printf("%s runs. It starts with another kernel, "
				  "initrd, init or arguments than %s, so it is "
				  "on trial until a boot has proved it: "
				  "\"reboot\" when it suits you.",
				  x->to, x->from);
	else if (x->at_boot && str_eq(s->trial, x->to))
		say = base_printf("The next boot tries %s; until it is proved, "
				  "what fails comes back to %s. \"reboot\" "
				  "when it suits you.",
				  x->to, s->good);
	else if (x->at_boot)
		say = base_printf("%s was checked, and is what the next boot "
				  "enters: \"reboot\" when it suits you.",
				  x->to);
	else
		say = base_printf("%s is not tried at the next boot any more: "
				  "%s stays.",
				  x->from, x->to);
	show_words(stdout, say, 0);
	print_old(x->services);
}

static void
print_upgrade(const struct call *c, const struct change *x)
{
	AUTO_FREE char *wire = show_size(x->pulled.wire);

	if (c->host.json) {
		call_print(json_of(x));
		return;
	}
	print_notes(x->notes);
	/* else it was there, and cut off */
	if (x->pulled.files)
		printf("%s is on the disk: %llu files, %s fetched, every file "
		       "checked.\n",
		       x->to, (unsigned long long)x->pulled.files, wire);
	print_outcome(x);
}

static int
upgrade_versions(struct call *c, struct change *x, struct err *e)
{
	if (change_upgrade(x, c->word[0], e) < 0)
		return -1;
	print_upgrade(c, x);
	return x->reboot ? restart(&c->host, e) : 0;
}

static struct change
change_of(struct call *c)
{
	return (struct change){ .host = &c->host,
				.on = &c->on,
				.allow_downgrade = c->allow_downgrade,
				.strict = c->strict,
				.later = c->at_boot,
				.live = c->live,
				.notes = value_list() };
}

int
cmd_upgrade(int argc, char **argv)
{
	static const struct call_takes takes = {
		"upgrade VERSION [--allow-downgrade] [--strict] [--live | "
		"--at-boot]",
		1, 1, "--allow-downgrade --strict --live --at-boot"
	};
	struct err e = { 0 };
	struct change x;
	struct call c;
	int bad;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	setvbuf(stdout, NULL, _IOLBF, 0);
	x = change_of(&c);
	bad = call_open(&c, &e);
	if (bad == 0)
		bad = c.is_versioned ? upgrade_versions(&c, &x, &e)
				     : upgrade_plain(&c, &e);
	change_clear(&x);
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}

/* ---- rollback ---- */

/* /etc goes back, too. */
static void
print_left(const struct change *x)
{
	AUTO_FREE char *head = base_printf("/etc is that of %s. Edited under "
					   "%s, and not so in %s:",
					   x->to, x->from, x->to);
	size_t i;

	if (x->notes->list.len == 0)
		return;
	show_words(stdout, head, 0);
	for (i = 0; i < x->notes->list.len; i++)
		printf("    %-8s  %s\n",
		       value_get_str(x->notes->list.at[i], "what"),
		       value_get_str(x->notes->list.at[i], "path"));
	printf("They stand below /edeploy/roots/%s/etc: copy what must hold.\n",
	       x->from);
}

static int
rollback(struct call *c, struct change *x, struct err *e)
{
	if (!c->is_versioned)
		return err_set(e, ERR_REFUSED,
			       "this host is not laid out in versions: the way "
			       "back is \"edeploy upgrade\" to the older one, "
			       "if the server has metadata for it");
	if (change_rollback(x, e) < 0)
		return -1;
	if (c->host.json) {
		call_print(json_of(x));
		return 0;
	}
	print_outcome(x);
	print_left(x);
	return 0;
}

int
cmd_rollback(int argc, char **argv)
{
	static const struct call_takes takes = {
		"rollback [--live | --at-boot]", 0, 0, "--live --at-boot"
	};
	struct err e = { 0 };
	struct change x;
	struct call c;
	int bad;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	x = change_of(&c);
	bad = call_open(&c, &e) < 0 || rollback(&c, &x, &e) < 0;
	change_clear(&x);
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}

/* ---- test-upgrade ---- */

static int
test_plain(const struct call *c, struct err *e)
{
	struct value *changes __attribute__((cleanup(value_freep))) =
		value_list();
	size_t n;
	struct value *v;

	if (upgrade_test(&c->host, c->word[0], changes, e) < 0)
		return -1;
	n = changes->list.len;
	if (!c->host.json) {
		printf("%zu change%s\n", n, n == 1 ? "" : "s");
		return 0;
	}
	v = value_dict();
	value_set_str(v, "version", c->host.conf.version);
	value_set_str(v, "to", c->word[0]);
	value_set(v, "changes", value_copy(changes));
	call_print(v);
	return 0;
}

static void
print_changes(const struct value *changes)
{
	size_t i;

	for (i = 0; i < changes->list.len; i++) {
		const struct value *r = changes->list.at[i];

		printf("%-8s  %s\n", value_get_str(r, "what"),
		       value_get_str(r, "path"));
	}
}

static size_t
count(const struct value *changes, const char *what)
{
	size_t i, n = 0;

	for (i = 0; i < changes->list.len; i++)
		n += str_eq(value_get_str(changes->list.at[i], "what"), what);
	return n;
}

/* How it would go, for a person. */
static void
print_outlook(const struct change *x, const struct value *changes)
{
	AUTO_FREE char *wire = show_size(x->pulled.wire);
	AUTO_FREE char *room = show_size(x->room);
	AUTO_FREE char *left = show_size(x->free);
	size_t i;

	for (i = 0; x->services && i < x->services->list.len; i++)
		printf("%s %s\n", i ? "        " : "restart ",
		       x->services->list.at[i]->str.at);
	printf("%s: %zu changed, %zu new, %zu removed.\n", x->to,
	       count(changes, "changed"), count(changes, "new"),
	       count(changes, "removed"));
	printf("It has %s.\n",
	       x->kernel  ? "another kernel: the next boot enters it"
	       : x->start ? "another initrd or init: it is entered live, and "
			    "on trial\nuntil a boot has proved it"
			  : "the same kernel: it is entered live, "
			    "without a reboot");
	printf("%s to fetch; it takes %s of disk, %s are free.\n", wire, room,
	       left);
	printf("Nothing was done: \"edeploy upgrade %s\" does it.\n", x->to);
}

static int
test_versions(const struct call *c, struct change *x, struct err *e)
{
	struct value *changes __attribute__((cleanup(value_freep))) =
		value_list();
	struct value *v;

	if (change_look(x, c->word[0], changes, e) < 0)
		return -1;
	if (!c->host.json) {
		print_changes(changes);
		print_notes(x->notes);
		print_outlook(x, changes);
		return 0;
	}
	v = value_dict();
	value_set_str(v, "version", c->host.conf.version);
	value_set_str(v, "to", x->to);
	value_set_int(v, "wire", (int64_t)x->pulled.wire);
	value_set_int(v, "room", (int64_t)x->room);
	value_set_int(v, "free", (int64_t)x->free);
	value_set(v, "kernel", value_bool(x->kernel));
	value_set(v, "start", value_bool(x->start));
	value_set(v, "services",
		  x->services ? value_copy(x->services) : value_list());
	value_set(v, "changes", value_copy(changes));
	value_set(v, "notes", value_copy(x->notes));
	call_print(v);
	return 0;
}

int
cmd_test_upgrade(int argc, char **argv)
{
	static const struct call_takes takes = {
		"test-upgrade VERSION [--allow-downgrade] [--strict]", 1, 1,
		"--allow-downgrade --strict"
	};
	struct err e = { 0 };
	struct change x;
	struct call c;
	int bad;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	x = change_of(&c);
	bad = call_open(&c, &e);
	if (bad == 0)
		bad = c.is_versioned ? test_versions(&c, &x, &e)
				     : test_plain(&c, &e);
	change_clear(&x);
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}
