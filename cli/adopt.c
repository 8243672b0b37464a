/* adopt: the state file of the first eDeploy as this one wants it. The new file
 * is printed, and what it was made of beside it; a person puts it in place. */
#include <stdio.h>

#include "cli/ctl.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "site/site.h"

static void
print_file(const struct value *list)
{
	AUTO_CLEAR(buf) text = { 0 };

	buf_char(&text, '[');
	for (size_t i = 0; i < list->list.len; i++) {
		const struct value *row = list->list.at[i];

		buf_str(&text, i ? ",\n (" : "(");
		value_literal(value_get(row, "profile"), &text);
		buf_str(&text, ", ");
		value_literal(value_get(row, "total"), &text);
		buf_char(&text, ')');
	}
	buf_str(&text, "]\n");
	fputs(buf_text(&text), stdout);
}

/* For the person who looks at it; standard output is the file alone. */
static void
tell_rows(const struct value *list)
{
	fflush(stdout);
	for (size_t i = 0; i < list->list.len; i++) {
		const struct value *row = list->list.at[i];
		const char *remark = value_get_str(row, "remark");
		const char *profile = value_get_str(row, "profile");
		int64_t used = value_get_int(row, "used", 0);

		if (value_get_str(row, "left"))
			fprintf(stderr, "%s: no limit, %lld used\n", profile,
				(long long)used);
		else
			fprintf(stderr, "%s: %lld left and %lld used%s%s\n",
				profile,
				(long long)value_get_int(row, "left", 0),
				(long long)used, remark ? "; " : "",
				remark ? remark : "");
	}
}

int
cmd_adopt(int argc, char **argv)
{
	const struct conf *conf;
	struct value *list = NULL;
	struct err e = { 0 };
	int code = CMD_DONE;
	struct ctl c;

	if (ctl_options(&c, argc, argv, 0, 0) < 0)
		return CMD_USAGE;
	conf = ctl_conf(&c, &e);
	if (!conf || site_adopt(conf, &list, &e) < 0) {
		code = ctl_fail(&e);
	} else if (c.json) {
		ctl_print_json(list);
	} else {
		print_file(list);
		tell_rows(list);
	}
	value_free(list);
	ctl_clear(&c);
	return code;
}
