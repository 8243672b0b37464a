/* The matcher against a searcher that is too simple to be wrong: on small
 * random machines both must agree on whether there is a way, and a way that
 * is given must be one. Seeds are fixed. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "specs/match.h"
#include "tests/test.h"

static uint64_t random_state = 88172645463325252u;

static size_t
pick(size_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (size_t)(random_state % n);
}

struct sketch {
	size_t patterns, facts;
	/* word < 10: literal w; 10..: variable x */
	size_t p[8][4], f[10][4];
};

static void
draw(struct sketch *s)
{
	size_t i, w;

	s->patterns = 1 + pick(6);
	s->facts = 1 + pick(9);
	for (i = 0; i < s->patterns; i++)
		for (w = 0; w < 4; w++)
			s->p[i][w] =
				pick(3) ? pick(w == 0 ? 1 : 3) : 10 + pick(4);
	for (i = 0; i < s->facts; i++)
		for (w = 0; w < 4; w++)
			s->f[i][w] = pick(w == 0 ? 1 : 3);
}

static bool
search(const struct sketch *s, size_t at, unsigned taken, const int *vars)
{
	size_t i, w;

	if (at == s->patterns)
		return true;
	for (i = 0; i < s->facts; i++) {
		int mine[4] = { vars[0], vars[1], vars[2], vars[3] };

		if (taken >> i & 1)
			continue;
		for (w = 0; w < 4; w++) {
			size_t p = s->p[at][w];
			int v = (int)s->f[i][w];

			if (p < 10 ? (int)p != v
				   : mine[p - 10] >= 0 && mine[p - 10] != v)
				break;
			if (p >= 10)
				mine[p - 10] = v;
		}
		if (w == 4 && search(s, at + 1, taken | 1u << i, mine))
			return true;
	}
	return false;
}

/* With the variables bound as told, is there still a way? */
static bool
is_a_way(const struct sketch *s, const struct bindings *b)
{
	int vars[4] = { -1, -1, -1, -1 };
	size_t i;

	for (i = 0; i < b->len; i++)
		vars[b->at[i].name[0] - 'a'] = b->at[i].value[1] - '0';
	return search(s, 0, 0, vars);
}

static void
write_words(const struct sketch *s, struct buf *patterns, struct facts *f)
{
	size_t i, w;

	buf_str(patterns, "[");
	for (i = 0; i < s->patterns; i++) {
		for (w = 0; w < 4; w++)
			if (s->p[i][w] < 10)
				buf_printf(patterns, "%s'v%zu'", w ? ", " : "(",
					   s->p[i][w]);
			else
				buf_printf(patterns, "%s'$%c'", w ? ", " : "(",
					   (char)('a' + s->p[i][w] - 10));
		buf_str(patterns, "),\n");
	}
	buf_str(patterns, "]");
	for (i = 0; i < s->facts; i++) {
		char t[4][16];

		for (w = 0; w < 4; w++)
			snprintf(t[w], sizeof(t[w]), "v%zu", s->f[i][w]);
		facts_add(f, t[0], t[1], t[2], t[3]);
	}
}

int
main(void)
{
	size_t round, hits = 0, bad = 0;

	for (round = 0; round < 20000; round++) {
		AUTO_CLEAR(buf) text = { 0 };
		AUTO(facts) f = facts_new();
		AUTO(patterns) p = NULL;
		const int none[4] = { -1, -1, -1, -1 };
		struct err e = { 0 };
		struct sketch s;
		struct match m;
		bool want;

		draw(&s);
		write_words(&s, &text, f);
		if (patterns_parse(&p, "t", text.at, text.len, &e) < 0)
			return 1;
		match_run(p, f, 0, &m);
		want = search(&s, 0, 0, none);
		hits += want;
		if ((m.outcome == MATCH_HIT) != want ||
		    (want && !is_a_way(&s, m.bindings))) {
			if (bad++ < 3)
				CHECK_SHOW(round, 0, "%s", text.at);
		}
		match_clear(&m);
	}
	printf("# show: %zu of 20000 random machines fit\n", hits);
	CHECK(0, bad == 0);
	CHECK(1, hits > 1500 && hits < 18000);
	return test_end();
}
