/* A site of the first eDeploy taken over: its state file, which that one wrote
 * after each machine, tells what was left; the totals are what was left and the
 * entries that were given. */
#include <stdio.h>

#include "lib/file.h"
#include "site/core.h"

/* Where that is not known, *remark (owned) says what to do. */
static int
count_used(const struct conf *c, const char *profile, uint64_t *used,
	   char **remark, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s.cmdb", c->configdir, profile);
	AUTO_FREE char *text = NULL;
	AUTO(cmdb) file = NULL;

	*used = 0;
	if (!file_exists(path)) {
		*remark = base_strdup("no .cmdb file tells how many machines "
				      "have it: add them to its total");
		return 0;
	}
	if (file_read(path, CMDB_MAX_BYTES, &text, NULL, e) < 0 ||
	    cmdb_parse(&file, path, text, strlen(text), e) < 0)
		return -1;
	if (cmdb_store_id(file))
		return err_set(e, ERR_REFUSED,
			       "%s:1: edeployd wrote this file already: the "
			       "state file has totals, not what is left",
			       path);
	for (size_t i = 0; i < cmdb_len(file); i++)
		*used += cmdb_at(file, i)->used;
	return 0;
}

static int
adopt_row(const struct conf *c, const struct quota *q, struct value *list,
	  struct err *e)
{
	struct value *row = value_dict();
	AUTO_FREE char *remark = NULL;
	bool limited = q->total != STATE_UNLIMITED;
	uint64_t used;

	value_push(list, row);
	if (count_used(c, q->profile, &used, &remark, e) < 0)
		return -1;
	if (limited && q->total > INT64_MAX - used)
		return err_set(e, ERR_INPUT, "%s: the total is too large",
			       q->profile);
	value_set_str(row, "profile", q->profile);
	value_set(row, "left",
		  limited ? value_int((int64_t)q->total) : value_str("*"));
	value_set_int(row, "used", (int64_t)used);
	value_set(row, "total",
		  limited ? value_int((int64_t)(q->total + used))
			  : value_str("*"));
	value_set_str(row, "remark", limited ? remark : NULL);
	return 0;
}

int
site_adopt(const struct conf *c, struct value **out, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *list = value_list();
	AUTO_FREE char *path = base_printf("%s/state", c->configdir);
	AUTO_FREE char *text = NULL;
	AUTO(state) state = NULL;

	if (file_read(path, STATE_MAX_BYTES, &text, NULL, e) < 0 ||
	    state_parse(&state, path, text, strlen(text), e) < 0)
		return -1;
	for (size_t i = 0; i < state_len(state); i++)
		if (adopt_row(c, state_at(state, i), list, e) < 0)
			return -1;
	*out = STEAL(list);
	return 0;
}
