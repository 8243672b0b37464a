/* A copy of a store that is in use. One step copies all, inside one read
 * transaction: the writer goes on meanwhile. */
#include "lib/file.h"
#include "store/sqlite.h"

static struct store *
open_one(const char *dir, int flags, struct err *e)
{
	AUTO(store) s = base_alloc(sizeof(*s));

	s->path = base_printf("%s/edeploy.db", dir);
	if (store_open_file(s, flags, e) < 0)
		return NULL;
	return STEAL(s);
}

static int
copy_pages(struct store *from, struct store *to, struct err *e)
{
	sqlite3_backup *b =
		sqlite3_backup_init(to->db, "main", from->db, "main");

	if (!b)
		return store_refuse(to, e);
	sqlite3_backup_step(b, -1);
	/* what went wrong in the step is told here, too */
	return sqlite3_backup_finish(b) == SQLITE_OK ? 0 : store_refuse(to, e);
}

int
store_copy(const char *from, const char *to, struct err *e)
{
	AUTO(store) source = open_one(from, SQLITE_OPEN_READWRITE, e);
	AUTO(store) copy = NULL;

	if (!source || dir_make(to, 0700, e) < 0)
		return -1;
	copy = open_one(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, e);
	if (!copy || store_run(copy, "PRAGMA synchronous = OFF", e) < 0)
		return -1;
	return copy_pages(source, copy, e);
}
