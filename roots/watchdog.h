#ifndef ROOTS_WATCHDOG_H
#define ROOTS_WATCHDOG_H

#include <stdint.h>

/* The machine's watchdog while a version is on trial. init starts it before it
 * enters one, so that a version that hangs before anything of its own watches
 * is left, too. systemd takes it over when it opens /dev/watchdog; for others
 * `edeploy prove --wait` keeps it quiet, and stops it when the trial is over.
 *
 * One that cannot be stopped again (nowayout), and one that has no driver yet
 * when init runs, are left alone. */
#define WATCHDOG_S 600
#define WATCHDOG_LEAST_S 60
/* Left by init where it started one: "SECONDS\n". */
#define WATCHDOG_MARK "/run/edeploy/watchdog"

/* Start it, to fire in `limit_s`, or in half of that and so on until the
 * machine has one that can. A limit below WATCHDOG_LEAST_S is taken as it is or
 * not at all. Seconds until it fires; 0: not started. */
unsigned watchdog_start(unsigned limit_s);

struct watchdog {
	unsigned limit_s; /* 0: nobody of ours started it */
	int64_t fed_ms;   /* clock_boot_ms() */
};

/* What init did. */
struct watchdog watchdog_found(void);

/* Another `limit_s`, when a quarter of it is over. While somebody else has it
 * open it is theirs to feed. */
void watchdog_feed(struct watchdog *w);

/* The trial is over. Nothing when init started none, or it is another's. */
void watchdog_stop(void);

#endif
