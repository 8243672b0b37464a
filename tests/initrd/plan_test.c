/* What pid 1 takes from the kernel's words. */
#include <stdlib.h>
#include <string.h>

#include "initrd/plan.h"

#include "tests/test.h"

static const struct {
	const char *cmdline, *consoles;
	bool debug;
	enum last onfailure;
} rows[] = {
	{ "", "tty1", false, LAST_HALT },
	{ "quiet console=ttyS0,115200n8", "ttyS0", false, LAST_HALT },
	{ "console=tty0 console=ttyS0", "tty1 ttyS0", false, LAST_HALT },
	{ "console=ttyS0 console=tty0", "ttyS0 tty1", false, LAST_HALT },
	{ "console=ttyS0 console=ttyS1 console=ttyS0", "ttyS1 ttyS0", false,
	  LAST_HALT },
	{ "console=../sda console= console=tty1", "tty1", false, LAST_HALT },
	{ "console=ttyS0123456789012345678901234567890", "tty1", false,
	  LAST_HALT },
	{ "console=a console=b console=c console=d console=e console=f "
	  "console=g console=h console=i",
	  "a b c d e f g h", false, LAST_HALT },
	{ "DEBUG=1", "tty1", true, LAST_CONSOLE },
	{ "DEBUG=1 ONFAILURE=halt", "tty1", true, LAST_CONSOLE },
	{ "DEBUG=1 DEBUG=0 ONFAILURE=reboot\n", "tty1", false, LAST_REBOOT },
	{ "ONFAILURE=reboot ONFAILURE=console", "tty1", false, LAST_CONSOLE },
	{ "XONFAILURE=reboot ONFAILURE=reboots", "tty1", false, LAST_HALT },
};

static const struct {
	const char *console;
	bool serial;
} lines[] = {
	{ "tty1", false }, { "ttyS0", true },  { "ttyAMA0", true },
	{ "hvc0", true },  { "tty12", false },
};

static void
test_words(void)
{
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char seen[CONSOLES_MAX * (CONSOLE_NAME + 1)] = "";
		struct plan p;

		plan_read(&p, rows[i].cmdline);
		for (k = 0; k < p.consoles_len; k++) {
			strcat(seen, k ? " " : "");
			strcat(seen, p.consoles[k]);
		}
		CHECK_SHOW(i, strcmp(seen, rows[i].consoles) == 0, "%s", seen);
		CHECK(i, p.debug == rows[i].debug);
		CHECK(i, p.onfailure == rows[i].onfailure);
	}
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		CHECK(i, plan_is_serial(lines[i].console) == lines[i].serial);
}

static void
test_names(void)
{
	struct names n = { 0 };
	size_t i;

	/* three rounds of the same 500 names in another order */
	for (i = 0; i < 1500; i++) {
		char name[16];
		bool added;

		snprintf(name, sizeof(name), "a%zu", (i * 7) % 500);
		added = names_add(&n, name);
		if (added != (i < 500))
			break;
	}
	CHECK(i, i == 1500 && n.len == 500);
	for (i = 1; i < n.len; i++)
		if (strcmp(n.at[i - 1], n.at[i]) >= 0)
			break;
	CHECK(i, i == n.len);
	names_drop(&n);
	CHECK(0, n.len == 0 && n.at == NULL);
}

int
main(void)
{
	test_words();
	test_names();
	return test_end();
}
