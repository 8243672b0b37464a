/* Called by /edeploy/init, which cannot merge: pid 1 stands alone. */
#include <stdio.h>

#include "lib/lock.h"

#include "host/call.h"
#include "host/cmds.h"
#include "host/late.h"

static int
bring_late(const struct call *c, struct err *e)
{
	const char *to = c->word[0];
	AUTO_CLEAR(lock) l = LOCK_NONE;
	AUTO_FREE char *root = versioned_root(&c->on, to);

	if (!c->is_versioned || !versioned_name_ok(to) ||
	    !versioned_has(&c->on, to))
		return err_set(e, ERR_INPUT,
			       "%.70s is no version on this disk (\"edeploy "
			       "list\")",
			       to);
	if (c->on.live && str_eq(to, c->on.running))
		return err_set(e, ERR_REFUSED, "%s runs already", to);
	return versioned_lock(&c->on, &l, e) < 0
		       ? -1
		       : late_bring(&c->on, to, root, e);
}

int
cmd_late_edits(int argc, char **argv)
{
	static const struct call_takes takes = { "late-edits VERSION", 1, 1,
						 NULL };
	struct err e = { 0 };
	struct call c;
	int came;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	came = versioned_open(&c.on, c.host.root, &e);
	c.is_versioned = came > 0;
	if (came >= 0)
		came = bring_late(&c, &e);
	if (came > 0 && !c.host.json)
		printf("edits of /etc came along into %s\n", c.word[0]);
	call_clear(&c);
	return came < 0 ? call_fail(&e) : CMD_DONE;
}
