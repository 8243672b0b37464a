/* A server that loses answers, forgets, and refuses; what it has at the end
 * must be each event once, in order, without a gap, and the log's bytes. */
#include <fcntl.h>
#include <stdio.h>

#include "agent/tell.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/json.h"
#include "tests/peer.h"
#include "tests/test.h"

#define RUN "0123456789abcdef0123456789abcdef"
#define REQUEST_MAX (512 * 1024)

struct server {
	int64_t next; /* event wanted next */
	size_t log;
	int turn, to; /* pipe: a line an event, or "log SIZE" */
};

static void
answer(int c, const char *status, const char *header, const char *body)
{
	AUTO_FREE char *text =
		base_printf("HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s",
			    status, header, strlen(body), body);

	peer_write(c, text, strlen(text));
}

static void
take_events(struct server *s, const char *body)
{
	struct value *v = NULL;
	struct value *list;
	struct err e;
	size_t i;

	if (json_parse(&v, body, strlen(body), &e) < 0)
		_exit(1);
	list = value_get(v, "events");
	for (i = 0; i < list->list.len; i++) {
		const struct value *one = list->list.at[i];

		if (value_get_int(one, "n", 0) != s->next)
			continue;
		s->next++;
		dprintf(s->to, "%lld %s %s\n",
			(long long)value_get_int(one, "n", 0),
			value_get_str(one, "kind"),
			value_get_str(one, "text") ? value_get_str(one, "text")
			: value_get_str(one, "what")
				? value_get_str(one, "what")
				: "-");
	}
	value_free(v);
}

/* Every third answer is lost after its work was done, every fifth is a 500. */
static void
serve_one(struct server *s, int c, char *request)
{
	size_t len = peer_read(c, request, REQUEST_MAX);
	char *body = strstr(request, "\r\n\r\n");
	bool log = str_starts(request, "PUT ");
	AUTO_FREE char *next = NULL;
	AUTO_FREE char *size = NULL;
	size_t offset = 0;

	s->turn++;
	if (len == 0 || !body || !strstr(request, "Edeploy-Token: tok"))
		_exit(1);
	body += 4;
	if (s->turn % 5 == 0) {
		answer(c, "500 Oops", "", "oops");
		return;
	}
	if (log) {
		offset = strtoul(strstr(request, "offset=") + 7, NULL, 10);
		if (offset <= s->log)
			s->log = offset + (len - (size_t)(body - request));
		dprintf(s->to, "log %zu\n", s->log);
	} else {
		take_events(s, body);
	}
	if (s->turn % 3 == 0) {
		close(c);
		return;
	}
	next = base_printf("{\"next\": %lld}", (long long)s->next);
	size = base_printf("Edeploy-Log-Size: %zu\r\n", s->log);
	if (log)
		answer(c, "204 No Content", size, "");
	else
		answer(c, "200 OK", "", next);
}

static void
serve(int fd, int to)
{
	struct server s = { .next = 1, .to = to };
	char *request = base_alloc(REQUEST_MAX);

	for (;;)
		serve_one(&s, accept(fd, NULL, NULL), request);
}

static void
tell_all(struct tell *t)
{
	struct progress p = { .what = "tree", .eta_s = -1 };
	int i;

	tell_phase(t, "tree");
	for (i = 0; i < 100; i++) {
		p.percent = i;
		tell_progress(t, &p);
	}
	tell_message(t, "hello");
	for (i = 0; i < 450; i++)
		tell_message(t, "many");
	tell_done(t, "reboot");
}

static void
check_heard(char *heard)
{
	char *at = heard, *line;
	int64_t n = 0;
	size_t logs = 0, progress = 0, many = 0, hello = 0, last_log = 0;

	while ((line = strsep(&at, "\n")) && *line) {
		long long got;
		char kind[16] = "", text[32] = "";

		if (sscanf(line, "log %zu", &last_log) == 1) {
			logs++;
			continue;
		}
		sscanf(line, "%lld %15s %31s", &got, kind, text);
		CHECK(n, got == ++n);
		progress += str_eq(kind, "progress");
		many += str_eq(text, "many");
		hello += str_eq(text, "hello");
	}
	CHECK(0, progress == 1);
	CHECK(0, many == 450);
	CHECK(0, hello == 1);
	CHECK(0, n == 1 + 1 + 1 + 450 + 1);
	CHECK_SHOW(0, logs > 0 && last_log == 600000, "log %zu", last_log);
}

static void
quiet(void *ctx, const char *line)
{
	(void)ctx;
	printf("# %s\n", line);
}

int
main(void)
{
	AUTO(tell) t = NULL;
	AUTO_FREE char *url = NULL;
	AUTO_FREE char *log = base_alloc(600001);
	char path[] = "/tmp/tell_test.XXXXXX";
	int port = 0, fd = peer_listen(&port), to[2];
	struct err e = { 0 };
	AUTO_CLEAR(buf) heard = { 0 };
	ssize_t n;
	pid_t pid;

	close(mkstemp(path));
	memset(log, 'x', 600000);
	CHECK(0, file_write(path, log, 600000, 0600, &e) == 0);
	CHECK(0, pipe(to) == 0);
	fcntl(to[1], F_SETPIPE_SZ, 1024 * 1024);
	pid = fork();
	if (pid == 0)
		serve(fd, to[1]);
	close(fd);
	close(to[1]);
	url = base_printf("http://127.0.0.1:%d", port);
	t = tell_new(url, RUN, path);
	tell_all(t);
	tell_tick(t); /* nothing is sent without a token */
	tell_token(t, "tok");
	CHECK_SHOW(0, tell_finish(t, 60000, quiet, NULL, &e) == 0, "%s",
		   e.text);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while ((n = read(to[0], buf_room(&heard, 65536), 65536)) > 0)
		heard.len += (size_t)n;
	buf_char(&heard, '\0');
	check_heard(heard.at);
	/* nobody there any more: it says so, in the time it was given */
	tell_message(t, "unheard");
	CHECK(0,
	      tell_finish(t, 1500, quiet, NULL, &e) < 0 && e.kind == ERR_PEER);
	unlink(path);
	return test_end();
}
