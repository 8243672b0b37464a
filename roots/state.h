#ifndef ROOTS_STATE_H
#define ROOTS_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/* What the next boot enters: /edeploy/boot.cfg, which Linux alone writes and
 * GRUB sources (docs/formats.md "boot.cfg"). A version that was never booted is
 * a *trial*: GRUB starts it at most `left` times, and each time is counted
 * before it is entered. The *good* version is never counted, so that nothing is
 * worse than falling back to it.
 *
 * Every write has a generation of its own. GRUB replays no journal and may
 * read an older boot.cfg than the one that Linux sees after it has: it passes
 * the generation that it read, and what it says counts only when that is still
 * the one. */
#define STATE_VERSION 65 /* a version's name, and NUL */
#define STATE_TEXT_MAX 4096
#define STATE_SECTOR 512
#define STATE_TRIES 2

struct state {
	uint64_t gen;
	char good[STATE_VERSION];
	char prev[STATE_VERSION];  /* good before; "" none */
	char trial[STATE_VERSION]; /* "" none */
	unsigned left;             /* starts of the trial that remain */
	bool again; /* written only because GRUB's view was stale */
};

/* Strictly what state_text writes. `name` for messages. ERR_INPUT. */
int state_parse(struct state *out, const char *text, const char *name,
		struct err *e);
char *state_text(const struct state *s);

/* ---- what may happen to it; each makes the next generation ---- */

/* A host whose only version is `good`. */
void state_first(struct state *s, const char *good);

/* `version` shall be tried. ERR_REFUSED while another is on trial, and when it
 * is the good one. */
int state_arm(struct state *s, const char *version, unsigned tries,
	      struct err *e);

/* The trial runs and is well: it is the good one now. ERR_REFUSED when
 * `running` is not on trial. */
int state_prove(struct state *s, const char *running, struct err *e);

/* The trial is over, and was not good. Nothing when there is none. */
void state_fail(struct state *s);

/* `prev` is the good one again, at once: for a root that runs nothing of ours,
 * so that its starts are counted by nobody. Not without a `prev`. */
void state_return(struct state *s);

/* ---- what init does with what GRUB says ---- */

/* Of /proc/cmdline. Kernels keep 2048 to 4096 bytes. */
#define STATE_LINE_MAX 8192
struct state_words {              /* of the kernel's command line */
	char root[STATE_VERSION]; /* edeploy.root= */
	uint64_t gen;        /* edeploy.gen=; 0: not said, a person typed */
	char fell[8];        /* edeploy.fell=: load, grub, count; "": none */
	unsigned watchdog_s; /* edeploy.watchdog=; 0: none (roots/watchdog.h) */
};

/* What of these is in `line`, which is cut into its words. What is not there,
 * or not as GRUB's half writes it, stays as it is in `w`. */
void state_words_parse(struct state_words *w, char *line);

enum state_step {
	STATE_ENTER,  /* nothing to write */
	STATE_COUNT,  /* write, then enter */
	STATE_FELL,   /* the trial failed before init ran: write, log, enter */
	STATE_STALE,  /* write the same again, flush, reboot */
	STATE_GIVE_UP /* the trial has no start left: write, log, reboot */
};

/* `s` becomes what has to be written first, if anything has. */
enum state_step state_boot(struct state *s, const struct state_words *w);

/* ---- on the disk ---- */

/* Read `dir`/boot.cfg. ERR_SYS, ERR_INPUT. */
int state_read(struct state *out, const char *dir, struct err *e);

/* Write it, durably and so that GRUB sees it (roots/flush.h): one sector in its
 * place, and then another, `dir`/boot.good, which is the same without a trial:
 * GRUB takes that one where boot.cfg names no good version. Not by a rename:
 * the blocks of that reach their places one by one, and between two of them a
 * name leads GRUB to a file that is gone. ERR_SYS: then either the old or the
 * new one is there. */
int state_write(const struct state *s, const char *dir, struct err *e);

/* boot.cfg cannot be read: make it anew from boot.good. ERR_SYS, ERR_INPUT. */
int state_mend(struct state *out, const char *dir, struct err *e);

#endif
