#ifndef CMDB_RANGE_H
#define CMDB_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

/* "10-12", "1-3:10-12", "100-100:94-90": numbers in a text, as generate()
 * counts them: up or down, ends included, zeros in front kept ("001-003"). */
#define RANGE_PARTS 64
#define RANGE_DIGITS 9

struct range {
	struct range_part {
		uint64_t from, to;
		int width; /* 0: as it comes */
	} parts[RANGE_PARTS];
	size_t len;
	uint64_t count; /* of all numbers */
};

/* The parts at the start of `text`, up to the first character that belongs to
 * none; how long they are is the result, 0 when there is no range there. With
 * `single` a number alone is a part, too. ERR_INPUT (-1) for too many parts or
 * digits. */
int range_read(struct range *out, const char *text, bool single, size_t *used,
	       struct err *e);

/* Number `i` of it, as text behind what is in `out`. */
void range_write(const struct range *r, uint64_t i, struct buf *out);

#endif
