/* The boot loader is written to the disk that set_role named: into its first
 * sector and behind its table, whatever these are. No other word may have
 * touched that disk before, so it is looked at, too. */
#include <stdio.h>

#include "lib/base.h"

#include "agent/guard.h"
#include "agent/guard_use.h"
#include "agent/layout.h"

/* Something of the new system lies on the disk: the script prepared it, by
 * whatever commands. */
static bool
carries(const char *disk, const char *top)
{
	struct layout l;
	struct err ignored;
	bool found = false;
	size_t i;

	layout_plain(&l, top, disk, &ignored);
	for (i = 0; i < l.len && !found; i++)
		found = guard_stands_on(l.mounts[i].node, disk);
	layout_clear(&l);
	return found;
}

int
guard_boot(const char *disk, const char *top, const char *identity,
	   struct err *e)
{
	struct guard_found f = { 0 };
	int bad = 0;

	if (carries(disk, top))
		return 0;
	if (guard_look(disk, identity, &f, e) < 0)
		bad = -1;
	else if (f.strange_len) {
		f.strange.at[strcspn(f.strange.at, "\n")] = '\0';
		bad = err_set(e, ERR_REFUSED,
			      "set_role: %.60s holds %.80s and nothing of the "
			      "new system, so no boot loader is written there: "
			      "name the disk that the script prepared",
			      disk, f.strange.at);
	}
	guard_found_clear(&f);
	return bad;
}
