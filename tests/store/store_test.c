/* The store on a real file: rows come back as they went in, constraints hold,
 * marks and rollbacks undo, a process that dies in a transaction leaves
 * nothing of it. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/file.h"
#include "store/sqlite.h"
#include "tests/test.h"

static char dir[] = "/tmp/edeploy-store-XXXXXX";

static struct store_machine
machine_of(const char *profile, enum condition c)
{
	struct store_machine m = { .condition = c,
				   .reason = base_strdup("why"),
				   .product = base_strdup("X"),
				   .facts = base_strdup("[]"),
				   .first_seen_ms = 1,
				   .last_seen_ms = 2,
				   .profile = profile ? base_strdup(profile)
						      : NULL,
				   .entry = 0,
				   .vars = base_strdup("{}") };

	return m;
}

static void
check_machines(struct store *s)
{
	static const struct {
		const char *profile;
		enum condition condition;
	} rows[] = {
		{ "vm", CONDITION_ASSIGNED },  { "vm", CONDITION_INSTALLING },
		{ "vm", CONDITION_INSTALLED }, { "vm", CONDITION_FAILED },
		{ "vm", CONDITION_RELEASED },  { "hp", CONDITION_ASSIGNED },
		{ "vm", CONDITION_WAITING },   { NULL, CONDITION_WAITING }
	};
	struct store_machine m, back;
	struct err e = { 0 };
	uint64_t live = 0;
	bool found;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		m = machine_of(rows[i].profile, rows[i].condition);
		CHECK(i, store_machine_add(s, &m, &e) == 0 && m.id > 0);
		CHECK(i, store_machine_get(s, m.id, &back, &found, &e) == 0 &&
				 found && back.condition == m.condition &&
				 str_eq(back.profile, m.profile) &&
				 str_eq(back.reason, "why") && !back.peer);
		store_machine_clear(&back);
		store_machine_clear(&m);
	}
	CHECK(0, store_live(s, "vm", &live, &e) == 0 && live == 4);
	CHECK(1, store_machine_get(s, 999, &back, &found, &e) == 0 && !found);
}

static void
check_identities(struct store *s)
{
	struct err e = { 0 };
	int64_t who = 0;

	CHECK(0, store_identity_add(s, 1, 0, "u", &e) == 0);
	CHECK(1, store_identity_add(s, 1, 0, "u", &e) == 0);
	CHECK(2, store_identity_add(s, 2, 0, "u", &e) < 0 &&
			 e.kind == ERR_REFUSED);
	CHECK(3, store_identity_add(s, 2, 1, "u", &e) == 0);
	CHECK(4, store_identity_find(s, 1, "u", &who, &e) == 0 && who == 2);
	CHECK(5, store_identity_drop(s, 2, 1, "u", &e) == 0);
	CHECK(6, store_identity_find(s, 1, "u", &who, &e) == 0 && who == 0);
}

static int
count_entry(void *ctx, const struct store_entry *t)
{
	int *n = ctx;

	*n = *n * 10 + (int)t->position;
	return 0;
}

static void
check_entries(struct store *s)
{
	struct err e = { 0 };
	int seen = 0;
	int64_t i;

	for (i = 3; i >= 1; i--) {
		struct store_entry t = { .profile = base_strdup("vm"),
					 .position = i,
					 .fields = base_strdup("{}"),
					 .origin = base_strdup("{}") };

		CHECK((size_t)i, store_entry_add(s, &t, &e) == 0);
		t.machine = 1;
		t.gone = i == 2;
		/* one entry a machine, whatever else went wrong */
		CHECK((size_t)i, (store_entry_put(s, &t, &e) == 0) == (i == 3));
		t.machine = 0;
		CHECK((size_t)i, i == 3 || store_entry_put(s, &t, &e) == 0);
		store_entry_clear(&t);
	}
	CHECK(0, store_entries(s, "vm", count_entry, &seen, &e) == 0 &&
			 seen == 13);
	seen = 0; /* the one at 1 was added last */
	CHECK(0, store_entry_move(s, 3, 5, &e) == 0);
	CHECK(0, store_entries(s, "vm", count_entry, &seen, &e) == 0 &&
			 seen == 35);
}

static int
take_event(void *ctx, const struct store_event *ev)
{
	int64_t *last = ctx;

	*last = ev->number;
	return 0;
}

static void
check_runs(struct store *s)
{
	const struct store_run r = { .id = (char *)(uintptr_t) "r1",
				     .token = (char *)(uintptr_t) "t",
				     .machine = 1,
				     .facts_hash = (char *)(uintptr_t) "h",
				     .next_event = 1 };
	struct store_event ev = { .run = r.id,
				  .machine = 1,
				  .number = 1,
				  .kind = r.token,
				  .body = r.token };
	struct store_run back;
	struct err e = { 0 };
	int64_t last = 0;
	int64_t newest = -1;
	bool found;

	CHECK(0, store_run_add(s, &r, &e) == 0);
	CHECK(1, store_run_add(s, &r, &e) < 0);
	CHECK(2, store_run_get(s, "r1", &back, &found, &e) == 0 && found &&
			 back.next_event == 1 && !back.answer);
	back.next_event = 5;
	back.outcome = RUN_DONE;
	CHECK(3, store_run_put(s, &back, &e) == 0);
	store_run_clear(&back);
	CHECK(4, store_run_get(s, "r1", &back, &found, &e) == 0 &&
			 back.next_event == 5 && back.outcome == RUN_DONE);
	store_run_clear(&back);
	CHECK(5, store_event_add(s, &ev, &e) == 0);
	CHECK(6, store_event_add(s, &ev, &e) < 0);
	ev.number = 2;
	CHECK(7, store_event_add(s, &ev, &e) == 0);
	CHECK(8, store_events_after(s, 0, 10, take_event, &last, &e) == 0 &&
			 last == 2);
	CHECK(9, store_event_last(s, &newest, &e) == 0 && newest == 2);
	CHECK(10, store_events_of_run(s, "r1", take_event, &last, &e) == 0 &&
			  last == 2);
}

static void
check_transactions(struct store *s)
{
	struct err e = { 0 };
	int64_t who = 0;

	CHECK(0, store_begin(s, &e) == 0);
	CHECK(1, store_identity_add(s, 1, 2, "kept", &e) == 0);
	CHECK(2, store_mark(s, &e) == 0);
	CHECK(3, store_identity_add(s, 1, 2, "undone", &e) == 0);
	store_mark_undo(s);
	CHECK(4, store_commit(s, &e) == 0);
	CHECK(5, store_identity_find(s, 2, "kept", &who, &e) == 0 && who == 1);
	CHECK(6,
	      store_identity_find(s, 2, "undone", &who, &e) == 0 && who == 0);
	CHECK(7, store_begin(s, &e) == 0);
	CHECK(8, store_identity_add(s, 1, 2, "rolled", &e) == 0);
	store_rollback(s);
	CHECK(9,
	      store_identity_find(s, 2, "rolled", &who, &e) == 0 && who == 0);
}

/* A child commits one row, begins another and dies. */
static void
check_death(void)
{
	AUTO(store) s = NULL;
	struct err e = { 0 };
	int64_t who = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct store *mine = NULL;

		if (store_open(&mine, dir, &e) < 0 ||
		    store_identity_add(mine, 1, 2, "told", &e) < 0 ||
		    store_begin(mine, &e) < 0 ||
		    store_identity_add(mine, 1, 2, "untold", &e) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	CHECK(0, store_open(&s, dir, &e) == 0);
	CHECK(1, store_identity_find(s, 2, "told", &who, &e) == 0 && who == 1);
	CHECK(2,
	      store_identity_find(s, 2, "untold", &who, &e) == 0 && who == 0);
}

static void
check_refusals(void)
{
	AUTO_FREE char *other = base_printf("%s/other", dir);
	AUTO_FREE char *file = base_printf("%s/edeploy.db", other);
	AUTO(store) s = NULL;
	struct err e = { 0 };

	CHECK(0, store_reader(&s, other, &e) < 0);
	CHECK(1, file_write(file, "this is no database, not at all....", 35,
			    0600, &e) == 0);
	CHECK_SHOW(2,
		   store_open(&s, other, &e) < 0 &&
			   strstr(e.text, "restore it from a backup"),
		   "%s", e.text);
}

/* The tables as version 1 had them, with a machine and two entries. */
static const char version_1[] =
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
	" UNIQUE (run, number)) STRICT;"
	"INSERT INTO meta VALUES ('id', '0123456789abcdef');"
	"INSERT INTO machines VALUES (7, 3, NULL, 'X', '[]', NULL, 1, 2, 0,"
	" 'vm', 1, '{}', NULL);"
	"INSERT INTO entries VALUES (1, 'vm', 0, 1,"
	" '{\"ip\": \"10.0.0.1\", \"used\": 1}', '{\"ip\": \"10.0.0.1\"}',"
	" 1, 7, 0);"
	"INSERT INTO entries VALUES (2, 'vm', 1, 0,"
	" '{\"ip\": \"10.0.0.2\"}', '{\"ip\": \"10.0.0.2\"}', 0, NULL, 0);"
	"PRAGMA user_version = 1;";

static int
sum_ids(void *ctx, const struct store_entry *t)
{
	*(int64_t *)ctx += t->id;
	return 0;
}

/* A store that an older program left is brought to today's tables, once. */
static void
check_renewal(void)
{
	AUTO_FREE char *old = base_printf("%s/old", dir);
	AUTO_FREE char *file = base_printf("%s/edeploy.db", old);
	sqlite3 *db = NULL;
	struct err e = { 0 };

	CHECK(0, dir_make(old, 0700, &e) == 0);
	CHECK(1, sqlite3_open(file, &db) == SQLITE_OK &&
			 sqlite3_exec(db, version_1, NULL, NULL, NULL) ==
				 SQLITE_OK);
	sqlite3_close(db);
	for (size_t i = 0; i < 2; i++) {
		AUTO(store) s = NULL;
		int64_t held = 0, free_ids = 0, own = 0;
		uint64_t live = 0;

		CHECK_SHOW(i, store_open(&s, old, &e) == 0, "%s", e.text);
		if (!s)
			return;
		CHECK(i, str_eq(store_id(s), "0123456789abcdef"));
		CHECK(i, store_live(s, "vm", &live, &e) == 0 && live == 1);
		CHECK(i, store_entries_holding(s, "vm", "ip", "10.0.0.1", true,
					       sum_ids, &held, &e) == 0 &&
				 held == 1);
		CHECK(i, store_entries_free(s, "vm", sum_ids, &free_ids, &e) ==
					 0 &&
				 free_ids == 2);
		CHECK(i,
		      store_entries_owned(s, "vm", 7, sum_ids, &own, &e) == 0 &&
			      own == 1);
	}
}

/* Sum of the ids of entries that hold `value` under `name`. */
static int64_t
holding(struct store *s, const char *profile, const char *name,
	const char *value, bool owned)
{
	struct err e = { 0 };
	int64_t sum = 0;

	if (store_entries_holding(s, profile, name, value, owned, sum_ids, &sum,
				  &e) < 0)
		return -1;
	return sum;
}

static struct store_entry
entry_of(int64_t id, const char *profile, const char *fields, int64_t machine)
{
	return (struct store_entry){ .id = id,
				     .profile = (char *)(uintptr_t)profile,
				     .fields = (char *)(uintptr_t)fields,
				     .origin = (char *)(uintptr_t) "{}",
				     .machine = machine };
}

/* Entries are found by a name whether it was asked for before they came, before
 * they changed, or behind all that. */
static void
check_index(struct store *s)
{
	static const struct {
		const char *fields;
		int64_t machine;
		bool gone;
		int64_t free_x, all_x, free_y, all_y; /* of the first entry */
	} rows[] = {
		{ "{\"m\": \"x\", \"n\": \"x\"}", 0, 0, 1, 1, 0, 0 },
		{ "{\"m\": \"x\", \"ip\": \"1\"}", 2, 0, 0, 1, 0, 0 },
		{ "{\"m\": \"y\"}", 2, 0, 0, 0, 0, 1 },
		{ "{\"m\": \"y\"}", 0, 0, 0, 0, 1, 1 },
		{ "{\"m\": \"y\"}", 0, 1, 0, 0, 0, 0 },
		{ "{\"m\": \"y\"}", 0, 0, 0, 0, 1, 1 },
		{ "{\"ip\": \"y\"}", 0, 0, 0, 0, 0, 0 },
		{ "{\"m\": 7}", 2, 0, 0, 0, 0, 0 },
		{ "{\"m\": \"x\"}", 0, 0, 1, 1, 0, 0 },
	};
	struct err e = { 0 };

	/* asked for before all, before the last, and behind all */
	for (size_t from = 0; from <= ARRAY_LEN(rows); from++) {
		struct store_entry t = entry_of(0, "i", rows[0].fields, 0);
		struct store_entry other = entry_of(0, "j", rows[0].fields, 0);

		CHECK(from, store_begin(s, &e) == 0 &&
				    store_entry_add(s, &t, &e) == 0 &&
				    store_entry_add(s, &other, &e) == 0);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			t = entry_of(t.id, "i", rows[i].fields,
				     rows[i].machine);
			t.gone = rows[i].gone;
			CHECK(i, store_entry_put(s, &t, &e) == 0);
			if (i < from && i + 1 < ARRAY_LEN(rows))
				continue;
			CHECK(i, holding(s, "i", "m", "x", false) ==
					 t.id * rows[i].free_x);
			CHECK(i, holding(s, "i", "m", "x", true) ==
					 t.id * rows[i].all_x);
			CHECK(i, holding(s, "i", "m", "y", false) ==
					 t.id * rows[i].free_y);
			CHECK(i, holding(s, "i", "m", "y", true) ==
					 t.id * rows[i].all_y);
			CHECK(i, holding(s, "j", "m", "x", true) == other.id);
		}
		store_rollback(s);
	}
}

/* Units are counted however a machine comes to its profile and leaves it. */
static void
check_live(struct store *s)
{
	static const struct {
		const char *profile;
		enum condition condition;
		uint64_t a, b;
	} rows[] = {
		{ NULL, CONDITION_WAITING, 0, 0 },
		{ "a", CONDITION_ASSIGNED, 1, 0 },
		{ "a", CONDITION_INSTALLING, 1, 0 },
		{ "a", CONDITION_INSTALLED, 1, 0 },
		{ "b", CONDITION_INSTALLED, 0, 1 },
		{ "b", CONDITION_FAILED, 0, 0 },
		{ "b", CONDITION_FAILED, 0, 0 },
		{ "b", CONDITION_ASSIGNED, 0, 1 },
		{ NULL, CONDITION_RELEASED, 0, 0 },
		{ "a", CONDITION_FAILED, 0, 0 },
		{ "a", CONDITION_ASSIGNED, 1, 0 },
		{ "a", CONDITION_WAITING, 1, 0 },
		{ "b", CONDITION_WAITING, 0, 1 },
		{ NULL, CONDITION_WAITING, 0, 0 },
	};
	struct store_machine m = { 0 };
	struct err e = { 0 };

	CHECK(0, store_begin(s, &e) == 0 && store_machine_add(s, &m, &e) == 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t a = 9, b = 9;

		m.profile = (char *)(uintptr_t)rows[i].profile;
		m.condition = rows[i].condition;
		CHECK(i, store_mark(s, &e) == 0 &&
				 store_machine_put(s, &m, &e) == 0);
		CHECK(i, store_live(s, "a", &a, &e) == 0 &&
				 store_live(s, "b", &b, &e) == 0);
		CHECK_SHOW(i, a == rows[i].a && b == rows[i].b, "%d %d", (int)a,
			   (int)b);
		if (i % 3 == 2)
			store_mark_undo(s);
		CHECK(i, (i % 3 == 2 ? store_machine_put(s, &m, &e)
				     : store_mark_keep(s, &e)) == 0);
	}
	store_rollback(s);
}

/* The copy has what was committed, while a writer is at work, and is one's
 * own. */
static void
check_copy(struct store *s)
{
	AUTO_FREE char *to = base_printf("%s/copy", dir);
	AUTO(store) copy = NULL;
	struct err e = { 0 };
	int64_t who = 0;

	CHECK(0, store_begin(s, &e) == 0 &&
			 store_identity_add(s, 1, 0, "later", &e) == 0);
	CHECK(1, store_copy(dir, to, &e) == 0);
	CHECK(2, store_commit(s, &e) == 0);
	CHECK(3, store_open_scratch(&copy, to, &e) == 0 &&
			 str_eq(store_id(copy), store_id(s)));
	CHECK(4, store_identity_find(copy, 0, "u", &who, &e) == 0 && who == 1);
	CHECK(5,
	      store_identity_find(copy, 0, "later", &who, &e) == 0 && who == 0);
	CHECK(6, store_identity_add(copy, 1, 0, "mine", &e) == 0);
	CHECK(7, store_identity_find(s, 0, "mine", &who, &e) == 0 && who == 0);
	CHECK(8, store_copy("/nonexistent", to, &e) < 0 && e.kind == ERR_SYS);
	CHECK(9, store_copy(dir, "/proc/nosuch", &e) < 0 && e.kind == ERR_SYS);
}

int
main(void)
{
	AUTO_FREE char *clean = NULL, *file = NULL;
	struct store *s = NULL, *r = NULL;
	struct err e = { 0 };
	struct stat st;
	int64_t who = 0;

	if (!mkdtemp(dir))
		return 1;
	file = base_printf("%s/edeploy.db", dir);
	CHECK(0, store_open(&s, dir, &e) == 0 && strlen(store_id(s)) == 16);
	CHECK(1, stat(file, &st) == 0 && (st.st_mode & 0777) == 0600);
	check_machines(s);
	check_identities(s);
	check_entries(s);
	check_runs(s);
	check_transactions(s);
	check_live(s);
	check_index(s);
	check_renewal();
	check_copy(s);
	CHECK(2, store_reader(&r, dir, &e) == 0 &&
			 str_eq(store_id(r), store_id(s)));
	CHECK(3, store_identity_find(r, 0, "u", &who, &e) == 0 && who == 1);
	CHECK(4, store_identity_add(r, 1, 0, "new", &e) < 0);
	store_free(r);
	store_free(s);
	check_death();
	check_refusals();
	clean = base_printf("rm -r %s", dir);
	CHECK(5, system(clean) == 0);
	return test_end();
}
