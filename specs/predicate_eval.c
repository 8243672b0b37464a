/* Predicates: what they say of a word, and what one says of another. */
#include <math.h>
#include <string.h>

#include "specs/number.h"
#include "specs/predicate_tree.h"

static enum truth
from_bool(bool b)
{
	return b ? TRUTH_YES : TRUTH_NO;
}

static enum truth
eval_number(const struct predicate *p, const char *word)
{
	long double v;

	if (!number_read(word, &v))
		return TRUTH_UNREADABLE;
	switch (p->test) {
	case TEST_GT:
		return from_bool(v > p->number[0]);
	case TEST_GE:
		return from_bool(v >= p->number[0]);
	case TEST_LT:
		return from_bool(v < p->number[0]);
	case TEST_LE:
		return from_bool(v <= p->number[0]);
	default:
		return from_bool(p->number[0] <= v && v <= p->number[1]);
	}
}

static enum truth
eval_in(const struct predicate *p, const char *word)
{
	for (size_t i = 0; i < p->len; i++)
		if (strcmp(p->text[i], word) == 0)
			return TRUTH_YES;
	return TRUTH_NO;
}

/* and() is settled by a false part, or() by a true one; else an unreadable
 * part leaves it unreadable. */
static enum truth
eval_parts(const struct predicate *p, const char *word)
{
	enum truth settles = p->test == TEST_AND ? TRUTH_NO : TRUTH_YES;
	enum truth sum = p->test == TEST_AND ? TRUTH_YES : TRUTH_NO;

	for (size_t i = 0; i < p->len; i++) {
		enum truth one = predicate_eval(p->part[i], word);

		if (one == settles)
			return one;
		if (one == TRUTH_UNREADABLE)
			sum = one;
	}
	return sum;
}

/* A library's answer: 1, 0, or -1 for what it could not read. */
static enum truth
from_answer(int answer)
{
	return answer < 0 ? TRUTH_UNREADABLE : from_bool(answer > 0);
}

enum truth
predicate_eval(const struct predicate *p, const char *word)
{
	enum truth inner;

	switch (p->test) {
	case TEST_IN:
		return eval_in(p, word);
	case TEST_REGEXP:
		return from_answer(regexp_search(p->regexp, word));
	case TEST_NETWORK:
		return from_answer(network_has(&p->network, word));
	case TEST_NOT:
		inner = predicate_eval(p->part[0], word);
		return inner == TRUTH_UNREADABLE ? inner
						 : from_bool(inner == TRUTH_NO);
	case TEST_AND:
	case TEST_OR:
		return eval_parts(p, word);
	default:
		return eval_number(p, word);
	}
}

int
predicate_wants(const struct predicate *p)
{
	if (p->test == TEST_GT || p->test == TEST_GE)
		return 1;
	return p->test == TEST_LT || p->test == TEST_LE ? -1 : 0;
}

/* ---- what one test says of another ---- */

struct interval {
	long double low, high;
	bool low_open, high_open;
};

static bool
is_number(const struct predicate *p)
{
	return p->test <= TEST_RANGE;
}

static struct interval
interval_of(const struct predicate *p)
{
	long double n = p->number[0];

	switch (p->test) {
	case TEST_GT:
		return (struct interval){ n, INFINITY, true, false };
	case TEST_GE:
		return (struct interval){ n, INFINITY, false, false };
	case TEST_LT:
		return (struct interval){ -INFINITY, n, false, true };
	case TEST_LE:
		return (struct interval){ -INFINITY, n, false, false };
	default:
		return (struct interval){ n, p->number[1], false, false };
	}
}

static bool
lies_in(const struct predicate *a, const struct predicate *b)
{
	struct interval x = interval_of(a), y = interval_of(b);

	return (y.low < x.low ||
		(y.low == x.low && (x.low_open || !y.low_open))) &&
	       (y.high > x.high ||
		(y.high == x.high && (x.high_open || !y.high_open)));
}

static bool
all_fit(const struct predicate *a, const struct predicate *b)
{
	for (size_t i = 0; i < a->len; i++)
		if (predicate_eval(b, a->text[i]) != TRUTH_YES)
			return false;
	return true;
}

/* Two tests without parts that are tests. */
static bool
leaf_implies(const struct predicate *a, const struct predicate *b)
{
	if (a->test == TEST_IN)
		return all_fit(a, b);
	if (is_number(a) && is_number(b))
		return lies_in(a, b);
	if (a->test != b->test)
		return false;
	if (a->test == TEST_REGEXP)
		return strcmp(a->source, b->source) == 0;
	if (a->test == TEST_NETWORK)
		return network_within(&a->network, &b->network);
	/* not(): of numbers only, which both of them can read, or cannot */
	return a->test == TEST_NOT && is_number(a->part[0]) &&
	       is_number(b->part[0]) && lies_in(b->part[0], a->part[0]);
}

static bool
part_implies(const struct predicate *a, const struct predicate *b, bool of_a,
	     bool all)
{
	size_t len = of_a ? a->len : b->len;

	for (size_t i = 0; i < len; i++)
		if (predicate_implies(of_a ? a->part[i] : a,
				      of_a ? b : b->part[i]) != all)
			return !all;
	return all;
}

bool
predicate_implies(const struct predicate *a, const struct predicate *b)
{
	if (a->test == TEST_OR)
		return part_implies(a, b, true, true);
	if (b->test == TEST_AND)
		return part_implies(a, b, false, true);
	if (a->test == TEST_AND && part_implies(a, b, true, false))
		return true;
	if (b->test == TEST_OR)
		return part_implies(a, b, false, false);
	return a->test != TEST_AND && leaf_implies(a, b);
}
