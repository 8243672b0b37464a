/* The client against a server that says exactly what the row says, byte by
 * byte: an answer cut anywhere must never look whole. */
#include "lib/base.h"
#include "lib/http.h"
#include "tests/peer.h"
#include "tests/test.h"

static const char whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
			    "X-A:  b c \r\n\r\nhello";

/* Answer connection n with the first n bytes of `whole`. */
static void
serve(int fd)
{
	size_t n;

	for (n = 0; n <= sizeof(whole) - 1; n++) {
		int c = accept(fd, NULL, NULL);
		char ask[4096];

		if (read(c, ask, sizeof(ask)) < 0 ||
		    write(c, whole, n) != (ssize_t)n)
			_exit(1);
		shutdown(c, SHUT_WR);
		while (read(c, ask, sizeof(ask)) > 0)
			;
		close(c);
	}
	_exit(0);
}

int
main(void)
{
	AUTO_FREE char *url = NULL;
	int port = 0, fd = peer_listen(&port);
	struct http_answer a;
	struct err e = { 0 };
	pid_t pid = fork();
	size_t n;

	if (pid == 0)
		serve(fd);
	close(fd);
	url = base_printf("http://127.0.0.1:%d/x", port);
	for (n = 0; n <= sizeof(whole) - 1; n++) {
		const struct http_ask ask = { .method = "POST",
					      .url = url,
					      .body = "abc",
					      .body_len = 3,
					      .want = { "x-a" } };
		int r = http_do(&ask, &a, &e);

		if (n < sizeof(whole) - 1)
			CHECK_SHOW(n, r < 0 && e.kind == ERR_PEER, "%d %d %s",
				   r, a.status, e.text);
		else
			CHECK(n, r == 0 && a.status == 200 &&
					 str_eq(buf_text(&a.body), "hello") &&
					 str_eq(a.header[0], "b c"));
		http_answer_clear(&a);
	}
	waitpid(pid, NULL, 0);
	CHECK(0, http_do(&(struct http_ask){ .method = "GET", .url = url }, &a,
			 &e) < 0 &&
			 e.kind == ERR_PEER);
	http_answer_clear(&a);
	return test_end();
}
