/* The store on SQLite: opening, schema, transactions. WAL, so that readers
 * never wait for the writer; synchronous FULL, so that a commit is on the disk
 * when it returns. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/sqlite.h"
#include "lib/file.h"
#include "lib/hash.h"

#define BUSY_MS 10000

#define MACHINE_COLUMNS                                                        \
	"id, condition, reason, product, facts, peer, first_seen_ms,"          \
	" last_seen_ms, reinstall, profile, entry, vars, run"
#define ENTRY_COLUMNS                                                          \
	"id, profile, position, gen, fields, origin, used, coalesce(machine, " \
	"0),"                                                                  \
	" gone"
#define RUN_COLUMNS                                                            \
	"id, token, machine, started_ms, heard_ms, ended_ms, outcome,"         \
	" old_agent, local, facts_hash, profile, answer, reason, phase,"       \
	" next_event"
#define EVENT_COLUMNS "seq, run, machine, number, at_ms, kind, body"

static const char *const sql[S_COUNT] = {
	[S_MACHINE_ADD] = "INSERT INTO machines (condition, reason, product,"
			  " facts, peer, first_seen_ms, last_seen_ms,"
			  " reinstall, profile, entry, vars, run)"
			  " VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
	[S_MACHINE_PUT] = "UPDATE machines SET condition = ?, reason = ?,"
			  " product = ?, facts = ?, peer = ?,"
			  " first_seen_ms = ?, last_seen_ms = ?,"
			  " reinstall = ?, profile = ?, entry = ?, vars = ?,"
			  " run = ? WHERE id = ?",
	[S_MACHINE_GET] =
		"SELECT " MACHINE_COLUMNS " FROM machines WHERE id = ?",
	[S_MACHINES] = "SELECT " MACHINE_COLUMNS " FROM machines ORDER BY id",
	[S_LIVE] = "SELECT machines FROM live WHERE profile = ?",
	[S_IDENTITY_ADD] = "INSERT INTO identities (kind, value, machine)"
			   " VALUES (?,?,?) ON CONFLICT DO NOTHING",
	[S_IDENTITY_DROP] = "DELETE FROM identities WHERE kind = ?"
			    " AND value = ? AND machine = ?",
	[S_IDENTITY_FIND] = "SELECT machine FROM identities WHERE kind = ?"
			    " AND value = ?",
	[S_IDENTITIES] = "SELECT kind, value FROM identities WHERE machine = ?"
			 " ORDER BY kind, value",
	[S_SHARED_ADD] = "INSERT INTO shared (kind, value) VALUES (?,?)"
			 " ON CONFLICT DO NOTHING",
	[S_SHARED_DROP] = "DELETE FROM shared WHERE kind = ? AND value = ?",
	[S_SHARED_FIND] = "SELECT 1 FROM shared WHERE kind = ? AND value = ?",
	[S_SHARED_ANY] = "SELECT 1 FROM shared LIMIT 1",
	[S_MACHINE_EVENTS_MOVE] = "UPDATE events SET machine = ? WHERE run IN"
				  " (SELECT id FROM runs WHERE machine = ?)",
	[S_MACHINE_RUNS_MOVE] = "UPDATE runs SET machine = ? WHERE machine = ?",
	[S_MACHINE_EVENTS_DROP] = "DELETE FROM events WHERE run IN"
				  " (SELECT id FROM runs WHERE machine = ?)",
	[S_MACHINE_RUNS_DROP] = "DELETE FROM runs WHERE machine = ?",
	[S_MACHINE_IDENTITIES_DROP] = "DELETE FROM identities"
				      " WHERE machine = ?",
	[S_MACHINE_DROP] = "DELETE FROM machines WHERE id = ?",
	[S_ENTRY_ADD] = "INSERT INTO entries (profile, position, gen, fields,"
			" origin, used, machine, gone, shape)"
			" VALUES (?,?,?,?,?,?,nullif(?, 0),?,?)",
	[S_ENTRY_CLAIM] = "UPDATE entries SET gen = ?, fields = ?, used = ?,"
			  " machine = nullif(?, 0), gone = ?, shape = ?"
			  " WHERE id = ?",
	[S_ENTRY_EDIT] = "UPDATE entries SET position = ?, gen = ?, fields = ?,"
			 " origin = ?, used = ?, gone = ?, shape = ?"
			 " WHERE id = ?",
	[S_ENTRY_MOVE] = "UPDATE entries SET position = ? WHERE id = ?",
	[S_ENTRY_GONE] = "UPDATE entries SET gone = 1 WHERE id = ?",
	[S_ENTRY_WORDS] = "UPDATE entries SET gen = ?, fields = ?, origin = ?"
			  " WHERE id = ?",
	[S_ENTRY_GET] =
		"SELECT " ENTRY_COLUMNS ", shape FROM entries WHERE id = ?",
	[S_ENTRIES] = "SELECT " ENTRY_COLUMNS " FROM entries"
		      " WHERE profile = ? AND gone = 0 ORDER BY position, id",
	[S_ENTRIES_OWNED] = "SELECT " ENTRY_COLUMNS " FROM entries"
			    " WHERE machine = ? AND profile = ? AND gone = 0",
	[S_ENTRIES_HOLDING] = "SELECT " ENTRY_COLUMNS " FROM entry_values"
			      /* CROSS: in this order */
			      " CROSS JOIN entries ON id = entry"
			      " WHERE hash BETWEEN ? AND ?"
			      " AND profile = ? AND gone = 0",
	[S_ENTRY_FREE] = "SELECT " ENTRY_COLUMNS ", shape FROM entries"
			 " WHERE profile = ? AND shape > ? AND used = 0"
			 " AND machine IS NULL AND gone = 0"
			 " ORDER BY shape, position, id LIMIT 1",
	[S_ENTRY_VALUE_ADD] = "INSERT INTO entry_values (hash, entry)"
			      " VALUES (?,?) ON CONFLICT DO NOTHING",
	[S_ENTRY_VALUE_DROP] = "DELETE FROM entry_values WHERE hash = ?"
			       " AND entry = ?",
	[S_ASKED] = "SELECT 1 FROM asked WHERE profile = ? AND name = ?",
	[S_ASKED_OF] = "SELECT name FROM asked WHERE profile = ?",
	[S_ASKED_ADD] = "INSERT INTO asked (profile, name) VALUES (?,?)",
	[S_ENTRY_TEXTS] = "SELECT id, coalesce(machine, 0), fields"
			  " FROM entries WHERE profile = ?",
	[S_ENTRY_NEXT] = "SELECT id, fields FROM entries WHERE id > ?"
			 " AND used = 0 AND machine IS NULL"
			 " ORDER BY id LIMIT 1",
	[S_ENTRY_SHAPE] = "UPDATE entries SET shape = ? WHERE id = ?",
	[S_FILE_PUT] = "INSERT INTO files (name, text) VALUES (?,?)"
		       " ON CONFLICT (name) DO UPDATE SET text = excluded.text",
	[S_FILE_DROP] = "DELETE FROM files WHERE name = ?",
	[S_FILES] = "SELECT name, text FROM files ORDER BY name",
	[S_RUN_ADD] = "INSERT INTO runs (" RUN_COLUMNS ")"
		      " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[S_RUN_PUT] = "UPDATE runs SET token = ?, machine = ?, started_ms = ?,"
		      " heard_ms = ?, ended_ms = ?, outcome = ?,"
		      " old_agent = ?, local = ?, facts_hash = ?, profile = ?,"
		      " answer = ?, reason = ?, phase = ?, next_event = ?"
		      " WHERE id = ?",
	[S_RUN_GET] = "SELECT " RUN_COLUMNS " FROM runs WHERE id = ?",
	[S_RUNS] = "SELECT " RUN_COLUMNS " FROM runs WHERE machine = ?"
		   " ORDER BY started_ms DESC, id",
	[S_EVENT_ADD] = "INSERT INTO events (run, machine, number, at_ms, kind,"
			" body) VALUES (?,?,?,?,?,?)",
	[S_EVENTS_AFTER] = "SELECT " EVENT_COLUMNS " FROM events"
			   " WHERE seq > ? ORDER BY seq LIMIT ?",
	[S_EVENT_LAST] = "SELECT coalesce(max(seq), 0) FROM events",
	[S_EVENTS_OF_RUN] = "SELECT " EVENT_COLUMNS " FROM events"
			    " WHERE run = ? ORDER BY number",
	[S_MARK] = "SAVEPOINT mark",
	[S_MARK_KEEP] = "RELEASE mark",
};

int
store_refuse(struct store *s, struct err *e)
{
	int code = sqlite3_errcode(s->db) & 0xff;
	const char *remedy = "";

	if (code == SQLITE_FULL ||
	    (code == SQLITE_IOERR && errno == ENOSPC)) /* of a sync */
		remedy = "; make room on that file system";
	else if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		remedy = "; restore it from a backup, or move it away to "
			 "rebuild the store from the site's files";
	else if (code == SQLITE_BUSY)
		remedy = "; another program holds it";
	return err_set(e, ERR_SYS, "%.120s: %.80s%s", s->path,
		       sqlite3_errmsg(s->db), remedy);
}

sqlite3_stmt *
store_statement(struct store *s, enum statement which, struct err *e)
{
	sqlite3_stmt **q = &s->prepared[which];

	if (!*q &&
	    sqlite3_prepare_v3(s->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
			       q, NULL) != SQLITE_OK) {
		store_refuse(s, e);
		return NULL;
	}
	return *q;
}

void
store_bind(sqlite3_stmt *q, const char *kinds, ...)
{
	va_list ap;
	int i;

	va_start(ap, kinds);
	for (i = 0; kinds[i]; i++) {
		const char *text;

		switch (kinds[i]) {
		case 'i':
			sqlite3_bind_int64(q, i + 1, va_arg(ap, int64_t));
			break;
		case 'b':
			sqlite3_bind_int(q, i + 1, va_arg(ap, int));
			break;
		default:
			text = va_arg(ap, const char *);
			if (text)
				sqlite3_bind_text(q, i + 1, text, -1,
						  SQLITE_STATIC);
			else
				sqlite3_bind_null(q, i + 1);
		}
	}
	va_end(ap);
}

void
store_end(sqlite3_stmt *q)
{
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
}

int
store_do(struct store *s, sqlite3_stmt *q, struct err *e)
{
	int failed = 0;

	if (sqlite3_step(q) != SQLITE_DONE)
		failed = store_refuse(s, e);
	store_end(q);
	return failed;
}

int
store_row(struct store *s, sqlite3_stmt *q, struct err *e)
{
	int code = sqlite3_step(q);

	if (code == SQLITE_ROW)
		return 1;
	return code == SQLITE_DONE ? 0 : store_refuse(s, e);
}

char *
store_text(sqlite3_stmt *q, int column)
{
	const unsigned char *text = sqlite3_column_text(q, column);

	return text ? base_strdup((const char *)text) : NULL;
}

int
store_run(struct store *s, const char *text, struct err *e)
{
	if (sqlite3_exec(s->db, text, NULL, NULL, NULL) != SQLITE_OK)
		return store_refuse(s, e);
	return 0;
}

/* ---- opening ---- */

int
store_one_text(struct store *s, const char *query, char *out, size_t size,
	       struct err *e)
{
	sqlite3_stmt *q = NULL;
	int failed = -1;

	*out = '\0';
	if (sqlite3_prepare_v2(s->db, query, -1, &q, NULL) != SQLITE_OK)
		return store_refuse(s, e);
	if (store_row(s, q, e) >= 0) {
		if (sqlite3_column_count(q) > 0 && sqlite3_column_text(q, 0))
			snprintf(out, size, "%s",
				 (const char *)sqlite3_column_text(q, 0));
		failed = 0;
	}
	sqlite3_finalize(q);
	return failed;
}

/* Each handle is used by one thread, and nobody asks how much memory SQLite
 * uses: without the count it takes no lock for each piece. */
static void
configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int
store_open_file(struct store *s, int flags, struct err *e)
{
	static const char pragmas[] =
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		"PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
		/* what a mark can undo is kept in memory: no file for it */
		"PRAGMA temp_store = MEMORY;"
		/* a page that many decisions change is copied out of the log
		 * once for all of them */
		"PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768;";
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	mode_t old = umask(0077);
	int code;

	pthread_once(&once, configure);
	code = sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX,
			       NULL);
	umask(old);
	if (!s->db)
		return err_set(e, ERR_SYS, "SQLite does not start");
	if (code != SQLITE_OK)
		return store_refuse(s, e);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	return store_run(s, pragmas, e);
}

enum use { WRITER, SCRATCH, READER };

static int
open_store(struct store **out, const char *dir, enum use use, struct err *e)
{
	AUTO(store) s = base_alloc(sizeof(*s));
	bool writer = use != READER;

	s->path = base_printf("%s/edeploy.db", dir);
	if (writer && dir_make(dir, 0700, e) < 0)
		return -1;
	if (store_open_file(s,
			    writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
				   : SQLITE_OPEN_READWRITE,
			    e) < 0)
		return -1;
	/* SQLite opens what it may only read, without a word */
	if (writer && sqlite3_db_readonly(s->db, "main") == 1)
		return err_set(e, ERR_SYS,
			       "%.200s cannot be written: is its file system "
			       "read-only, or the file another user's?",
			       s->path);
	if (use == SCRATCH && store_run(s, "PRAGMA synchronous = OFF", e) < 0)
		return -1;
	if (store_check_schema(s, writer, e) < 0)
		return -1;
	if (!writer && store_run(s, "PRAGMA query_only = ON", e) < 0)
		return -1;
	*out = STEAL(s);
	return 0;
}

int
store_open(struct store **out, const char *dir, struct err *e)
{
	return open_store(out, dir, WRITER, e);
}

int
store_reader(struct store **out, const char *dir, struct err *e)
{
	return open_store(out, dir, READER, e);
}

int
store_open_scratch(struct store **out, const char *dir, struct err *e)
{
	return open_store(out, dir, SCRATCH, e);
}

void
store_free(struct store *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < S_COUNT; i++)
		sqlite3_finalize(s->prepared[i]);
	sqlite3_close(s->db);
	free(s->path);
	free(s);
}

const char *
store_id(const struct store *s)
{
	return s->id;
}

/* ---- transactions ---- */

int
store_begin(struct store *s, struct err *e)
{
	return store_run(s, "BEGIN IMMEDIATE", e);
}

bool
store_begun(const struct store *s)
{
	return sqlite3_get_autocommit(s->db) == 0;
}

int
store_commit(struct store *s, struct err *e)
{
	errno = 0; /* SQLite does not keep a sync's: see store_refuse */
	if (store_run(s, "COMMIT", e) == 0)
		return 0;
	store_rollback(s);
	return -1;
}

void
store_rollback(struct store *s)
{
	if (store_begun(s))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

int
store_mark(struct store *s, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_MARK, e);

	return q ? store_do(s, q, e) : -1;
}

int
store_mark_keep(struct store *s, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_MARK_KEEP, e);

	return q ? store_do(s, q, e) : -1;
}

void
store_mark_undo(struct store *s)
{
	/* a mark that cannot be undone must take all with it */
	if (sqlite3_exec(s->db, "ROLLBACK TO mark; RELEASE mark", NULL, NULL,
			 NULL) != SQLITE_OK)
		store_rollback(s);
}
