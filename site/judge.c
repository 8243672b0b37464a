/* Profiles that get no machine, and totals that no CMDB can serve. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/buf.h"
#include "site/judge.h"
#include "site/site.h"
#include "specs/cover.h"

void
judge_say(struct value *list, const char *file, unsigned line, const char *fmt,
	  ...)
{
	struct value *v = value_dict();
	AUTO_CLEAR(buf) text = { 0 };
	va_list ap;

	buf_str(&text, file);
	if (line)
		buf_printf(&text, ":%u", line);
	buf_str(&text, ": ");
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	value_set_str(v, "file", file);
	value_set_int(v, "line", line);
	value_set_str(v, "level", "warning");
	value_set_str(v, "message", buf_text(&text));
	value_push(list, v);
}

/* Where the state file names the profile; 0 when that is not seen. */
static unsigned
state_line(const struct snapshot *s, const char *profile)
{
	AUTO_FREE char *single = base_printf("'%s'", profile);
	AUTO_FREE char *other = base_printf("\"%s\"", profile);
	const char *at = strstr(s->state_text, single);
	unsigned line = 1;

	if (!at)
		at = strstr(s->state_text, other);
	if (!at)
		return 0;
	for (const char *p = s->state_text; p < at; p++)
		line += *p == '\n';
	return line;
}

static void
judge_shadow(const struct snapshot *s, size_t i, const char *path,
	     struct value *list)
{
	const struct profile *p = &s->profiles[i];

	if (!p->patterns || state_at(s->state, i)->total == 0)
		return;
	for (size_t k = 0; k < i; k++) {
		const struct profile *first = &s->profiles[k];

		if (state_at(s->state, k)->total != STATE_UNLIMITED ||
		    !first->patterns ||
		    !patterns_cover(first->patterns, p->patterns))
			continue;
		judge_say(list, path, state_line(s, p->name),
			  "profile %s gets no machine: whatever fits it fits "
			  "%s, which stands before it and has no limit; put "
			  "it before %s",
			  p->name, first->name, first->name);
		return;
	}
}

static void
judge_total(const struct snapshot *s, size_t i, const char *path,
	    struct value *list)
{
	const struct profile *p = &s->profiles[i];
	uint64_t total = state_at(s->state, i)->total;

	if (!p->cmdb || total == STATE_UNLIMITED || total <= cmdb_len(p->cmdb))
		return;
	judge_say(list, path, state_line(s, p->name),
		  "profile %s has %" PRIu64 " units, its CMDB %zu entries: "
		  "the others will wait for one",
		  p->name, total, cmdb_len(p->cmdb));
}

/* Every name that `var` can have, and in how many entries it is missing. */
static struct value *
names_of(const struct conf *c, const struct profile *p)
{
	struct value *names = value_dict();
	const char *const *v = patterns_variables(p->patterns);
	size_t n = p->cmdb ? cmdb_len(p->cmdb) : 0;

	for (size_t i = 0; i < n; i++) {
		const struct value *fields = cmdb_at(p->cmdb, i)->fields;

		for (size_t k = 0; k < fields->dict.len; k++) {
			const char *key = fields->dict.at[k].key;
			int64_t left = value_get_int(names, key, (int64_t)n);

			value_set_int(names, key, left - 1);
		}
	}
	for (; *v; v++)
		value_set_int(names, *v, 0);
	if (p->has_cmdb)
		value_set_int(names, "used", 0);
	value_set_int(names, "edeploy-profile", 0);
	if (c->metadataurl)
		value_set_int(names, "metadata_url", 0);
	return names;
}

int
site_judge(const struct conf *c, struct value **remarks, struct value **names,
	   struct err *e)
{
	AUTO(snapshot) s = snapshot_read(c->configdir, NULL);
	AUTO_FREE char *path = base_printf("%s/state", c->configdir);

	if (!s->state)
		return err_set(e, ERR_INPUT, "%s", s->state_problem);
	*remarks = value_list();
	*names = value_dict();
	for (size_t i = 0; i < s->len; i++) {
		judge_shadow(s, i, path, *remarks);
		judge_total(s, i, path, *remarks);
		if (s->profiles[i].patterns && s->profiles[i].configure)
			value_set(*names, s->profiles[i].name,
				  names_of(c, &s->profiles[i]));
	}
	judge_entries(s, c->configdir, *remarks);
	return 0;
}
