/* The version on trial becomes the good one, or not. */
#include <stdio.h>

#include "lib/file.h"
#include "lib/num.h"

#include "host/call.h"
#include "host/cmds.h"
#include "host/prove.h"
#include "host/show.h"

/* PROVE_S= in the host's description. */
static int
read_limit(int *limit_s, struct err *e)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *value = NULL;
	uint64_t s = PROVE_S;

	if (file_read(CONF_PATH, 65536, &text, NULL, e) < 0)
		return -1;
	value = conf_value(text, "PROVE_S");
	if (value && num_u64(value, 1, 86400, &s, "", e) < 0)
		return err_add(e, CONF_PATH ": PROVE_S");
	*limit_s = (int)s;
	return 0;
}

static void
tell(const struct call *c, bool proved)
{
	struct value *v;

	if (!c->host.json) {
		if (proved)
			printf("%s is the good version now\n", c->on.running);
		else
			printf("nothing is on trial\n");
		return;
	}
	v = value_dict();
	value_set(v, "version",
		  *c->on.running ? value_str(c->on.running) : value_none());
	value_set(v, "good",
		  value_bool(c->is_versioned &&
			     str_eq(c->on.running, c->on.state.good)));
	value_set(v, "proved", value_bool(proved));
	call_print(v);
}

static int
prove(struct call *c, struct err *e)
{
	struct err ignored;
	int limit_s = PROVE_S;

	if (!c->is_versioned || !str_eq(c->on.state.trial, c->on.running)) {
		tell(c, false);
		return 0;
	}
	/* a description that cannot be read is no reason to stay */
	if (c->wait && read_limit(&limit_s, &ignored) < 0)
		show_say("warning: ", ignored.text);
	if (c->wait)
		return prove_wait(&c->on, limit_s, e);
	if (c->on.live && prove_healthy(e) < 0)
		return err_add(e,
			       "%s is not well, and stays on trial (\"edeploy "
			       "rollback\" leaves it)",
			       c->on.running);
	if (prove_good(&c->on, e) < 0)
		return -1;
	tell(c, true);
	return 0;
}

/* Without the host's description: a version whose conf is damaged must be
 * proved or fall, too. */
static int
open_versions(struct call *c, struct err *e)
{
	int is = versioned_open(&c->on, c->host.root, e);

	c->is_versioned = is > 0;
	return is < 0 ? -1 : 0;
}

int
cmd_prove(int argc, char **argv)
{
	static const struct call_takes takes = { "prove [--wait | --install "
						 "DIR]",
						 0, 0, "--wait --install" };
	struct err e = { 0 };
	struct call c;
	int bad;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	if (c.install)
		bad = prove_install(c.install, &e);
	else
		bad = open_versions(&c, &e) < 0 || prove(&c, &e) < 0;
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}
