#ifndef SPECS_STATE_H
#define SPECS_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/err.h"

/* The file `state`: profiles in order, each with how many machines it may be
 * given to. Declared by the operator, never written by the server. A profile
 * listed twice stands at its first row with the sum of both ('*' wins). */
#define STATE_MAX_BYTES (1024 * 1024)
#define STATE_MAX_ROWS 4096
#define STATE_UNLIMITED UINT64_MAX

struct quota {
	char *profile;
	uint64_t total; /* or STATE_UNLIMITED */
};

struct state;

/* ERR_INPUT with path:line:column. A negative total counts as 0; text that is
 * a number counts as that number. */
int state_parse(struct state **out, const char *path, const char *text,
		size_t len, struct err *e);

size_t state_len(const struct state *s);
const struct quota *state_at(const struct state *s, size_t i);

void state_free(struct state *s);
AUTO_DEFINE(state)

#endif
