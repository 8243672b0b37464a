/* What would change if a site's files were others: it may take minutes, and
 * ends when the server stops. */
#include "lib/json.h"
#include "server/handler.h"

static bool
go_on(void *ctx, size_t done, size_t total)
{
	const struct app *a = ctx;

	(void)done;
	(void)total;
	return !a->stopping;
}

void
replay_post(struct app *a, const struct request *r, const char *arg,
	    struct reply *out)
{
	const struct site_watch watch = { go_on, a };
	AUTO(value) asked = NULL;
	AUTO(value) doc = NULL;
	struct site *s = app_site_asked(a, r, out);
	struct err e = { 0 };

	(void)arg;
	if (!s)
		return;
	if (json_parse(&asked, r->body, r->body_len, &e) < 0 ||
	    site_replay(s, value_get(asked, "files"), &watch, &doc, &e) < 0) {
		reply_err(out, &e, 409);
		return;
	}
	reply_json(out, doc);
}
