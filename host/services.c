/* systemd's part in a live switch. Other inits have their `post`. */
#include <stdio.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/proc.h"

#include "roots/live.h"

#include "host/services.h"

#define SYSTEMD "/run/systemd/system"
#define RELOAD_MS 90000
#define RESTART_MS 300000
#define UNITS_MAX 256

/* ---- who ---- */

static void
add_old(void *ctx, const struct straggler *s)
{
	struct value *v;

	/* this command: the version may have brought another one */
	if (s->pid == getpid())
		return;
	v = value_dict();
	value_set_int(v, "pid", s->pid);
	value_set_str(v, "name", s->name);
	value_set_str(v, "unit", s->unit);
	value_set_str(v, "path", s->path);
	value_push(ctx, v);
}

int
services_old(struct value *out, struct err *e)
{
	return live_stragglers(add_old, out, e);
}

/* ---- systemd ---- */

static int
call(const char *const argv[], int deadline_ms, struct err *e)
{
	return proc_ok(argv, &(struct proc_opts){ .deadline_ms = deadline_ms },
		       e);
}

static void
note_first(void *ctx, const struct straggler *s)
{
	if (s->pid == 1)
		*(bool *)ctx = true;
}

int
services_reload(struct err *e)
{
	static const char *const reload[] = { "systemctl", "daemon-reload",
					      NULL };
	static const char *const reexec[] = { "systemctl", "daemon-reexec",
					      NULL };
	bool old = false;

	if (!file_exists(SYSTEMD))
		return 0;
	if (live_stragglers(note_first, &old, e) < 0)
		return -1;
	return call(old ? reexec : reload, RELOAD_MS, e);
}

/* ---- restarts ---- */

static bool
may_restart(const char *unit)
{
	static const char *const heads[] = { "user@",           "getty@",
					     "serial-getty@",   "dbus",
					     "systemd-logind.", "console-getty",
					     "autovt@",         "emergency",
					     "rescue" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(heads); i++)
		if (str_starts(unit, heads[i]))
			return false;
	return str_ends(unit, ".service");
}

static bool
has_unit(const struct value *list, const char *unit)
{
	size_t i;

	for (i = 0; list && i < list->list.len; i++)
		if (str_eq(value_get_str(list->list.at[i], "unit"), unit))
			return true;
	return false;
}

/* Whose program or parent is this very one. Owned, "" when none. */
static char *
own_unit(void)
{
	AUTO_FREE char *text = NULL;
	struct err ignored;
	char *at, *part;
	const char *unit = "";

	if (file_read("/proc/self/cgroup", 65536, &text, NULL, &ignored) < 0)
		return base_strdup("");
	for (at = text; (part = strsep(&at, "/\n"));)
		if (str_ends(part, ".service"))
			unit = part;
	return base_strdup(unit);
}

/* A program of systemd's that acts on units. */
struct units {
	const char *argv[UNITS_MAX + 4];
	size_t len;
};

static bool
has_name(const struct units *u, const char *name)
{
	size_t i;

	for (i = 0; i < u->len; i++)
		if (str_eq(u->argv[i], name))
			return true;
	return false;
}

/* The version that runs now may not have it. */
static bool
is_gone(const char *unit)
{
	const char *const argv[] = { "systemctl", "cat", "--", unit, NULL };
	struct err ignored;

	return call(argv, RELOAD_MS, &ignored) < 0;
}

int
services_restart(const struct value *old, const struct value *spared,
		 struct err *e)
{
	AUTO_FREE char *own = own_unit();
	struct units go = { { "systemctl", "try-restart", "--" }, 3 };
	struct units end = { { "systemctl", "stop", "--" }, 3 };
	struct err ignored;
	size_t i;
	int bad = 0;

	if (!file_exists(SYSTEMD))
		return 0;
	for (i = 0; i < old->list.len && go.len + end.len < UNITS_MAX; i++) {
		const char *unit = value_get_str(old->list.at[i], "unit");
		struct units *u;

		if (!may_restart(unit) || str_eq(unit, own) ||
		    has_unit(spared, unit) || has_name(&go, unit) ||
		    has_name(&end, unit))
			continue;
		u = is_gone(unit) ? &end : &go;
		u->argv[u->len++] = unit;
	}
	if (end.len > 3)
		bad = call(end.argv, RESTART_MS, e);
	if (go.len > 3 && call(go.argv, RESTART_MS, bad ? &ignored : e) < 0)
		bad = -1;
	return bad;
}
