#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/bar.h"
#include "cli/term.h"
#include "lib/value.h"

/* What `watch` shows: a line for each thing that happened, and below them, on
 * a terminal, one line that moves for each machine with an open run. Not on a
 * terminal progress is a line every SCREEN_PROGRESS_MS. Makes text; prints
 * nothing itself. */
#define SCREEN_PROGRESS_MS 5000

struct sight; /* what is known of one machine */

struct screen {
	struct term term;
	struct sight *at; /* by machine, in the order they were met */
	size_t len;
	size_t moving; /* lines that move, as last drawn */
	size_t label;  /* columns of the longest label */
};

/* A machine as docs/wire.md has it: its names; `all`: its phase and progress,
 * too, when its run is open. */
void screen_machine(struct screen *s, const struct value *m, bool all);

/* True when a machine with this id was met. */
bool screen_knows(const struct screen *s, const char *id);

/* Append the lines of an event. `ev` as docs/wire.md has it. */
void screen_event(struct screen *s, const struct value *ev, struct buf *out);

/* Append what takes the moving lines away, so that lines may follow. */
void screen_lift(struct screen *s, struct buf *out);

/* Append the moving lines as they are at `now_ms` (clock_wall_ms). Nothing
 * when not on a terminal. */
void screen_draw(struct screen *s, int64_t now_ms, struct buf *out);

/* How many runs are open. */
size_t screen_open(const struct screen *s);

void screen_clear(struct screen *s);

#endif
