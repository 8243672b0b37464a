#ifndef HOST_CALL_H
#define HOST_CALL_H

#include "lib/cmd.h"
#include "lib/value.h"

#include "host/host.h"
#include "host/versioned.h"

/* One call of the command: its words and options, which may stand anywhere. */
#define CALL_WORDS 4

struct call {
	struct host host;
	struct versioned on; /* when is_versioned */
	bool is_versioned;
	const char *word[CALL_WORDS];
	int words;
	bool allow_downgrade, at_boot, live, strict, fix, wait, strangers;
	const char *install; /* --install DIR */
};

/* What a command takes besides --json and --root. */
struct call_takes {
	const char *usage;   /* "upgrade VERSION" */
	int least, most;     /* words */
	const char *options; /* "--fix --wait", each after a blank */
};

/* False: usage was said. */
bool call_parse(struct call *c, int argc, char **argv,
		const struct call_takes *takes);

/* How this host is laid out, and its description. Tells of an upgrade in place
 * that did not end. ERR_*. */
int call_open(struct call *c, struct err *e);
void call_clear(struct call *c);

/* Say the error on stderr: the exit code. */
int call_fail(const struct err *e);

/* One JSON document on stdout; takes `v`. */
void call_print(struct value *v);

#endif
