#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/err.h"
#include "lib/value.h"

/* What the server must remember: machines, identities, entries, assignments,
 * runs, events. Knows no rule; the site has those. One handle may be used by
 * one thread at a time; store_reader opens further handles on the same store
 * that only read and see whole transactions. All text given is copied; all
 * rows handed out are owned by the caller. Failures are ERR_SYS. */
struct store;

/* Open, creating it if needed, the store in directory `dir` (made 0700).
 * Refuses (ERR_REFUSED) a store written by a newer program. */
int store_open(struct store **out, const char *dir, struct err *e);
int store_reader(struct store **out, const char *dir, struct err *e);
void store_free(struct store *s);
AUTO_DEFINE(store)

/* For trying something out: as store_open, but a commit is not durable. */
int store_open_scratch(struct store **out, const char *dir, struct err *e);

/* The store in `from`, as its last commit left it, into `to` (made 0700),
 * where none is yet. Holds up nobody who writes. */
int store_copy(const char *from, const char *to, struct err *e);

/* 16 hex digits made with the store; names it in .cmdb files. Borrowed. */
const char *store_id(const struct store *s);

/* One transaction; what is between is all there or not at all. commit is
 * durable when it returns. A mark is a point inside that can be undone to. */
int store_begin(struct store *s, struct err *e);
bool store_begun(const struct store *s); /* false: a failure undid it all */
int store_commit(struct store *s, struct err *e);
void store_rollback(struct store *s);
int store_mark(struct store *s, struct err *e);
int store_mark_keep(struct store *s, struct err *e);
void store_mark_undo(struct store *s);

/* ---- machines ---- */

enum condition {
	CONDITION_WAITING,
	CONDITION_ASSIGNED,
	CONDITION_INSTALLING,
	CONDITION_INSTALLED,
	CONDITION_SILENT, /* derived by the site, never stored */
	CONDITION_FAILED,
	CONDITION_RELEASED
};

const char *condition_name(enum condition c); /* "waiting", ... */

struct store_machine {
	int64_t id; /* shown as m1, m2, ... */
	enum condition condition;
	char *reason;  /* one line, or NULL */
	char *product; /* for tables, or NULL */
	char *facts;   /* JSON of the last upload */
	char *peer;    /* address of the last upload */
	int64_t first_seen_ms, last_seen_ms;
	bool reinstall; /* asked for, not yet consumed */
	/* the assignment; profile NULL when there is none */
	char *profile;
	int64_t entry; /* 0: none */
	char *vars;    /* JSON object */
	char *run;     /* id of its newest run, or NULL */
};

void store_machine_clear(struct store_machine *m);

/* New row; sets m->id. */
int store_machine_add(struct store *s, struct store_machine *m, struct err *e);
int store_machine_put(struct store *s, const struct store_machine *m,
		      struct err *e);
/* *found false when there is none. */
int store_machine_get(struct store *s, int64_t id, struct store_machine *out,
		      bool *found, struct err *e);

/* Its runs and what they told become another machine's. */
int store_machine_move(struct store *s, int64_t from, int64_t to,
		       struct err *e);
/* Gone, with its identities and runs; no entry may be its own. */
int store_machine_drop(struct store *s, int64_t id, struct err *e);

/* All machines, by id; `each` returns non-zero to stop. */
typedef int store_each_machine(void *ctx, const struct store_machine *m);
int store_machines(struct store *s, store_each_machine *each, void *ctx,
		   struct err *e);

/* How many machines have this profile and neither failed nor were released:
 * counted as they change, in the same transaction. */
int store_live(struct store *s, const char *profile, uint64_t *out,
	       struct err *e);

/* ---- identities: (kind, value) belongs to one machine ---- */

int store_identity_add(struct store *s, int64_t machine, int kind,
		       const char *value,
		       struct err *e); /* ERR_REFUSED: another's */
int store_identity_drop(struct store *s, int64_t machine, int kind,
			const char *value, struct err *e);
/* Machine of that value, 0 when none. */
int store_identity_find(struct store *s, int kind, const char *value,
			int64_t *machine, struct err *e);
typedef int store_each_identity(void *ctx, int kind, const char *value);
int store_identities(struct store *s, int64_t machine,
		     store_each_identity *each, void *ctx, struct err *e);

/* A value that several machines share, and that counts for none of them. Its
 * owner, if any, is not changed. */
int store_shared_put(struct store *s, int kind, const char *value, bool shared,
		     struct err *e);
int store_shared(struct store *s, int kind, const char *value, bool *out,
		 struct err *e);
int store_shared_any(struct store *s, bool *out, struct err *e);

/* ---- entries of a profile's CMDB ---- */

struct store_entry {
	int64_t id; /* never given twice */
	char *profile;
	int64_t position; /* order in the file */
	int64_t gen;      /* raised at each change by the server */
	char *fields;     /* JSON object (value_json) */
	char *origin; /* as it stood in the file before the server changed it */
	bool used;
	int64_t machine; /* owner; 0: none known */
	bool gone;       /* no longer in the file, nobody's */
	/* When adding or putting: what `fields` says, if it is at hand, or
	 * NULL. A loan. */
	const struct value *value;
};

void store_entry_clear(struct store_entry *t);
int store_entry_add(struct store *s, struct store_entry *t, struct err *e);
int store_entry_put(struct store *s, const struct store_entry *t,
		    struct err *e);
/* The position alone: a line more in front of a large file moves all. -1: in
 * the file no more. */
int store_entry_move(struct store *s, int64_t id, int64_t position,
		     struct err *e);
/* Nobody's, and no longer in the file. */
int store_entry_gone(struct store *s, int64_t id, struct err *e);
int store_entry_get(struct store *s, int64_t id, struct store_entry *out,
		    bool *found, struct err *e);
typedef int store_each_entry(void *ctx, const struct store_entry *t);
int store_entries(struct store *s, const char *profile, store_each_entry *each,
		  void *ctx, struct err *e); /* by position */

/* What choosing asks, in a time that does not grow with the entries. `each`
 * returns non-zero to stop. */

/* The entry of `machine`, if it is of this profile. */
int store_entries_owned(struct store *s, const char *profile, int64_t machine,
			store_each_entry *each, void *ctx, struct err *e);
/* Those whose field `name` is the text `value`, without an owner or, when
 * `owned`, with one, too; now and then another one. In no order. Only for the
 * writer, inside a transaction: a name is indexed when it is asked for first,
 * in a time that does grow. */
int store_entries_holding(struct store *s, const char *profile,
			  const char *name, const char *value, bool owned,
			  store_each_entry *each, void *ctx, struct err *e);
/* Of the entries that are neither used nor owned, the first of each set of
 * field names. */
int store_entries_free(struct store *s, const char *profile,
		       store_each_entry *each, void *ctx, struct err *e);

/* ---- the last good text of the site's files ---- */

/* `text` NULL: forget it. */
int store_file_put(struct store *s, const char *name, const char *text,
		   struct err *e);
typedef int store_each_file(void *ctx, const char *name, const char *text);
int store_files(struct store *s, store_each_file *each, void *ctx,
		struct err *e); /* by name */

/* ---- runs ---- */

enum run_outcome { RUN_OPEN, RUN_DONE, RUN_FAILED, RUN_REPLACED };

struct store_run {
	char *id;    /* 32 hex digits */
	char *token; /* 32 hex digits */
	int64_t machine;
	int64_t started_ms, heard_ms, ended_ms; /* ended 0: open */
	enum run_outcome outcome;
	bool old_agent;   /* came without a run id */
	bool local;       /* answered boot_local() */
	char *facts_hash; /* of the upload */
	char *profile;    /* NULL: none */
	char *answer;     /* the bytes sent, to be sent again */
	char *reason;     /* why it failed, or NULL */
	char *phase;      /* last phase told, or NULL */
	int64_t next_event;
};

void store_run_clear(struct store_run *r);
int store_run_add(struct store *s, const struct store_run *r, struct err *e);
int store_run_put(struct store *s, const struct store_run *r, struct err *e);
int store_run_get(struct store *s, const char *id, struct store_run *out,
		  bool *found, struct err *e);
typedef int store_each_run(void *ctx, const struct store_run *r);
int store_runs(struct store *s, int64_t machine, store_each_run *each,
	       void *ctx, struct err *e); /* newest first */

/* ---- events ---- */

struct store_event {
	int64_t seq; /* over all runs, for watching; 0 when adding */
	char *run;
	int64_t machine;
	int64_t number; /* within the run */
	int64_t at_ms;  /* server's clock */
	char *kind;     /* phase, progress, message, done, failed, ... */
	char *body;     /* JSON object */
};

int store_event_add(struct store *s, const struct store_event *ev,
		    struct err *e);
typedef int store_each_event(void *ctx, const struct store_event *ev);
int store_events_after(struct store *s, int64_t seq, size_t limit,
		       store_each_event *each, void *ctx, struct err *e);
/* The number of the newest event; 0 when there is none. */
int store_event_last(struct store *s, int64_t *seq, struct err *e);
int store_events_of_run(struct store *s, const char *run,
			store_each_event *each, void *ctx, struct err *e);

#endif
