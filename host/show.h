#ifndef HOST_SHOW_H
#define HOST_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/buf.h"
#include "lib/value.h"

#include "rsyncd/pull.h"

/* What moves on stderr while something takes long: one line on a terminal, a
 * line for each stage and every ten seconds without. With --json the same: it
 * is stdout that is for the result. */
struct show {
	bool terminal, drawn;
	char stage[16];
	char told[128]; /* "look fetch ": the parts that a log has a line of */
	int64_t drawn_ms;
};

/* From here on SIGINT and SIGTERM are only noted, until show_end. */
void show_begin(struct show *s, bool json);
void show_progress(struct show *s, const struct pull_progress *p);
void show_bytes(struct show *s, const char *stage, uint64_t done, uint64_t all);
void show_line(struct show *s, const char *line);
void show_end(struct show *s);

/* A signal asked to stop since the last show_begin. */
bool show_stopped(void);

/* "47.2 MB", owned. */
char *show_size(uint64_t bytes);

/* Words as lines that are as wide as a terminal is at least, each behind
 * `indent` blanks. */
void show_words(FILE *to, const char *text, int indent);

/* "edeploy: KINDWORDS" on stderr: for a person as lines that fit, for a log as
 * one. */
void show_say(const char *kind, const char *words);

/* A path for a terminal. */
void show_path(const char *path, struct buf *out);

/* One more {"path", "what"} in a list of what is told. */
void show_row(struct value *rows, const char *path, const char *what);

#endif
