#include "tests/test.h"

#include <string.h>

#include "cli/screen.h"
#include "lib/base.h"
#include "lib/json.h"

/* A life of two machines: what is told, and the lines that it makes. Times
 * are of the server's clock, here seconds after 1970, in UTC. */
static const struct {
	const char *event, *plain;
} life[] = {
	{ "{'machine': 'm1', 'kind': 'assigned', 'time': 1000, 'text': 'vm'}",
	  "00:00:01  m1 host3  assigned    vm\n" },
	{ "{'machine': 'm1', 'kind': 'phase', 'time': 2000, 'phase': 'tree'}",
	  "00:00:02  m1 host3  tree\n" },
	{ "{'machine': 'm1', 'kind': 'progress', 'time': 7000, 'percent': 10.0,"
	  " 'bytes': 10000000, 'bytes_per_s': 2000000, 'eta_s': 45}",
	  "00:00:07  m1 host3  tree        10 %  2.0 MB/s  0:45 left\n" },
	/* not more than one in five seconds */
	{ "{'machine': 'm1', 'kind': 'progress', 'time': 11999, 'percent': 20,"
	  " 'bytes': 20000000, 'bytes_per_s': 2000000, 'eta_s': 40}",
	  "" },
	{ "{'machine': 'm2', 'kind': 'waits', 'time': 12000, 'reason': 'vm: "
	  "no unit left'}",
	  "00:00:12  m2        waits       vm: no unit left\n" },
	{ "{'machine': 'm1', 'kind': 'progress', 'time': 12000, 'percent': 100,"
	  " 'bytes': 100000000, 'bytes_per_s': 16000000, 'eta_s': 0}",
	  "00:00:12  m1 host3  tree        100 %  16.0 MB/s\n" },
	/* what moved bytes says how many */
	{ "{'machine': 'm1', 'kind': 'phase', 'time': 13000, 'phase': 'boot'}",
	  "00:00:12  m1 host3  tree        100.0 MB in 0:10, 10.0 MB/s\n"
	  "00:00:13  m1 host3  boot\n" },
	{ "{'machine': 'm1', 'kind': 'message', 'time': 13500, 'text': "
	  "'a\\u001b[2J'}",
	  "00:00:13  m1 host3  message     a\\x1b[2J\n" },
	{ "{'machine': 'm1', 'kind': 'done', 'time': 14000, 'action': "
	  "'reboot'}",
	  "00:00:14  m1 host3  done        it reboots into its own disk\n" },
	{ "{'machine': 'm2', 'kind': 'failed', 'time': 15000, 'reason': "
	  "'mkfs.ext4: exit status 1'}",
	  "00:00:15  m2        failed      mkfs.ext4: exit status 1\n" },
	/* with what the command said last */
	{ "{'machine': 'm2', 'kind': 'failed', 'time': 16000, 'reason': 'no', "
	  "'tail': 'one\\n\\ntwo\\u001b[2J\\n'}",
	  "00:00:16  m2        failed      no\n"
	  "                    | one\n                    | \n"
	  "                    | two\\x1b[2J\n" },
	/* not an event */
	{ "{'kind': 'done'}", "" },
	{ "{'machine': 'm1'}", "" },
};

static struct value *
parse(const char *quoted)
{
	AUTO_FREE char *text = base_strdup(quoted);
	struct value *v = NULL;
	struct err e = { 0 };
	char *c;

	for (c = text; (c = strchr(c, '\''));)
		*c = '"';
	CHECK(0, json_parse(&v, text, strlen(text), &e) == 0);
	return v;
}

static void
check_text(size_t row, struct buf *got, const char *want)
{
	CHECK_SHOW(row, str_eq(buf_text(got), want), "got\n%s\nwant\n%s",
		   buf_text(got), want);
	buf_reset(got);
}

static void
tell(struct screen *s, const char *event, struct buf *out)
{
	__attribute__((cleanup(value_freep))) struct value *v = parse(event);

	screen_event(s, v, out);
}

static void
meet(struct screen *s, const char *machine)
{
	__attribute__((cleanup(value_freep))) struct value *v = parse(machine);

	screen_machine(s, v, true);
}

static void
check_plain(void)
{
	__attribute__((cleanup(screen_clear))) struct screen s = { 0 };
	AUTO_CLEAR(buf) out = { 0 };
	size_t i;

	meet(&s, "{'id': 'm1', 'hostname': 'host3', 'condition': 'installed'}");
	for (i = 0; i < ARRAY_LEN(life); i++) {
		tell(&s, life[i].event, &out);
		check_text(i, &out, life[i].plain);
	}
	screen_lift(&s, &out);
	screen_draw(&s, 20000, &out);
	check_text(i, &out, "");
	CHECK(i, screen_open(&s) == 0 && screen_knows(&s, "m2") &&
			 !screen_knows(&s, "m3"));
}

static void
check_moving(void)
{
	__attribute__((cleanup(screen_clear))) struct screen s = {
		.term = { .terminal = true, .columns = 80, .rows = 24 }
	};
	AUTO_CLEAR(buf) out = { 0 };

	meet(&s, "{'id': 'm1', 'hostname': 'host3', 'condition': 'assigned', "
		 "'phase': null, 'last_seen': 1000, 'percent': null}");
	meet(&s, "{'id': 'm2', 'hostname': 'host4', 'condition': 'installing',"
		 "'phase': 'tree', 'last_seen': 1000, 'percent': 43, "
		 "'bytes_per_s': 112400000, 'eta_s': 12}");
	screen_draw(&s, 5000, &out);
	check_text(0, &out,
		   "  m1 host3  assigned  0:04\n"
		   "  m2 host4  tree      [##########...............]  43 %  "
		   "112.4 MB/s"
		   "  0:12 left\n");
	/* two lines up, and all below is gone */
	screen_lift(&s, &out);
	check_text(1, &out, "\r\033[2A\033[J");
	screen_lift(&s, &out);
	check_text(2, &out, "");
	tell(&s, "{'machine': 'm1', 'kind': 'done', 'time': 6000}", &out);
	check_text(3, &out, "00:00:06  m1 host3  done\n");
	s.term.columns = 40;
	screen_draw(&s, 7000, &out);
	check_text(4, &out, "  m2 host4  tree       43 %  112.4 MB/s\n");
	s.term.columns = 16;
	screen_draw(&s, 7000, &out);
	check_text(5, &out, "\r\033[1A\033[J  m2 host4  ...\n");
	CHECK(6, screen_open(&s) == 1);
}

static void
check_many(void)
{
	__attribute__((cleanup(screen_clear))) struct screen s = {
		.term = { .terminal = true, .columns = 30, .rows = 6 }
	};
	AUTO_CLEAR(buf) out = { 0 };
	size_t i;

	for (i = 1; i <= 9; i++) {
		AUTO_FREE char *m =
			base_printf("{'id': 'm%zu', 'condition': 'installing',"
				    " 'phase': 'disks', 'last_seen': 0}",
				    i);

		meet(&s, m);
	}
	screen_draw(&s, 61000, &out);
	check_text(0, &out,
		   "  m1  disks     1:01\n  m2  disks     1:01\n"
		   "  m3  disks     1:01\n  m4  disks     1:01\n"
		   "  and 5 more\n");
	screen_lift(&s, &out);
	check_text(1, &out, "\r\033[5A\033[J");
}

int
main(void)
{
	setenv("TZ", "UTC", 1);
	check_plain();
	check_moving();
	check_many();
	return test_end();
}
