#ifndef AGENT_ASK_H
#define AGENT_ASK_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"

#define ASK_SCRIPT_MAX (16u * 1024 * 1024)

struct ask {
	const char *url; /* http://HOST:PORT */
	const char *section, *run;
	const char *facts; /* JSON */
	size_t facts_len;
	int deadline_ms; /* of one exchange; 0: 60 s */
};

/* What the server decided. Everything in it was checked. */
struct ask_answer {
	struct buf script;
	char *profile; /* NULL: boot_local() */
	char *memory;  /* what `machine` is an id of, and since when */
	char *machine;
	char token[TOKEN_HEX];
	/* of a refusal: all that the server said, several lines; or NULL */
	char *said;
	int wait_s; /* ask again then; 0: not told */
};

/* Ask once (docs/wire.md, "A machine asks"). The script is there only when
 * its length and hash are what the server announced.
 * ERR_PEER: nothing usable came, ask again with back-off. ERR_REFUSED with
 * wait_s > 0: the machine waits for an operator. ERR_REFUSED with wait_s 0:
 * no, and asking again would not change it. Clear `out` in any case. */
int ask_once(const struct ask *a, struct ask_answer *out, struct err *e);
void ask_answer_clear(struct ask_answer *a);

typedef void ask_say(void *ctx, const char *line);

/* Ask until there is an answer or a final no. `say` hears each line for the
 * console: why it waits, and what the server said. */
int ask(const struct ask *a, struct ask_answer *out, ask_say *say, void *ctx,
	struct err *e);

#endif
