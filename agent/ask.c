#include <stdio.h>
#include <sys/random.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/http.h"
#include "lib/num.h"
#include "lib/text.h"

#include "agent/ask.h"

#define WAIT_MAX_S 600 /* of Retry-After */
#define PAUSE_MAX_S 60

enum { LENGTH, HASH, PROFILE, MEMORY, MACHINE, RUN, TOKEN, RETRY_AFTER };

static int
check_length(const char *told, size_t got, struct err *e)
{
	uint64_t n;

	if (!told)
		return err_set(e, ERR_PEER,
			       "the answer has no Edeploy-Length: is SERV an "
			       "edeployd?");
	if (num_u64(told, 1, ASK_SCRIPT_MAX, &n, "Edeploy-Length", e) < 0)
		return -1;
	if (n != got)
		return err_set(e, ERR_PEER,
			       "the script is cut: %zu of %llu bytes came", got,
			       (unsigned long long)n);
	return 0;
}

static int
check_hash(const char *told, const struct buf *body, struct err *e)
{
	char hash[HASH_HEX];

	hash_hex(buf_text(body), body->len, hash);
	if (!told || !str_eq(told, hash))
		return err_set(e, ERR_PEER,
			       "the script is not what the server sent: its "
			       "hash is %.16s..., announced %.16s...",
			       hash, told ? told : "none");
	return 0;
}

static int
check_names(const struct http_answer *h, const struct ask *a, struct err *e)
{
	if (!h->header[RUN] || !str_eq(h->header[RUN], a->run))
		return err_set(e, ERR_PEER,
			       "the answer belongs to another run");
	if (!h->header[TOKEN] || !token_valid(h->header[TOKEN]))
		return err_set(e, ERR_PEER,
			       "the answer has no valid Edeploy-Token");
	if (!h->header[MEMORY] || !name_is_safe(h->header[MEMORY]))
		return err_set(e, ERR_PEER,
			       "the answer has no valid Edeploy-Memory");
	if (!h->header[MACHINE] || !name_is_safe(h->header[MACHINE]))
		return err_set(e, ERR_PEER,
			       "the answer has no valid Edeploy-Machine");
	return 0;
}

static int
take_script(struct http_answer *h, const struct ask *a, struct ask_answer *out,
	    struct err *e)
{
	if (check_length(h->header[LENGTH], h->body.len, e) < 0 ||
	    check_hash(h->header[HASH], &h->body, e) < 0 ||
	    check_names(h, a, e) < 0) {
		e->kind = ERR_PEER;
		return -1;
	}
	out->script = h->body;
	h->body = (struct buf){ 0 };
	out->profile = STEAL(h->header[PROFILE]);
	out->memory = STEAL(h->header[MEMORY]);
	out->machine = STEAL(h->header[MACHINE]);
	snprintf(out->token, sizeof(out->token), "%s", h->header[TOKEN]);
	return 0;
}

static int
take_wait(const char *retry_after)
{
	struct err ignored;
	uint64_t n = 30;

	if (retry_after)
		num_u64(retry_after, 1, WAIT_MAX_S, &n, "Retry-After",
			&ignored);
	return (int)n;
}

/* Everything but 200. */
static int
take_refusal(const struct http_answer *h, struct ask_answer *out, struct err *e)
{
	const char *body = buf_text(&h->body);
	AUTO_FREE char *first = base_strndup(body, strcspn(body, "\r\n"));
	AUTO_CLEAR(buf) shown = { 0 };
	bool again = h->status >= 500 || h->status == 408 || h->status == 429;

	text_show(first, strnlen(first, 180), 1, &shown);
	out->said = base_strdup(body);
	if (h->status == 503)
		out->wait_s = take_wait(h->header[RETRY_AFTER]);
	return err_set(e, again && h->status != 503 ? ERR_PEER : ERR_REFUSED,
		       "the server answered %d: %s", h->status,
		       shown.len ? buf_text(&shown) : "(no reason given)");
}

int
ask_once(const struct ask *a, struct ask_answer *out, struct err *e)
{
	AUTO_CLEAR(buf) url = { 0 };
	AUTO_FREE char *run = base_printf("Edeploy-Run: %s", a->run);
	const char *headers[] = { run, "Content-Type: application/json", NULL };
	struct http_ask ask = { .method = "POST",
				.headers = headers,
				.body = a->facts,
				.body_len = a->facts_len,
				.deadline_ms = a->deadline_ms,
				.max_body = ASK_SCRIPT_MAX,
				.want = { "Edeploy-Length", "Edeploy-Blake2b",
					  "Edeploy-Profile", "Edeploy-Memory",
					  "Edeploy-Machine", "Edeploy-Run",
					  "Edeploy-Token", "Retry-After" } };
	struct http_answer h = { 0 };
	int bad;

	*out = (struct ask_answer){ 0 };
	buf_printf(&url, "%s/v1/upload?section=", a->url);
	text_url_encode(a->section, &url);
	ask.url = buf_text(&url);
	bad = http_do(&ask, &h, e);
	if (bad)
		e->kind = ERR_PEER;
	else if (h.status == 200)
		bad = take_script(&h, a, out, e);
	else
		bad = take_refusal(&h, out, e);
	http_answer_clear(&h);
	return bad;
}

void
ask_answer_clear(struct ask_answer *a)
{
	buf_clear(&a->script);
	free(a->profile);
	free(a->memory);
	free(a->machine);
	free(a->said);
	*a = (struct ask_answer){ 0 };
}

/* ---- until there is an answer ---- */

/* A rack that gets its power back asks at once; the pauses spread it out. */
static int
jitter_ms(int pause_s)
{
	unsigned random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (unsigned)getpid() * 7919u;
	return pause_s * 500 + (int)(random % ((unsigned)pause_s * 500 + 1));
}

static void
sleep_ms(int ms)
{
	usleep((useconds_t)(ms % 1000) * 1000);
	sleep((unsigned)ms / 1000);
}

static void
say_lines(const char *text, ask_say *say, void *ctx)
{
	AUTO_FREE char *copy = base_strdup(text ? text : "");
	char *at = copy, *line;

	while ((line = strsep(&at, "\n")))
		if (*text_trim(line))
			say(ctx, line);
}

int
ask(const struct ask *a, struct ask_answer *out, ask_say *say, void *ctx,
    struct err *e)
{
	AUTO_FREE char *told = NULL;
	int pause_s = 1;

	for (;;) {
		AUTO_FREE char *line = NULL;

		if (ask_once(a, out, e) == 0)
			return 0;
		if (!told || !str_eq(told, e->text)) {
			say_lines(out->said, say, ctx);
			free(told);
			told = base_strdup(e->text);
		}
		if (e->kind == ERR_REFUSED && !out->wait_s)
			return -1;
		if (out->wait_s)
			line = base_printf("waiting: %s; asking again in %d s",
					   e->text, out->wait_s);
		else
			line = base_printf("%s; asking again in about %d s",
					   e->text, pause_s);
		say(ctx, line);
		sleep_ms(out->wait_s ? out->wait_s * 1000 : jitter_ms(pause_s));
		pause_s = pause_s * 2 > PAUSE_MAX_S ? PAUSE_MAX_S : pause_s * 2;
		ask_answer_clear(out);
	}
}
