/* activate-pkgmngr, deactivate-pkgmngr. */
#include <stdio.h>

#include "lib/lock.h"

#include "host/call.h"
#include "host/cmds.h"
#include "host/pkgmngr.h"

/* A version that was brought and not entered yet has its /etc already. */
static int
set_trial(const struct versioned *on, bool held, struct err *e)
{
	AUTO_FREE char *root = versioned_root(on, on->state.trial);
	bool ignored;

	if (!*on->state.trial || str_eq(on->state.trial, on->running) ||
	    !pkgmngr_next(NULL, root))
		return 0;
	return pkgmngr_set(root, held, &ignored, e);
}

static int
set(const struct call *c, bool held, bool *changed, struct err *e)
{
	AUTO_FREE char *root = c->is_versioned
				       ? versioned_root(&c->on, c->on.running)
				       : base_strdup(c->host.root);
	AUTO_CLEAR(lock) l = LOCK_NONE;

	if (c->is_versioned && versioned_lock(&c->on, &l, e) < 0)
		return -1;
	if (pkgmngr_set(root, held, changed, e) < 0)
		return -1;
	return c->is_versioned ? set_trial(&c->on, held, e) : 0;
}

static void
print(const struct call *c, bool held, bool changed)
{
	struct value *v;

	if (!c->host.json) {
		printf("%s%s\n",
		       held ? "packages are held: dpkg and rpm refuse to "
			      "change them"
			    : "packages may be changed here",
		       changed ? "" : ", as before");
		if (!held && c->is_versioned)
			printf("What is changed is in %s alone, and in no "
			       "version that comes: for good,\nbuild it into "
			       "the role. \"edeploy test-upgrade\" tells what "
			       "would go.\n",
			       c->on.running);
		else if (!held)
			printf("The next upgrade makes files as the role has "
			       "them: for good, build it into\nthe role.\n");
		return;
	}
	v = value_dict();
	value_set(v, "packages_held", value_bool(held));
	value_set(v, "changed", value_bool(changed));
	call_print(v);
}

int
cmd_pkgmngr(int argc, char **argv)
{
	const struct call_takes takes = { .usage = argv[0] };
	bool held = str_eq(argv[0], "deactivate-pkgmngr"), changed;
	struct err e = { 0 };
	struct call c;
	int is;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	/* also of a tree that is being built, which no server knows yet */
	is = versioned_open(&c.on, c.host.root, &e);
	c.is_versioned = is > 0;
	if (is >= 0)
		is = set(&c, held, &changed, &e);
	if (is >= 0)
		print(&c, held, changed);
	call_clear(&c);
	return is < 0 ? call_fail(&e) : CMD_DONE;
}
