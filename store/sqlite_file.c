/* Texts of the site's files. */
#include "store/sqlite.h"

int
store_file_put(struct store *s, const char *name, const char *text,
	       struct err *e)
{
	sqlite3_stmt *q =
		store_statement(s, text ? S_FILE_PUT : S_FILE_DROP, e);

	if (!q)
		return -1;
	if (text)
		store_bind(q, "tt", name, text);
	else
		store_bind(q, "t", name);
	return store_do(s, q, e);
}

int
store_files(struct store *s, store_each_file *each, void *ctx, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_FILES, e);
	int row, stop = 0;

	if (!q)
		return -1;
	while (!stop && (row = store_row(s, q, e)) == 1)
		stop = each(ctx, (const char *)sqlite3_column_text(q, 0),
			    (const char *)sqlite3_column_text(q, 1));
	store_end(q);
	return !stop && row < 0 ? -1 : 0;
}
