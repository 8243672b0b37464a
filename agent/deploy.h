#ifndef AGENT_DEPLOY_H
#define AGENT_DEPLOY_H

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
	char *tree;          /* URL at which its tree is published, or NULL */
	int64_t progress_ms; /* when the console last heard of the tree */
};

struct script_result;

/* Bring what the script decided onto the disk that it prepared. */
int install_tree(struct deploy *d, struct script_result *p, struct err *e);

/* What every stage says, as callbacks whose context is the struct deploy: a
 * line, what a program says, and the half second in which reports go out. */
void deploy_say(void *ctx, const char *line);
void deploy_output(void *ctx, const char *bytes, size_t len);
void deploy_tick(void *ctx);
int deploy_proc_tick(void *ctx);

/* A stage begins: for console, log and server. */
void deploy_phase(struct deploy *d, const char *name, const char *text);

/* `edeploy-agent deploy [--cmdline FILE]`: the whole run. Returns only when
 * it refuses to start. */
int deploy_main(int argc, char **argv);

#endif
