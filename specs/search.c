/* Depth first, the row with the fewest facts left next. What keeps it short:
 *  - rows that share no variable and no fact with the others are searched
 *    apart, so that a part that cannot be is found without the others;
 *  - at each step the rows left must fit on different facts at all (a
 *    bipartite matching, repaired from the step before): 9 disks wanted and 8
 *    there ends here;
 *  - a fact that stands for one that failed is not tried (symmetry.h).
 * Each cut removes only what cannot be part of a match. */
#include "specs/search.h"
#include "specs/symmetry.h"

#define LOOKS_A_STEP 64 /* facts looked at, in one step */

struct searcher {
	const struct problem *pb;
	const struct symmetry *same;
	uint64_t *open;           /* facts that no row has taken */
	uint32_t *bound, *chosen; /* chosen: NOTHING while a row has none */
	uint32_t *mate, *mate_of; /* matching: fact of row, row of fact */
	uint32_t *visited, visit; /* facts seen by one augmenting path */
	uint32_t *left;           /* per variable: rows without a fact */
	uint32_t *held;           /* per value: variables with rows left */
	const uint32_t *part;     /* the rows searched now */
	size_t part_len;
	unsigned long looks, limit;
	bool out;
};

/* The next fact from `f` on that `row` could take now, or NOTHING. */
static uint32_t
next_fit(struct searcher *s, size_t row, uint32_t f)
{
	const uint64_t *bits = problem_row(s->pb, s->pb->live, row);
	size_t stride = s->pb->stride;

	for (f = bit_next(bits, s->open, stride, f); f != NOTHING;
	     f = bit_next(bits, s->open, stride, f + 1)) {
		s->looks++;
		if (problem_fits(s->pb, s->bound, row, f))
			return f;
	}
	return NOTHING;
}

static bool
is_fit(const struct searcher *s, size_t row, uint32_t f)
{
	return bit_has(problem_row(s->pb, s->pb->live, row), f) &&
	       bit_has(s->open, f) && problem_fits(s->pb, s->bound, row, f);
}

static void
unmate(struct searcher *s, uint32_t row)
{
	if (s->mate[row] != NOTHING)
		s->mate_of[s->mate[row]] = NOTHING;
	s->mate[row] = NOTHING;
}

/* Give `row` a fact of its own, moving others if need be. As deep as there
 * are rows, at most. */
static bool
augment(struct searcher *s, uint32_t row)
{
	for (uint32_t f = next_fit(s, row, 0); f != NOTHING;
	     f = next_fit(s, row, f + 1)) {
		uint32_t other = s->mate_of[f];

		if (s->visited[f] == s->visit)
			continue;
		s->visited[f] = s->visit;
		if (other != NOTHING && !augment(s, other))
			continue;
		s->mate_of[f] = row;
		s->mate[row] = f;
		return true;
	}
	return false;
}

/* All rows left can have different facts, each fit on its own. */
static bool
repair_matching(struct searcher *s)
{
	for (size_t i = 0; i < s->part_len; i++) {
		uint32_t row = s->part[i];

		if (s->chosen[row] != NOTHING ||
		    (s->mate[row] != NOTHING && !is_fit(s, row, s->mate[row])))
			unmate(s, row);
	}
	for (size_t i = 0; i < s->part_len; i++) {
		uint32_t row = s->part[i];

		s->visit++;
		if (s->chosen[row] == NOTHING && s->mate[row] == NOTHING &&
		    !augment(s, row))
			return false;
	}
	return true;
}

/* How many facts fit `row`, counted up to `enough`. */
static size_t
count_fits(struct searcher *s, size_t row, size_t enough)
{
	size_t n = 0;

	for (uint32_t f = next_fit(s, row, 0); f != NOTHING && n < enough;
	     f = next_fit(s, row, f + 1))
		n++;
	return n;
}

/* The row left that has the fewest facts, or NOTHING when none is left. */
static uint32_t
pick_row(struct searcher *s)
{
	size_t fewest = SIZE_MAX;
	uint32_t best = NOTHING;

	for (size_t i = 0; i < s->part_len && fewest > 1; i++) {
		uint32_t row = s->part[i];
		size_t n;

		if (s->chosen[row] != NOTHING)
			continue;
		n = count_fits(s, row, fewest);
		if (n < fewest) {
			fewest = n;
			best = row;
		}
	}
	return best;
}

/* One row more or less (by = 1, -1) is without a fact. */
static void
count_left(struct searcher *s, uint32_t row, int by)
{
	const struct pattern *p = &s->pb->patterns->at[row];

	for (int w = 0; w < FACT_WORDS; w++)
		if (p->word[w].variable >= 0)
			s->left[p->word[w].variable] += (uint32_t)by;
}

/* Note which values the variables of `row` hold; called before and after a
 * change with by = -1 and 1. */
static void
count_held(struct searcher *s, uint32_t row, int by)
{
	const struct pattern *p = &s->pb->patterns->at[row];

	for (int w = 0; w < FACT_WORDS; w++) {
		int v = p->word[w].variable;

		if (v >= 0 && s->bound[v] && s->left[v])
			s->held[s->bound[v] - 1] += (uint32_t)by;
	}
}

static unsigned
take(struct searcher *s, uint32_t row, uint32_t f)
{
	unsigned words;

	count_held(s, row, -1);
	words = problem_bind(s->pb, s->bound, row, f);
	count_left(s, row, -1);
	count_held(s, row, 1);
	s->chosen[row] = f;
	bit_drop(s->open, f);
	s->looks += LOOKS_A_STEP;
	return words;
}

static void
give_back(struct searcher *s, uint32_t row, unsigned words)
{
	count_held(s, row, -1);
	count_left(s, row, 1);
	problem_unbind(s->pb, s->bound, row, words);
	count_held(s, row, 1);
	bit_set(s->open, s->chosen[row]);
	s->chosen[row] = NOTHING;
}

static bool
is_out(struct searcher *s)
{
	s->out = s->out || s->looks / LOOKS_A_STEP >= s->limit;
	return s->out;
}

/* A fact before f, which has failed here, stands for f. */
static bool
has_failed(struct searcher *s, uint32_t row, uint32_t f)
{
	for (uint32_t g = next_fit(s, row, 0); g < f;
	     g = next_fit(s, row, g + 1)) {
		s->looks++;
		if (symmetry_same(s->same, row, g, f, s->open, s->bound,
				  s->held, &s->looks))
			return true;
	}
	return false;
}

static bool
search_rows(struct searcher *s)
{
	uint32_t row;

	if (is_out(s) || !repair_matching(s))
		return false;
	row = pick_row(s);
	if (row == NOTHING)
		return true;
	for (uint32_t f = next_fit(s, row, 0); f != NOTHING;
	     f = next_fit(s, row, f + 1)) {
		unsigned words;

		if (is_out(s))
			return false;
		if (has_failed(s, row, f))
			continue;
		words = take(s, row, f);
		if (search_rows(s))
			return true;
		give_back(s, row, words);
	}
	return false;
}

/* --- parts: rows that share a variable or a fact ---------------------- */

static uint32_t
part_of(uint32_t *up, uint32_t row)
{
	while (up[row] != row) {
		up[row] = up[up[row]];
		row = up[row];
	}
	return row;
}

static void
join(uint32_t *up, uint32_t a, uint32_t b)
{
	uint32_t x = part_of(up, a), y = part_of(up, b);

	up[x > y ? x : y] = x > y ? y : x;
}

static void
join_rows(const struct problem *pb, uint32_t *up)
{
	AUTO_FREE uint32_t *user = base_array(pb->cols + 1, sizeof(uint32_t));

	memset(user, 0xff, pb->cols * sizeof(*user));
	for (uint32_t row = 0; row < pb->rows; row++)
		up[row] = row;
	for (size_t v = 0; v < pb->patterns->names_len; v++)
		for (size_t i = pb->first[v] + 1; i < pb->first[v + 1]; i++)
			join(up, pb->of[i - 1], pb->of[i]);
	for (uint32_t row = 0; row < pb->rows; row++) {
		const uint64_t *bits = problem_row(pb, pb->live, row);

		for (uint32_t f = bit_next(bits, bits, pb->stride, 0);
		     f != NOTHING;
		     f = bit_next(bits, bits, pb->stride, f + 1)) {
			if (user[f] != NOTHING)
				join(up, user[f], row);
			user[f] = row;
		}
	}
}

/* Rows ordered by part: part `root` holds rows[at] on, until the root of the
 * row changes. */
static size_t
collect_part(uint32_t *up, size_t rows, uint32_t root, uint32_t *out)
{
	size_t n = 0;

	for (uint32_t row = root; row < rows; row++)
		if (part_of(up, row) == root)
			out[n++] = row;
	return n;
}

/* Every part gets an equal share of the steps left: one part that is too
 * hard does not hide another that cannot be. */
static enum search_end
search_parts(struct searcher *s, uint32_t *up, unsigned long budget)
{
	AUTO_FREE uint32_t *part =
		base_array(s->pb->rows + 1, sizeof(uint32_t));
	enum search_end end = SEARCH_HIT;
	size_t parts = 0;

	for (uint32_t row = 0; row < s->pb->rows; row++)
		parts += part_of(up, row) == row;
	s->part = part;
	for (uint32_t row = 0; row < s->pb->rows; row++) {
		unsigned long used = s->looks / LOOKS_A_STEP;

		if (part_of(up, row) != row)
			continue;
		s->part_len = collect_part(up, s->pb->rows, row, part);
		s->out = false;
		s->limit =
			used + (budget > used ? budget - used : 0) / parts + 1;
		parts--;
		if (search_rows(s))
			continue;
		if (!s->out)
			return SEARCH_NONE;
		end = SEARCH_OUT_OF_STEPS;
	}
	return end;
}

static void
fill(struct searcher *s)
{
	const struct problem *pb = s->pb;

	for (size_t f = 0; f < pb->cols; f++) {
		bit_set(s->open, f);
		s->mate_of[f] = NOTHING;
	}
	for (uint32_t row = 0; row < pb->rows; row++) {
		s->chosen[row] = NOTHING;
		s->mate[row] = NOTHING;
		count_left(s, row, 1);
	}
}

/* The memory of one search, in one piece per kind. */
struct room {
	uint64_t *open;
	uint32_t *bound, *mate, *mate_of, *held, *part;
};

static void
room_make(struct room *r, const struct problem *pb, struct searcher *s)
{
	size_t vars = pb->patterns->names_len + 1;

	r->open = base_array(pb->stride, sizeof(uint64_t));
	r->bound = base_array(vars * 2, sizeof(uint32_t));
	r->mate = base_array(pb->rows + 1, sizeof(uint32_t));
	r->mate_of = base_array(pb->cols * 2 + 1, sizeof(uint32_t));
	r->held = base_array(facts_ids(pb->facts) + 1, sizeof(uint32_t));
	r->part = base_array(pb->rows + 1, sizeof(uint32_t));
	for (uint32_t row = 0; row < pb->rows; row++)
		r->part[row] = row;
	*s = (struct searcher){ .pb = pb,
				.open = r->open,
				.bound = r->bound,
				.left = r->bound + vars,
				.mate = r->mate,
				.mate_of = r->mate_of,
				.visited = r->mate_of + pb->cols,
				.held = r->held,
				.part = r->part,
				.part_len = pb->rows };
}

static void
room_clear(struct room *r)
{
	free(r->open);
	free(r->bound);
	free(r->mate);
	free(r->mate_of);
	free(r->held);
	free(r->part);
}

bool
search_has_room(const struct problem *pb)
{
	AUTO_FREE uint32_t *chosen = base_array(pb->rows + 1, sizeof(*chosen));
	AUTO_CLEAR(room) room = { 0 };
	struct searcher s;

	room_make(&room, pb, &s);
	s.chosen = chosen;
	fill(&s);
	return repair_matching(&s);
}

void
search_run(const struct problem *pb, unsigned long budget,
	   struct search_result *out)
{
	AUTO(symmetry) same = symmetry_new(pb);
	AUTO_FREE uint32_t *up = base_array(pb->rows + 1, sizeof(*up));
	AUTO_CLEAR(room) room = { 0 };
	struct searcher s;

	room_make(&room, pb, &s);
	s.same = same;
	s.chosen = out->chosen;
	fill(&s);
	join_rows(pb, up);
	out->end = search_parts(&s, up, budget);
	out->steps = s.looks / LOOKS_A_STEP;
}
