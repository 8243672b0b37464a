/* libfcgi blocks in accept and reads a request as streams; here that becomes
 * one finished request, answered by the function that answers HTTP. Threads of
 * one process share the sites, so all their decisions still go through one
 * writer.
 *
 * Two habits of libfcgi are turned off. It takes over SIGTERM, SIGUSR1 and
 * SIGPIPE, and its threads then outlive SIGTERM: our dispositions are put back,
 * and the listening socket is shut down to end their accept. And a connection
 * that the web server wants to keep pins a thread, so with more kept
 * connections than threads requests wait for nothing: each is closed behind its
 * answer. */
#include <fcgiapp.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "server/exchange.h"
#include "server/fcgi.h"
#include "lib/log.h"
#include "lib/num.h"

#define THREADS 64  /* commits are grouped over those */
#define BULK_MAX 32 /* of them */
#define IO_S 60     /* the web server is near: it reads and writes at once */
#define PIECE (64 * 1024)

struct worker {
	struct fcgi_server *server;
	pthread_t thread;
	FCGX_Request request;
};

struct fcgi_server {
	struct app *app;
	const char *spool_dir;
	int fd;
	struct worker worker[THREADS];
	size_t workers;
	atomic_bool ending;
	atomic_uint busy;
	struct exchange_load load;
};

/* nginx sends a parameter without value as "". */
static const char *
param(FCGX_Request *r, const char *name)
{
	const char *text = FCGX_GetParam(name, r->envp);

	return text && *text ? text : NULL;
}

static void
fill_request(struct exchange *x, FCGX_Request *fr)
{
	struct request *r = &x->ask;
	const char *peer = param(fr, "REMOTE_ADDR");
	const char *method = param(fr, "REQUEST_METHOD");

	x->peer = base_strdup(peer ? peer : "?");
	r->peer = x->peer;
	r->method = method ? method : "?";
	r->type = param(fr, "CONTENT_TYPE");
	r->host = param(fr, "HTTP_HOST");
	r->run = param(fr, "HTTP_EDEPLOY_RUN");
	r->token = param(fr, "HTTP_EDEPLOY_TOKEN");
	r->range = param(fr, "HTTP_RANGE");
	r->if_range = param(fr, "HTTP_IF_RANGE");
	r->if_none_match = param(fr, "HTTP_IF_NONE_MATCH");
}

/* Judge by the parameters; the declared length of the body. */
static uint64_t
begin(struct fcgi_server *h, struct exchange *x, FCGX_Request *fr)
{
	const char *text = param(fr, "CONTENT_LENGTH");
	uint64_t length = 0;
	struct err e = { 0 };

	fill_request(x, fr);
	if (!param(fr, "REQUEST_URI"))
		exchange_refuse(x, 500,
				"the web server sends no REQUEST_URI: its "
				"configuration must pass the FastCGI "
				"parameters, as edeploy-nginx.conf does");
	else if (text &&
		 num_u64(text, 0, INT64_MAX, &length, "CONTENT_LENGTH", &e) < 0)
		exchange_refuse(x, 400, e.text);
	exchange_begin(x, h->app, (int64_t)length);
	return length;
}

/* Take the body. False: it ended early, nobody waits for an answer. */
static bool
take_body(struct fcgi_server *h, struct exchange *x, FCGX_Request *fr,
	  uint64_t length)
{
	AUTO_FREE char *piece = length ? base_alloc(PIECE) : NULL;

	while (length > 0) {
		int want = length < PIECE ? (int)length : PIECE;
		int got = FCGX_GetStr(piece, want, fr->in);

		if (got <= 0)
			return false;
		length -= (uint64_t)got;
		if (!exchange_take(x, h->spool_dir, piece, (size_t)got))
			return true;
	}
	return true;
}

static bool
has_body(const struct request *ask, const struct reply *r)
{
	return !str_eq(ask->method, "HEAD") && r->status != 204 &&
	       r->status != 304;
}

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 416, "Range Not Satisfiable" },
	{ 422, "Unprocessable Content" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
};

static const char *
reason_of(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Other";
}

/* CGI's way to say a status (RFC 3875), then the headers. nginx hands the
 * status line on as it is. */
static void
send_head(const struct reply *r, FCGX_Stream *out)
{
	AUTO_CLEAR(buf) head = { 0 };
	uint64_t len = r->file >= 0 ? r->file_size : r->body.len;

	buf_printf(&head, "Status: %d %s\r\n", r->status, reason_of(r->status));
	for (size_t i = 0; i < r->headers; i++)
		buf_printf(&head, "%s: %s\r\n", r->header[i].name,
			   r->header[i].value);
	if (r->status != 204 && r->status != 304)
		buf_printf(&head, "Content-Length: %llu\r\n",
			   (unsigned long long)len);
	buf_str(&head, "\r\n");
	FCGX_PutStr(head.at, (int)head.len, out);
}

static void
send_file(const struct reply *r, FCGX_Stream *out)
{
	AUTO_FREE char *piece = base_alloc(PIECE);
	uint64_t at = r->file_offset, left = r->file_size;

	while (left > 0) {
		size_t want = left < PIECE ? (size_t)left : PIECE;
		ssize_t got = pread(r->file, piece, want, (off_t)at);

		/* a file that became shorter: the client sees it cut */
		if (got <= 0 || FCGX_PutStr(piece, (int)got, out) < 0)
			return;
		at += (uint64_t)got;
		left -= (uint64_t)got;
	}
}

static void
send_reply(const struct exchange *x, FCGX_Stream *out)
{
	const struct reply *r = &x->reply;

	route_log(&x->ask, r);
	send_head(r, out);
	if (!has_body(&x->ask, r))
		return;
	if (r->file >= 0)
		send_file(r, out);
	else if (r->body.len > 0)
		FCGX_PutStr(r->body.at, (int)r->body.len, out);
}

static void
answer(struct fcgi_server *h, FCGX_Request *fr)
{
	const struct timeval io = { .tv_sec = IO_S };
	const char *target = param(fr, "REQUEST_URI");
	AUTO(exchange) x = exchange_new(target ? target : "/", &h->load);
	uint64_t length;

	setsockopt(fr->ipcFd, SOL_SOCKET, SO_RCVTIMEO, &io, sizeof(io));
	setsockopt(fr->ipcFd, SOL_SOCKET, SO_SNDTIMEO, &io, sizeof(io));
	length = begin(h, x, fr);
	if (!take_body(h, x, fr, length))
		return;
	exchange_finish(x, h->app);
	send_reply(x, fr->out);
}

static void *
serve(void *arg)
{
	struct worker *w = arg;
	struct fcgi_server *h = w->server;
	const struct timespec moment = { .tv_nsec = 100 * 1000 * 1000 };

	while (!atomic_load(&h->ending)) {
		if (FCGX_Accept_r(&w->request) < 0) {
			/* out of descriptors, or a peer that is no web server;
			 * or the end */
			if (!atomic_load(&h->ending))
				nanosleep(&moment, NULL);
			continue;
		}
		atomic_fetch_add(&h->busy, 1);
		answer(h, &w->request);
		w->request.keepConnection = 0;
		FCGX_Finish_r(&w->request);
		atomic_fetch_sub(&h->busy, 1);
	}
	FCGX_Free(&w->request, 1);
	return NULL;
}

static int
start_library(struct err *e)
{
	static const int taken[] = { SIGTERM, SIGUSR1, SIGPIPE };
	struct sigaction before[ARRAY_LEN(taken)];
	int bad;

	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		sigaction(taken[i], NULL, &before[i]);
	bad = FCGX_Init();
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		sigaction(taken[i], &before[i], NULL);
	return bad ? err_set(e, ERR_SYS, "libfcgi does not start") : 0;
}

static int
start_worker(struct fcgi_server *h, struct err *e)
{
	struct worker *w = &h->worker[h->workers];

	w->server = h;
	if (FCGX_InitRequest(&w->request, h->fd, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
		return err_set(e, ERR_SYS, "libfcgi: no request");
	if (pthread_create(&w->thread, NULL, serve, w) != 0)
		return err_set(e, ERR_SYS, "no thread for FastCGI");
	h->workers++;
	return 0;
}

int
fcgi_server_start(struct fcgi_server **out, const struct fcgi_opts *o,
		  struct err *e)
{
	AUTO(fcgi_server) h = base_alloc(sizeof(*h));
	int flags = fcntl(o->fd, F_GETFL);

	h->app = o->app;
	h->spool_dir = o->spool_dir;
	h->load.bulk_max = BULK_MAX;
	h->fd = o->fd;
	/* libfcgi takes "not now" from accept for an end */
	if (flags < 0 || fcntl(h->fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return err_sys(e, "the FastCGI socket");
	if (start_library(e) < 0)
		return -1;
	while (h->workers < THREADS)
		if (start_worker(h, e) < 0)
			return -1;
	*out = STEAL(h);
	return 0;
}

void
fcgi_server_quiesce(struct fcgi_server *h)
{
	if (atomic_exchange(&h->ending, true))
		return;
	FCGX_ShutdownPending();
	shutdown(h->fd, SHUT_RDWR);
}

unsigned
fcgi_server_busy(struct fcgi_server *h)
{
	return atomic_load(&h->busy);
}

/* A thread may wait for the rest of a request that never comes: cut all. The
 * numbers are read without a lock, and one that was closed meanwhile is at
 * worst another thread's connection, which is to be cut as well. */
static void
cut(struct fcgi_server *h)
{
	for (size_t i = 0; i < h->workers; i++) {
		int fd = __atomic_load_n(&h->worker[i].request.ipcFd,
					 __ATOMIC_RELAXED);

		if (fd >= 0)
			shutdown(fd, SHUT_RDWR);
	}
}

void
fcgi_server_free(struct fcgi_server *h)
{
	if (!h)
		return;
	fcgi_server_quiesce(h);
	cut(h);
	for (size_t i = 0; i < h->workers; i++)
		pthread_join(h->worker[i].thread, NULL);
	close(h->fd);
	free(h);
}
