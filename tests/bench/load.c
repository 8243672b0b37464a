/* Machines that ask, over HTTP: load PORT CLIENTS COUNT FIRST FACTS_FILE
 *
 * CLIENTS connections to 127.0.0.1:PORT stay open, or are opened again where
 * the server closes them; each sends POST /v1/upload, waits for the whole
 * answer, and sends the next, until COUNT are answered. In
 * the facts NNNNNNNN becomes the number of the machine, from FIRST on, in hex,
 * and MM:MM:MM:MM the same as the end of a MAC, so that each is a new machine.
 * Prints one JSON object: answers by status, seconds, latencies in
 * milliseconds, and the processor time that the generator itself took. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"

#define CLIENTS_MAX 1024
#define ANSWER_MAX (4 * 1024 * 1024)

struct client {
	int fd;
	struct buf out; /* the request */
	size_t sent;
	struct buf in; /* the answer so far */
	double began_ms;
};

struct load {
	unsigned port;
	const char *facts;
	size_t facts_len;
	unsigned first, count, asked, answered;
	double *took_ms;
	unsigned status[600];
	int epoll;
};

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
put_number(char *body, const char *mark, const char *text)
{
	for (char *at = body; (at = strstr(at, mark)); at += strlen(mark))
		memcpy(at, text, strlen(mark));
}

/* The next machine's request, or nothing when all have asked. */
static void
write_request(struct load *l, struct client *c)
{
	AUTO_FREE char *body = base_strdup(l->facts);
	unsigned n = l->first + l->asked++;
	char number[16], mac[16];

	snprintf(number, sizeof(number), "%08x", n);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x", n >> 24,
		 n >> 16 & 255, n >> 8 & 255, n & 255);
	put_number(body, "NNNNNNNN", number);
	put_number(body, "MM:MM:MM:MM", mac);
	buf_reset(&c->out);
	buf_printf(&c->out,
		   "POST /v1/upload HTTP/1.1\r\nHost: bench\r\n"
		   "Content-Type: application/json\r\n"
		   "Edeploy-Run: %08xfeedfacefeedfacefeedface\r\n"
		   "Content-Length: %zu\r\n\r\n%s",
		   n, l->facts_len, body);
	buf_reset(&c->in);
	c->sent = 0;
	c->began_ms = now_ms();
}

static void
send_more(struct client *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.at + c->sent,
				 c->out.len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			die("send");
		c->sent += (size_t)n;
	}
}

/* The status of a whole answer, 0 while some is missing. */
static unsigned
whole_answer(const struct client *c)
{
	const char *text = buf_text(&c->in), *end, *length;
	size_t want;

	end = strstr(text, "\r\n\r\n");
	if (!end)
		return 0;
	length = strcasestr(text, "\r\nContent-Length:");
	if (!length || length > end)
		die("an answer without length");
	want = (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10);
	if (c->in.len < want)
		return 0;
	return (unsigned)strtoul(text + strlen("HTTP/1.1 "), NULL, 10);
}

static void
open_client(struct load *l, struct client *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)l->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
				  .data.ptr = c };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll");
}

static void
ask_next(struct load *l, struct client *c)
{
	bool closing = strcasestr(buf_text(&c->in), "\r\nConnection: close");

	if (l->asked == l->count)
		return;
	if (closing) {
		close(c->fd);
		open_client(l, c);
	}
	write_request(l, c);
	send_more(c);
}

static void
take_answer(struct load *l, struct client *c)
{
	for (;;) {
		char *room = buf_room(&c->in, 65536);
		ssize_t n = recv(c->fd, room, 65536, 0);
		unsigned status;

		if (n < 0 && errno == EAGAIN)
			return;
		if (n == 0 && l->asked == l->count)
			return;
		if (n <= 0 || c->in.len + (size_t)n > ANSWER_MAX)
			die(n == 0 ? "closed before its answer" : "recv");
		c->in.len += (size_t)n;
		c->in.at[c->in.len] = '\0';
		status = whole_answer(c);
		if (status == 0)
			continue;
		l->took_ms[l->answered++] = now_ms() - c->began_ms;
		l->status[status % ARRAY_LEN(l->status)]++;
		ask_next(l, c);
	}
}

static void
answer_all(struct load *l)
{
	struct epoll_event ready[64];

	while (l->answered < l->count) {
		int n = epoll_wait(l->epoll, ready, ARRAY_LEN(ready), 60000);

		if (n == 0) {
			fputs("load: no answer for a minute\n", stderr);
			exit(1);
		}
		for (int i = 0; i < n; i++) {
			struct client *c = ready[i].data.ptr;

			if (c->sent < c->out.len)
				send_more(c);
			if (ready[i].events & EPOLLIN)
				take_answer(l, c);
		}
	}
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
print(struct load *l, double seconds)
{
	struct rusage used;
	double cpu;
	bool first = true;

	qsort(l->took_ms, l->count, sizeof(double), compare);
	getrusage(RUSAGE_SELF, &used);
	cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	      (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	printf("{\"answers\": %u, \"seconds\": %.4f, \"p50_ms\": %.3f, "
	       "\"p99_ms\": %.3f, \"max_ms\": %.3f, \"cpu_s\": %.3f, "
	       "\"status\": {",
	       l->count, seconds, l->took_ms[l->count / 2],
	       l->took_ms[l->count * 99 / 100], l->took_ms[l->count - 1], cpu);
	for (unsigned i = 0; i < ARRAY_LEN(l->status); i++)
		if (l->status[i]) {
			printf("%s\"%u\": %u", first ? "" : ", ", i,
			       l->status[i]);
			first = false;
		}
	puts("}}");
}

int
main(int argc, char **argv)
{
	static struct client client[CLIENTS_MAX];
	struct load l = { 0 };
	AUTO_FREE char *facts = NULL;
	AUTO_FREE double *took = NULL;
	struct err e = { 0 };
	unsigned clients;
	double began;

	if (argc != 6) {
		fputs("usage: load PORT CLIENTS COUNT FIRST FACTS\n", stderr);
		return 2;
	}
	clients = (unsigned)strtoul(argv[2], NULL, 10);
	l.count = (unsigned)strtoul(argv[3], NULL, 10);
	l.first = (unsigned)strtoul(argv[4], NULL, 10);
	if (clients < 1 || clients > CLIENTS_MAX || l.count < clients ||
	    file_read(argv[5], 1 << 20, &facts, &l.facts_len, &e) < 0) {
		fprintf(stderr, "load: %s\n", *e.text ? e.text : "numbers");
		return 2;
	}
	l.facts = facts;
	l.took_ms = took = base_array(l.count, sizeof(double));
	l.port = (unsigned)atoi(argv[1]);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	began = now_ms();
	for (unsigned i = 0; i < clients; i++) {
		open_client(&l, &client[i]);
		ask_next(&l, &client[i]);
	}
	answer_all(&l);
	print(&l, (now_ms() - began) / 1e3);
	for (unsigned i = 0; i < clients; i++) {
		close(client[i].fd);
		buf_clear(&client[i].out);
		buf_clear(&client[i].in);
	}
	return 0;
}
