/* An answer cut at any byte gives no script; neither does one with a wrong
 * length, hash, run or token. */
#include "agent/ask.h"
#include "lib/base.h"
#include "lib/buf.h"
#include "tests/peer.h"
#include "tests/test.h"

#define RUN "0123456789abcdef0123456789abcdef"
#define TOKEN "fedcba9876543210fedcba9876543210"

static const char script[] = "-- EDEPLOY_PROFILE = vm\nvar = {}\n"
			     "-- EDEPLOY_CONFIGURE = vm.configure\nrun('x')\n";

/* Which header is spoilt, and with what. */
static const struct {
	const char *from, *to;
	enum err_kind kind; /* ERR_NONE: a script */
} rows[] = {
	{ "", "", ERR_NONE },
	{ "Edeploy-Length: ", "Edeploy-Length: 1", ERR_PEER },
	{ "Edeploy-Length", "X-Length", ERR_PEER },
	{ "Edeploy-Blake2b: ", "Edeploy-Blake2b: 0", ERR_PEER },
	{ "Edeploy-Blake2b", "X-Hash", ERR_PEER },
	{ "Edeploy-Run: " RUN, "Edeploy-Run: " TOKEN, ERR_PEER },
	{ "Edeploy-Token: f", "Edeploy-Token: F", ERR_PEER },
	{ "Edeploy-Token", "X-Token", ERR_PEER },
	{ "Edeploy-Memory", "X-Memory", ERR_PEER },
	{ "Edeploy-Memory: ab", "Edeploy-Memory: a/b", ERR_PEER },
	{ "Edeploy-Machine: m1", "Edeploy-Machine: ../m", ERR_PEER },
	{ "run('x')", "run('y')", ERR_PEER },
	{ "200 OK", "422 No", ERR_REFUSED },
	{ "200 OK", "403 No", ERR_REFUSED },
	{ "200 OK", "302 Found", ERR_REFUSED },
	{ "200 OK", "500 Oops", ERR_PEER },
	{ "200 OK", "408 Slow", ERR_PEER },
	{ "200 OK", "503 Wait\r\nRetry-After: 7", ERR_REFUSED },
};

static char *
whole(void)
{
	char hash[HASH_HEX];

	hash_hex(script, strlen(script), hash);
	return base_printf("HTTP/1.1 200 OK\r\nContent-Type: text/x-lua\r\n"
			   "Content-Length: %zu\r\nEdeploy-Length: %zu\r\n"
			   "Edeploy-Blake2b: %s\r\nEdeploy-Profile: vm\r\n"
			   "Edeploy-Memory: ab12\r\nEdeploy-Machine: "
			   "m1\r\nEdeploy-Run: " RUN "\r\n"
			   "Edeploy-Token: " TOKEN "\r\n\r\n%s",
			   strlen(script), strlen(script), hash, script);
}

static char *
spoil(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	return base_printf("%.*s%s%s", (int)(at - text), text, to,
			   at + strlen(from));
}

/* First every cut, then every row. */
static void
serve(int fd)
{
	AUTO_FREE char *text = whole();
	size_t len = strlen(text), i;
	char request[8192];

	for (i = 0; i < len + ARRAY_LEN(rows); i++) {
		int c = accept(fd, NULL, NULL);

		peer_read(c, request, sizeof(request));
		if (i < len) {
			peer_write(c, text, i);
		} else {
			AUTO_FREE char *bad = spoil(text, rows[i - len].from,
						    rows[i - len].to);

			peer_write(c, bad, strlen(bad));
		}
	}
	free(text);
	_exit(0);
}

int
main(void)
{
	AUTO_FREE char *text = whole();
	AUTO_FREE char *url = NULL;
	int port = 0, fd = peer_listen(&port);
	struct ask a = { .section = "SERVER",
			 .run = RUN,
			 .facts = "[]",
			 .facts_len = 2,
			 .deadline_ms = 5000 };
	struct ask_answer out;
	struct err e = { 0 };
	pid_t pid = fork();
	size_t i, cut_scripts = 0, peers = 0;

	if (pid == 0)
		serve(fd);
	close(fd);
	url = base_printf("http://127.0.0.1:%d", port);
	a.url = url;
	for (i = 0; i < strlen(text); i++) {
		int r = ask_once(&a, &out, &e);

		cut_scripts += r == 0 || out.script.len > 0;
		peers += e.kind == ERR_PEER;
		ask_answer_clear(&out);
	}
	CHECK(i, cut_scripts == 0);
	CHECK(i, peers == i);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		int r = ask_once(&a, &out, &e);
		bool good = rows[i].kind == ERR_NONE;

		CHECK_SHOW(i, good ? r == 0 : r < 0 && e.kind == rows[i].kind,
			   "kind %d: %s", (int)e.kind, e.text);
		if (good)
			CHECK(i, str_eq(buf_text(&out.script), script) &&
					 str_eq(out.profile, "vm") &&
					 str_eq(out.memory, "ab12") &&
					 str_eq(out.machine, "m1") &&
					 str_eq(out.token, TOKEN));
		else
			CHECK(i, out.script.len == 0 && !out.profile);
		CHECK(i, out.wait_s == (strstr(rows[i].to, "503") ? 7 : 0));
		ask_answer_clear(&out);
	}
	waitpid(pid, NULL, 0);
	return test_end();
}
