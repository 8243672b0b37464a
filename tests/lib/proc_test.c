#include <signal.h>

#include "lib/base.h"
#include "lib/clock.h"
#include "lib/proc.h"
#include "tests/test.h"

#define SH(text)                                                               \
	{                                                                      \
		"sh", "-c", text, NULL                                         \
	}

/* A serial line, say. */
static void
hear_slowly(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
	usleep(5000);
}

static const struct {
	const char *argv[4];
	struct proc_opts opts;
	int r, status;
	bool timed_out;
	const char *out, *last;
} rows[] = {
	{ SH("echo hi; exit 3"), { 0 }, 0, 3, false, "hi\n", "hi" },
	{ SH("cat"), { .input = "abc\n" }, 0, 0, false, "abc\n", "abc" },
	{ SH("cat"), { 0 }, 0, 0, false, "", "" },
	{ SH("kill -9 $$"), { 0 }, 0, 137, false, "", "" },
	{ SH("sleep 20"), { .deadline_ms = 200 }, 0, 137, true, "", "" },
	{ SH("sleep 20 & echo x"), { 0 }, 0, 0, false, "x\n", "x" },
	{ SH("echo out; echo err >&2"),
	  { .split_stderr = true },
	  0,
	  0,
	  false,
	  "out\n",
	  "out" },
	{ SH("printf 'a\\nb\\n\\n'"),
	  { .keep = 4 },
	  0,
	  0,
	  false,
	  "\nb\n\n",
	  "b" },
	/* what it leaves behind writes faster than we hear, for 20 s */
	{ SH("timeout 20 yes & sleep 0.1; exit 4"),
	  { .keep = 2, .output = hear_slowly },
	  0,
	  4,
	  false,
	  "y\n",
	  "y" },
	{ SH("exec 1>&- 2>&-; sleep 0.2; exit 5"), { 0 }, 0, 5, false, "", "" },
	{ { "/nonexistent/program", NULL }, { 0 }, -1, 0, false, "", "" },
	{ SH("true"), { .chroot = "/nonexistent" }, -1, 0, false, "", "" },
};

static int
stop_at_once(void *ctx)
{
	(void)ctx;
	return 1;
}

int
main(void)
{
	const char *const quick[] = { "true", NULL };
	const char *const sleeper[] = { "sleep", "30", NULL };
	const struct proc_opts stopped = { .tick = stop_at_once };
	struct err e = { 0 };
	struct proc p;
	int64_t began;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		char line[80];

		began = clock_boot_ms();
		CHECK(i, proc_run(rows[i].argv, &rows[i].opts, &p, &e) ==
				 rows[i].r);
		CHECK_SHOW(i, p.status == rows[i].status, "%d", p.status);
		CHECK(i, p.timed_out == rows[i].timed_out);
		CHECK_SHOW(i, str_eq(buf_text(&p.out), rows[i].out), "%s",
			   buf_text(&p.out));
		CHECK(i, str_eq(proc_last_line(&p, line, sizeof(line)),
				rows[i].last));
		CHECK(i, clock_boot_ms() - began < 10000);
		proc_clear(&p);
	}
	CHECK(0, proc_run(sleeper, &stopped, &p, &e) == 0 && p.status == 137);
	proc_clear(&p);
	CHECK(1, proc_ok(quick, NULL, &e) == 0);
	CHECK(2, proc_ok(rows[0].argv, NULL, &e) < 0 &&
			 str_eq(e.text, "sh: exit 3: hi"));
	return test_end();
}
