#ifndef CMDB_IDENTITY_H
#define CMDB_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base.h"

/* Who a machine is. Three kinds count once each: system UUID, serial, and the
 * set of permanent MACs (which agrees when one is shared). */
enum identity_kind { IDENTITY_UUID, IDENTITY_SERIAL, IDENTITY_MAC };

struct identity {
	char *uuid, *serial; /* NULL: none that counts */
	char **macs;         /* lower case, sorted, each once */
	size_t macs_len;
};

/* Add what was seen. Junk (empty, all zero, all f, "To be filled by O.E.M."
 * and its like, a multicast or zero MAC) is left out. Spelling is made one:
 * lower case, blanks at the ends removed. */
void identity_add(struct identity *id, enum identity_kind kind,
		  const char *value);

/* After the last add: drop a serial that repeats the UUID or a MAC. */
void identity_settle(struct identity *id);

/* The i-th of its values; false past the last. `value` is borrowed. */
bool identity_at(const struct identity *id, size_t i, enum identity_kind *kind,
		 const char **value);
bool identity_has(const struct identity *id, enum identity_kind kind,
		  const char *value);
void identity_remove(struct identity *id, enum identity_kind kind,
		     const char *value);

struct identity_known {
	const char *machine;
	struct identity id;
};

enum identity_verdict {
	IDENTITY_NEW,    /* no kind agrees with any known machine */
	IDENTITY_KNOWN,  /* *at is the machine */
	IDENTITY_WAITS,  /* ambiguous: reason tells */
	IDENTITY_NOTHING /* no kind at all */
};

/* Judge `seen` against every known machine that shares at least one value
 * with it (others may be left out). Two kinds agree, or the only kind that
 * both have -> known. `reason` gets one line. Pure. */
enum identity_verdict identity_judge(const struct identity *seen,
				     const struct identity_known *known,
				     size_t len, size_t *at, char reason[200]);

void identity_clear(struct identity *id);

#endif
