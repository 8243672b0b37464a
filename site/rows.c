/* A CMDB has up to a million entries: each is found by bisection. */
#include "lib/base.h"
#include "lib/json.h"
#include "site/rows.h"

static int
keep_row(void *ctx, const struct store_entry *t)
{
	struct rows *r = ctx;

	if ((r->len & (r->len - 1)) == 0)
		r->at = base_resize(r->at, r->len ? 2 * r->len : 1,
				    sizeof(*r->at));
	r->at[r->len] = *t;
	r->at[r->len].profile = base_strdup(t->profile);
	r->at[r->len].fields = base_strdup(t->fields);
	r->at[r->len++].origin = base_strdup(t->origin);
	return 0;
}

/* ---- in order ---- */

static int
compare_ids(const void *a, const void *b, void *rows)
{
	const struct store_entry *at = rows;
	int64_t x = at[*(const size_t *)a].id, y = at[*(const size_t *)b].id;

	return x < y ? -1 : x > y;
}

static int
compare_texts(const void *a, const void *b, void *texts)
{
	const char *const *of = texts;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = strcmp(of[x], of[y]);

	return order ? order : x < y ? -1 : x > y;
}

/* Takes `texts`, one for each row, NULL for those that are left out. */
static void
by_text_make(struct by_text *x, const char **texts, size_t len)
{
	*x = (struct by_text){ .texts = texts };
	x->order = base_array(len + 1, sizeof(*x->order));
	x->next = base_array(len + 1, sizeof(*x->next));
	for (size_t i = 0; i < len; i++)
		if (texts[i])
			x->order[x->len++] = i;
	qsort_r(x->order, x->len, sizeof(*x->order), compare_texts, texts);
}

static void
by_text_clear(struct by_text *x)
{
	free(x->texts);
	free(x->order);
	free(x->next);
	*x = (struct by_text){ 0 };
}

static size_t *
ids_in_order(struct rows *r)
{
	size_t *order = base_array(r->len + 1, sizeof(*order));

	for (size_t i = 0; i < r->len; i++)
		order[i] = i;
	qsort_r(order, r->len, sizeof(*order), compare_ids, r->at);
	return order;
}

int
rows_load(struct rows *r, struct store *store, const char *profile,
	  struct err *e)
{
	const char **fields, **origin;

	*r = (struct rows){ 0 };
	if (store_entries(store, profile, keep_row, r, e) < 0)
		return -1;
	while (r->placed < r->len && r->at[r->placed].position < 0)
		r->placed++;
	r->matched = base_array(r->len + 1, sizeof(*r->matched));
	r->by_id = ids_in_order(r);
	fields = base_array(r->len + 1, sizeof(*fields));
	origin = base_array(r->len + 1, sizeof(*origin));
	for (size_t i = 0; i < r->len; i++) {
		fields[i] = r->at[i].fields;
		origin[i] = r->at[i].origin;
	}
	by_text_make(&r->by_fields, fields, r->len);
	by_text_make(&r->by_origin, origin, r->len);
	return 0;
}

static void
free_texts(const struct by_text *x, size_t len)
{
	for (size_t i = 0; x->texts && i < len; i++)
		free((char *)(uintptr_t)x->texts[i]);
}

void
rows_clear(struct rows *r)
{
	free_texts(&r->sorted_fields, r->len);
	free_texts(&r->sorted_origin, r->len);
	by_text_clear(&r->sorted_fields);
	by_text_clear(&r->sorted_origin);
	by_text_clear(&r->by_fields);
	by_text_clear(&r->by_origin);
	for (size_t i = 0; i < r->len; i++)
		store_entry_clear(&r->at[i]);
	free(r->at);
	free(r->matched);
	free(r->marks);
	free(r->by_id);
	*r = (struct rows){ 0 };
}

/* ---- finding ---- */

struct store_entry *
rows_by_id(struct rows *r, int64_t id)
{
	size_t low = 0, high = r->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->at[r->by_id[mid]].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == r->len || r->at[r->by_id[low]].id != id)
		return NULL;
	return &r->at[r->by_id[low]];
}

/* The first whose text is not before `json`. */
static size_t
first_not_before(const struct by_text *x, const char *json)
{
	size_t low = 0, high = x->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(x->texts[x->order[mid]], json) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct store_entry *
find_text(struct rows *r, struct by_text *x, const char *json)
{
	size_t first = first_not_before(x, json);

	if (first == x->len)
		return NULL;
	for (size_t k = first + x->next[first];
	     k < x->len && str_eq(x->texts[x->order[k]], json); k++) {
		x->next[first] = k - first;
		if (!r->matched[x->order[k]])
			return &r->at[x->order[k]];
	}
	return NULL;
}

/* The row that stood at place `i`, if it is unmatched and has this content. */
static struct store_entry *
find_place(struct rows *r, const char *json, size_t i)
{
	struct store_entry *row;

	if (i >= r->len - r->placed || r->matched[r->placed + i])
		return NULL;
	row = &r->at[r->placed + i];
	if (row->position != (int64_t)i ||
	    (!str_eq(row->fields, json) && !str_eq(row->origin, json)))
		return NULL;
	return row;
}

struct store_entry *
rows_by_content(struct rows *r, const char *json, size_t i)
{
	struct store_entry *row = find_place(r, json, i);

	if (row)
		return row;
	row = find_text(r, &r->by_fields, json);
	return row ? row : find_text(r, &r->by_origin, json);
}

/* ---- whatever the order of members ---- */

/* The same for two texts whose bytes are the same in whatever order, as those
 * are that mean the same: most that mean something else are told from each
 * other without being parsed. */
static uint64_t
mark_of(const char *json)
{
	uint64_t sum = 0;

	for (; *json; json++) {
		uint64_t c = (uint64_t)(unsigned char)*json + 1;

		c *= UINT64_C(0x9e3779b97f4a7c15);
		sum += (c ^ c >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	}
	return sum;
}

static int
compare_marks(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
mark_unmatched(struct rows *r)
{
	r->marks = base_array(2 * r->len + 1, sizeof(*r->marks));
	for (size_t i = 0; i < r->len; i++) {
		if (r->matched[i])
			continue;
		r->marks[r->marks_len++] = mark_of(r->at[i].fields);
		if (!str_eq(r->at[i].origin, r->at[i].fields))
			r->marks[r->marks_len++] = mark_of(r->at[i].origin);
	}
	qsort(r->marks, r->marks_len, sizeof(*r->marks), compare_marks);
}

static bool
has_mark(struct rows *r, const char *json)
{
	uint64_t mark = mark_of(json);

	if (!r->marks)
		mark_unmatched(r);
	return bsearch(&mark, r->marks, r->marks_len, sizeof(mark),
		       compare_marks) != NULL;
}

static char *
sorted_text(const char *json)
{
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	AUTO_CLEAR(buf) text = { 0 };
	struct err e = { 0 };

	if (json_parse(&v, json, strlen(json), &e) < 0)
		return base_strdup(json);
	value_sort(v);
	value_json(v, 0, &text);
	return buf_take(&text);
}

static void
sort_unmatched(struct rows *r)
{
	const char **fields = base_array(r->len + 1, sizeof(*fields));
	const char **origin = base_array(r->len + 1, sizeof(*origin));

	for (size_t i = 0; i < r->len; i++) {
		if (r->matched[i])
			continue;
		fields[i] = sorted_text(r->at[i].fields);
		origin[i] = sorted_text(r->at[i].origin);
	}
	by_text_make(&r->sorted_fields, fields, r->len);
	by_text_make(&r->sorted_origin, origin, r->len);
}

struct store_entry *
rows_by_meaning(struct rows *r, const char *json)
{
	AUTO_FREE char *sorted = NULL;
	struct store_entry *row;

	if (!has_mark(r, json))
		return NULL;
	if (!r->sorted_fields.texts)
		sort_unmatched(r);
	sorted = sorted_text(json);
	row = find_text(r, &r->sorted_fields, sorted);
	return row ? row : find_text(r, &r->sorted_origin, sorted);
}

bool
rows_same(const char *a, const char *b)
{
	AUTO_FREE char *x = NULL, *y = NULL;

	if (strcmp(a, b) == 0)
		return true;
	if (mark_of(a) != mark_of(b))
		return false;
	x = sorted_text(a);
	y = sorted_text(b);
	return strcmp(x, y) == 0;
}
