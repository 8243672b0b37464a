/* What comes back to an agent that asks, byte for byte, from a peer that may be
 * anybody: a script is taken only when it came whole, with its own length and
 * hash, for this run. */
#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/ask.h"
#include "lib/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define RUN "0123456789abcdef0123456789abcdef"
#define URL_MAX 64

struct peer {
	int listener;
	const uint8_t *bytes;
	size_t len;
};

/* One connection: the request's head is read, then the bytes are the reply. */
static void *
answer(void *ctx)
{
	const struct peer *p = ctx;
	int fd = accept(p->listener, NULL, NULL);
	char head[4096];
	size_t at = 0;
	ssize_t n;

	assert(fd >= 0);
	do {
		n = recv(fd, head + at, sizeof(head) - 1 - at, 0);
		at += n > 0 ? (size_t)n : 0;
		head[at] = '\0';
	} while (n > 0 && !strstr(head, "[]"));
	for (at = 0; at < p->len; at += (size_t)n) {
		n = send(fd, p->bytes + at, p->len - at, MSG_NOSIGNAL);
		if (n <= 0)
			break;
	}
	shutdown(fd, SHUT_WR);
	close(fd);
	return NULL;
}

static int
listen_somewhere(char url[URL_MAX])
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 &&
	       listen(fd, 1) == 0 &&
	       getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	snprintf(url, URL_MAX, "http://127.0.0.1:%u", ntohs(a.sin_port));
	return fd;
}

/* The script stands in the reply as it is, whole, behind its own hash. */
static void
check_taken(const struct ask_answer *got, const uint8_t *bytes, size_t len)
{
	char hash[HASH_HEX];

	hash_hex(buf_text(&got->script), got->script.len, hash);
	assert(got->script.len > 0 && token_valid(got->token) && got->machine);
	assert(memmem(bytes, len, buf_text(&got->script), got->script.len) ||
	       memmem(bytes, len, "hunked", 6));
	assert(memmem(bytes, len, hash, strlen(hash)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char url[URL_MAX];
	struct peer p = { listen_somewhere(url), bytes, len };
	struct ask a = { .url = url,
			 .section = "SERVER",
			 .run = RUN,
			 .facts = "[]",
			 .facts_len = 2,
			 .deadline_ms = 5000 };
	struct ask_answer got = { 0 };
	struct err e = { 0 };
	pthread_t thread;

	assert(pthread_create(&thread, NULL, answer, &p) == 0);
	if (ask_once(&a, &got, &e) == 0)
		check_taken(&got, bytes, len);
	else
		assert(e.text[0] && !got.script.len);
	ask_answer_clear(&got);
	pthread_join(thread, NULL);
	close(p.listener);
	return 0;
}
