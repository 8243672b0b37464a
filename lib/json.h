#ifndef LIB_JSON_H
#define LIB_JSON_H

#include "lib/value.h"

/* Read one JSON document (RFC 8259, UTF-8, no duplicate keys, integers of 64
 * bits). The caller caps `len`; nesting is capped at 64. ERR_INPUT with line
 * and column. Printing is value_json(). */
int json_parse(struct value **out, const char *text, size_t len, struct err *e);

#endif
