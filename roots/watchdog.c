/* Between two calls nobody has the device open: whoever wants it in the version
 * can take it. A driver that is closed without the letter 'V' goes on counting,
 * and the kernel says so in its log; which is meant here. */
#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>

#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/num.h"

#include "roots/watchdog.h"

#define DEVICE "/dev/watchdog" /* the first one, for the kernel and systemd */
#define NOWAYOUT "/sys/class/watchdog/watchdog0/nowayout"
#define MARK_MAX 64

static bool
can_be_stopped(void)
{
	AUTO_FREE char *line = file_line("", NOWAYOUT);

	return line && str_eq(line, "0");
}

static bool
say(int fd, char letter)
{
	return write(fd, &letter, 1) == 1;
}

/* The seconds that it took, 0 when none. */
static unsigned
set_limit(int fd, unsigned limit_s)
{
	unsigned least =
		limit_s < WATCHDOG_LEAST_S ? limit_s : WATCHDOG_LEAST_S;

	for (; limit_s >= least && limit_s > 0; limit_s /= 2) {
		int s = (int)limit_s;

		if (ioctl(fd, WDIOC_SETTIMEOUT, &s) == 0)
			return s > 0 ? (unsigned)s : 0;
	}
	return 0;
}

static bool
leave_mark(unsigned limit_s)
{
	AUTO_FREE char *text = base_printf("%u\n", limit_s);
	struct err ignored;

	return file_write(WATCHDOG_MARK, text, strlen(text), 0644, &ignored) ==
	       0;
}

unsigned
watchdog_start(unsigned limit_s)
{
	AUTO_CLOSE int fd = -1;

	if (limit_s == 0 || !can_be_stopped())
		return 0;
	fd = open(DEVICE, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	limit_s = set_limit(fd, limit_s);
	/* what nobody could know of is not left behind */
	if (limit_s > 0 && leave_mark(limit_s))
		return limit_s;
	say(fd, 'V');
	return 0;
}

struct watchdog
watchdog_found(void)
{
	AUTO_FREE char *line = NULL;
	struct err ignored;
	uint64_t s = 0;

	if (file_exists(WATCHDOG_MARK))
		line = file_line("", WATCHDOG_MARK);
	if (!line || num_u64(line, 1, 86400, &s, "", &ignored) < 0)
		s = 0;
	return (struct watchdog){ .limit_s = (unsigned)s };
}

void
watchdog_feed(struct watchdog *w)
{
	int64_t now = clock_boot_ms();
	AUTO_CLOSE int fd = -1;

	if (w->limit_s == 0 ||
	    (w->fed_ms && now - w->fed_ms < (int64_t)w->limit_s * 250))
		return;
	fd = open(DEVICE, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		say(fd, '.');
	w->fed_ms = now;
}

void
watchdog_stop(void)
{
	AUTO_CLOSE int fd = -1;

	if (watchdog_found().limit_s == 0)
		return;
	unlink(WATCHDOG_MARK);
	fd = open(DEVICE, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		say(fd, 'V');
}
