#ifndef CLI_FACTS_H
#define CLI_FACTS_H

#include <stdbool.h>

#include "lib/err.h"
#include "site/site.h"
#include "specs/facts.h"

/* FACTS on a command line: a file as `edeploy-agent detect` prints it, one that
 * HWDIR keeps (NAME.hw), or "-" for standard input. */
int facts_read(const char *path, struct facts **out, struct err *e);

/* Several FACTS, or folders of NAME.json and NAME.hw (read in order). */
struct facts_list {
	struct site_asker *at;
	size_t len;
};
int facts_list_read(char *const *words, struct facts_list *out, struct err *e);
void facts_list_clear(struct facts_list *l);

/* `word` is "-" or names a file: it is FACTS, not a MACHINE. */
bool facts_is_file(const char *word);

#endif
