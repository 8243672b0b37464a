#include <string.h>

#include "cli/event.h"
#include "cli/bar.h"
#include "cli/ctl.h"
#include "lib/base.h"
#include "lib/text.h"

static const char *
end_text(const char *action)
{
	static const char *const rows[][2] = {
		{ "reboot", "it reboots into its own disk" },
		{ "halt", "it switches itself off" },
		{ "console", "it stays at its console" },
		{ "kexec", "it starts its own kernel" },
		{ "local", "it boots its own disk" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(rows[i][0], action))
			return rows[i][1];
	return action;
}

static void
progress_text(const struct value *ev, struct buf *out)
{
	const struct bar b = {
		.percent = ctl_number(ev, "percent", -1),
		.bytes_per_s = ctl_number(ev, "bytes_per_s", 0),
		.left_s = ctl_number(ev, "eta_s", -1),
	};

	bar_words(&b, out);
}

void
event_text(const struct value *ev, struct buf *out)
{
	static const char *const keys[] = { "phase", "text", "reason" };
	const char *kind = value_get_str(ev, "kind"), *text = NULL;
	size_t i;

	if (str_eq(kind, "progress")) {
		progress_text(ev, out);
		return;
	}
	if (str_eq(kind, "done"))
		text = end_text(value_get_str(ev, "action"));
	for (i = 0; !text && i < ARRAY_LEN(keys); i++)
		text = value_get_str(ev, keys[i]);
	if (text)
		text_show(text, strlen(text), 1, out);
}

void
event_tail(const struct value *ev, size_t indent, struct buf *out)
{
	const char *at = value_get_str(ev, "tail");
	size_t len;

	if (!str_eq(value_get_str(ev, "kind"), "failed"))
		return;
	for (; at && *at; at += len + (at[len] == '\n')) {
		len = strcspn(at, "\n");
		buf_printf(out, "%*s| ", (int)indent, "");
		text_show(at, len, 1, out);
		buf_char(out, '\n');
	}
}
