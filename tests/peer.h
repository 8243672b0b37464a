#ifndef TESTS_PEER_H
#define TESTS_PEER_H

/* A server on loopback that does what a test says, connection by connection,
 * in a child process. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int
peer_listen(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		abort();
	*port = ntohs(a.sin_port);
	return fd;
}

/* Read one whole request (headers and Content-Length bytes) into `ask`, a
 * NUL behind it; its length. */
static inline size_t
peer_read(int c, char *ask, size_t size)
{
	size_t len = 0, want = 0;

	for (;;) {
		ssize_t n = read(c, ask + len, size - 1 - len);
		char *end, *told;

		if (n <= 0)
			break;
		len += (size_t)n;
		ask[len] = '\0';
		end = strstr(ask, "\r\n\r\n");
		if (!end)
			continue;
		told = strstr(ask, "Content-Length: ");
		want = (size_t)(end - ask) + 4 +
		       (told && told < end ? strtoul(told + 16, NULL, 10) : 0);
		if (len >= want)
			break;
	}
	return len;
}

static inline void
peer_write(int c, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(c, bytes, len);

		if (n <= 0)
			break;
		bytes += n;
		len -= (size_t)n;
	}
	shutdown(c, SHUT_WR);
	close(c);
}

#endif
