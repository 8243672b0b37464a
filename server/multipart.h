#ifndef SERVER_MULTIPART_H
#define SERVER_MULTIPART_H

#include <stddef.h>

#include "lib/base.h"
#include "lib/err.h"

/* multipart/form-data as `curl -F` sends it (RFC 7578), and nothing more. */
#define PARTS_MAX 16
#define PART_HEAD_MAX 4096 /* bytes of one part's headers */

struct part {
	char *name;
	char *filename; /* NULL: a plain field */
	const char *at; /* its bytes, borrowed from the body */
	size_t len;
};

struct parts {
	struct part at[PARTS_MAX];
	size_t len;
};

/* Read a body whose Content-Type is `type`. ERR_INPUT tells the part's number;
 * *out is untouched then. The parts point into `body`. Owned by the caller. */
int parts_parse(struct parts **out, const char *type, const char *body,
		size_t len, struct err *e);

/* The part of that name, or NULL. Borrowed. */
const struct part *parts_find(const struct parts *p, const char *name);

void parts_free(struct parts *p);
AUTO_DEFINE(parts)

#endif
