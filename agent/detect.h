#ifndef AGENT_DETECT_H
#define AGENT_DETECT_H

#include "lib/buf.h"
#include "lib/err.h"
#include "specs/facts.h"

#define DETECT_DEADLINE_MS 20000

/* What detection could not find out and why, one line each ("network: killed
 * after 20 s, its facts are missing"); empty when all went well. */
struct detect_notes {
	struct buf lines;
};

/* Append to `out` the facts of the machine below `root` ("" is this machine,
 * else a folder with sys/, proc/ and etc/ as fixtures have them). Every probe
 * is a forked child with a deadline: one that hangs or crashes costs its own
 * facts and leaves a note. The order does not depend on which is faster.
 * -1 only when not a single probe could run (ERR_SYS). */
int detect(const char *root, struct facts *out, struct detect_notes *notes,
	   struct err *e);

void detect_notes_clear(struct detect_notes *n);

/* `edeploy-agent detect [--root DIR]`: facts as JSON on stdout, notes on
 * stderr; 0 even when notes were left. */
int detect_main(int argc, char **argv);

#endif
