/* specs from: a profile for a machine that was seen, to begin with. */
#include <stdio.h>

#include "cli/ctl.h"
#include "cli/facts.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "site/site.h"

/* Those of the machine's last upload. */
static int
facts_of_machine(struct ctl *c, const char *name, struct facts **out,
		 struct err *e)
{
	AUTO_FREE char *path = ctl_machine_path(name, NULL);
	AUTO_CLEAR(buf) json = { 0 };
	AUTO(value) m = NULL;
	const struct value *facts;

	if (ctl_ask(c, "GET", path, 0, &m, e) < 0)
		return -1;
	facts = value_get(m, "facts");
	if (!facts || facts->kind != VALUE_LIST)
		return err_set(e, ERR_REFUSED, "%s has sent no facts yet",
			       name);
	value_json(facts, 0, &json);
	return facts_from_json(out, buf_text(&json), json.len, e);
}

static int
propose(struct ctl *c, const char *of, struct buf *out, struct err *e)
{
	AUTO(facts) facts = NULL;
	int failed = facts_is_file(of) ? facts_read(of, &facts, e)
				       : facts_of_machine(c, of, &facts, e);

	return failed < 0 ? -1 : site_propose(facts, out, e);
}

int
cmd_specs(int argc, char **argv)
{
	AUTO_CLEAR(buf) text = { 0 };
	AUTO(value) v = value_dict();
	struct err e = { 0 };
	int code = CMD_DONE;
	struct ctl c;

	if (ctl_options(&c, argc, argv, 2, 2) < 0)
		return CMD_USAGE;
	if (!str_eq(c.words[0], "from")) {
		fprintf(stderr, "edeployctl specs: say `specs from MACHINE`; "
				"edeployctl help specs tells more\n");
		return CMD_USAGE;
	}
	if (propose(&c, c.words[1], &text, &e) < 0) {
		code = ctl_fail(&e);
	} else if (c.json) {
		value_set_str(v, "specs", buf_text(&text));
		ctl_print_json(v);
	} else {
		fputs(buf_text(&text), stdout);
	}
	ctl_clear(&c);
	return code;
}
