/* Accounts: three sides, line by line. */
#include <time.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "roots/accounts.h"

#include "tests/test.h"

#define ROOT "root:x:0:0:root:/root:/bin/sh\n"

static const struct {
	const char *what, *path, *base, *ours, *theirs;
	const char *want; /* or what the refusal says, behind a "!" */
} rows[] = {
	{ "nothing changed", "etc/passwd", ROOT, ROOT, ROOT, ROOT },
	{ "added here", "etc/passwd", ROOT, ROOT "joe:x:1000:1000::/h:/s\n",
	  ROOT, ROOT "joe:x:1000:1000::/h:/s\n" },
	{ "added by the version", "etc/passwd", ROOT, ROOT,
	  ROOT "db:x:110:110::/h:/s\n", ROOT "db:x:110:110::/h:/s\n" },
	{ "added by both sides, each its own", "etc/passwd", ROOT,
	  ROOT "joe:x:1000:1::/h:/s\n", ROOT "db:x:110:1::/h:/s\n",
	  ROOT "joe:x:1000:1::/h:/s\ndb:x:110:1::/h:/s\n" },
	{ "one number, two names", "etc/passwd", ROOT,
	  ROOT "joe:x:110:1::/h:/s\n", ROOT "db:x:110:1::/h:/s\n", "!joe" },
	{ "one name, two numbers", "etc/passwd", ROOT,
	  ROOT "db:x:111:1::/h:/s\n", ROOT "db:x:110:1::/h:/s\n",
	  "!111 on this host and 110" },
	{ "a number shared on purpose", "etc/passwd", ROOT,
	  ROOT "toor:x:0:0::/root:/bin/sh\n", ROOT "a:x:7:7::/:/s\n",
	  ROOT "toor:x:0:0::/root:/bin/sh\na:x:7:7::/:/s\n" },
	{ "shell changed here, home by the version", "etc/passwd",
	  "a:x:7:7::/:/s\n", "a:x:7:7::/:/zsh\n", "a:x:7:7::/new:/s\n",
	  "a:x:7:7::/new:/zsh\n" },
	{ "both changed the shell", "etc/passwd", "a:x:7:7::/:/s\n",
	  "a:x:7:7::/:/zsh\n", "a:x:7:7::/:/ksh\n", "a:x:7:7::/:/zsh\n" },
	{ "removed by the version", "etc/passwd", ROOT "a:x:7:7::/:/s\n",
	  ROOT "a:x:7:7::/:/s\n", ROOT, ROOT },
	{ "removed by the version, changed here", "etc/passwd",
	  ROOT "a:x:7:7::/:/s\n", ROOT "a:x:7:7::/:/z\n", ROOT,
	  ROOT "a:x:7:7::/:/z\n" },
	{ "removed here", "etc/passwd", ROOT "a:x:7:7::/:/s\n", ROOT,
	  ROOT "a:x:7:7::/:/z\n", ROOT },
	{ "comments and NIS", "etc/passwd", ROOT, "# ours\n" ROOT "+::::::\n",
	  ROOT "a:x:7:7::/:/s\n", "# ours\n" ROOT "a:x:7:7::/:/s\n+::::::\n" },
	{ "an empty file", "etc/passwd", "", "", ROOT, ROOT },
	{ "no newline at the end", "etc/passwd", ROOT, ROOT "a:x:7:7::/:/s",
	  ROOT, ROOT "a:x:7:7::/:/s\n" },
	{ "a line of too many fields stays", "etc/passwd", ROOT,
	  ROOT "a:x:7:7::/:/s:more\n", ROOT, ROOT "a:x:7:7::/:/s:more\n" },
	{ "a base that is not known", "etc/passwd", "", ROOT "a:x:7:7::/:/z\n",
	  ROOT "a:x:7:7::/:/s\nb:x:8:8::/:/s\n",
	  ROOT "a:x:7:7::/:/z\nb:x:8:8::/:/s\n" },
	{ "members added by both", "etc/group", "adm:x:4:\n", "adm:x:4:joe\n",
	  "adm:x:4:syslog\n", "adm:x:4:joe,syslog\n" },
	{ "members removed by one", "etc/group", "adm:x:4:a,b,c\n",
	  "adm:x:4:a,c,joe\n", "adm:x:4:b,c,d\n", "adm:x:4:c,joe,d\n" },
	{ "a member added by both is one", "etc/group", "adm:x:4:\n",
	  "adm:x:4:joe\n", "adm:x:4:joe\n", "adm:x:4:joe\n" },
	{ "a group's number", "etc/group", "", "a:x:101:\n", "b:x:101:\n",
	  "!number" },
	{ "a password set here", "etc/shadow", "root:*:1:0:99999:7:::\n",
	  "root:$6$x:2:0:99999:7:::\n", "root:*:1:0:99999:7:::\ndb:!:1::::::\n",
	  "root:$6$x:2:0:99999:7:::\ndb:!:1::::::\n" },
	{ "a password set here, days changed by both", "etc/shadow",
	  "root:*:1:0:9:7:::\n", "root:$6$x:2:0:9:7:::\n",
	  "root:*:3:0:8:7:::\n", "root:$6$x:2:0:8:7:::\n" },
	{ "a member named twice, and an empty one", "etc/group", "adm:x:4:\n",
	  "adm:x:4:a,,a,b\n", "adm:x:4:b,c,c\n", "adm:x:4:a,b,c\n" },
	{ "a name that begins another", "etc/group", "adm:x:4:ab\n",
	  "adm:x:4:a\n", "adm:x:4:ab,abc\n", "adm:x:4:a,abc\n" },
	{ "NIS in the middle, twice", "etc/passwd", ROOT,
	  "+a::::::\n" ROOT "+::::::\n", ROOT "a:x:7:7::/:/s\n",
	  "a:x:7:7::/:/s\n+a::::::\n" ROOT "+::::::\n" },
	{ "an account twice here", "etc/passwd", "a:x:7:7::/:/s\n",
	  "a:x:7:7::/:/s\na:x:7:7::/x:/s\n", "a:x:7:7::/:/z\n",
	  "a:x:7:7::/:/z\na:x:7:7::/x:/z\n" },
	{ "administrators and members", "etc/gshadow", "g:!::\n",
	  "g:!:joe:joe\n", "g:!:ann:ann\n", "g:!:joe,ann:joe,ann\n" },
	{ "ranges", "etc/subuid", "a:100000:65536\n",
	  "a:100000:65536\njoe:165536:65536\na:300000:1\n",
	  "a:100000:65536\nb:231072:65536\n",
	  "a:100000:65536\njoe:165536:65536\na:300000:1\nb:231072:65536\n" },
	{ "a range within another's", "etc/subuid", "", "me:100000:65536\n",
	  "db:100100:10\n",
	  "!/etc/subuid: me:100000:65536 and db:100100:10 overlap" },
	{ "one that begins before", "etc/subgid", "", "me:100000:65536\n",
	  "db:99999:2\n", "!db:99999:2 and me:100000:65536 overlap" },
	{ "ranges that touch", "etc/subuid", "", "me:100000:65536\n",
	  "db:165536:65536\nx:99990:10\n",
	  "me:100000:65536\ndb:165536:65536\nx:99990:10\n" },
	{ "shared on purpose, here and there", "etc/subuid", "b:1:5\n",
	  "b:1:5\na:2:2\nme:10:9\nyou:10:9\n", "b:1:5\nc:1:1\nx:20:9\ny:20:1\n",
	  "b:1:5\na:2:2\nme:10:9\nyou:10:9\nc:1:1\nx:20:9\ny:20:1\n" },
	{ "one name, two ranges", "etc/subuid", "", "me:1:9\nyou:20:9\n",
	  "me:5:9\n", "me:1:9\nyou:20:9\nme:5:9\n" },
	{ "another's below one of that name", "etc/subuid", "",
	  "me:1:90\nyou:3:10\n", "me:5:9\n", "!you:3:10 and me:5:9 overlap" },
	{ "a long one that began before others", "etc/subuid", "",
	  "a:1:90\nb:2:3\nc:6:2\n", "x:50:1\n", "!a:1:90 and x:50:1" },
	{ "no ranges", "etc/subuid", "", "me:1\nme:x:9\n#a:1:9\n",
	  "you:1:9\nyou:1:0\nyou:5:9:\n",
	  "me:1\nme:x:9\n#a:1:9\nyou:1:9\nyou:1:0\nyou:5:9:\n" },
	{ "no accounts", "etc/hosts", "", "", "", "!no accounts" },
};

/* A host with as many accounts as some universities have: what a search line by
 * line would take minutes for, of which a boot has two. */
#define MANY 100000

static void
print_many(struct buf *out, size_t from)
{
	size_t i;

	for (i = from; i < from + MANY; i++)
		buf_printf(out, "user%06zu:x:%zu:100::/home/u:/bin/sh\n", i,
			   i + 1000);
}

static void
test_many(void)
{
	AUTO_CLEAR(buf) ours = { 0 };
	AUTO_CLEAR(buf) want = { 0 };
	AUTO_FREE char *out = NULL;
	struct err e = { 0 };
	struct timespec from, to;

	buf_str(&ours, ROOT);
	print_many(&ours, 0);
	buf_str(&want, buf_text(&ours));
	buf_str(&want, "db:x:110:110::/h:/s\n");
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	CHECK_SHOW(200,
		   accounts_merge("etc/passwd", ROOT, buf_text(&ours),
				  ROOT "db:x:110:110::/h:/s\n", &out, &e) == 0,
		   "%s", e.text);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	CHECK(201, out && str_eq(out, buf_text(&want)));
	CHECK_SHOW(202, to.tv_sec - from.tv_sec < 10, "%ld s of CPU",
		   (long)(to.tv_sec - from.tv_sec));
}

/* The same with all of them in one group. */
static void
test_members(void)
{
	AUTO_CLEAR(buf) base = { 0 };
	AUTO_CLEAR(buf) ours = { 0 };
	AUTO_CLEAR(buf) theirs = { 0 };
	AUTO_FREE char *out = NULL;
	struct err e = { 0 };
	struct timespec from, to;
	size_t i;

	buf_str(&base, "all:x:100:");
	for (i = 0; i < MANY / 4; i++)
		buf_printf(&base, "user%06zu,", i);
	buf_printf(&ours, "%sjoe\n", buf_text(&base));
	buf_printf(&theirs, "%sdb\n", buf_text(&base));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	CHECK_SHOW(210,
		   accounts_merge("etc/group", buf_text(&base), buf_text(&ours),
				  buf_text(&theirs), &out, &e) == 0,
		   "%s", e.text);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	CHECK(211, out && str_ends(out, ",joe,db\n") &&
			   str_starts(out, "all:x:100:user000000,user000001,"));
	CHECK_SHOW(212, to.tv_sec - from.tv_sec < 10, "%ld s of CPU",
		   (long)(to.tv_sec - from.tv_sec));
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *out = NULL;
		struct err e = { 0 };
		int bad =
			accounts_merge(rows[i].path, rows[i].base, rows[i].ours,
				       rows[i].theirs, &out, &e);

		if (*rows[i].want == '!')
			CHECK_SHOW(i, bad && strstr(e.text, rows[i].want + 1),
				   "%s: %s", rows[i].what, e.text);
		else
			CHECK_SHOW(i, !bad && str_eq(out, rows[i].want),
				   "%s: %s%s", rows[i].what, e.text,
				   out ? out : "");
	}
	CHECK(100, accounts_known("etc/gshadow") &&
			   !accounts_known("etc/gshadow-") &&
			   !accounts_known("passwd"));
	test_many();
	test_members();
	return test_end();
}
