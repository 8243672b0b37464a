#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An option of a subcommand, and where what it says goes: one of flag, value,
 * number and list. */
struct option {
	const char *name;   /* "--json" */
	bool absent;        /* this command has it not */
	bool *flag;         /* stands alone */
	const char **value; /* takes the next word */
	int64_t *number, min, max;
	const char **list; /* may be said `most` times; NULL-ended */
	size_t most;
};

/* Take the options that stand anywhere behind the subcommand's name (argv[0];
 * argv ends with NULL). The `least` to `most` words that are left move to
 * argv[1], a NULL behind them; how many they are. -1: said on stderr. */
int options_take(const struct option *row, size_t rows, int argc, char **argv,
		 int least, int most);

#endif
