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
	struct value *v = value_dict();

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

int
services_restart(const struct value *old, const struct value *spared,
		 struct err *e)
{
	AUTO_FREE char *own = own_unit();
	const char *argv[UNITS_MAX + 4] = { "systemctl", "try-restart", "--" };
	size_t len = 3, i, k;

	for (i = 0; i < old->list.len && len < UNITS_MAX + 3; i++) {
		const char *unit = value_get_str(old->list.at[i], "unit");

		for (k = 3; k < len && !str_eq(argv[k], unit); k++)
			;
		if (k == len && may_restart(unit) && !str_eq(unit, own) &&
		    !has_unit(spared, unit))
			argv[len++] = unit;
	}
	if (len == 3 || !file_exists(SYSTEMD))
		return 0;
	return call(argv, RESTART_MS, e);
}
