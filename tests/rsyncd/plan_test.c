/* Plans over tables made by hand. Contents are letters: frames and ops name
 * them, `at hand` lists those that the base has. */
#include <ctype.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "rsyncd/plan.h"
#include "tests/test.h"

/* A pack: "ab:10 c:20 C" are frames with their compressed sizes; lower-case
 * letters are contents of 100 bytes, a letter again in the next frame goes on
 * there. Deltas: "b<a:7 c<b:9 d:30" ("d:30" stands on nothing). */
static const struct {
	const char *want, *hand;
	const char *delta[3], *pack[2];
	const char *ways;    /* of each want: p patch, f frames, - nowhere */
	const char *patches; /* what they make, in order; upper case: only for
				another */
	uint64_t wire;
} rows[] = {
	/* nothing wanted */
	{ "", "a", { "b<a:7" }, { "ab:10" }, "", "", 0 },
	/* frames alone */
	{ "abc", "", { 0 }, { "ab:10 c:20 d:40" }, "fff", "", 30 },
	{ "abx", "", { 0 }, { "ab:10 c:20" }, "ff-", "", 10 },
	/* one content over three frames, and one behind it */
	{ "b", "", { 0 }, { "ab:1 b:2 bc:4 d:8" }, "f", "", 7 },
	{ "d", "", { 0 }, { "ab:1 b:2 bc:4 d:8" }, "f", "", 8 },
	/* two packs: the first that has it */
	{ "ab", "", { 0 }, { "a:5", "ab:9" }, "ff", "", 14 },
	/* a direct delta */
	{ "bd", "a", { "b<a:7 d:30" }, { 0 }, "pp", "bd", 37 },
	{ "bd", "", { "b<a:7 d:30" }, { 0 }, "-p", "d", 30 },
	{ "bd", "", { "b<a:7 d:30" }, { "b:50 d:50" }, "fp", "d", 80 },
	/* frames that are cheaper than patches */
	{ "bd", "a", { "b<a:70 d:30" }, { "bd:50" }, "ff", "", 50 },
	{ "bd", "a", { "b<a:30 d:30" }, { "bd:50" }, "ff", "", 50 },
	{ "bd", "a", { "b<a:20 d:20" }, { "bd:50" }, "pp", "bd", 40 },
	{ "bcd", "a", { "b<a:20 d:20" }, { "bcd:50" }, "fff", "", 50 },
	/* a chain: what is between is made, or is here, or is wanted, too */
	{ "c", "a", { "b<a:7", "c<b:9" }, { 0 }, "p", "Bc", 16 },
	{ "c", "b", { "b<a:7", "c<b:9" }, { 0 }, "p", "c", 9 },
	{ "bc", "a", { "b<a:7", "c<b:9" }, { 0 }, "pp", "bc", 16 },
	{ "d", "a", { "b<a:1", "c<b:2", "d<c:4" }, { 0 }, "p", "BCd", 7 },
	{ "c", "x", { "b<a:7", "c<b:9" }, { 0 }, "-", "", 0 },
	{ "c", "a", { "b<a:70", "c<b:9" }, { "c:50" }, "f", "", 50 },
	/* made from what frames bring */
	{ "bc", "", { "b<a:7", "c<b:9" }, { "b:50" }, "f-", "", 50 },
	/* a later table may not be stood on by an earlier one */
	{ "b", "c", { "b<a:7", "a<c:9" }, { 0 }, "-", "", 0 },
	/* the cheaper of two tables */
	{ "b", "ac", { "b<a:7", "b<c:3" }, { 0 }, "p", "b", 3 },
	{ "b", "ac", { "b<a:2", "b<c:3" }, { 0 }, "p", "b", 2 },
	/* one that stands on itself */
	{ "a", "", { "a<a:1" }, { 0 }, "-", "", 0 },
};

static void
head_of(char letter, unsigned char head[12])
{
	memset(head, tolower((unsigned char)letter), 12);
}

static struct pack_table *
pack_of(const char *text)
{
	struct pack_table *t = base_alloc(sizeof(*t));
	uint64_t raw = 0, at = 0;

	t->frame = base_array(16, sizeof(*t->frame));
	t->blob = base_array(16, sizeof(*t->blob));
	while (*text) {
		struct pack_frame *f = &t->frame[t->frames++];
		char *end;

		f->raw_at = raw;
		f->at = at;
		for (; *text != ':'; text++, raw += 50) {
			struct pack_blob *b =
				t->blobs ? &t->blob[t->blobs - 1] : NULL;

			if (b && b->head[0] == (unsigned char)*text) {
				b->size += 50;
				continue;
			}
			b = &t->blob[t->blobs++];
			head_of(*text, b->head);
			b->at = raw;
			b->size = 50;
		}
		f->raw = (uint32_t)(raw - f->raw_at);
		f->size = (uint32_t)strtoul(text + 1, &end, 10);
		at += f->size;
		text = end + (*end == ' ');
	}
	return t;
}

/* By the text form, so that patch_find has its index. */
static struct patch_table *
delta_of(const char *text)
{
	AUTO_CLEAR(buf) out = { 0 }, ops = { 0 };
	struct patch_table *t = NULL;
	struct err e = { 0 };
	uint64_t end = 1;
	size_t n = 0, i;

	while (*text) {
		bool based = text[1] == '<';
		const char *size = strchr(text, ':') + 1;
		char *next;
		unsigned long bytes = strtoul(size, &next, 10);

		buf_printf(&ops, "op %s ", based ? "zstd" : "whole");
		for (i = 0; i < 12; i++)
			buf_printf(&ops, "%02x", (unsigned)text[0]);
		buf_str(&ops, " 50 ");
		for (i = 0; based && i < 12; i++)
			buf_printf(&ops, "%02x", (unsigned)text[2]);
		buf_str(&ops, based ? " 50 1\n" : "- 0 1\n");
		buf_printf(&ops, "piece %lu 50 %064d 0 %d\n", bytes, 0,
			   based ? 50 : 0);
		end += bytes;
		n++;
		text = next + (*next == ' ');
	}
	buf_printf(
		&out,
		"edeploy-delta 1\nhash blake2b-256-64k\nfrom %064d\nto %064d\n"
		"manifest 1\npiece 1 1 %064d 0 0\nops %zu\n%s",
		0, 0, 0, n, buf_text(&ops));
	if (patch_table_parse(&t, buf_text(&out), out.len, end, "delta", &e) <
	    0) {
		printf("# %s\n# %s\n", e.text, buf_text(&out));
		abort();
	}
	return t;
}

static bool
at_hand(void *ctx, const unsigned char head[12], uint64_t size)
{
	(void)size;
	return strchr(ctx, head[0]) != NULL;
}

/* Sizes of contents are what the first pack says of them. */
static void
make_wants(size_t row, struct plan_want *w, const struct plan_in *in)
{
	size_t i, p, k;

	for (i = 0; rows[row].want[i]; i++) {
		head_of(rows[row].want[i], w[i].head);
		w[i].size = 50;
		for (p = in->packs; p-- > 0;)
			for (k = 0; k < in->pack[p]->blobs; k++)
				if (in->pack[p]->blob[k].head[0] ==
				    w[i].head[0])
					w[i].size = in->pack[p]->blob[k].size;
	}
}

static void
show(const struct plan_in *in, const struct plan *p, char ways[16],
     char made[16])
{
	size_t i;

	for (i = 0; i < in->wants; i++)
		ways[i] = "-pf"[in->want[i].way];
	ways[i] = '\0';
	for (i = 0; i < p->patches; i++) {
		const struct plan_patch *x = &p->patch[i];
		char letter = (char)in->delta[x->delta]->op[x->op].new_head[0];

		made[i] = x->want == SIZE_MAX
				  ? (char)toupper((unsigned char)letter)
				  : letter;
	}
	made[i] = '\0';
}

static void
check_row(size_t row)
{
	struct plan_want want[8] = { 0 };
	struct patch_table *delta[3] = { 0 };
	struct pack_table *pack[2] = { 0 };
	AUTO_FREE char *hand = base_strdup(rows[row].hand);
	struct plan_in in = { .want = want,
			      .wants = strlen(rows[row].want),
			      .delta = (const struct patch_table *const *)delta,
			      .pack = (const struct pack_table *const *)pack,
			      .at_hand = at_hand,
			      .ctx = hand };
	char ways[16], made[16];
	AUTO(plan) p = NULL;
	size_t i;

	for (; in.deltas < 3 && rows[row].delta[in.deltas]; in.deltas++)
		delta[in.deltas] = delta_of(rows[row].delta[in.deltas]);
	for (; in.packs < 2 && rows[row].pack[in.packs]; in.packs++)
		pack[in.packs] = pack_of(rows[row].pack[in.packs]);
	make_wants(row, want, &in);
	p = plan_make(&in);
	show(&in, p, ways, made);
	CHECK_SHOW(row, str_eq(ways, rows[row].ways), "%s", ways);
	CHECK_SHOW(row, str_eq(made, rows[row].patches), "%s", made);
	CHECK_SHOW(row, p->wire == rows[row].wire, "%zu", (size_t)p->wire);
	for (i = 0; i < in.deltas; i++)
		patch_table_free(delta[i]);
	for (i = 0; i < in.packs; i++)
		pack_table_free(pack[i]);
}

/* A content of 300 bytes over three frames of which parts are at hand. */
static void
check_parts(void)
{
	static const struct {
		struct plan_part part[3];
		size_t parts;
		uint64_t wire;
	} part_rows[] = {
		{ { { 0 } }, 0, 7 },
		{ { { 0, 100 } }, 1, 6 },
		{ { { 0, 99 } }, 1, 7 },
		{ { { 100, 100 } }, 1, 5 },
		{ { { 50, 100 }, { 150, 60 } }, 2, 5 },
		{ { { 0, 150 }, { 150, 150 } }, 2, 0 },
		{ { { 1, 299 } }, 1, 1 },
		{ { { 0, 299 } }, 1, 4 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(part_rows); i++) {
		struct pack_table *t = pack_of("aa:1 aa:2 aa:4 b:8");
		const struct pack_table *pack[] = { t };
		struct plan_want w = { .size = 300,
				       .part = part_rows[i].part,
				       .parts = part_rows[i].parts };
		struct plan_in in = { .want = &w,
				      .wants = 1,
				      .pack = pack,
				      .packs = 1,
				      .at_hand = at_hand };
		AUTO(plan) p = NULL;

		head_of('a', w.head);
		p = plan_make(&in);
		CHECK_SHOW(i, p->wire == part_rows[i].wire, "%zu",
			   (size_t)p->wire);
		CHECK(i, w.way == PLAN_FRAMES);
		pack_table_free(t);
	}
}

/* A gzip file of 2 s of work, in a delta of 10,000 bytes: on a quick wire its
 * frames are sooner there. */
static void
check_speed(void)
{
	static const struct {
		uint64_t speed;
		const char *pack, *ways;
		bool slow; /* asks for frames */
	} speed_rows[] = {
		{ 0, "b:50", "p", false },
		{ 4000, "b:50", "p", false },
		{ 100000, "b:50", "f", false },
		{ 100000, "b:180000", "f", false },
		{ 100000, "b:200000", "p", true },
		{ 100000, "c:50", "p", true },
		{ 1000000000, "b:200000", "f", false },
		{ 1000000000, "c:50", "p", true },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(speed_rows); i++) {
		struct patch_table *d = delta_of("b<a:7 d:9992");
		struct pack_table *t = pack_of(speed_rows[i].pack);
		const struct patch_table *delta[] = { d };
		const struct pack_table *pack[] = { t };
		struct plan_want w = { .size = 50 };
		char hand[] = "a", ways[16], made[16];
		struct plan_in in = { .want = &w,
				      .wants = 1,
				      .delta = delta,
				      .deltas = 1,
				      .pack = pack,
				      .packs = 1,
				      .at_hand = at_hand,
				      .ctx = hand,
				      .speed = speed_rows[i].speed };
		AUTO(plan) p = NULL;

		head_of('b', w.head);
		d->op[0].kind = PATCH_GZIP;
		d->op[0].new_raw = 2UL * PLAN_GZIP_SPEED;
		p = plan_make(&in);
		show(&in, p, ways, made);
		CHECK_SHOW(i, str_eq(ways, speed_rows[i].ways), "%s", ways);
		CHECK(i, p->slow == speed_rows[i].slow);
		patch_table_free(d);
		pack_table_free(t);
	}
}

/* The same beside a plain patch of 500 bytes, which are not counted as bytes
 * that the gzip one may hide behind. */
static void
check_plain(void)
{
	static const struct {
		uint64_t speed, wire;
		int level;
	} plain_rows[] = {
		{ 0, 7, 6 },      { 4000, 7, 6 },         { 5100, 7, 6 },
		{ 6000, 507, 6 }, { 1000000000, 507, 6 }, { 2000, 7, 9 },
		{ 2200, 507, 9 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(plain_rows); i++) {
		struct patch_table *d = delta_of("b<a:7 c<a:507 d:9992");
		const struct patch_table *delta[] = { d };
		struct plan_want w = { .size = 50 };
		char hand[] = "a";
		struct plan_in in = { .want = &w,
				      .wants = 1,
				      .delta = delta,
				      .deltas = 1,
				      .at_hand = at_hand,
				      .ctx = hand,
				      .speed = plain_rows[i].speed };
		AUTO(plan) p = NULL;

		head_of('b', w.head);
		head_of('b', d->op[1].new_head);
		d->op[0].kind = PATCH_GZIP;
		d->op[0].level = (uint8_t)plain_rows[i].level;
		d->op[0].new_raw = 2UL * PLAN_GZIP_SPEED;
		p = plan_make(&in);
		CHECK_SHOW(i, p->wire == plain_rows[i].wire, "%zu",
			   (size_t)p->wire);
		CHECK(i, p->patches == 1 && w.way == PLAN_PATCH);
		CHECK(i, p->plain == (p->wire == 507) && !p->slow);
		patch_table_free(d);
	}
}

/* All three: gzip's 7 bytes and 2 s of work, 107 of symbols and 0.2 s, 2,007
 * plain ones. Symbols may hide behind their own bytes, not behind gzip's. */
static void
check_symbols(void)
{
	static const struct {
		uint64_t speed, wire;
		uint64_t raw;  /* of the symbols */
		unsigned slow; /* percent */
	} symbol_rows[] = {
		{ 0, 7, PLAN_SYMBOLS_SPEED / 5 },
		{ 5000, 7, PLAN_SYMBOLS_SPEED / 5 },
		{ 6000, 107, PLAN_SYMBOLS_SPEED / 5 },
		{ 40000, 107, PLAN_SYMBOLS_SPEED / 5 },
		{ 50000, 107, PLAN_SYMBOLS_SPEED / 5 },
		{ 70000, 2007, PLAN_SYMBOLS_SPEED / 5 },
		{ 1000000000, 2007, PLAN_SYMBOLS_SPEED / 5 },
		/* made beside the rest */
		{ 1000000000, 107, PLAN_SYMBOLS_SMALL },
		{ 1000000000, 2007, PLAN_SYMBOLS_SMALL + 1 },
		/* others have the processor, too */
		{ 50000, 107, PLAN_SYMBOLS_SPEED / 5, 100 },
		{ 50000, 2007, PLAN_SYMBOLS_SPEED / 5, 300 },
		{ 5000, 7, PLAN_SYMBOLS_SPEED / 5, 100 },
		{ 5000, 107, PLAN_SYMBOLS_SPEED / 5, 300 },
		{ 1000000000, 107, PLAN_SYMBOLS_SMALL, 300 },
		{ 1000000000, 2007, PLAN_SYMBOLS_SMALL, 400 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(symbol_rows); i++) {
		struct patch_table *d =
			delta_of("b<a:7 c<a:107 e<a:2007 d:9992");
		const struct patch_table *delta[] = { d };
		struct plan_want w = { .size = 50 };
		char hand[] = "a";
		struct plan_in in = { .want = &w,
				      .wants = 1,
				      .delta = delta,
				      .deltas = 1,
				      .at_hand = at_hand,
				      .ctx = hand,
				      .slow = symbol_rows[i].slow,
				      .speed = symbol_rows[i].speed };
		AUTO(plan) p = NULL;

		head_of('b', w.head);
		head_of('b', d->op[1].new_head);
		head_of('b', d->op[2].new_head);
		d->op[0].kind = PATCH_GZIP;
		d->op[0].level = 6;
		d->op[0].new_raw = 2UL * PLAN_GZIP_SPEED;
		d->op[1].kind = PATCH_SYMBOLS;
		d->op[1].new_raw = symbol_rows[i].raw;
		p = plan_make(&in);
		CHECK_SHOW(i, p->wire == symbol_rows[i].wire, "%zu",
			   (size_t)p->wire);
		CHECK(i, p->patches == 1 && w.way == PLAN_PATCH);
		patch_table_free(d);
	}
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
	check_parts();
	check_speed();
	check_plain();
	check_symbols();
	return test_end();
}
