#ifndef CLI_EVENT_H
#define CLI_EVENT_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/value.h"

/* Append what an event (docs/wire.md) tells besides its kind: one line, for a
 * person, without control bytes. */
void event_text(const struct value *ev, struct buf *out);

/* Append the last words of the command that failed, line by line, each behind
 * `indent` blanks and "| ". Of other events nothing. */
void event_tail(const struct value *ev, size_t indent, struct buf *out);

#endif
