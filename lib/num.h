#ifndef LIB_NUM_H
#define LIB_NUM_H

#include <stdint.h>

#include "lib/err.h"

/* Strict numbers: the whole text is one number, no blanks, no sign unless the
 * type has one, no leading "+", between min and max. ERR_INPUT otherwise;
 * `what` names the number in the message ("HTTP_PORT"). */
int num_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out,
	    const char *what, struct err *e);
int num_i64(const char *text, int64_t min, int64_t max, int64_t *out,
	    const char *what, struct err *e);

/* Shortest decimal text that reads back as `value`, with ".0" if it would
 * look like an integer (3600.0). `out` holds at least 32 bytes. */
void num_real_text(double value, char out[32]);

#endif
