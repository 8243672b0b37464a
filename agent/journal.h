#ifndef AGENT_JOURNAL_H
#define AGENT_JOURNAL_H

#include <stddef.h>

#include "lib/base.h"
#include "lib/err.h"

/* All that a run says: plain lines on the console, and every byte in one
 * file, which goes to the server and to the installed system. */
#define JOURNAL_PATH "/run/edeploy/log"

struct journal;

/* Start the file anew (mode 0600). `console` is a descriptor, not taken. */
int journal_open(struct journal **out, const char *path, int console,
		 struct err *e);

/* One line of the agent itself: "[   12.3] text". */
void journal_line(struct journal *j, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What a program said, as it came. The console sees it without control
 * bytes. */
void journal_bytes(struct journal *j, const char *bytes, size_t len);

const char *journal_path(const struct journal *j);
void journal_free(struct journal *j);
AUTO_DEFINE(journal)

#endif
