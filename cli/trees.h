#ifndef CLI_TREES_H
#define CLI_TREES_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/bar.h"
#include "cli/term.h"
#include "lib/err.h"
#include "lib/sign.h"

/* What the commands about published trees share: their options, the key, and
 * what moves on a terminal meanwhile. They need no server. */
#define TREES_TOP "/var/lib/edeploy"
/* Beside CONFIGDIR and not in it: that one is the server's to write. */
#define TREES_KEYS "/etc/edeploy-keys"
#define TREES_KEY TREES_KEYS "/trees.key"
#define TREES_PUB TREES_KEYS "/trees.pub"
#define TREES_ON_MAX 16

struct trees {
	const char *top;                  /* --top DIR */
	const char *key;                  /* --key FILE, or NULL */
	const char *on[TREES_ON_MAX + 1]; /* --on ROLE, NULL-ended */
	int64_t deltas, level;            /* -1, 0: not said */
	int64_t keep;                     /* 0: not said */
	bool json, new_ids, repack, no_key, dry_run, now;
	char **words; /* what is left, NULL-terminated; in argv */
	int len;
};

/* Options of argv[0]; `takes` has those that it knows, each with a blank on
 * both sides. -1: said on stderr. */
int trees_options(struct trees *t, int argc, char **argv, int least, int most,
		  const char *takes);

/* The key that was named, else TREES_KEY when it is there. 0: none; 1: read. */
int trees_key(const struct trees *t, struct sign_key *out, struct err *e);

/* The public keys that are believed here: `said`, else the first of TREES_PUB
 * and TREES_KEY.pub that is there, else NULL. */
const char *trees_pub(const char *said);

/* ERR_INPUT, with the remedy, where `t` says a TOP without published trees. */
int trees_there(const struct trees *t, struct err *e);

/* One line on stderr that moves; without a terminal a line for each stage and
 * every few seconds. */
struct trees_bar {
	struct term term;
	char stage[32], last[96]; /* last: said without a terminal */
	int64_t began_ms, drawn_ms;
	bool drawn;
};
void trees_bar_begin(struct trees_bar *b);
void trees_bar_draw(struct trees_bar *b, const char *stage, uint64_t done,
		    uint64_t all);
/* A line for a person, above what moves. */
void trees_bar_say(struct trees_bar *b, const char *line);
void trees_bar_end(struct trees_bar *b);

/* "704.0 MB", owned by the caller. */
char *trees_size(uint64_t bytes);

/* "1 file", "2 files", owned by the caller. */
char *trees_count(uint64_t n, const char *one);

int cmd_key(int argc, char **argv);
int cmd_publish(int argc, char **argv);
int cmd_repack(int argc, char **argv);
int cmd_seal(int argc, char **argv);
int cmd_ids(int argc, char **argv);
int cmd_versions(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_fsck(int argc, char **argv);
int cmd_pull(int argc, char **argv);
int cmd_verify(int argc, char **argv);

#endif
