/* Lists for an operator: a profile's entries, and the state with what of it is
 * used. */
#include <inttypes.h>
#include <stdio.h>

#include "lib/file.h"
#include "site/core.h"

/* ---- entries ---- */

/* The fields are JSON as they are stored: 100,000 of them are not read to be
 * printed again. */
static int
add_entry(void *ctx, const struct store_entry *t)
{
	struct buf *out = ctx;

	buf_printf(out, "%s{\"entry\": %" PRId64 ", \"machine\": ",
		   out->len ? ", " : "", t->id);
	if (t->machine)
		buf_printf(out, "\"m%" PRId64 "\"", t->machine);
	else
		buf_str(out, "null");
	buf_printf(out, ", \"used\": %s, \"fields\": %s}",
		   t->used ? "true" : "false", t->fields);
	return 0;
}

static int
refuse_profile(const struct snapshot *now, const char *profile, struct err *e)
{
	const struct profile *p = snapshot_profile(now, profile);

	if (!p)
		return err_set(e, ERR_REFUSED,
			       "the state file has no profile \"%s\"", profile);
	return err_set(e, ERR_REFUSED, "profile %s has no .cmdb file", profile);
}

int
site_entries(struct site *s, const char *profile, struct buf *out,
	     struct err *e)
{
	const struct snapshot *now = site_look(s);
	const struct profile *p = snapshot_profile(now, profile);
	AUTO_CLEAR(buf) list = { 0 };
	int failed;

	if (!p || (!p->has_cmdb && !p->cmdb_error)) {
		failed = refuse_profile(now, profile, e);
	} else {
		pthread_mutex_lock(&s->reader_lock);
		failed = store_entries(s->reader, profile, add_entry, &list, e);
		pthread_mutex_unlock(&s->reader_lock);
	}
	site_let_go(s);
	if (failed == 0)
		buf_printf(out, "{\"entries\": [%s]}", buf_text(&list));
	return failed;
}

int
site_entries_file(const struct conf *c, const char *profile, struct value **out,
		  struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/%s.cmdb", c->configdir, profile);
	AUTO_FREE char *text = NULL;
	AUTO(cmdb) file = NULL;

	if (!name_is_safe(profile))
		return err_set(e, ERR_INPUT, "\"%s\" is no name of a profile",
			       profile);
	if (file_read(path, CMDB_MAX_BYTES, &text, NULL, e) < 0 ||
	    cmdb_parse(&file, path, text, strlen(text), e) < 0)
		return -1;
	*out = value_list();
	for (size_t i = 0; i < cmdb_len(file); i++)
		value_push(*out, value_copy(cmdb_at(file, i)->fields));
	return 0;
}

/* ---- the state ---- */

/* `store` NULL: what is used is not known. */
static int
list_state(const struct snapshot *now, struct store *store, struct value **out,
	   struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *list = value_list();

	if (!now->state)
		return err_set(e, ERR_REFUSED, "%s", now->state_problem);
	for (size_t i = 0; i < now->len; i++) {
		const struct profile *p = &now->profiles[i];
		uint64_t total = state_at(now->state, i)->total, used = 0;
		struct value *row = value_dict();

		value_push(list, row);
		if (store && store_live(store, p->name, &used, e) < 0)
			return -1;
		value_set_str(row, "profile", p->name);
		value_set(row, "used",
			  store ? value_int((int64_t)used) : value_none());
		value_set(row, "total",
			  total == STATE_UNLIMITED ? value_str("*")
						   : value_int((int64_t)total));
		value_set_str(row, "problem", p->problem);
	}
	*out = STEAL(list);
	return 0;
}

int
site_state(struct site *s, struct value **out, struct err *e)
{
	const struct snapshot *now = site_look(s);
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = list_state(now, s->reader, out, e);
	pthread_mutex_unlock(&s->reader_lock);
	site_let_go(s);
	return failed;
}

int
site_state_file(const struct conf *c, struct value **out, struct err *e)
{
	AUTO(snapshot) now = snapshot_read(c->configdir, NULL);

	return list_state(now, NULL, out, e);
}
