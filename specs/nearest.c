/* What a pattern wanted and what the machine has instead. The words are looked
 * at in the order in which a person narrows down: has it such a class at all,
 * has it that property, on that name, with that value? The first question with
 * no fact left is the one to tell about. */
#include <stdio.h>

#include "specs/facts_id.h"
#include "specs/nearest.h"
#include "specs/number.h"
#include "specs/pattern.h"

#define LISTED 6 /* words shown before "and N more" */

/* The facts left after some of the questions, in order. */
struct left {
	const struct nearest *n;
	uint32_t *at;
	size_t len;
};

static const struct {
	const char *cls, *one, *many;
} nouns[] = {
	{ "cpu", "cpu", "cpus" },
	{ "disk", "disk", "disks" },
	{ "ldisk", "logical disk", "logical disks" },
	{ "pdisk", "physical disk", "physical disks" },
	{ "network", "interface", "interfaces" },
	{ "infiniband", "infiniband card", "infiniband cards" },
	{ "memory", "memory", "memories" },
	{ "pci", "pci device", "pci devices" },
};

static const char *
noun(const char *cls, bool many)
{
	for (size_t i = 0; i < ARRAY_LEN(nouns); i++)
		if (str_eq(nouns[i].cls, cls))
			return many ? nouns[i].many : nouns[i].one;
	return cls;
}

static const struct pattern *
pattern_of(const struct nearest *n)
{
	return &n->patterns->at[n->row];
}

/* The value that a row above gave to variable `v`, and that row's line; NULL:
 * free. */
static const char *
bound_to(const struct nearest *n, int v, unsigned *line)
{
	for (size_t row = 0; n->taken && v >= 0 && row < n->row; row++)
		for (int w = 0; w < FACT_WORDS; w++) {
			const struct pattern *p = &n->patterns->at[row];

			if (p->word[w].variable != v)
				continue;
			*line = p->line;
			return facts_at(n->facts, n->taken[row])->word[w];
		}
	return NULL;
}

static bool
passes(const struct nearest *n, int w, const char *word)
{
	const struct pattern_word *pw = &pattern_of(n)->word[w];
	unsigned line;
	const char *bound = bound_to(n, pw->variable, &line);

	if (pattern_word_is_literal(pw))
		return strcmp(pw->text, word) == 0;
	if (pw->test && predicate_eval(pw->test, word) != TRUTH_YES)
		return false;
	return !bound || strcmp(bound, word) == 0;
}

/* Keep those that pass word `w`; when none would, keep all: false. */
static bool
keep(struct left *l, int w)
{
	size_t n = 0;

	for (size_t i = 0; i < l->len; i++)
		n += passes(l->n, w, facts_at(l->n->facts, l->at[i])->word[w]);
	if (n == 0)
		return false;
	n = 0;
	for (size_t i = 0; i < l->len; i++)
		if (passes(l->n, w, facts_at(l->n->facts, l->at[i])->word[w]))
			l->at[n++] = l->at[i];
	l->len = n;
	return true;
}

static const char *
word_at(const struct left *l, size_t i, int w)
{
	return facts_at(l->n->facts, l->at[i])->word[w];
}

/* Word `w` of fact `i` did not stand in an earlier one. */
static bool
is_new(const struct left *l, size_t i, int w)
{
	for (size_t k = 0; k < i; k++)
		if (facts_id(l->n->facts, l->at[k], w) ==
		    facts_id(l->n->facts, l->at[i], w))
			return false;
	return true;
}

static size_t
count_words(const struct left *l, int w)
{
	size_t n = 0;

	for (size_t i = 0; i < l->len; i++)
		n += is_new(l, i, w);
	return n;
}

static void
list_words(const struct left *l, int w, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < l->len; i++) {
		if (!is_new(l, i, w))
			continue;
		if (n < LISTED)
			buf_printf(out, "%s%.80s", n ? ", " : "",
				   word_at(l, i, w));
		n++;
	}
	if (n > LISTED)
		buf_printf(out, " and %zu more", n - LISTED);
}

/* ", but $disk is vda (line 3)" when the word is such a variable. */
static void
tell_bound(const struct nearest *n, int w, struct buf *out)
{
	unsigned line = 0;
	int v = pattern_of(n)->word[w].variable;
	const char *bound = bound_to(n, v, &line);

	if (bound)
		buf_printf(out, ", but $%s is %.80s (line %u)",
			   n->patterns->names[v], bound, line);
}

static char *
tell_class(struct left *l)
{
	AUTO_CLEAR(buf) out = { 0 };
	const struct pattern_word *w = &pattern_of(l->n)->word[FACT_CLASS];

	if (l->len == 0)
		return base_strdup("the machine sent no facts");
	buf_printf(&out, "no fact of class %.80s; there are ", w->text);
	list_words(l, FACT_CLASS, &out);
	tell_bound(l->n, FACT_CLASS, &out);
	return buf_take(&out);
}

static char *
tell_property(struct left *l)
{
	AUTO_CLEAR(buf) out = { 0 };
	const struct pattern *p = pattern_of(l->n);
	const char *cls = word_at(l, 0, FACT_CLASS);
	bool named = pattern_word_is_literal(&p->word[FACT_NAME]);

	if (keep(l, FACT_NAME) && named)
		buf_printf(&out, "%s %.80s has no %.80s; it has ",
			   noun(cls, false), p->word[FACT_NAME].text,
			   p->word[FACT_PROPERTY].text);
	else
		buf_printf(&out, "no %s has %.80s; there are ",
			   noun(cls, false), p->word[FACT_PROPERTY].text);
	list_words(l, FACT_PROPERTY, &out);
	tell_bound(l->n, FACT_PROPERTY, &out);
	return buf_take(&out);
}

static char *
tell_name(struct left *l)
{
	AUTO_CLEAR(buf) out = { 0 };
	const struct pattern *p = pattern_of(l->n);
	const char *cls = word_at(l, 0, FACT_CLASS);
	bool same = keep(l, FACT_VALUE);

	if (pattern_word_is_literal(&p->word[FACT_NAME]))
		buf_printf(&out, "no %s %.80s with ", noun(cls, false),
			   p->word[FACT_NAME].text);
	buf_printf(&out, "%s %s ", word_at(l, 0, FACT_PROPERTY),
		   same ? "fits on" : "is known of");
	list_words(l, FACT_NAME, &out);
	if (p->word[FACT_NAME].test)
		buf_printf(&out, ", none of them %.80s",
			   p->word[FACT_NAME].text);
	tell_bound(l->n, FACT_NAME, &out);
	return buf_take(&out);
}

/* The fact whose number is largest (wants 1) or smallest (-1); l->len when a
 * value is no number. */
static size_t
find_extreme(const struct left *l, int wants)
{
	long double best = 0, v;
	size_t at = l->len;

	for (size_t i = 0; wants && i < l->len; i++) {
		if (!number_read(word_at(l, i, FACT_VALUE), &v))
			return l->len;
		if (at < l->len && (wants > 0 ? v <= best : v >= best))
			continue;
		best = v;
		at = i;
	}
	return at;
}

static bool
is_unreadable(const struct left *l)
{
	const struct predicate *test = pattern_of(l->n)->word[FACT_VALUE].test;

	for (size_t i = 0; test && i < l->len; i++)
		if (predicate_eval(test, word_at(l, i, FACT_VALUE)) !=
		    TRUTH_UNREADABLE)
			return false;
	return test != NULL;
}

static const char *
article(const char *noun)
{
	return strchr("aeiou", *noun) && *noun ? "an" : "a";
}

static void
tell_values(const struct left *l, struct buf *out)
{
	const struct predicate *test = pattern_of(l->n)->word[FACT_VALUE].test;
	int wants = test ? predicate_wants(test) : 0;
	size_t best = find_extreme(l, wants);

	if (best < l->len) {
		buf_printf(out, "the %s is %.80s (%.80s)",
			   wants > 0 ? "largest" : "smallest",
			   word_at(l, best, FACT_VALUE),
			   word_at(l, best, FACT_NAME));
		return;
	}
	buf_str(out, "the values are ");
	list_words(l, FACT_VALUE, out);
}

static char *
tell_value(struct left *l)
{
	AUTO_CLEAR(buf) out = { 0 };
	const char *cls = word_at(l, 0, FACT_CLASS);
	const char *property = word_at(l, 0, FACT_PROPERTY);
	size_t names = count_words(l, FACT_NAME);

	if (names == 1 && l->len == 1) {
		buf_printf(&out, "%.80s of %s %.80s is %.200s", property,
			   noun(cls, false), word_at(l, 0, FACT_NAME),
			   word_at(l, 0, FACT_VALUE));
	} else {
		buf_printf(&out, "%zu %s %s %s %.80s, ", names,
			   noun(cls, names > 1), names > 1 ? "have" : "has",
			   article(property), property);
		tell_values(l, &out);
	}
	if (is_unreadable(l))
		buf_printf(&out, ", which %.80s cannot read",
			   pattern_of(l->n)->word[FACT_VALUE].text);
	tell_bound(l->n, FACT_VALUE, &out);
	return buf_take(&out);
}

/* Each word is there, on facts that other rows took or whose words differ
 * where the row has one variable twice. */
static char *
tell_taken(const struct left *l)
{
	const struct fact *f = facts_at(l->n->facts, l->at[0]);

	for (size_t row = 0; l->n->taken && row < l->n->row; row++)
		if (l->n->taken[row] == l->at[0])
			return base_printf(
				"it fits only facts that patterns above it "
				"need, such as ('%.80s', '%.80s', '%.80s', "
				"'%.80s') of line %u; a fact counts once",
				f->word[FACT_CLASS], f->word[FACT_NAME],
				f->word[FACT_PROPERTY], f->word[FACT_VALUE],
				l->n->patterns->at[row].line);
	return base_printf("a variable that stands twice in it is worth two "
			   "values in ('%.80s', '%.80s', '%.80s', '%.80s')",
			   f->word[FACT_CLASS], f->word[FACT_NAME],
			   f->word[FACT_PROPERTY], f->word[FACT_VALUE]);
}

char *
nearest_tell(const struct nearest *n)
{
	size_t len = facts_len(n->facts);
	AUTO_FREE uint32_t *at = base_array(len + 1, sizeof(*at));
	struct left l = { .n = n, .at = at, .len = len };

	for (uint32_t i = 0; i < len; i++)
		at[i] = i;
	if (!keep(&l, FACT_CLASS))
		return tell_class(&l);
	if (!keep(&l, FACT_PROPERTY))
		return tell_property(&l);
	if (!keep(&l, FACT_NAME))
		return tell_name(&l);
	if (!keep(&l, FACT_VALUE))
		return tell_value(&l);
	return tell_taken(&l);
}
