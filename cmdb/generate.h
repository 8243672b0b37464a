#ifndef CMDB_GENERATE_H
#define CMDB_GENERATE_H

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/value.h"

/* Write the entries that `call`, generate(MODEL) or generate(MODEL, PREFIX),
 * stands for, as a list, one entry a line, each line ended by `eol`. ERR_INPUT
 * with "path:line:column: what" when it is no model, when a key has no value
 * at all, and for more than `max` entries or `max_bytes` of text.
 * *remark (owned) is a line for the operator about keys that have more values
 * than entries, or NULL. */
struct generate_opts {
	const char *path, *eol;
	uint64_t max;
	size_t max_bytes;
};

int generate_write(const struct value *call, const struct generate_opts *opts,
		   struct buf *out, char **remark, struct err *e);

#endif
