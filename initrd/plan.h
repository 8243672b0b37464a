#ifndef INITRD_PLAN_H
#define INITRD_PLAN_H

#include <stdbool.h>
#include <stddef.h>

/* What pid 1 decides, apart from doing it. */

enum last { LAST_HALT, LAST_REBOOT, LAST_CONSOLE };

#define CONSOLES_MAX 8
#define CONSOLE_NAME 32

struct plan {
	char consoles[CONSOLES_MAX][CONSOLE_NAME]; /* "ttyS0", as told; the last
						      is /dev/console */
	size_t consoles_len;
	bool debug;
	enum last onfailure; /* when the agent dies instead of ending */
};

/* Read the kernel's words. A console that is no plain name of a terminal is
 * left out, and so is one past CONSOLES_MAX; the agent is who complains about
 * bad words. tty0 is tty1; without any console, it is tty1. */
void plan_read(struct plan *out, const char *cmdline);

/* A serial line, and not a screen with a keyboard. */
bool plan_is_serial(const char *console);

/* Names seen before are seen once: aliases of modules that were asked for. */
struct names {
	char **at; /* sorted */
	size_t len, room;
};

#define NAMES_MAX 20000

/* True when `name` was added; false when it was there, or NAMES_MAX are. */
bool names_add(struct names *n, const char *name);
void names_drop(struct names *n);

#endif
