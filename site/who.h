#ifndef SITE_WHO_H
#define SITE_WHO_H

/* Who is who, on the writer thread: decision by values, and what an operator
 * says about it. */
#include "site/core.h"

#define FINGERPRINT 3 /* identity kind of strangers: all they say, hashed */
#define WHO_LIKE 3    /* machines that are named in a reason */

struct who {
	enum identity_verdict verdict;
	int64_t machine;        /* of IDENTITY_KNOWN */
	int64_t like[WHO_LIKE]; /* who has one of its values; 0: no more */
	char why[200];
};

/* Who says this. The values in `id` must be such that count. */
int who_is(struct site *s, const struct identity *id, struct who *out,
	   struct err *e);

/* Leave out what an operator said to be shared by several machines. */
int who_counts(struct site *s, struct identity *id, struct err *e);

/* The machine says this now. ERR_REFUSED when a value is another's. */
int who_learn(struct site *s, int64_t machine, const struct identity *now,
	      struct err *e);

#endif
