#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

/* The inside of store.h where SQLite is behind it. Prepared statements live
 * as long as the handle; a call binds, steps and resets. */
#include <sqlite3.h>

#include "store/store.h"

enum statement {
	S_MACHINE_ADD,
	S_MACHINE_PUT,
	S_MACHINE_GET,
	S_MACHINES,
	S_LIVE,
	S_IDENTITY_ADD,
	S_IDENTITY_DROP,
	S_IDENTITY_FIND,
	S_IDENTITIES,
	S_SHARED_ADD,
	S_SHARED_DROP,
	S_SHARED_FIND,
	S_SHARED_ANY,
	S_MACHINE_EVENTS_MOVE,
	S_MACHINE_RUNS_MOVE,
	S_MACHINE_EVENTS_DROP,
	S_MACHINE_RUNS_DROP,
	S_MACHINE_IDENTITIES_DROP,
	S_MACHINE_DROP,
	S_ENTRY_ADD,
	S_ENTRY_CLAIM,
	S_ENTRY_EDIT,
	S_ENTRY_WORDS,
	S_ENTRY_MOVE,
	S_ENTRY_GONE,
	S_ENTRY_GET,
	S_ENTRIES,
	S_ENTRIES_OWNED,
	S_ENTRIES_HOLDING,
	S_ENTRY_FREE,
	S_ENTRY_VALUE_ADD,
	S_ENTRY_VALUE_DROP,
	S_ASKED,
	S_ASKED_OF,
	S_ASKED_ADD,
	S_ENTRY_TEXTS,
	S_ENTRY_NEXT,
	S_ENTRY_SHAPE,
	S_FILE_PUT,
	S_FILE_DROP,
	S_FILES,
	S_RUN_ADD,
	S_RUN_PUT,
	S_RUN_GET,
	S_RUNS,
	S_EVENT_ADD,
	S_EVENTS_AFTER,
	S_EVENT_LAST,
	S_EVENTS_OF_RUN,
	S_MARK,
	S_MARK_KEEP,
	S_COUNT
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *prepared[S_COUNT];
	char id[17];
	char *path;
};

/* What SQLite says, with the file and what to do about the usual reasons. */
int store_refuse(struct store *s, struct err *e);

/* The statement, reset and ready for binding; NULL with `e` set. */
sqlite3_stmt *store_statement(struct store *s, enum statement which,
			      struct err *e);

/* Bind in order: i int64_t, b int, t text that may be NULL. Texts are read
 * until the statement is reset, which each function does before it returns. */
void store_bind(sqlite3_stmt *q, const char *kinds, ...);

/* Run a statement that gives no rows, and reset it. */
int store_do(struct store *s, sqlite3_stmt *q, struct err *e);

/* One row: 1 there, 0 none, -1 failed. Reset it with store_end. */
int store_row(struct store *s, sqlite3_stmt *q, struct err *e);
void store_end(sqlite3_stmt *q);

/* SQL text that gives no rows. */
int store_run(struct store *s, const char *text, struct err *e);

/* The first column of the first row, "" when there is none. */
int store_one_text(struct store *s, const char *query, char *out, size_t size,
		   struct err *e);

/* Open s->path, as every handle has it open. */
int store_open_file(struct store *s, int flags, struct err *e);

/* Bring the store to today's tables (a reader only looks). ERR_REFUSED: it is
 * of a newer program. */
int store_check_schema(struct store *s, bool may_make, struct err *e);

/* The shape of each entry: for a store of an older schema. */
int store_entries_shape(struct store *s, struct err *e);

/* Column as owned text, NULL for NULL. */
char *store_text(sqlite3_stmt *q, int column);

#endif
