/* What a .cmdb file lacks of what the store says. */
#include "site/lack.h"
#include "lib/json.h"

/* One row of the store: a change, unless the file has it so. */
static int
compare_row(void *ctx, const struct store_entry *row)
{
	struct lack *k = ctx;
	const struct cmdb_entry *entry;
	struct err e = { 0 };
	struct value *fields;

	if (row->gen == 0 || row->gone || row->position < 0 ||
	    (uint64_t)row->position >= cmdb_len(k->text))
		return 0;
	entry = cmdb_at(k->text, (size_t)row->position);
	if (k->ours && entry->id == row->id && entry->gen >= row->gen)
		return 0;
	if (json_parse(&fields, row->fields, strlen(row->fields), &e) < 0)
		return 0;
	if ((k->changes_len & (k->changes_len - 1)) == 0)
		k->changes = base_resize(
			k->changes, k->changes_len ? 2 * k->changes_len : 1,
			sizeof(*k->changes));
	k->changes[k->changes_len++] =
		(struct cmdb_change){ (size_t)row->position, fields, row->id,
				      row->gen };
	return 0;
}

static int
compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int
compare_places(const void *a, const void *b)
{
	size_t x = ((const struct cmdb_change *)a)->index;
	size_t y = ((const struct cmdb_change *)b)->index;

	return x < y ? -1 : x > y;
}

static int
find_due(struct store *store, struct lack *k, struct err *e)
{
	if (k->due_len)
		qsort(k->due, k->due_len, sizeof(*k->due), compare_ids);
	for (size_t i = 0; i < k->due_len; i++) {
		struct store_entry row = { 0 };
		bool found = false;

		if (i > 0 && k->due[i] == k->due[i - 1])
			continue;
		if (store_entry_get(store, k->due[i], &row, &found, e) < 0)
			return -1;
		if (found)
			compare_row(k, &row);
		store_entry_clear(&row);
	}
	return 0;
}

int
lack_find(struct store *store, struct lack *k, struct err *e)
{
	int failed =
		k->compare ? store_entries(store, k->profile, compare_row, k, e)
			   : find_due(store, k, e);

	if (k->changes_len)
		qsort(k->changes, k->changes_len, sizeof(*k->changes),
		      compare_places);
	return failed;
}

bool
lack_is_foreign(const struct lack *k)
{
	return !k->ours && cmdb_store_id(k->text);
}

void
lack_clear(struct lack *k)
{
	for (size_t i = 0; i < k->changes_len; i++)
		value_free((struct value *)(uintptr_t)k->changes[i].fields);
	free(k->changes);
	cmdb_free(k->text);
	free(k->profile);
	free(k->path);
	free(k->due);
}
