/* cases.txt: what profiles mean on machines. */
#include "specs/match.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/value.h"
#include "tests/test.h"

struct row {
	size_t number;
	char name[80];
	struct buf patterns, facts;
};

/* "hit", "miss", ... with all that was bound, spelled as cases.txt does. */
static void
print_hit(const struct bindings *b, struct buf *out)
{
	struct value *all = value_dict(), *keys = value_list();

	for (size_t i = 0; i < b->len; i++) {
		value_set_str(all, b->at[i].name, b->at[i].value);
		if (b->at[i].key)
			value_push(keys, value_str(b->at[i].name));
	}
	buf_str(out, "hit ");
	value_json(all, 0, out);
	if (keys->list.len > 0) {
		buf_char(out, ' ');
		value_json(keys, 0, out);
	}
	value_free(all);
	value_free(keys);
}

static void
answer(struct row *r, struct buf *out)
{
	AUTO(patterns) p = NULL;
	AUTO(facts) f = NULL;
	struct match m = { 0 };
	struct err e = { 0 };

	buf_str(&r->patterns, "]");
	buf_str(&r->facts, "]");
	if (patterns_parse(&p, r->name, r->patterns.at, r->patterns.len, &e) <
	    0) {
		buf_printf(out, "profile-refused");
		printf("# %s\n", e.text);
		return;
	}
	if (facts_from_json(&f, r->facts.at, r->facts.len, &e) < 0) {
		buf_str(out, "facts-refused");
		return;
	}
	match_run(p, f, 0, &m);
	if (m.outcome == MATCH_HIT)
		print_hit(m.bindings, out);
	else
		buf_str(out, m.outcome == MATCH_MISS ? "miss" : "gave-up");
	match_clear(&m);
}

/* JSON texts by value (the order of names is the binding order, which the
 * rows do not fix), anything else as it stands. */
static bool
same_answer(const char *want, const char *got)
{
	struct value *a = NULL, *b = NULL;
	struct err e = { 0 };
	const char *tail_a = strchr(want, '['), *tail_b = strchr(got, '[');
	size_t len_a = strcspn(want, "["), len_b = strcspn(got, "[");
	bool same;

	if (!str_starts(want, "hit ") || !str_starts(got, "hit "))
		return strcmp(want, got) == 0;
	if (!str_eq(tail_a, tail_b))
		return false;
	if (json_parse(&a, want + 4, len_a - 4, &e) < 0 ||
	    json_parse(&b, got + 4, len_b - 4, &e) < 0)
		same = false;
	else
		same = value_eq(a, b);
	value_free(a);
	value_free(b);
	return same;
}

static void
check(struct row *r, const char *want)
{
	AUTO_CLEAR(buf) got = { 0 };

	answer(r, &got);
	CHECK_SHOW(r->number, same_answer(want, got.at), "%s: %s, not %s",
		   r->name, got.at, want);
}

static void
start(struct row *r, const char *name)
{
	r->number++;
	snprintf(r->name, sizeof(r->name), "%s", name);
	buf_reset(&r->patterns);
	buf_reset(&r->facts);
	buf_char(&r->patterns, '[');
	buf_char(&r->facts, '[');
}

static void
take_line(struct row *r, const char *line)
{
	if (str_starts(line, "case "))
		start(r, line + 5);
	else if (str_starts(line, "pattern "))
		buf_printf(&r->patterns, "%s,\n", line + 8);
	else if (str_starts(line, "fact "))
		buf_printf(&r->facts, "%s%s", r->facts.len > 1 ? ",\n" : "",
			   line + 5);
	else if (str_starts(line, "want "))
		check(r, line + 5);
	else
		CHECK_SHOW(r->number, *line == '\0' || *line == '#',
			   "strange line: %s", line);
}

int
main(int argc, char **argv)
{
	AUTO_FREE char *text = NULL;
	struct row r = { 0 };
	struct err e = { 0 };
	char *rest;

	CHECK(0, argc == 2);
	CHECK_SHOW(0, file_read(argv[1], 1024 * 1024, &text, NULL, &e) == 0,
		   "%s", e.text);
	rest = text;
	for (char *line; rest && (line = strsep(&rest, "\n"));)
		take_line(&r, line);
	CHECK(0, r.number > 100);
	buf_clear(&r.patterns);
	buf_clear(&r.facts);
	return test_end();
}
