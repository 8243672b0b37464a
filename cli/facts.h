#ifndef CLI_FACTS_H
#define CLI_FACTS_H

#include <stdbool.h>

#include "lib/err.h"
#include "specs/facts.h"

/* FACTS on a command line: a file as `edeploy-agent detect` prints it, or "-"
 * for standard input. */
int facts_read(const char *path, struct facts **out, struct err *e);

/* `word` is "-" or names a file: it is FACTS, not a MACHINE. */
bool facts_is_file(const char *word);

#endif
