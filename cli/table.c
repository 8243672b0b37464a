/* For a file or a pipe a table has all its columns, so that programs that cut
 * it find them; on a terminal it has those that fit. */
#include <stdio.h>
#include <string.h>

#include "cli/table.h"
#include "lib/base.h"
#include "lib/text.h"

#define COLUMNS_MAX 16
#define LAST_MIN 24 /* columns that the last one wants, when it has them */

void
table_add(struct table *t, const char *cell)
{
	AUTO_CLEAR(buf) shown = { 0 };

	if (cell && *cell)
		text_show(cell, strlen(cell), 1, &shown);
	t->cells = base_resize(t->cells, t->len + 1, sizeof(*t->cells));
	t->cells[t->len++] = shown.len ? buf_take(&shown) : base_strdup("-");
}

struct widths {
	size_t at[COLUMNS_MAX]; /* 0: left out */
	size_t last;            /* the last column that is shown */
};

static void
measure(const struct table *t, struct widths *w)
{
	size_t i, n;

	*w = (struct widths){ .last = t->columns - 1 };
	for (i = 0; i < t->len; i++) {
		n = term_columns(t->cells[i]);
		if (n > w->at[i % t->columns])
			w->at[i % t->columns] = n;
	}
}

static bool
tells_nothing(const struct table *t, size_t column)
{
	size_t i;

	for (i = t->columns + column; i < t->len; i += t->columns)
		if (!str_eq(t->cells[i], "-"))
			return false;
	return true;
}

/* The columns before the last, with the blanks behind them. */
static size_t
before_last(const struct table *t, const struct widths *w)
{
	size_t i, n = 0;

	for (i = 0; i < w->last && i < t->columns; i++)
		if (w->at[i])
			n += w->at[i] + 2;
	return n;
}

static void
leave(struct widths *w, size_t column)
{
	w->at[column] = 0;
	while (w->last > 0 && !w->at[w->last])
		w->last--;
}

static void
fit(const struct table *t, size_t columns, struct widths *w)
{
	const char *c;
	size_t i, want;

	for (i = 1; t->heads && t->leaves && i < t->columns; i++)
		if (tells_nothing(t, i))
			leave(w, i);
	for (c = t->leaves; c && *c; c++) {
		want = w->at[w->last] < LAST_MIN ? w->at[w->last] : LAST_MIN;
		if (before_last(t, w) + want <= columns)
			return;
		leave(w, (size_t)(*c - '0'));
	}
	while (t->drops && w->last > 0 &&
	       before_last(t, w) + w->at[w->last] > columns)
		leave(w, w->last);
}

static void
put_cell(const struct table *t, const struct term *term, const char *cell,
	 bool head, struct buf *out)
{
	if (head)
		term_paint(term, "head", cell, out);
	else if (t->paints)
		term_paint(term, cell, cell, out);
	else
		buf_str(out, cell);
}

static void
put_last(const struct table *t, const struct term *term, const char *cell,
	 size_t at, bool head, struct buf *out)
{
	size_t columns = (size_t)term->columns;
	AUTO_CLEAR(buf) cut = { 0 };

	if (!term->terminal)
		buf_str(&cut, cell);
	else if (t->wraps || columns <= at)
		term_wrap(cell, columns, at, &cut);
	else
		term_cut(cell, columns - at, &cut);
	put_cell(t, term, buf_text(&cut), head, out);
	buf_char(out, '\n');
}

/* "not shown: mac, used (--json has all)" */
static void
put_dropped(const struct table *t, const struct term *term,
	    const struct widths *w, struct buf *out)
{
	AUTO_CLEAR(buf) names = { 0 };
	size_t i;

	for (i = w->last + 1; i < t->columns; i++)
		buf_printf(&names, "%s%s",
			   names.len ? ", " : "not shown: ", t->cells[i]);
	if (names.len == 0)
		return;
	buf_str(&names, " (--json has all)");
	term_wrap(buf_text(&names), (size_t)term->columns, 0, out);
	buf_char(out, '\n');
}

void
table_text(const struct table *t, const struct term *term, struct buf *out)
{
	struct widths w;
	size_t i, column;
	bool head;

	measure(t, &w);
	if (term->terminal)
		fit(t, (size_t)term->columns, &w);
	for (i = 0; i < t->len; i++) {
		column = i % t->columns;
		head = t->heads && i < t->columns;
		if (!w.at[column])
			continue;
		if (column == w.last) {
			put_last(t, term, t->cells[i], before_last(t, &w), head,
				 out);
			continue;
		}
		put_cell(t, term, t->cells[i], head, out);
		buf_printf(out, "%*s",
			   (int)(w.at[column] + 2 - term_columns(t->cells[i])),
			   "");
	}
	if (t->drops && t->len >= t->columns)
		put_dropped(t, term, &w, out);
}

void
table_print(const struct table *t)
{
	AUTO_CLEAR(buf) out = { 0 };
	struct term term;

	term_look(&term, STDOUT_FILENO);
	table_text(t, &term, &out);
	fputs(buf_text(&out), stdout);
}

void
table_clear(struct table *t)
{
	size_t i;

	for (i = 0; i < t->len; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct table){ 0 };
}
