/* Events get their number when they are first sent, so that one dropped or
 * joined before that leaves no gap. An event sent keeps number and bytes until
 * the server acknowledged it; the server skips what it has, so sending twice
 * is always safe. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/num.h"

#include "agent/tell.h"

#define BATCH_EVENTS 200
#define BATCH_BYTES (200 * 1024) /* the wire's cap is 256 KiB */
#define TEXT_MAX 4096
#define LOG_PIECE (256 * 1024)
#define LOG_EVERY_MS 3000
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 30000

struct tell {
	char *url, *run, *log;
	char *token; /* NULL: not known yet */
	int64_t started_ms;
	struct value **queue;
	size_t len, numbered; /* the first `numbered` have their number */
	int64_t next;         /* number of the next one to be numbered */
	int64_t pause_ms, pause_until_ms, log_due_ms;
	int64_t log_sent;
	bool events_refused, log_refused;
	struct err why; /* the last failure */
};

struct tell *
tell_new(const char *url, const char *run, const char *log)
{
	struct tell *t = base_alloc(sizeof(*t));

	t->url = base_strdup(url);
	t->run = base_strdup(run);
	t->log = log ? base_strdup(log) : NULL;
	t->started_ms = clock_boot_ms();
	t->next = 1;
	return t;
}

void
tell_token(struct tell *t, const char *token)
{
	free(t->token);
	t->token = base_strdup(token);
}

void
tell_free(struct tell *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->len; i++)
		value_free(t->queue[i]);
	free(t->queue);
	free(t->url);
	free(t->run);
	free(t->log);
	free(t->token);
	free(t);
}

/* ---- the queue ---- */

static void
drop(struct tell *t, size_t i)
{
	value_free(t->queue[i]);
	memmove(t->queue + i, t->queue + i + 1,
		(t->len - i - 1) * sizeof(*t->queue));
	t->len--;
	if (i < t->numbered)
		t->numbered--;
}

static bool
is_kind(const struct value *event, const char *kind)
{
	return str_eq(value_get_str(event, "kind"), kind);
}

/* Too much waits: first old progress goes, then old messages. What happened
 * (phases, done, failed) is few and stays. */
static void
make_room(struct tell *t)
{
	static const char *const least[] = { "progress", "message" };
	size_t k, i;

	if (t->len < TELL_QUEUE_MAX)
		return;
	for (k = 0; k < ARRAY_LEN(least); k++)
		for (i = t->numbered; i < t->len; i++)
			if (is_kind(t->queue[i], least[k])) {
				drop(t, i);
				return;
			}
}

static void
add(struct tell *t, struct value *event)
{
	make_room(t);
	t->queue = base_resize(t->queue, t->len + 1, sizeof(*t->queue));
	t->queue[t->len++] = event;
}

static struct value *
new_event(struct tell *t, const char *kind)
{
	struct value *event = value_dict();

	value_set_int(event, "n", 0);
	value_set_int(event, "at", clock_boot_ms() - t->started_ms);
	value_set_str(event, "kind", kind);
	return event;
}

/* The end of a long text says more than its start; cut between characters. */
static void
set_text(struct value *event, const char *key, const char *text)
{
	size_t len = strlen(text);

	if (len > TEXT_MAX) {
		text += len - TEXT_MAX;
		while ((*text & 0xc0) == 0x80)
			text++;
	}
	value_set_str(event, key, text);
}

void
tell_phase(struct tell *t, const char *phase)
{
	struct value *event = new_event(t, "phase");

	value_set_str(event, "phase", phase);
	add(t, event);
}

void
tell_message(struct tell *t, const char *text)
{
	struct value *event = new_event(t, "message");

	set_text(event, "text", text);
	add(t, event);
}

void
tell_progress(struct tell *t, const struct progress *p)
{
	struct value *event = new_event(t, "progress");
	struct value *last = t->len > t->numbered ? t->queue[t->len - 1] : NULL;

	value_set_str(event, "what", p->what);
	value_set(event, "percent", value_real(p->percent));
	value_set_int(event, "bytes", p->bytes);
	value_set_int(event, "bytes_per_s", p->bytes_per_s);
	value_set_int(event, "eta_s", p->eta_s);
	if (last && is_kind(last, "progress") &&
	    str_eq(value_get_str(last, "what"), p->what))
		drop(t, t->len - 1);
	add(t, event);
}

void
tell_done(struct tell *t, const char *action)
{
	struct value *event = new_event(t, "done");

	value_set_str(event, "action", action);
	add(t, event);
}

void
tell_failed(struct tell *t, const char *reason, struct value *details)
{
	struct value *event = new_event(t, "failed");
	size_t i;

	set_text(event, "reason", reason);
	for (i = 0; details && i < details->dict.len; i++) {
		const struct member *m = &details->dict.at[i];

		if (m->value->kind == VALUE_STR)
			set_text(event, m->key, m->value->str.at);
		else
			value_set(event, m->key, value_copy(m->value));
	}
	value_free(details);
	add(t, event);
}

/* ---- the wire ---- */

static void
back_off(struct tell *t, const struct err *e)
{
	t->why = *e;
	t->pause_ms = t->pause_ms ? t->pause_ms * 2 : PAUSE_MIN_MS;
	if (t->pause_ms > PAUSE_MAX_MS)
		t->pause_ms = PAUSE_MAX_MS;
	t->pause_until_ms = clock_boot_ms() + t->pause_ms;
}

static int
exchange(struct tell *t, struct http_ask *ask, const char *what,
	 struct http_answer *out, struct err *e)
{
	AUTO_FREE char *url =
		base_printf("%s/v1/runs/%s/%s", t->url, t->run, what);
	AUTO_FREE char *token = base_printf("Edeploy-Token: %s", t->token);
	const char *headers[] = { token, "Content-Type: application/json",
				  NULL };

	ask->url = url;
	ask->headers = headers;
	ask->connect_ms = 1000;
	ask->max_body = 64 * 1024;
	if (http_do(ask, out, e) < 0)
		return -1;
	return 0;
}

/* The status is not the one wanted. Some will stay so: asking again would
 * only make noise. */
static int
refused(int status, const struct http_answer *a, struct err *e)
{
	int len = (int)strcspn(buf_text(&a->body), "\r\n");
	bool final = status == 400 || status == 403 || status == 404 ||
		     status == 409 || status == 413;

	return err_set(e, final ? ERR_REFUSED : ERR_PEER,
		       "the server answered %d: %.*s", status,
		       len > 150 ? 150 : len, buf_text(&a->body));
}

/* Give numbers to what goes into this batch, and print it. */
static void
print_batch(struct tell *t, struct buf *body)
{
	size_t i;

	buf_str(body, "{\"events\": [");
	for (i = 0; i < t->len && i < BATCH_EVENTS; i++) {
		if (i > 0 && body->len > BATCH_BYTES)
			break;
		if (i >= t->numbered) {
			value_set_int(t->queue[i], "n", t->next++);
			t->numbered = i + 1;
		}
		if (i > 0)
			buf_str(body, ", ");
		value_json(t->queue[i], 0, body);
	}
	buf_str(body, "]}");
}

static int
take_acknowledgement(struct tell *t, const struct http_answer *a, struct err *e)
{
	struct value *v __attribute__((cleanup(value_freep))) = NULL;
	int64_t next;

	if (json_parse(&v, buf_text(&a->body), a->body.len, e) < 0)
		return err_add(e, "events");
	next = value_get_int(v, "next", 0);
	if (next < 1 || next > t->next)
		return err_set(e, ERR_PEER,
			       "events: the server wants number %lld next",
			       (long long)next);
	while (t->numbered > 0 && value_get_int(t->queue[0], "n", 0) < next)
		drop(t, 0);
	return 0;
}

static int
send_events(struct tell *t, int deadline_ms, struct err *e)
{
	AUTO_CLEAR(buf) body = { 0 };
	struct http_answer a = { 0 };
	struct http_ask ask = { .method = "POST", .deadline_ms = deadline_ms };
	int bad;

	print_batch(t, &body);
	ask.body = body.at;
	ask.body_len = body.len;
	bad = exchange(t, &ask, "events", &a, e);
	if (!bad && a.status == 200)
		bad = take_acknowledgement(t, &a, e);
	else if (!bad)
		bad = refused(a.status, &a, e);
	http_answer_clear(&a);
	return bad;
}

static int64_t
log_size(const struct tell *t)
{
	struct stat st;

	return t->log && stat(t->log, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* Bytes of the log from where the server stands; -1: cannot be read. */
static ssize_t
read_log(const struct tell *t, char *piece)
{
	AUTO_CLOSE int fd = open(t->log, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : pread(fd, piece, LOG_PIECE, t->log_sent);
}

/* Both a 204 and a 409 tell how much the server has. */
static int
take_log_size(struct tell *t, const struct http_answer *a, struct err *e)
{
	int64_t size;

	if (a->status != 204 && a->status != 409)
		return refused(a->status, a, e);
	if (!a->header[0])
		return err_set(e, ERR_REFUSED,
			       "log: an answer without Edeploy-Log-Size");
	if (num_i64(a->header[0], 0, log_size(t), &size, "Edeploy-Log-Size",
		    e) < 0)
		return -1;
	if (a->status == 409 && size == t->log_sent)
		return refused(a->status, a, e);
	t->log_sent = size;
	return 0;
}

static int
send_log(struct tell *t, int deadline_ms, struct err *e)
{
	AUTO_FREE char *piece = base_alloc(LOG_PIECE);
	AUTO_FREE char *what =
		base_printf("log?offset=%lld", (long long)t->log_sent);
	ssize_t len = read_log(t, piece);
	struct http_answer a = { 0 };
	struct http_ask ask = { .method = "PUT",
				.deadline_ms = deadline_ms,
				.want = { "Edeploy-Log-Size" } };
	int bad;

	if (len < 0)
		return err_sys(e, "%s", t->log);
	ask.body = piece;
	ask.body_len = (size_t)len;
	bad = exchange(t, &ask, what, &a, e) < 0 || take_log_size(t, &a, e) < 0;
	http_answer_clear(&a);
	return bad ? -1 : 0;
}

/* ---- when ---- */

static bool
events_wait(const struct tell *t)
{
	return t->len > 0 && !t->events_refused;
}

static bool
log_waits(const struct tell *t)
{
	return !t->log_refused && log_size(t) > t->log_sent;
}

/* One exchange of each kind that has something to say. */
static void
step(struct tell *t, bool with_log, int deadline_ms)
{
	struct err e = { 0 };
	bool bad = false;

	if (events_wait(t) && send_events(t, deadline_ms, &e) < 0) {
		bad = true;
		t->events_refused = e.kind == ERR_REFUSED;
	}
	if (!bad && with_log && log_waits(t)) {
		t->log_due_ms = clock_boot_ms() + LOG_EVERY_MS;
		bad = send_log(t, deadline_ms, &e) < 0;
		t->log_refused = bad && e.kind == ERR_REFUSED;
	}
	if (bad)
		back_off(t, &e);
	else
		t->pause_ms = 0;
}

void
tell_tick(struct tell *t)
{
	int64_t now = clock_boot_ms();

	if (t->token && now >= t->pause_until_ms)
		step(t, now >= t->log_due_ms, 2000);
}

int
tell_finish(struct tell *t, int64_t patience_ms, tell_say *say, void *ctx,
	    struct err *e)
{
	int64_t now = clock_boot_ms(), end = now + patience_ms, next_say = 0;

	if (!t->token)
		return 0;
	for (; events_wait(t) || log_waits(t); now = clock_boot_ms()) {
		if (now >= t->pause_until_ms)
			step(t, true, 10000);
		if (clock_boot_ms() >= end)
			return err_set(e, ERR_PEER,
				       "the server did not hear the end of "
				       "this run: %.150s",
				       t->why.text);
		if (t->pause_ms && now >= next_say) {
			AUTO_FREE char *line = base_printf(
				"the server does not take the report, trying "
				"for another %lld s: %s",
				(long long)((end - now) / 1000), t->why.text);

			say(ctx, line);
			next_say = now + 15000;
		}
		if (clock_boot_ms() < t->pause_until_ms)
			usleep(200 * 1000);
	}
	if (t->events_refused)
		return err_set(e, ERR_REFUSED,
			       "the server takes no reports of this run: %s",
			       t->why.text);
	return 0;
}
