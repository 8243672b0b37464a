/* A machine asks what it shall become: facts in, script out. */
#include "server/handler.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "server/hwfile.h"
#include "specs/facts.h"

#define WAIT_S 15 /* a waiting machine asks again after that */

static void
reply_script(struct site_reply *s, struct reply *out)
{
	char hash[HASH_HEX];

	out->status = 200;
	hash_hex(buf_text(&s->script), s->script.len, hash);
	reply_header(out, "Content-Type", "text/x-lua");
	reply_header(out, "Cache-Control", "no-store");
	reply_header(out, "Edeploy-Length", "%zu", s->script.len);
	reply_header(out, "Edeploy-Blake2b", "%s", hash);
	if (s->outcome == SITE_ASSIGNED)
		reply_header(out, "Edeploy-Profile", "%s", s->profile);
	reply_header(out, "Edeploy-Memory", "%s", s->memory);
	reply_header(out, "Edeploy-Machine", "%s", s->machine);
	reply_header(out, "Edeploy-Run", "%s", s->run);
	reply_header(out, "Edeploy-Token", "%s", s->token);
	buf_reset(&out->body);
	buf_add(&out->body, buf_text(&s->script), s->script.len);
}

void
upload_reply(struct site_reply *s, struct reply *out)
{
	const char *detail = s->detail ? s->detail : "";

	switch (s->outcome) {
	case SITE_ASSIGNED:
	case SITE_BOOT_LOCAL:
		reply_script(s, out);
		return;
	case SITE_NO_MATCH:
		reply_error(out, 422, "%s%s%s", s->reason, *detail ? "\n" : "",
			    detail);
		break;
	case SITE_WAITS:
		reply_error(out, 503, "%s%s%s", s->reason, *detail ? "\n" : "",
			    detail);
		reply_header(out, "Retry-After", "%d", WAIT_S);
		break;
	}
	if (s->machine)
		reply_header(out, "Edeploy-Machine", "%s", s->machine);
}

void
upload_post(struct app *a, const struct request *r, const char *arg,
	    struct reply *out)
{
	struct site *s = app_site_asked(a, r, out);
	struct site_upload ask = { .run = r->run, .peer = r->peer };
	AUTO_CLEAR(site_reply) answer = { 0 };
	AUTO(facts) facts = NULL;
	struct err e = { 0 };

	(void)arg;
	if (!s)
		return;
	if (!r->run || !token_valid(r->run)) {
		reply_error(
			out, 400,
			"header Edeploy-Run must be %d lower-case hex digits",
			TOKEN_HEX - 1);
		return;
	}
	if (facts_from_json(&facts, r->body, r->body_len, &e) < 0) {
		reply_err(out, &e, 400);
		return;
	}
	hwfile_keep(site_conf(s), facts);
	ask.facts = facts;
	if (site_upload(s, &ask, &answer, &e) < 0)
		reply_err(out, &e, 409);
	else
		upload_reply(&answer, out);
}
