/* edeploy: what a deployed host can do about its own version. */
#include <stdio.h>

#include "lib/cmd.h"
#include "lib/file.h"
#include "lib/proc.h"

#include "host/host.h"

#define VARS_MAX 65536
#define CALL_WORDS 4

/* A call's own words without the options, which may stand anywhere. */
struct call {
	struct host host;
	const char *word[CALL_WORDS];
	int words;
};

static int
fail(const struct err *e)
{
	fprintf(stderr, "edeploy: %s\n", e->text);
	return CMD_FAILED;
}

static int
usage(const char *args)
{
	fprintf(stderr, "usage: edeploy %s [--json] [--root DIR]\n", args);
	return CMD_USAGE;
}

/* False when the words are not `wanted` in number or an option is unknown. */
static bool
parse_call(struct call *c, int argc, char **argv, int wanted)
{
	int i;

	*c = (struct call){ .host.root = "" };
	for (i = 1; i < argc; i++) {
		if (str_eq(argv[i], "--json"))
			c->host.json = true;
		else if (str_eq(argv[i], "--root") && i + 1 < argc)
			c->host.root = argv[++i];
		else if (*argv[i] == '-' || c->words == CALL_WORDS)
			return false;
		else
			c->word[c->words++] = argv[i];
	}
	if (str_eq(c->host.root, "/"))
		c->host.root = "";
	return c->words == wanted;
}

/* Read the conf, and tell first of all of an upgrade that did not end. */
static int
open_host(struct host *h, struct err *e)
{
	AUTO_FREE char *under_way = NULL;

	if (conf_read(&h->conf, h->root, e) < 0)
		return -1;
	under_way = upgrade_under_way(h);
	if (under_way)
		fprintf(stderr, "edeploy: warning: %s\n", under_way);
	return 0;
}

static void
print_json(const struct value *v)
{
	AUTO_CLEAR(buf) text = { 0 };

	value_json(v, 2, &text);
	printf("%s\n", buf_text(&text));
}

static void
print_one(const struct host *h, const char *name, const char *value)
{
	struct value *v __attribute__((cleanup(value_freep))) = NULL;

	if (!h->json) {
		printf("%s\n", value);
		return;
	}
	v = value_dict();
	value_set_str(v, name, value);
	print_json(v);
}

/* ---- version, role, profile ---- */

static int
print_profile(const struct host *h, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s%s", h->root, VARS_PATH);
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *profile = NULL;

	if (file_exists(path) && file_read(path, VARS_MAX, &text, NULL, e) < 0)
		return -1;
	profile = text ? conf_value(text, "PROFILE") : NULL;
	print_one(h, "profile", profile ? profile : "");
	return 0;
}

static int
tell_main(int argc, char **argv)
{
	struct err e = { 0 };
	struct call c;
	int bad = 0;

	if (!parse_call(&c, argc, argv, 0))
		return usage(argv[0]);
	if (open_host(&c.host, &e) < 0)
		bad = -1;
	else if (str_eq(argv[0], "version"))
		print_one(&c.host, "version", c.host.conf.version);
	else if (str_eq(argv[0], "role"))
		print_one(&c.host, "role", c.host.conf.role);
	else
		bad = print_profile(&c.host, &e);
	conf_clear(&c.host.conf);
	return bad ? fail(&e) : CMD_DONE;
}

/* ---- list ---- */

static void
print_list(const struct host *h, char **names)
{
	struct value *v __attribute__((cleanup(value_freep))) = value_dict();
	struct value *list = value_list();
	size_t i;

	for (i = 0; names[i]; i++) {
		value_push(list, value_str(names[i]));
		if (!h->json)
			printf("%s\n", names[i]);
	}
	value_set_str(v, "version", h->conf.version);
	value_set(v, "versions", list);
	if (h->json)
		print_json(v);
}

static int
list_main(int argc, char **argv)
{
	struct err e = { 0 };
	char **names = NULL;
	struct call c;
	int bad;

	if (!parse_call(&c, argc, argv, 0))
		return usage("list");
	bad = open_host(&c.host, &e) < 0 ||
	      transfer_list(&c.host, &names, &e) < 0;
	if (!bad)
		print_list(&c.host, names);
	names_free(names);
	conf_clear(&c.host.conf);
	return bad ? fail(&e) : CMD_DONE;
}

/* ---- test-upgrade, verify ---- */

static void
print_changes(const struct host *h, const char *to, struct value *changes)
{
	struct value *v __attribute__((cleanup(value_freep))) = NULL;
	size_t n = changes->list.len;

	if (!h->json) {
		printf("%zu change%s\n", n, n == 1 ? "" : "s");
		return;
	}
	v = value_dict();
	value_set_str(v, "version", h->conf.version);
	value_set_str(v, "to", to);
	value_set(v, "changes", value_copy(changes));
	print_json(v);
}

static int
test_main(int argc, char **argv)
{
	struct value *changes __attribute__((cleanup(value_freep))) =
		value_list();
	struct err e = { 0 };
	struct call c;
	int bad;

	if (!parse_call(&c, argc, argv, 1))
		return usage("test-upgrade VERSION");
	bad = open_host(&c.host, &e) < 0 ||
	      upgrade_test(&c.host, c.word[0], changes, &e) < 0;
	if (!bad)
		print_changes(&c.host, c.word[0], changes);
	conf_clear(&c.host.conf);
	return bad ? fail(&e) : CMD_DONE;
}

static int
verify_main(int argc, char **argv)
{
	struct value *changes __attribute__((cleanup(value_freep))) =
		value_list();
	struct err e = { 0 };
	struct call c;
	int bad;

	if (!parse_call(&c, argc, argv, 0))
		return usage("verify");
	bad = open_host(&c.host, &e) < 0 ||
	      upgrade_verify(&c.host, changes, &e) < 0;
	if (!bad)
		print_changes(&c.host, c.host.conf.version, changes);
	conf_clear(&c.host.conf);
	if (bad)
		return fail(&e);
	return changes->list.len ? CMD_FAILED : CMD_DONE;
}

/* ---- upgrade ---- */

static void
warn_of_power(const struct host *h)
{
	if (!h->json)
		printf("This upgrade works in place and is not safe against a "
		       "power cut:\nkeep the power on until it says that it is "
		       "done.\n");
}

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

static void
print_done(const struct host *h, const char *to, bool reboot)
{
	struct value *v __attribute__((cleanup(value_freep))) = value_dict();

	value_set_str(v, "from", h->conf.version);
	value_set_str(v, "version", to);
	value_set(v, "reboot", value_bool(reboot));
	if (h->json)
		print_json(v);
	else
		printf("done: %s, from %s\n", to, h->conf.version);
}

static int
upgrade_main(int argc, char **argv)
{
	struct err e = { 0 };
	bool reboot = false;
	struct call c;
	int bad;

	if (!parse_call(&c, argc, argv, 1))
		return usage("upgrade VERSION");
	setvbuf(stdout, NULL, _IOLBF, 0);
	bad = open_host(&c.host, &e);
	if (!bad) {
		warn_of_power(&c.host);
		bad = upgrade(&c.host, c.word[0], &reboot, &e);
	}
	if (!bad)
		print_done(&c.host, c.word[0], reboot);
	if (!bad && reboot)
		bad = restart(&c.host, &e);
	conf_clear(&c.host.conf);
	return bad ? fail(&e) : CMD_DONE;
}

static const struct cmd commands[] = {
	{ "upgrade", "VERSION", "move this host to another version",
	  "Fetches the metadata of the way there (exclude, add_only, pre,\n"
	  "post), looks for space, runs pre, makes every file that is not\n"
	  "excluded equal to the role's (files that the role has not are\n"
	  "DELETED), adds missing files that add_only names, runs post (0\n"
	  "done, 100 done and reboot) and records the version. A failure in\n"
	  "the middle is kept in " UPGRADE_MARK " and told at every\n"
	  "call until the same upgrade has ended well.\n"
	  "It works in place and is not safe against a power cut.\n",
	  upgrade_main },
	{ "test-upgrade", "VERSION", "show what upgrade would change",
	  "Prints rsync's itemized changes: >f is a file that comes, cd a\n"
	  "directory that is made, *deleting one that goes.\n",
	  test_main },
	{ "list", "", "list the versions that this one can go to", NULL,
	  list_main },
	{ "verify", "", "show what differs from this host's version",
	  "Reads only. Exit 0: nothing differs, 1: something does.\n",
	  verify_main },
	{ "version", "", "print this host's version", NULL, tell_main },
	{ "role", "", "print this host's role", NULL, tell_main },
	{ "profile", "", "print the profile it was installed with", NULL,
	  tell_main },
};

int
main(int argc, char **argv)
{
	static const struct cmd_program program = {
		.name = "edeploy",
		.purpose = "this host's role and version",
		.more = "Options of every command:\n"
			"  --json      print one JSON document\n"
			"  --root DIR  work on the system below DIR\n\n"
			"Exit: 0 done, 1 failed, 2 usage. Files: " CONF_PATH
			"\n",
		.table = commands,
		.len = ARRAY_LEN(commands),
	};

	return cmd_main(&program, argc, argv);
}
