#ifndef CLI_CTL_H
#define CLI_CTL_H

#include <stdbool.h>

#include "cli/table.h"
#include "lib/err.h"
#include "lib/value.h"
#include "site/conf.h"

/* What the subcommands of edeployctl share: options, asking edeployd, and
 * printing for a person. */
struct ctl {
	const char *conf_path; /* -c FILE; /etc/edeploy.conf */
	const char *site_dir;  /* --site DIR, or NULL */
	const char *section;   /* --section NAME; NULL: the only one */
	bool json, all;        /* --json, --all */
	bool until_done;       /* --until-done */
	const char *was_dir;   /* --was DIR, or NULL */
	char **words;          /* what is left, NULL-terminated; in argv */
	int len;
	struct confs *confs;
};

/* Read the options that stand anywhere behind the subcommand's name (argv[0];
 * argv ends with NULL), with `least` to `most` words left, which move to the
 * front of argv. -1: said on stderr. */
int ctl_options(struct ctl *c, int argc, char **argv, int least, int most);
void ctl_clear(struct ctl *c);

/* The section asked for; ERR_INPUT when the configuration does not tell. */
const struct conf *ctl_conf(struct ctl *c, struct err *e);

/* Ask edeployd over its unix socket and read its JSON. An error status is
 * ERR_REFUSED with its reason; no server ERR_PEER with what to do. `out` NULL:
 * the body does not matter. */
int ctl_ask(struct ctl *c, const char *method, const char *path,
	    int deadline_ms, struct value **out, struct err *e);

/* The same with a body, which is JSON. */
int ctl_send(struct ctl *c, const char *method, const char *path,
	     const struct buf *body, int deadline_ms, struct value **out,
	     struct err *e);

/* Print the error on stderr; CMD_FAILED. */
int ctl_fail(const struct err *e);
/* Print JSON on stdout; CMD_DONE. */
int ctl_print_json(const struct value *v);

/* Problems as docs/wire.md has them: printed on stdout, a line each; how many
 * of them are errors, which ctl_count_errors tells alone. */
size_t ctl_print_problems(const struct value *list);
size_t ctl_count_errors(const struct value *list);

/* /v1/machines/NAME, or with /ACTION behind it; owned by the caller. */
char *ctl_machine_path(const char *name, const char *action);

/* A number of a dict, whole or with a fraction, as a whole one. */
int64_t ctl_number(const struct value *v, const char *key, int64_t absent);

/* "3 s", "12 min", "4 h", "3 d" since then. */
void ago_text(int64_t wall_ms, char out[24]);

int cmd_check(int argc, char **argv);
int cmd_match(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_cmdb(int argc, char **argv);
int cmd_state(int argc, char **argv);
int cmd_adopt(int argc, char **argv);
int cmd_machines(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_reinstall(int argc, char **argv);
int cmd_release(int argc, char **argv);
int cmd_same(int argc, char **argv);
int cmd_distinct(int argc, char **argv);
int cmd_forget(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_specs(int argc, char **argv);

#endif
