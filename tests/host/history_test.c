/* What was done and what fell, in one order; lines that a power cut broke are
 * left out. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "host/history.h"

#include "tests/test.h"

static void
die(const char *why)
{
	printf("Bail out! %s\n", why);
	exit(1);
}

static const char history[] =
	"2026-11-21T12:00:00Z upgrade A B for the next boot; 1.0 MB fetched\n"
	"2026-11-21T12:05:00Z proved A B it is the good one\n"
	"2026-11-2\n"
	"\0\0\0\0garbage of a torn page\n"
	"2026-11-21T13:00:00Z rollback B A\n";
static const char fell[] =
	"2026-11-21T12:04:00Z B failed: not well after 600 s\n"
	"2026-11-21T13:00:00Z A failed: no init\n";

static const struct {
	const char *action, *from, *to, *words;
} want[] = {
	{ "upgrade", "A", "B", "for the next boot; 1.0 MB fetched" },
	{ "fell", "B", "", "failed: not well after 600 s" },
	{ "proved", "A", "B", "it is the good one" },
	{ "rollback", "B", "A", "" },
	{ "fell", "A", "", "failed: no init" },
};

static char dir[] = "/tmp/edeploy-history-XXXXXX";

static char *
put(const char *name, const char *text, size_t len)
{
	char *path = base_printf("%s/%s", dir, name);
	struct err e = { 0 };

	if (file_write(path, text, len, 0644, &e) < 0)
		die(e.text);
	return path;
}

static void
test_carry(void)
{
	static const char done[] =
		"2026-11-21T12:00:00Z upgrade A B in place\n";
	AUTO_FREE char *from = put("plain", done, strlen(done));
	AUTO_FREE char *to = base_printf("%s/carried", dir);
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	history_carry(from, to);
	history_add(to, "convert", "A", "A", "entered live");
	/* converted again: what was begun goes on */
	history_carry(from, to);
	CHECK_SHOW(0, file_read(to, 65536, &text, NULL, &e) == 0, "%s", e.text);
	CHECK_SHOW(0,
		   str_starts(text, "2026-11-21T12:00:00Z upgrade A B ") &&
			   strstr(text, " convert A A entered live\n"),
		   "%s", text);
	CHECK(0, !strstr(strstr(text, "upgrade A B") + 1, "upgrade A B"));
	unlink(to);
	history_carry("/none", to);
	CHECK(1, !file_exists(to));
}

static void
test_order(const char *a, const char *b)
{
	struct value *rows __attribute__((cleanup(value_freep))) = NULL;
	struct err e = { 0 };
	size_t i;

	CHECK_SHOW(0, history_read(&rows, a, b, &e) == 0, "%s", e.text);
	CHECK_SHOW(1, rows && rows->list.len == ARRAY_LEN(want), "%zu",
		   rows ? rows->list.len : 0);
	for (i = 0; rows && i < rows->list.len && i < ARRAY_LEN(want); i++) {
		const struct value *r = rows->list.at[i];

		CHECK_SHOW(10 + i,
			   str_eq(value_get_str(r, "action"), want[i].action) &&
				   str_eq(value_get_str(r, "from"),
					  want[i].from) &&
				   str_eq(value_get_str(r, "to"), want[i].to) &&
				   str_eq(value_get_str(r, "words"),
					  want[i].words),
			   "%s %s", value_get_str(r, "action"),
			   value_get_str(r, "words"));
	}
}

static void
test_append(void)
{
	AUTO_FREE char *path = base_printf("%s/mine", dir);
	AUTO_FREE char *none = base_printf("%s/none", dir);
	struct value *rows __attribute__((cleanup(value_freep))) = NULL;
	struct err e = { 0 };

	history_add(path, "upgrade", "A", "B", "two\nlines");
	history_add(path, "proved", "A", "B", "");
	CHECK_SHOW(20, history_read(&rows, path, none, &e) == 0, "%s", e.text);
	CHECK(21, rows && rows->list.len == 2 &&
			  str_eq(value_get_str(rows->list.at[0], "words"),
				 "two\\nlines"));
}

int
main(void)
{
	AUTO_FREE char *a = NULL;
	AUTO_FREE char *b = NULL;
	struct err e;

	if (!mkdtemp(dir))
		die("mkdtemp");
	a = put("history", history, sizeof(history) - 1);
	b = put("log", fell, sizeof(fell) - 1);
	test_order(a, b);
	test_append();
	test_carry();
	dir_remove(dir, &e);
	return test_end();
}
