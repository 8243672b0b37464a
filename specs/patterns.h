#ifndef SPECS_PATTERNS_H
#define SPECS_PATTERNS_H

#include <stddef.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/err.h"

/* The patterns of one .specs file, parsed and compiled once. Immutable after
 * parsing; any number of threads may match with it. */
#define PATTERNS_MAX_BYTES (1024 * 1024)
#define PATTERNS_MAX 4096

struct patterns;

/* Read a .specs text. ERR_INPUT with path:line:column: not a literal, not a
 * list of four-word rows, `$name=` without a predicate, a wrong number of
 * arguments, a bad number, network or regular expression. docs/formats.md is
 * the contract. On success the caller owns *out. */
int patterns_parse(struct patterns **out, const char *path, const char *text,
		   size_t len, struct err *e);

size_t patterns_len(const struct patterns *p);

/* As written: ('disk', '$disk', 'size', 'gt(4)'). Borrowed. */
const char *patterns_text(const struct patterns *p, size_t i);
unsigned patterns_line(const struct patterns *p, size_t i);

/* Names bound by the patterns, NULL-terminated, in order, each once.
 * Borrowed. */
const char *const *patterns_variables(const struct patterns *p);

/* What is allowed but looks like a slip (`GT(4)` is a literal, not a
 * predicate): line and sentence of warning `i`, or NULL past the last.
 * Borrowed. */
const char *patterns_warning(const struct patterns *p, size_t i,
			     unsigned *line);

void patterns_free(struct patterns *p);
AUTO_DEFINE(patterns)

#endif
