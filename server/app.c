#include "server/app.h"

#define SECTION_MAX 64

struct site *
app_site(const struct app *a, const struct request *r, const char *section,
	 struct reply *out)
{
	if (!section)
		section = r->section ? r->section : "SERVER";
	for (size_t i = 0; i < a->len; i++)
		if (str_eq(site_conf(a->site[i])->section, section) &&
		    (!r->section || str_eq(r->section, section)))
			return a->site[i];
	reply_error(
		out, 404,
		"no section \"%s\" here; see the [sections] of edeploy.conf",
		section);
	return NULL;
}

struct site *
app_site_asked(const struct app *a, const struct request *r, struct reply *out)
{
	AUTO_FREE char *section = NULL;
	struct err e = { 0 };

	if (query_get(r->query, "section", SECTION_MAX, &section, &e) < 0) {
		reply_err(out, &e, 400);
		return NULL;
	}
	return app_site(a, r, section, out);
}
