#ifndef LIB_CMD_H
#define LIB_CMD_H

#include <stddef.h>

/* The subcommands of a program. `run` gets argv from its own name on and
 * returns the exit code: 0 done, 1 failed, 2 usage. */
struct cmd {
	const char *name;
	const char *args; /* "FACTS [--json]" */
	const char *help; /* one line */
	const char *more; /* paragraphs for `help NAME`, or NULL */
	int (*run)(int argc, char **argv);
};

struct cmd_program {
	const char *name, *purpose;
	const char *more; /* end of --help: files, examples; or NULL */
	const struct cmd *table;
	size_t len;
};

#define CMD_DONE 0
#define CMD_FAILED 1
#define CMD_USAGE 2

/* Find and run the subcommand of argv[1]; --help, help [NAME], NAME --help
 * and --version are handled here. */
int cmd_main(const struct cmd_program *p, int argc, char **argv);

/* Print `usage: NAME ARGS` of a subcommand on stderr; returns CMD_USAGE. */
int cmd_usage(const struct cmd_program *p, const char *name);

#endif
