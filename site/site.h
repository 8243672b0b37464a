#ifndef SITE_SITE_H
#define SITE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/value.h"
#include "site/conf.h"
#include "specs/facts.h"

/* The decision: one site with its store, the one door of the server. Any
 * thread may call; what changes something is committed, durably, by the one
 * writer thread before the call returns. Failures: ERR_INPUT the asker's bytes
 * are wrong (400), ERR_REFUSED understood and no (403, 404, 409 as each call
 * says), ERR_SYS ours (500). */
struct site;

/* Open store and site and start the writer thread. A site whose files are
 * wrong opens all the same: machines that need the wrong file wait. */
int site_open(struct site **out, const struct conf *c, struct err *e);
void site_free(struct site *s); /* stops the writer, closes the store */
AUTO_DEFINE(site)

const struct conf *site_conf(const struct site *s);

/* ---- a machine asks what it shall become ---- */

enum site_outcome {
	SITE_ASSIGNED,   /* script holds the configure script */
	SITE_BOOT_LOCAL, /* an installed machine: the script is boot_local() */
	SITE_NO_MATCH,   /* no profile fits; detail tells why for each */
	SITE_WAITS       /* visible to the operator; ask again later */
};

struct site_upload {
	const char *run; /* TOKEN_HEX - 1 hex digits, or NULL: an old agent */
	const struct facts *facts;
	const char *peer; /* address it came from, for the record */
};

struct site_reply {
	enum site_outcome outcome;
	/* the store and since when it knows the machine: another one after the
	 * machine was forgotten, by an operator or by a restored store */
	char *memory;
	char *machine; /* id */
	char *run;     /* id; one is made for old agents */
	char *token;   /* authenticates the run's reports */
	char *profile; /* NULL unless assigned */
	char *reason;  /* one line; NULL when assigned */
	char *detail;  /* lines, one a profile; may be NULL */
	struct buf script;
};

/* Within one run the same bytes are answered again, until it is over:
 * ERR_REFUSED. Clear `out` in any case. */
int site_upload(struct site *s, const struct site_upload *u,
		struct site_reply *out, struct err *e);
void site_reply_clear(struct site_reply *r);

/* The first eDeploy's failure report: ends the open run of an agent without
 * run id whose facts are these. Anything else changes nothing. */
int site_old_failure(struct site *s, const struct facts *f, const char *profile,
		     struct err *e);

/* ---- a run reports ---- */

/* `events` is the list of docs/wire.md, each with its number; those already
 * stored are skipped. ERR_REFUSED: run unknown, wrong token, or not the
 * machine's open run. *next is the number wanted next. */
int site_events(struct site *s, const char *run, const char *token,
		const struct value *events, int64_t *next, struct err *e);

/* May this run write its log, and where: LOGDIR/RUN.log. Owned by the caller.
 * A run that ended may still send the rest of its log. */
int site_log_path(struct site *s, const char *run, const char *token,
		  char **path, struct err *e);

/* ---- a boot loader asks ---- */

enum site_boot { SITE_BOOT_INSTALL, SITE_BOOT_DISK };

struct site_boot_ask {
	const char *uuid, *serial; /* NULL or "" when not given */
	const char *mac;
};

/* What a machine that stands at its boot loader shall boot: its disk when it
 * is installed and no reinstall is asked for. Changes nothing. */
int site_boot(struct site *s, const struct site_boot_ask *ask,
	      enum site_boot *out, struct err *e);

/* ---- an operator asks (edeployctl, pages) ---- */

/* List of machines as docs/wire.md has it. */
int site_machines(struct site *s, struct value **out, struct err *e);

/* One machine with its run, events and variables. `name` is its id, or a
 * hostname, MAC, serial or UUID that names exactly one. ERR_REFUSED when it
 * names none or several. */
int site_machine(struct site *s, const char *name, struct value **out,
		 struct err *e);

/* Events after number `after`, waiting up to `wait_ms` for one. `after` below
 * 0: none, only where the feed stands now ("next"). */
int site_feed(struct site *s, int64_t after, int wait_ms, struct value **out,
	      struct err *e);

/* What is wrong with the site's files as the server has them, and what
 * operators wrote and did not get: as site_check. */
int site_problems(struct site *s, struct value **out, struct err *e);

/* Append {"entries": [...]}, the entries of a profile's CMDB as docs/wire.md
 * has it, to `out`. ERR_REFUSED for a profile that has none. */
int site_entries(struct site *s, const char *profile, struct buf *out,
		 struct err *e);

/* The profiles in order, each {"profile", "used", "total", "problem"}. */
int site_state(struct site *s, struct value **out, struct err *e);

/* One-shot: the next run of this machine installs. */
int site_reinstall(struct site *s, const char *name, struct err *e);

/* Give unit and entry back; the machine is asked for anew at its next run. */
int site_release(struct site *s, const char *name, struct err *e);

/* These two rows are one machine: what it is known by and its runs become the
 * row's that has a profile, else the older one's; the other is gone. Undoes
 * site_distinct. ERR_REFUSED: both have a profile, or a value is a third
 * machine's. */
int site_same(struct site *s, const char *a, const char *b, struct err *e);

/* These are two machines: what both say (a cloned UUID, a NIC that wanders)
 * says nothing about who a machine is from now on. ERR_REFUSED: nothing is the
 * same, or one would have nothing left to be known by. */
int site_distinct(struct site *s, const char *a, const char *b, struct err *e);

/* Its row, runs and events are gone. ERR_REFUSED while it has a profile. */
int site_forget(struct site *s, const char *name, struct err *e);

/* Why this machine, or one with these facts (`name` NULL), gets what it would
 * get if it asked now. Changes nothing. `out` as docs/wire.md has it.
 * ERR_REFUSED as site_machine. */
int site_explain(struct site *s, const char *name, const struct facts *f,
		 struct value **out, struct err *e);

/* ---- what would change if the files were others ---- */

/* Told before each machine that asks; false ends it with ERR_REFUSED. */
struct site_watch {
	bool (*go_on)(void *ctx, size_t done, size_t total);
	void *ctx;
};

/* What would change for which machine, if the site's files were these: {name:
 * text}, as site_texts has them. The machines ask a copy of the site, which is
 * removed in any case. `out` as docs/wire.md has it. ERR_REFUSED: there is
 * another replay, one at a time. */
int site_replay(struct site *s, const struct value *files,
		const struct site_watch *w, struct value **out, struct err *e);

/* A machine that asks, and what its row is called. */
struct site_asker {
	const char *name;
	const struct facts *facts;
};

/* The same without a server: the machines ask both sites, in this order, from
 * nothing. Makes files in TMPDIR only, which are removed in any case. */
int site_replay_files(const struct conf *was, const struct conf *now,
		      const struct site_asker *askers, size_t len,
		      const struct site_watch *w, struct value **out,
		      struct err *e);

/* The files of the site in `dir`, {name: text}, at most SITE_TEXTS_MAX bytes.
 * ERR_SYS, ERR_INPUT. */
#define SITE_TEXTS_MAX (60u * 1024 * 1024)
int site_texts(const char *dir, struct value **out, struct err *e);

/* ---- pure: no store, no file created ---- */

/* The same from the files alone: every unit free, entries used as the files
 * have it. */
int site_explain_files(const struct conf *c, const struct facts *f,
		       struct value **out, struct err *e);

/* All that is wrong with the files of a site: a list of {"file", "line",
 * "message", "level"}; empty when it is good. */
int site_check(const struct conf *c, struct value **out, struct err *e);

/* What is legal in a site and yet hardly meant, as site_check; and for each
 * profile with a script the names that `var` can have: {PROFILE: {NAME: number
 * of its entries without it}}. ERR_INPUT when the state cannot be read. */
int site_judge(const struct conf *c, struct value **remarks,
	       struct value **names, struct err *e);

/* The entries in PROFILE.cmdb, a list of dicts; and the profiles as site_state,
 * without what is used. */
int site_entries_file(const struct conf *c, const char *profile,
		      struct value **out, struct err *e);
int site_state_file(const struct conf *c, struct value **out, struct err *e);

/* What the state file of the first eDeploy has to become: in order, each
 * {"profile", "left", "used", "total", "remark"}. ERR_REFUSED when edeployd has
 * written a .cmdb file of the site already. */
int site_adopt(const struct conf *c, struct value **out, struct err *e);

/* Append a .specs text that a machine with these facts fits, and others of its
 * kind. ERR_INPUT: they say nothing. ERR_REFUSED: none was found. */
int site_propose(const struct facts *f, struct buf *out, struct err *e);

struct site_dry_match {
	char *profile;       /* NULL when none fits */
	struct value *vars;  /* bindings; NULL when none fits */
	struct value *tried; /* [{profile, outcome, reason}] in order */
};

/* Which profile would fit these facts, were every unit free. */
int site_dry_match(const struct conf *c, const struct facts *f,
		   struct site_dry_match *out, struct err *e);
void site_dry_match_clear(struct site_dry_match *m);

#endif
