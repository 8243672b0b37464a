/* Subcommands: which runs with which words, what help prints where, and the
 * exit codes that scripts rely on. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/cmd.h"
#include "lib/file.h"
#include "tests/test.h"

static char ran[200];

static int
run_match(int argc, char **argv)
{
	ran[0] = '\0';
	for (int i = 0; i < argc; i++) {
		strcat(ran, argv[i]);
		strcat(ran, " ");
	}
	return argc == 3 ? 7 : CMD_DONE;
}

static const struct cmd commands[] = {
	{ "match", "FACTS [--json]", "dry run", "More of match.\n", run_match },
	{ "list", "", "all of them", NULL, run_match },
};

static const struct cmd_program program = { "ctl", "for operators", "Files.\n",
					    commands, ARRAY_LEN(commands) };

#define WORDS(...)                                                             \
	{                                                                      \
		"ctl", __VA_ARGS__                                             \
	}
static const struct {
	const char *argv[6];
	int code;
	const char *ran, *out, *err; /* NULL: nothing there */
} rows[] = {
	{ WORDS(NULL), 2, NULL, NULL, "usage: ctl COMMAND" },
	{ WORDS("match", "f"), 0, "match f ", NULL, NULL },
	{ WORDS("match", "f", "--json"), 7, "match f --json ", NULL, NULL },
	{ WORDS("list"), 0, "list ", NULL, NULL },
	{ WORDS("nope"), 2, NULL, NULL, "no command \"nope\"; ctl --help" },
	{ WORDS("mat"), 2, NULL, NULL, "no command \"mat\"" },
	{ WORDS("--help"), 0, NULL, "match  dry run\n", NULL },
	{ WORDS("-h"), 0, NULL, "Files.\n", NULL },
	{ WORDS("help"), 0, NULL, "ctl: for operators", NULL },
	{ WORDS("help", "--help"), 0, NULL, "ctl: for operators", NULL },
	{ WORDS("help", "match"), 0, NULL, "usage: ctl match FACTS [--json]\n",
	  NULL },
	{ WORDS("help", "nope"), 2, NULL, NULL, "no command \"nope\"" },
	{ WORDS("match", "--help"), 0, NULL, "More of match.\n", NULL },
	{ WORDS("list", "-h"), 0, NULL, "usage: ctl list\n\nall", NULL },
	{ WORDS("--version"), 0, NULL, "ctl " EDEPLOY_VERSION "\n", NULL },
	{ WORDS("--nope"), 2, NULL, NULL, "no command \"--nope\"" },
};

/* Standard output or error of a call goes into a file of its own. */
static int
divert(FILE *stream, const char *path)
{
	int keep = dup(fileno(stream));

	fflush(stream);
	if (!freopen(path, "w", stream))
		abort();
	return keep;
}

static void
give_back(FILE *stream, int keep)
{
	fflush(stream);
	dup2(keep, fileno(stream));
	close(keep);
}

static bool
holds(const char *path, const char *want)
{
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	if (file_read(path, 65536, &text, NULL, &e) < 0)
		return false;
	return want ? strstr(text, want) != NULL : !*text;
}

static void
test_usage(const char *out, const char *err)
{
	int keep = divert(stderr, err), code;

	code = cmd_usage(&program, "match");
	give_back(stderr, keep);
	CHECK(0, code == CMD_USAGE &&
			 holds(err, "usage: ctl match FACTS [--json]\n"));
	(void)out;
}

int
main(void)
{
	char dir[] = "/tmp/edeploy-cmd-XXXXXX";
	AUTO_FREE char *out = NULL, *err = NULL;

	CHECK(0, mkdtemp(dir) != NULL);
	out = base_printf("%s/out", dir);
	err = base_printf("%s/err", dir);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int keep_out, keep_err, argc = 0, code;
		char *argv[7] = { 0 };

		for (; argc < 6 && rows[i].argv[argc]; argc++)
			argv[argc] = (char *)(uintptr_t)rows[i].argv[argc];
		ran[0] = '\0';
		keep_out = divert(stdout, out);
		keep_err = divert(stderr, err);
		code = cmd_main(&program, argc, argv);
		give_back(stdout, keep_out);
		give_back(stderr, keep_err);
		CHECK(i, code == rows[i].code);
		CHECK(i, str_eq(ran, rows[i].ran ? rows[i].ran : ""));
		CHECK(i, holds(out, rows[i].out));
		CHECK(i, holds(err, rows[i].err));
	}
	test_usage(out, err);
	unlink(out);
	unlink(err);
	CHECK(0, rmdir(dir) == 0);
	return test_end();
}
