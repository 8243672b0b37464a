/* Programs of a version, which its tree brings. */
#include <stdio.h>

#include "lib/file.h"
#include "lib/proc.h"

#include "roots/live.h"

#include "host/hook.h"
#include "host/inside.h"

static void
pass_on(void *ctx, const char *bytes, size_t len)
{
	struct err ignored;

	/* with --json, stdout is for the result */
	fd_write_all(*(const bool *)ctx ? STDERR_FILENO : STDOUT_FILENO, bytes,
		     len, &ignored);
}

static int
run_here(const struct change *c, const char *path, int *status, struct err *e)
{
	const char *const argv[] = { path, NULL };
	bool json = c->host->json;
	const struct proc_opts o = { .output = pass_on, .ctx = &json };
	struct proc p = { 0 };
	int bad;

	fflush(stdout);
	bad = proc_run(argv, &o, &p, e);
	*status = p.status;
	proc_clear(&p);
	return bad;
}

/* In the middle of a live move the new version is "/" already. */
static bool
is_entered(const struct change *c, const char *version)
{
	struct err ignored;
	AUTO_FREE char *running = c->on->live ? live_running(&ignored) : NULL;

	return str_eq(running, version);
}

int
hook_run(const struct change *c, const char *name, const char *folder,
	 const char *where, int *status, struct err *e)
{
	AUTO_FREE char *inside = base_printf(
		"/edeploy/roots/%s" STATE_DIR "/%s/%s", folder, c->to, name);
	AUTO_FREE char *path = base_printf("%s%s", c->on->top, inside);
	const struct inside in = { c->on, where, c->host->json };
	const char *const argv[] = { inside, NULL };
	bool live;

	*status = 0;
	if (access(path, X_OK) < 0)
		return 0;
	if (!c->host->json)
		printf("running %s\n", name);
	live = str_eq(where, c->on->running) ? c->on->live
					     : is_entered(c, where);
	setenv("EDEPLOY_FROM", c->from, 1);
	setenv("EDEPLOY_TO", c->to, 1);
	setenv("EDEPLOY_LIVE", live ? "1" : "", 1);
	if (live)
		return run_here(c, path, status, e);
	return inside_run(&in, argv, status, e);
}
