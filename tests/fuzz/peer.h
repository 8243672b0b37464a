#ifndef TESTS_FUZZ_PEER_H
#define TESTS_FUZZ_PEER_H

/* A server that hears one question and answers it with the bytes it was given,
 * whatever they are. */
#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base.h"

struct peer {
	const uint8_t *bytes;
	size_t len;
	const char *until; /* the question's end */
	int listener;
	char url[64];
	pthread_t thread;
};

static void *
peer_answer(void *ctx)
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
	} while (n > 0 && !strstr(head, p->until));
	for (at = 0; at < p->len; at += (size_t)n) {
		n = send(fd, p->bytes + at, p->len - at, MSG_NOSIGNAL);
		if (n <= 0)
			break;
	}
	shutdown(fd, SHUT_WR);
	close(fd);
	return NULL;
}

static inline void
peer_start(struct peer *p)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(p->listener >= 0 &&
	       bind(p->listener, (struct sockaddr *)&a, len) == 0 &&
	       listen(p->listener, 1) == 0 &&
	       getsockname(p->listener, (struct sockaddr *)&a, &len) == 0);
	snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%u",
		 ntohs(a.sin_port));
	assert(pthread_create(&p->thread, NULL, peer_answer, p) == 0);
}

/* After the question was asked. */
static inline void
peer_end(struct peer *p)
{
	pthread_join(p->thread, NULL);
	close(p->listener);
}

#endif
