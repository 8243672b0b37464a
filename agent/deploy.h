#ifndef AGENT_DEPLOY_H
#define AGENT_DEPLOY_H

#include "lib/value.h"
#include "specs/facts.h"

#include "agent/ask.h"
#include "agent/journal.h"
#include "agent/layout.h"
#include "agent/tell.h"
#include "agent/words.h"

#define CHROOT "/chroot"
#define POST_RSYNC "/post_rsync"

/* One run: what is known of it so far. */
struct deploy {
	struct words words;
	char run[TOKEN_HEX];
	struct journal *journal;
	struct tell *tell;
	struct facts *facts;
	struct buf facts_json;
	struct ask_answer answer;
	struct layout layout;
	int64_t progress_ms; /* when the console last heard of the tree */
};

/* What the configure script decided, and what it did. */
struct plan {
	char *role, *version, *disk;
	char *grub_options, *modules; /* "" when none */
	bool boot_local;
	struct {
		char *node, *where, *fstype, *options;
	} * mounts; /* where "none": swap */
	size_t mounts_len;
};

/* Run the script that came. On failure `details` may hold command, status,
 * tail, file and line, for the report. */
int deploy_script(struct deploy *d, struct plan *out, struct value **details,
		  struct err *e);
void plan_clear(struct plan *p);

/* `edeploy-agent deploy [--cmdline FILE]`: the whole run. Returns only when
 * it refuses to start. */
int deploy_main(int argc, char **argv);

#endif
