/* Time of one match, on rows that have cost somebody a night: prints outcome,
 * steps and microseconds. match_bench CASES [ROUNDS], where CASES is
 * tests/specs/cases.txt: its "backtracklong" is 55 patterns on 78 facts. */
#include <stdio.h>
#include <time.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "specs/match.h"

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct shape {
	const char *name;
	int disks;         /* in the machine, alike but for their serials */
	int wanted;        /* by the profile */
	bool serials;      /* the profile binds each one's serial */
	const char *last;  /* rows at the end of the profile */
	int typed;         /* the first n disks have type z ... */
	const char *slots; /* ... and a slot each: a letter a disk */
};

static const struct shape shapes[] = {
	{ "8 disks", 8, 8, false, "", 0, "" },
	{ "24 disks and serials", 24, 24, true, "", 0, "" },
	{ "8 disks, a row nothing fits", 8, 8, true,
	  "('no','such','row','here'),", 0, "" },
	{ "8 disks, no typed one left", 8, 8, true,
	  "('disk','$d1','type','z'),('disk','$d2','type','z'),", 1, "" },
	{ "16 disks, no typed one left", 16, 16, true,
	  "('disk','$d1','type','z'),('disk','$d2','type','z'),", 1, "" },
	{ "24 disks, no typed one left", 24, 24, true,
	  "('disk','$d1','type','z'),('disk','$d2','type','z'),", 1, "" },
	{ "24 disks, type and slot disagree", 24, 24, true,
	  "('disk','$d7','type','z'),('disk','$d7','slot','b'),", 1, "ab" },
	{ "24 disks, three slots of two typed", 24, 24, true,
	  "('disk','$d1','type','z'),('disk','$d2','type','z'),"
	  "('disk','$d3','slot','a'),('disk','$d3','type','z'),",
	  2, "abc" },
	{ "24 disks, two slots of one disk", 24, 24, true,
	  "('disk','$d1','slot','a'),('disk','$d24','slot','a'),", 0, "ab" },
	{ "24 disks, values that never meet", 24, 24, true,
	  "('disk','$d1','slot','$s'),('disk','$d2','lot','$s'),", 0,
	  "abcdefghijklmnopqrstuvwx" },
	{ "24 disks, one more wanted", 24, 25, true, "", 0, "" },
	{ "24 disks, the last typed", 24, 24, true,
	  "('disk','$d24','slot','x'),('disk','$d1','slot','w'),", 0,
	  "abcdefghijklmnopqrstuvwx" },
};

static void
write_shape(const struct shape *s, struct buf *rows, struct facts *f)
{
	char name[16];

	buf_str(rows, "[");
	for (int i = 1; i <= s->wanted; i++) {
		buf_printf(rows, "('disk','$d%d','size','8'),", i);
		buf_printf(rows, "('disk','$d%d','vendor','v'),", i);
		if (s->serials)
			buf_printf(rows, "('disk','$d%d','serial','$s%d'),", i,
				   i);
	}
	buf_printf(rows, "%s]", s->last);
	for (int i = 0; i < s->disks; i++) {
		snprintf(name, sizeof(name), "sd%c", 'a' + i);
		facts_add(f, "disk", name, "size", "8");
		facts_add(f, "disk", name, "vendor", "v");
		facts_addf(f, "disk", name, "serial", "S%d", i);
		if (i < s->typed)
			facts_add(f, "disk", name, "type", "z");
		if (i < (int)strlen(s->slots)) {
			facts_addf(f, "disk", name, "slot", "%c", s->slots[i]);
			facts_addf(f, "disk", name, "lot", "%c",
				   s->slots[i] - 32);
		}
	}
}

static void
time_match(const char *name, const struct patterns *p, const struct facts *f,
	   int rounds)
{
	static const char *const outcomes[] = { "hit", "miss", "gave up" };
	enum match_outcome outcome = MATCH_MISS;
	unsigned long steps = 0;
	double start = now_us(), spent;

	for (int i = 0; i < rounds; i++) {
		struct match m;

		match_run(p, f, 0, &m);
		outcome = m.outcome;
		steps = m.steps;
		match_clear(&m);
	}
	spent = now_us() - start;
	printf("%-36s %-8s %8lu steps %10.1f us\n", name, outcomes[outcome],
	       steps, spent / rounds);
}

static int
time_texts(const char *name, struct buf *rows, struct facts *f, int rounds)
{
	AUTO(patterns) p = NULL;
	struct err e = { 0 };

	if (patterns_parse(&p, name, buf_text(rows), rows->len, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	time_match(name, p, f, rounds);
	return 0;
}

/* One case of cases.txt: rows and facts as they stand there. */
static int
time_case(const char *path, const char *name, int rounds)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *start = base_printf("\ncase %s\n", name);
	AUTO_CLEAR(buf) rows = { 0 }, json = { 0 };
	AUTO(facts) f = NULL;
	struct err e = { 0 };
	char *rest, *line;

	if (file_read(path, 1024 * 1024, &text, NULL, &e) < 0 ||
	    !(rest = strstr(text, start))) {
		fprintf(stderr, "%s: no case %s %s\n", path, name, e.text);
		return 1;
	}
	rest += strlen(start);
	buf_char(&rows, '[');
	buf_char(&json, '[');
	while ((line = strsep(&rest, "\n")) && !str_starts(line, "want")) {
		if (str_starts(line, "pattern "))
			buf_printf(&rows, "%s,", line + 8);
		if (str_starts(line, "fact "))
			buf_printf(&json, "%s%s", json.len > 1 ? "," : "",
				   line + 5);
	}
	buf_char(&rows, ']');
	buf_char(&json, ']');
	if (facts_from_json(&f, json.at, json.len, &e) < 0)
		return 1;
	return time_texts(name, &rows, f, rounds);
}

int
main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 100;

	if (argc < 2) {
		fprintf(stderr, "usage: match_bench CASES [ROUNDS]\n");
		return 2;
	}
	if (time_case(argv[1], "backtracklong", rounds) ||
	    time_case(argv[1], "bt-hp-specs-unsat", rounds))
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		AUTO_CLEAR(buf) text = { 0 };
		AUTO(facts) f = facts_new();

		write_shape(&shapes[i], &text, f);
		if (time_texts(shapes[i].name, &text, f, rounds))
			return 1;
	}
	return 0;
}
