#ifndef LIB_LITERAL_H
#define LIB_LITERAL_H

#include "lib/err.h"
#include "lib/value.h"

/* The literal syntax of .specs, .cmdb and state files: lists, tuples, dicts
 * (text keys only), strings ('x' "x" '''x''' """x""", \ escapes as in Python,
 * unknown ones keep their backslash, adjacent strings join), integers of 64
 * bits, reals, True, False, None, # comments, trailing commas, blanks and
 * newlines anywhere. Nothing is evaluated. UTF-8; no NUL byte; a BOM and CRLF
 * are accepted. A dict key given twice is refused. docs/formats.md is the
 * contract. */
struct literal_opts {
	const char *path;   /* for messages */
	size_t max_bytes;   /* 0: 16 MiB */
	size_t max_nodes;   /* 0: 4,000,000 */
	unsigned max_depth; /* 0: 32 */
	const char *call;   /* one function name allowed at the top level
			       ("generate"), or NULL; called with one value,
			       or with two, which are a tuple then; the
			       second may be written prefix=VALUE */
};

/* Read exactly one literal. ERR_INPUT, with "path:line:column: what"; *out is
 * then untouched. On success the caller owns *out. */
int literal_parse(struct value **out, const char *text, size_t len,
		  const struct literal_opts *opts, struct err *e);

#endif
