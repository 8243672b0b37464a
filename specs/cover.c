/* Does one profile take all that another one takes? Each pattern of the general
 * one must be met by a pattern of the special one, whatever fact that takes,
 * and no two by the same. */
#include "specs/cover.h"
#include "specs/pattern.h"

#define STEPS_MAX 200000

/* What a variable of the general one stands for: a word of the special one. */
struct stands {
	const struct pattern_word *word; /* NULL: nothing yet */
};

struct cover {
	const struct patterns *general, *special;
	struct stands *stands;
	bool *taken;
	unsigned long steps;
};

/* Two words of the special one that hold the same text in every machine. */
static bool
is_same(const struct pattern_word *a, const struct pattern_word *b)
{
	if (a == b)
		return true;
	if (pattern_word_is_literal(a) && pattern_word_is_literal(b))
		return str_eq(a->text, b->text);
	return a->variable >= 0 && a->variable == b->variable;
}

/* The tests of a word hold wherever its variable stands; so does a test at
 * another place of the same variable, which is not looked for. */
static bool
meets_test(const struct pattern_word *g, const struct pattern_word *s)
{
	if (!g->test)
		return true;
	if (pattern_word_is_literal(s))
		return predicate_eval(g->test, s->text) == TRUTH_YES;
	return s->test && predicate_implies(s->test, g->test);
}

static bool
meets_word(struct cover *c, const struct pattern_word *g,
	   const struct pattern_word *s)
{
	struct stands *v;

	if (pattern_word_is_literal(g))
		return pattern_word_is_literal(s) && str_eq(g->text, s->text);
	if (!meets_test(g, s))
		return false;
	if (g->variable < 0)
		return true;
	v = &c->stands[g->variable];
	if (v->word)
		return is_same(v->word, s);
	v->word = s;
	return true;
}

static bool cover_from(struct cover *c, size_t at);

static bool
try_pair(struct cover *c, size_t at, size_t i)
{
	AUTO_FREE struct stands *before =
		base_array(c->general->names_len + 1, sizeof(*before));
	bool good = true;

	memcpy(before, c->stands, c->general->names_len * sizeof(*before));
	for (int w = 0; good && w < FACT_WORDS; w++)
		good = meets_word(c, &c->general->at[at].word[w],
				  &c->special->at[i].word[w]);
	c->taken[i] = true;
	good = good && cover_from(c, at + 1);
	c->taken[i] = false;
	if (!good)
		memcpy(c->stands, before,
		       c->general->names_len * sizeof(*before));
	return good;
}

static bool
cover_from(struct cover *c, size_t at)
{
	if (at == c->general->len)
		return true;
	for (size_t i = 0; i < c->special->len; i++) {
		if (c->taken[i])
			continue;
		if (++c->steps > STEPS_MAX)
			return false;
		if (try_pair(c, at, i))
			return true;
	}
	return false;
}

bool
patterns_cover(const struct patterns *general, const struct patterns *special)
{
	AUTO_FREE struct stands *stands =
		base_array(general->names_len + 1, sizeof(*stands));
	AUTO_FREE bool *taken = base_array(special->len + 1, sizeof(*taken));
	struct cover c = { general, special, stands, taken, 0 };

	return general->len <= special->len && cover_from(&c, 0);
}
