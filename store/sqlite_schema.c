/* The tables, and how a store of an older program gets today's. */
#include <stdio.h>

#include "lib/hash.h"
#include "store/sqlite.h"

/* Portable on purpose: another engine can take the same tables. */
static const char schema_1[] =
	"CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
	"CREATE TABLE machines ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, condition INTEGER NOT NULL,"
	" reason TEXT, product TEXT, facts TEXT, peer TEXT,"
	" first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,"
	" reinstall INTEGER NOT NULL, profile TEXT, entry INTEGER NOT NULL,"
	" vars TEXT, run TEXT) STRICT;"
	"CREATE INDEX machines_live ON machines (profile, condition);"
	"CREATE TABLE identities ("
	" kind INTEGER NOT NULL, value TEXT NOT NULL,"
	" machine INTEGER NOT NULL REFERENCES machines (id),"
	" PRIMARY KEY (kind, value)) STRICT;"
	"CREATE INDEX identities_of ON identities (machine);"
	"CREATE TABLE entries ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, profile TEXT NOT NULL,"
	" position INTEGER NOT NULL, gen INTEGER NOT NULL,"
	" fields TEXT NOT NULL, origin TEXT NOT NULL, used INTEGER NOT NULL,"
	" machine INTEGER UNIQUE REFERENCES machines (id),"
	" gone INTEGER NOT NULL) STRICT;"
	"CREATE INDEX entries_of ON entries (profile, position);"
	"CREATE TABLE runs ("
	" id TEXT PRIMARY KEY, token TEXT NOT NULL,"
	" machine INTEGER NOT NULL REFERENCES machines (id),"
	" started_ms INTEGER NOT NULL, heard_ms INTEGER NOT NULL,"
	" ended_ms INTEGER NOT NULL, outcome INTEGER NOT NULL,"
	" old_agent INTEGER NOT NULL, local INTEGER NOT NULL,"
	" facts_hash TEXT NOT NULL, profile TEXT, answer TEXT, reason TEXT,"
	" phase TEXT, next_event INTEGER NOT NULL) STRICT;"
	"CREATE INDEX runs_of ON runs (machine, started_ms);"
	"CREATE TABLE events ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL,"
	" machine INTEGER NOT NULL, number INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,"
	" UNIQUE (run, number)) STRICT;";

/* What choosing an entry and counting units ask, so that neither reads all. A
 * unit is counted by what the machine's row says, whoever changes it: a profile
 * and a condition from waiting (it had the unit before it had to wait) to
 * installed. */
#define LIVE "condition IN (0, 1, 2, 3)"
static const char schema_2[] =
	"ALTER TABLE entries ADD COLUMN shape TEXT NOT NULL DEFAULT '';"
	"CREATE INDEX entries_free ON entries (profile, shape, position)"
	" WHERE used = 0 AND machine IS NULL AND gone = 0;"
	"CREATE TABLE entry_values (hash INTEGER NOT NULL,"
	" entry INTEGER NOT NULL, PRIMARY KEY (hash, entry))"
	" STRICT, WITHOUT ROWID;"
	"DROP INDEX machines_live;"
	"CREATE TABLE live (profile TEXT PRIMARY KEY,"
	" machines INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"INSERT INTO live SELECT profile, count(*) FROM machines"
	" WHERE profile IS NOT NULL AND " LIVE " GROUP BY profile;"
	"CREATE TRIGGER machines_come AFTER INSERT ON machines"
	" WHEN new.profile IS NOT NULL AND new." LIVE " BEGIN"
	" INSERT INTO live VALUES (new.profile, 1)"
	" ON CONFLICT (profile) DO UPDATE SET machines = machines + 1; END;"
	"CREATE TRIGGER machines_change AFTER UPDATE ON machines"
	" WHEN old.profile IS NOT new.profile"
	" OR old.condition <> new.condition BEGIN"
	" UPDATE live SET machines = machines - 1"
	" WHERE profile = old.profile AND old." LIVE ";"
	" INSERT INTO live SELECT new.profile, 1"
	" WHERE new.profile IS NOT NULL AND new." LIVE
	" ON CONFLICT (profile) DO UPDATE SET machines = machines + 1; END;"
	"CREATE TRIGGER machines_go AFTER DELETE ON machines BEGIN"
	" UPDATE live SET machines = machines - 1"
	" WHERE profile = old.profile AND old." LIVE "; END;";

/* The last good text of the site's files, so that a file that is wrong when the
 * server starts does not stop what ran before. */
static const char schema_3[] =
	"CREATE TABLE files (name TEXT PRIMARY KEY, text TEXT NOT NULL)"
	" STRICT, WITHOUT ROWID;";

/* Values that an operator said to be the same in several machines: they say
 * nothing about who a machine is. */
static const char schema_4[] =
	"CREATE TABLE shared (kind INTEGER NOT NULL, value TEXT NOT NULL,"
	" PRIMARY KEY (kind, value)) STRICT, WITHOUT ROWID;";

/* Of the texts that entries hold, only those under names that were asked for
 * are indexed. */
static const char schema_5[] =
	"DELETE FROM entry_values;"
	"CREATE TABLE asked (profile TEXT NOT NULL, name TEXT NOT NULL,"
	" PRIMARY KEY (profile, name)) STRICT, WITHOUT ROWID;";

/* Each brings the store of the version before it to its own. */
static const struct step {
	const char *sql;
	int (*then)(struct store *s, struct err *e);
} steps[] = {
	{ schema_1, NULL }, { schema_2, store_entries_shape },
	{ schema_3, NULL }, { schema_4, NULL },
	{ schema_5, NULL },
};
#define SCHEMA_VERSION ((int)ARRAY_LEN(steps))

static int
name_store(struct store *s, struct err *e)
{
	AUTO_FREE char *sql_text = NULL;
	char id[TOKEN_HEX];

	token_make(id);
	id[16] = '\0';
	sql_text = base_printf("INSERT INTO meta VALUES ('id', '%s')", id);
	return store_run(s, sql_text, e);
}

static int
take_steps(struct store *s, int version, struct err *e)
{
	AUTO_FREE char *done =
		base_printf("PRAGMA user_version = %d", SCHEMA_VERSION);

	for (int i = version; i < SCHEMA_VERSION; i++) {
		if (store_run(s, steps[i].sql, e) < 0 ||
		    (i == 0 && name_store(s, e) < 0) ||
		    (steps[i].then && steps[i].then(s, e) < 0))
			return -1;
	}
	return store_run(s, done, e);
}

/* From an older schema, or from nothing, to today's: all or nothing. Two
 * programs may start at once, so the version is read inside. */
static int
renew_schema(struct store *s, struct err *e)
{
	char version[24];

	if (store_begin(s, e) < 0)
		return -1;
	if (store_one_text(s, "PRAGMA user_version", version, sizeof(version),
			   e) < 0 ||
	    take_steps(s, atoi(version), e) < 0) {
		store_rollback(s);
		return err_add(e, "bringing the store to schema %d",
			       SCHEMA_VERSION);
	}
	return store_commit(s, e);
}

int
store_check_schema(struct store *s, bool may_make, struct err *e)
{
	char version[24];

	if (store_one_text(s, "PRAGMA user_version", version, sizeof(version),
			   e) < 0)
		return -1;
	if (atoi(version) > SCHEMA_VERSION)
		return err_set(
			e, ERR_REFUSED,
			"%.120s: written by a newer eDeploy (schema %s, this "
			"one knows %d); run that version",
			s->path, version, SCHEMA_VERSION);
	if (atoi(version) < SCHEMA_VERSION && may_make &&
	    renew_schema(s, e) < 0)
		return -1;
	return store_one_text(s, "SELECT value FROM meta WHERE name = 'id'",
			      s->id, sizeof(s->id), e);
}
