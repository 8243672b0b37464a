#ifndef AGENT_COMMAND_H
#define AGENT_COMMAND_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/err.h"

#define COMMAND_TEXT_MAX (1024 * 1024) /* of its output that is kept */

/* A program that a script runs: its output goes to the log while it runs. */
struct command {
	const char *const *argv;
	const char *shown; /* for the log and messages */
	const char *input; /* its stdin, NULL: none */
	int deadline_ms;   /* 0: none */
	const int *ok;     /* exit codes that are fine; NULL: 0 only */
	size_t ok_len;
	void (*say)(void *ctx, const char *line);
	void (*output)(void *ctx, const char *bytes, size_t len);
	int (*tick)(void *ctx);
	void *ctx;
};

/* How it ended. */
struct command_end {
	int status;      /* exit code, 128 + signal */
	struct buf text; /* stdout: the last COMMAND_TEXT_MAX bytes */
	struct buf tail; /* the last lines of stdout and stderr together */
};

/* Run it and wait. ERR_SYS when it could not be started, was stopped or ended
 * with a status that is not fine: command, status and last line are in the
 * text. `end` is filled in any case; clear it. */
int command_run(const struct command *c, struct command_end *end,
		struct err *e);
void command_end_clear(struct command_end *end);

#endif
