/* From texts to numbers: which fact fits which pattern, what values are
 * possible at all, and which of them are interchangeable. */
#include <stdio.h>

#include "specs/match_table.h"
#include "lib/buf.h"

/* ---- words as numbers ---- */

struct dictionary {
	const char **texts; /* slots; NULL: free */
	int *numbers;
	size_t slots, len;
};

static size_t
hash_text(const char *text)
{
	size_t h = 14695981039346656037u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	return h;
}

/* Room was made for every word that can come. */
static int
number_of(struct dictionary *d, const char *text)
{
	size_t i = hash_text(text) & (d->slots - 1);

	while (d->texts[i] && strcmp(d->texts[i], text) != 0)
		i = (i + 1) & (d->slots - 1);
	if (!d->texts[i]) {
		d->texts[i] = text;
		d->numbers[i] = (int)d->len++;
	}
	return d->numbers[i];
}

static void
dictionary_init(struct dictionary *d, size_t words)
{
	*d = (struct dictionary){ .slots = 16 };
	while (d->slots < 2 * words + 1)
		d->slots *= 2;
	d->texts = base_array(d->slots, sizeof(*d->texts));
	d->numbers = base_array(d->slots, sizeof(*d->numbers));
}

/* ---- which fact fits which pattern ---- */

static bool
fits_alone(const struct pattern *p, const struct fact *f)
{
	size_t w;

	for (w = 0; w < FACT_WORDS; w++) {
		const struct word *word = &p->word[w];

		if (word->never)
			return false;
		if (word->holds) {
			if (!predicate_holds(word->holds, f->word[w]))
				return false;
		} else if (word->variable < 0 &&
			   !str_eq(word->text, f->word[w]))
			return false;
	}
	return true;
}

static bool
equals_text(const struct pattern *p, const struct fact *f)
{
	size_t w;

	for (w = 0; w < FACT_WORDS; w++)
		if (!str_eq(p->word[w].text, f->word[w]))
			return false;
	return true;
}

/* Fill the rows with indexes into the machine's facts; `wanted` tells which
 * facts fit at least one pattern. */
static void
find_candidates(struct match_table *t, const struct patterns *p,
		const struct facts *f, bool *wanted)
{
	size_t i, j, w;

	for (i = 0; i < p->len; i++) {
		struct row *row = &t->rows[i];

		for (w = 0; w < FACT_WORDS; w++)
			row->variable[w] = p->at[i].word[w].variable;
		for (j = 0; j < facts_len(f); j++) {
			bool text = equals_text(&p->at[i], facts_at(f, j));

			if (!text && !fits_alone(&p->at[i], facts_at(f, j)))
				continue;
			if ((row->len & (row->len - 1)) == 0)
				row->candidates =
					base_resize(row->candidates,
						    row->len ? 2 * row->len : 1,
						    sizeof(*row->candidates));
			row->candidates[row->len++] =
				(struct candidate){ j, text, false };
			wanted[j] = true;
		}
	}
}

/* Keep the wanted facts only, words as numbers. */
static void
keep_facts(struct match_table *t, const struct facts *f, const bool *wanted,
	   struct dictionary *d)
{
	AUTO_FREE size_t *place = base_array(facts_len(f), sizeof(*place));
	size_t i, j, w;

	t->facts = base_array(facts_len(f), sizeof(*t->facts));
	for (i = 0; i < facts_len(f); i++) {
		struct table_fact *to = &t->facts[t->facts_len];

		if (!wanted[i])
			continue;
		place[i] = t->facts_len++;
		to->index = i;
		for (w = 0; w < FACT_WORDS; w++)
			to->value[w] = number_of(d, facts_at(f, i)->word[w]);
	}
	for (i = 0; i < t->rows_len; i++)
		for (j = 0; j < t->rows[i].len; j++)
			t->rows[i].candidates[j].fact =
				place[t->rows[i].candidates[j].fact];
}

/* ---- values that cannot be ---- */

/* One pass: for each variable, a value stays possible when every pattern that
 * names the variable has a candidate with it; then candidates with impossible
 * values go. A candidate that matches as text binds nothing and frees its
 * pattern from having a say. True when something changed. */
static bool
strike_out(struct match_table *t, unsigned char *possible)
{
	AUTO_FREE unsigned char *here =
		base_array(t->values_len, sizeof(*here));
	bool changed = false;
	size_t i, j, k, w;

	for (i = 0; i < t->rows_len; i++) {
		struct row *row = &t->rows[i];

		for (w = 0; w < FACT_WORDS; w++) {
			unsigned char *of_var;
			bool text = false;

			if (row->variable[w] < 0)
				continue;
			of_var = possible +
				 (size_t)row->variable[w] * t->values_len;
			memset(here, 0, t->values_len);
			for (j = 0; j < row->len; j++) {
				struct candidate *c = &row->candidates[j];

				if (c->hopeless)
					continue;
				text |= c->as_text;
				here[t->facts[c->fact].value[w]] = 1;
			}
			for (k = 0; k < t->values_len && !text; k++)
				if (of_var[k] && !here[k]) {
					of_var[k] = 0;
					changed = true;
				}
		}
	}
	return changed;
}

static bool
is_possible(const struct match_table *t, const unsigned char *possible,
	    const struct row *row, const struct candidate *c)
{
	size_t w;

	for (w = 0; w < FACT_WORDS && !c->as_text; w++) {
		size_t value = (size_t)t->facts[c->fact].value[w];
		size_t var = (size_t)row->variable[w];

		if (row->variable[w] >= 0 &&
		    !possible[var * t->values_len + value])
			return false;
	}
	return true;
}

static bool
mark_hopeless(struct match_table *t, const unsigned char *possible)
{
	bool changed = false;
	size_t i, j;

	for (i = 0; i < t->rows_len; i++)
		for (j = 0; j < t->rows[i].len; j++) {
			struct candidate *c = &t->rows[i].candidates[j];

			if (c->hopeless ||
			    is_possible(t, possible, &t->rows[i], c))
				continue;
			c->hopeless = changed = true;
		}
	return changed;
}

static bool
has_hope(const struct row *row)
{
	size_t j;

	for (j = 0; j < row->len; j++)
		if (!row->candidates[j].hopeless)
			return true;
	return false;
}

static void
narrow(struct match_table *t)
{
	AUTO_FREE unsigned char *possible =
		base_array(t->variables_len + 1, t->values_len + 1);
	size_t i;

	memset(possible, 1, (t->variables_len + 1) * (t->values_len + 1));
	while (strike_out(t, possible) && mark_hopeless(t, possible))
		;
	for (i = 0; i < t->rows_len; i++)
		if (t->impossible == t->rows_len && !has_hope(&t->rows[i]))
			t->impossible = i;
}

/* ---- interchangeable values ---- */

/* What patterns can see of a value: its facts with the value itself left
 * blank, each with the patterns that could take it. Equal texts: twins. */
struct view {
	int value;
	struct buf *lines; /* of its facts, unsorted */
	size_t len;
	char *text;
};

static int
by_text(const void *a, const void *b)
{
	return strcmp(((const struct view *)a)->text,
		      ((const struct view *)b)->text);
}

static int
by_line(const void *a, const void *b)
{
	return strcmp(((const struct buf *)a)->at, ((const struct buf *)b)->at);
}

/* Fact `f` without value `v`, and who could take it. */
static void
add_line(struct view *view, const struct table_fact *f, const char *takers)
{
	struct buf *line;
	size_t w;

	view->lines =
		base_resize(view->lines, view->len + 1, sizeof(*view->lines));
	line = &view->lines[view->len++];
	*line = (struct buf){ 0 };
	for (w = 0; w < FACT_WORDS; w++)
		buf_printf(line, "%d ",
			   f->value[w] == view->value ? -1 : f->value[w]);
	buf_str(line, takers);
	buf_char(line, '\n');
}

static void
finish_view(struct view *view)
{
	struct buf text = { 0 };
	size_t i;

	if (view->len > 0)
		qsort(view->lines, view->len, sizeof(*view->lines), by_line);
	for (i = 0; i < view->len; i++) {
		buf_str(&text, view->lines[i].at);
		buf_clear(&view->lines[i]);
	}
	free(view->lines);
	view->text = buf_take(&text);
}

static void
note_takers(const struct match_table *t, struct buf *takers)
{
	size_t i, j;

	for (i = 0; i < t->rows_len; i++)
		for (j = 0; j < t->rows[i].len; j++) {
			const struct candidate *c = &t->rows[i].candidates[j];

			buf_printf(&takers[c->fact], "%c%zu",
				   c->as_text ? '=' : 'p', i);
		}
}

static void
fill_views(const struct match_table *t, struct view *views)
{
	AUTO_FREE struct buf *takers =
		base_array(t->facts_len, sizeof(*takers));
	size_t i, w, v;

	note_takers(t, takers);
	for (i = 0; i < t->facts_len; i++) {
		const struct table_fact *f = &t->facts[i];

		for (w = 0; w < FACT_WORDS; w++) {
			for (v = 0; v < w; v++)
				if (f->value[v] == f->value[w])
					break;
			if (v == w)
				add_line(&views[f->value[w]], f,
					 buf_text(&takers[i]));
		}
		buf_clear(&takers[i]);
	}
}

/* Two values in one fact are no twins: each stands in the other's view by
 * number, and the views differ. */
static void
find_twins(struct match_table *t)
{
	AUTO_FREE struct view *views =
		base_array(t->values_len, sizeof(*views));
	size_t i;
	int class = 0;

	t->twins = base_array(t->values_len, sizeof(*t->twins));
	for (i = 0; i < t->values_len; i++)
		views[i].value = (int)i;
	fill_views(t, views);
	for (i = 0; i < t->values_len; i++)
		finish_view(&views[i]);
	qsort(views, t->values_len, sizeof(*views), by_text);
	for (i = 0; i < t->values_len; i++) {
		if (i > 0 && strcmp(views[i].text, views[i - 1].text) != 0)
			class ++;
		t->twins[views[i].value] = class;
	}
	for (i = 0; i < t->values_len; i++)
		free(views[i].text);
}

/* ---- a fact for each pattern ---- */

struct pairing {
	const struct match_table *t;
	size_t *owner; /* of a fact: pattern, or rows_len */
	bool *seen;    /* of a fact, in this round */
};

/* Find pattern `row` a fact, moving others to their other facts. */
static bool
find_fact(struct pairing *p, size_t row, size_t depth)
{
	size_t j;

	if (depth > p->t->rows_len)
		return false;
	for (j = 0; j < p->t->rows[row].len; j++) {
		size_t f = p->t->rows[row].candidates[j].fact;

		if (p->seen[f] || p->t->rows[row].candidates[j].hopeless)
			continue;
		p->seen[f] = true;
		if (p->owner[f] == p->t->rows_len ||
		    find_fact(p, p->owner[f], depth + 1)) {
			p->owner[f] = row;
			return true;
		}
	}
	return false;
}

/* Nine patterns and eight disks: say so before any search. */
static void
find_shortage(struct match_table *t)
{
	AUTO_FREE size_t *owner = base_array(t->facts_len, sizeof(*owner));
	AUTO_FREE bool *seen = base_array(t->facts_len, sizeof(*seen));
	struct pairing p = { t, owner, seen };
	size_t i;

	for (i = 0; i < t->facts_len; i++)
		owner[i] = t->rows_len;
	for (i = 0; i < t->rows_len; i++) {
		memset(seen, 0, t->facts_len * sizeof(*seen));
		if (!find_fact(&p, i, 0)) {
			t->impossible = i;
			return;
		}
	}
}

struct match_table *
match_table_new(const struct patterns *p, const struct facts *f)
{
	AUTO_FREE bool *wanted = base_array(facts_len(f), sizeof(*wanted));
	struct match_table *t = base_alloc(sizeof(*t));
	struct dictionary d;

	t->rows_len = t->impossible = p->len;
	t->rows = base_array(p->len, sizeof(*t->rows));
	t->variables_len = p->variables_len;
	find_candidates(t, p, f, wanted);
	dictionary_init(&d, FACT_WORDS * facts_len(f));
	keep_facts(t, f, wanted, &d);
	t->values_len = d.len;
	free(d.texts);
	free(d.numbers);
	narrow(t);
	if (t->impossible == t->rows_len)
		find_shortage(t);
	if (t->impossible == t->rows_len)
		find_twins(t);
	return t;
}

void
match_table_free(struct match_table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->rows_len; i++)
		free(t->rows[i].candidates);
	free(t->rows);
	free(t->facts);
	free(t->twins);
	free(t);
}
