#ifndef SITE_CORE_H
#define SITE_CORE_H

/* The inside of site.h: what its files share. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "cmdb/entry.h"
#include "cmdb/identity.h"
#include "site/scribe.h"
#include "site/site.h"
#include "site/snapshot.h"
#include "specs/match.h"
#include "store/store.h"

#define SILENT_MS (10 * 60 * 1000) /* an open run not heard of for so long */

/* Work for the writer thread: runs inside the transaction of a group, with a
 * mark of its own, so that one failure undoes only itself. */
struct job {
	int (*work)(struct site *s, void *ctx, struct err *e);
	void *ctx;
	struct err *e;
	int result;
	sem_t done; /* its own: nobody else wakes up, or waits for a lock */
	struct job *next;
};

struct changed_entry {
	char *profile;
	int64_t id;
};

struct site {
	const struct conf *conf;
	bool scratch;         /* to try something out: see site_open_scratch */
	struct store *writer; /* the writer thread's handle */
	struct store *reader; /* under reader_lock */
	pthread_mutex_t reader_lock;

	pthread_rwlock_t snapshot_lock;
	struct snapshot *snapshot;
	pthread_mutex_t refresh_lock; /* one refresh at a time */
	_Atomic int64_t looked_ms;    /* when the files were looked at */

	pthread_t thread;
	bool started;
	pthread_mutex_t jobs_lock;
	pthread_cond_t jobs_come;
	struct job *first, *last;
	bool stopping;

	struct scribe *scribe;

	/* of the writer thread */
	struct changed_entry *changed; /* in this group, not committed yet */
	size_t changed_len;
	int64_t own_number; /* of the last event of the server's own */

	/* news for site_feed */
	pthread_mutex_t news_lock;
	pthread_cond_t news_come;
	uint64_t news;
	bool no_more_news;
};

/* A site that nobody but the caller sees: its files are read now and never
 * again, nothing is written into them, nothing is logged, and its store is not
 * durable. Files that the store does not take are a failure here. */
int site_open_scratch(struct site **out, const struct conf *c, struct err *e);

/* Have `work` done by the writer, durably; its result. */
int site_write(struct site *s, int (*work)(struct site *, void *, struct err *),
	       void *ctx, struct err *e);

/* The snapshot, refreshed when the files changed and have been quiet for half
 * a second; held for reading until site_let_go. */
const struct snapshot *site_look(struct site *s);
void site_let_go(struct site *s);

/* Who a machine says it is. */
void identify(const struct facts *f, struct identity *id);
/* Is this variable an identity fact's word (a MAC, a serial, a UUID)? */
bool is_identity(const struct binding *b);
/* Bindings as choosing an entry sees them; b->len of them, owned; the texts
 * are borrowed from `b`. */
struct cmdb_var *cmdb_vars(const struct bindings *b);

/* ---- on the writer thread ---- */

/* An event of the server's own about a machine. */
int note_event(struct site *s, int64_t machine, const char *kind,
	       const char *text, struct err *e);

/* This entry was changed: to be written back once it is committed. */
void entry_changed(struct site *s, const char *profile, int64_t entry);

/* Give the entry back, if it is this machine's: free for the next. */
int entry_release(struct site *s, int64_t entry, int64_t machine,
		  struct err *e);

/* ---- the scribe's ---- */

/* The server itself made the file of this profile, whose stamp was `was`, what
 * it is now: no reason to read it again. */
void site_file_written(struct site *s, const char *profile,
		       const struct stamp *was, const struct stamp *now);

/* ---- machines for people ---- */

char *machine_name(int64_t id); /* m12, owned */

/* The machine of that id, hostname, MAC, serial or UUID. ERR_REFUSED when
 * `name` names none or several. */
int machine_by_name(struct store *store, const char *name,
		    struct store_machine *m, struct err *e);

/* A variable of its assignment, NULL when it has none; owned. */
char *machine_var(const struct store_machine *m, const char *name);

/* An event as docs/wire.md has it. */
struct value *event_value(const struct store_event *ev);

#endif
