#include "tests/test.h"

#include <string.h>

#include "cli/table.h"
#include "lib/base.h"

#define COLUMNS 5

static const char *const machines[] = {
	"MACHINE",
	"CONDITION",
	"HOSTNAME",
	"MAC",
	"REASON",
	"m1",
	"installing",
	"host3",
	"52:54:00:12:34:56",
	NULL,
	"m10",
	"failed",
	"h\xc3\xb6st",
	"52:54:00:12:34:57",
	"mkfs.ext4 /dev/sdb2: Device or resource busy",
};
static const char *const quiet[] = {
	"MACHINE",   "CONDITION", "HOSTNAME",          "MAC", "REASON", "m1",
	"installed", "host3",     "52:54:00:12:34:56", "",
};
static const char *const rude[] = { "a\x1b[2Jb", "1", "2", "3", "4\n5" };

/* columns 0: not a terminal. The MAC leaves first, then the hostname. */
static const struct {
	const char *const *cells;
	size_t len;
	bool heads, wraps, colours, drops;
	int columns;
	const char *want;
} rows[] = {
	{ machines, ARRAY_LEN(machines), true, false, false, false, 0,
	  "MACHINE  CONDITION   HOSTNAME  MAC                REASON\n"
	  "m1       installing  host3     52:54:00:12:34:56  -\n"
	  "m10      failed      h\xc3\xb6st      52:54:00:12:34:57  mkfs.ext4 "
	  "/dev/sdb2: Device or resource busy\n" },
	{ machines, ARRAY_LEN(machines), true, false, false, false, 80,
	  "MACHINE  CONDITION   HOSTNAME  MAC                REASON\n"
	  "m1       installing  host3     52:54:00:12:34:56  -\n"
	  "m10      failed      h\xc3\xb6st      52:54:00:12:34:57  mkfs.ext4 "
	  "/dev/sdb2: Device...\n" },
	{ machines, ARRAY_LEN(machines), true, false, false, false, 60,
	  "MACHINE  CONDITION   HOSTNAME  REASON\n"
	  "m1       installing  host3     -\n"
	  "m10      failed      h\xc3\xb6st      mkfs.ext4 /dev/sdb2: "
	  "Devic...\n" },
	{ machines, ARRAY_LEN(machines), true, false, false, false, 46,
	  "MACHINE  CONDITION   REASON\n"
	  "m1       installing  -\n"
	  "m10      failed      mkfs.ext4 /dev/sdb2: D...\n" },
	{ machines, ARRAY_LEN(machines), true, true, false, false, 46,
	  "MACHINE  CONDITION   REASON\n"
	  "m1       installing  -\n"
	  "m10      failed      mkfs.ext4 /dev/sdb2:\n"
	  "                     Device or resource busy\n" },
	/* a column that tells nothing leaves a terminal, not a pipe */
	{ quiet, ARRAY_LEN(quiet), true, false, false, false, 80,
	  "MACHINE  CONDITION  HOSTNAME  MAC\n"
	  "m1       installed  host3     52:54:00:12:34:56\n" },
	{ quiet, ARRAY_LEN(quiet), true, false, false, false, 0,
	  "MACHINE  CONDITION  HOSTNAME  MAC                REASON\n"
	  "m1       installed  host3     52:54:00:12:34:56  -\n" },
	{ quiet, ARRAY_LEN(quiet), true, false, true, false, 27,
	  "\033[1mMACHINE\033[0m  \033[1mCONDITION\033[0m\n"
	  "m1       \033[32minstalled\033[0m\n" },
	/* from the right, and said */
	{ quiet, ARRAY_LEN(quiet), true, false, false, true, 47,
	  "MACHINE  CONDITION  HOSTNAME  MAC\n"
	  "m1       installed  host3     52:54:00:12:34:56\n"
	  "not shown: REASON (--json has all)\n" },
	{ quiet, ARRAY_LEN(quiet), true, false, false, true, 46,
	  "MACHINE  CONDITION  HOSTNAME\n"
	  "m1       installed  host3\n"
	  "not shown: MAC, REASON (--json has all)\n" },
	{ quiet, ARRAY_LEN(quiet), true, false, false, true, 5,
	  "MA...\nm1\nnot\nshown:\nCONDITION,\nHOSTNAME,\nMAC,\nREASON\n"
	  "(--json\nhas\nall)\n" },
	{ quiet, ARRAY_LEN(quiet), true, false, false, true, 0,
	  "MACHINE  CONDITION  HOSTNAME  MAC                REASON\n"
	  "m1       installed  host3     52:54:00:12:34:56  -\n" },
	/* nothing that a terminal would obey */
	{ rude, ARRAY_LEN(rude), false, false, false, false, 80,
	  "a\\x1b[2Jb  1  2  3  4\\n5\n" },
	{ NULL, 0, false, false, false, false, 80, "" },
};

int
main(void)
{
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct table t = { .columns = COLUMNS,
				   .heads = rows[i].heads,
				   .wraps = rows[i].wraps,
				   .leaves = rows[i].heads && !rows[i].drops
						     ? "32"
						     : NULL,
				   .drops = rows[i].drops,
				   .paints = true };
		const struct term term = { .terminal = rows[i].columns > 0,
					   .columns = rows[i].columns,
					   .colours = rows[i].colours };
		AUTO_CLEAR(buf) out = { 0 };

		for (k = 0; k < rows[i].len; k++)
			table_add(&t, rows[i].cells[k]);
		table_text(&t, &term, &out);
		CHECK_SHOW(i, str_eq(buf_text(&out), rows[i].want),
			   "got\n%swant\n%s", buf_text(&out), rows[i].want);
		table_clear(&t);
	}
	return test_end();
}
