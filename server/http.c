/* libmicrohttpd calls us several times for one request and times only
 * inactivity; here that becomes one finished request and a deadline for all of
 * it. Each connection has a thread: a decision waits in its call for the commit
 * that it shares with all others that wait, so the more may wait the fewer
 * commits there are; an initrd read from a slow disk holds up nobody else, nor
 * does an operator's `watch`. */
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "server/exchange.h"
#include "server/http.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/num.h"

#define CONNECTIONS_MAX 2048
#define BULK_MAX 1024
#define PER_PEER_MAX 256 /* many machines may stand behind one NAT */
#define LOCAL_MAX 64
#define MEMORY_BYTES (32 * 1024) /* headers of one connection */
#define IDLE_S 30
#define SLOW_MS (10 * 60 * 1000)   /* a log over a bad line */
#define ANSWER_MS (30 * 60 * 1000) /* an initrd over a bad line */
#define BULK_BYTES_PER_MS 32       /* a tree over one: at least 32 kB/s */

struct connection {
	struct connection *next, **link;
	int fd;
	int64_t deadline_ms;
	bool reading; /* a request is arriving: 408 can be told */
	int file;     /* being sent, up to `file_end`; or -1 */
	uint64_t file_end;
};

struct http_server {
	struct MHD_Daemon *daemon;
	struct app *app;
	const char *section, *spool_dir;
	int request_ms;
	bool quiesced;
	atomic_uint busy;
	struct exchange_load load;
	pthread_mutex_t lock; /* for the list and what it holds */
	struct connection *list;
};

static struct connection *
connection_of(struct MHD_Connection *mc)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mc, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* Give the connection of `mc` until `ms` from now. */
static void
set_deadline(struct http_server *h, struct MHD_Connection *mc, int64_t ms,
	     bool reading)
{
	struct connection *c = connection_of(mc);

	if (!c)
		return;
	pthread_mutex_lock(&h->lock);
	c->deadline_ms = clock_boot_ms() + ms;
	c->reading = reading;
	pthread_mutex_unlock(&h->lock);
}

/* What `mc` sends; nothing any more when `r` is NULL. A descriptor of our own:
 * libmicrohttpd closes its one when it likes. */
static void
note_file(struct http_server *h, struct MHD_Connection *mc,
	  const struct reply *r)
{
	struct connection *c = connection_of(mc);
	int old;

	if (!c)
		return;
	pthread_mutex_lock(&h->lock);
	old = c->file;
	c->file = -1;
	if (r && r->file >= 0) {
		c->file = fcntl(r->file, F_DUPFD_CLOEXEC, 0);
		c->file_end = r->file_offset + r->file_size;
	}
	pthread_mutex_unlock(&h->lock);
	if (old >= 0)
		close(old);
}

/* Opened and closed; closed is told before the descriptor is closed, so the
 * list never holds a number that became another socket's. */
static void
on_connection(void *cls, struct MHD_Connection *mc, void **context,
	      enum MHD_ConnectionNotificationCode what)
{
	struct http_server *h = cls;
	struct connection *c = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		c = base_alloc(sizeof(*c));
		c->fd = MHD_get_connection_info(
				mc, MHD_CONNECTION_INFO_CONNECTION_FD)
				->connect_fd;
		c->deadline_ms = clock_boot_ms() + h->request_ms;
		c->file = -1;
		*context = c;
		pthread_mutex_lock(&h->lock);
		c->next = h->list;
		c->link = &h->list;
		if (c->next)
			c->next->link = &c->next;
		h->list = c;
		pthread_mutex_unlock(&h->lock);
		return;
	}
	if (!c)
		return;
	pthread_mutex_lock(&h->lock);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	pthread_mutex_unlock(&h->lock);
	*context = NULL;
	if (c->file >= 0)
		close(c->file);
	free(c);
}

/* The request line is there: the exchange begins. */
static void *
on_target(void *cls, const char *target, struct MHD_Connection *mc)
{
	struct http_server *h = cls;

	atomic_fetch_add(&h->busy, 1);
	set_deadline(h, mc, h->request_ms, true);
	return exchange_new(target, &h->load);
}

static void
on_completed(void *cls, struct MHD_Connection *mc, void **context,
	     enum MHD_RequestTerminationCode why)
{
	struct http_server *h = cls;

	(void)why;
	note_file(h, mc, NULL);
	if (!*context)
		return;
	exchange_free(*context);
	*context = NULL;
	atomic_fetch_sub(&h->busy, 1);
	set_deadline(h, mc, IDLE_S * 1000 + h->request_ms, false);
}

/* Paths and queries are decoded by us, piece by piece. */
static size_t
on_unescape(void *cls, struct MHD_Connection *mc, char *text)
{
	(void)cls;
	(void)mc;
	return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void
on_log(void *cls, const char *fmt, va_list ap)
{
	char text[400];

	(void)cls;
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_line(LOG_DEBUG, "libmicrohttpd: %s", text);
}

static char *
peer_text(struct MHD_Connection *mc)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mc, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info ? info->client_addr : NULL;
	char host[NI_MAXHOST];
	socklen_t len;

	if (!sa || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
		return base_strdup("local");
	len = sa->sa_family == AF_INET ? sizeof(struct sockaddr_in)
				       : sizeof(struct sockaddr_in6);
	if (getnameinfo(sa, len, host, sizeof(host), NULL, 0, NI_NUMERICHOST))
		return base_strdup("?");
	/* an IPv4 machine at a socket that is open for both */
	return base_strdup(str_starts(host, "::ffff:") ? host + 7 : host);
}

struct framing {
	unsigned lengths, codings, hosts;
	bool odd;
};

static enum MHD_Result
count_framing(void *cls, enum MHD_ValueKind kind, const char *key,
	      const char *value)
{
	struct framing *f = cls;

	(void)kind;
	if (strcasecmp(key, "Content-Length") == 0)
		f->lengths++;
	else if (strcasecmp(key, "Host") == 0)
		f->hosts++;
	else if (strcasecmp(key, "Transfer-Encoding") == 0) {
		f->codings++;
		f->odd |= !value || strcasecmp(value, "chunked") != 0;
	}
	return MHD_YES;
}

/* Two readers of one stream must see the same requests in it: what can be
 * framed in two ways is refused (request smuggling). */
static bool
framing_good(struct MHD_Connection *mc)
{
	struct framing f = { 0 };

	MHD_get_connection_values(mc, MHD_HEADER_KIND, count_framing, &f);
	return f.lengths + f.codings <= 1 && f.hosts <= 1 && !f.odd;
}

static const char *
header(struct MHD_Connection *mc, const char *name)
{
	return MHD_lookup_connection_value(mc, MHD_HEADER_KIND, name);
}

static void
fill_request(struct http_server *h, struct exchange *x,
	     struct MHD_Connection *mc, const char *method)
{
	struct request *r = &x->ask;

	x->peer = peer_text(mc);
	r->peer = x->peer;
	r->method = method;
	r->section = h->section;
	r->local = h->section != NULL;
	r->type = header(mc, "Content-Type");
	r->host = header(mc, "Host");
	r->run = header(mc, "Edeploy-Run");
	r->token = header(mc, "Edeploy-Token");
	r->range = header(mc, "Range");
	r->if_range = header(mc, "If-Range");
	r->if_none_match = header(mc, "If-None-Match");
}

/* The reply's bytes as libmicrohttpd's; takes them out of `r`. */
static struct MHD_Response *
make_response(struct reply *r)
{
	size_t len = r->body.len;

	if (r->file >= 0 && r->file_size > 0) {
		int fd = r->file;

		r->file = -1;
		return MHD_create_response_from_fd_at_offset64(r->file_size, fd,
							       r->file_offset);
	}
	return MHD_create_response_from_buffer(len, buf_take(&r->body),
					       MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result
send_reply(struct http_server *h, struct exchange *x, struct MHD_Connection *mc,
	   bool close_after)
{
	struct reply *r = &x->reply;
	struct MHD_Response *resp;
	enum MHD_Result done;
	int64_t ms = ANSWER_MS;

	route_log(&x->ask, r);
	if (r->bulk)
		ms += (int64_t)(r->file_size / BULK_BYTES_PER_MS);
	note_file(h, mc, r);
	resp = make_response(r);
	if (!resp)
		return MHD_NO;
	for (size_t i = 0; i < r->headers; i++)
		MHD_add_response_header(resp, r->header[i].name,
					r->header[i].value);
	if (close_after || r->status == 503)
		MHD_add_response_header(resp, "Connection", "close");
	set_deadline(h, mc, ms, false);
	done = MHD_queue_response(mc, (unsigned)r->status, resp);
	MHD_destroy_response(resp);
	return done;
}

static enum MHD_Result
begin(struct http_server *h, struct exchange *x, struct MHD_Connection *mc,
      const char *method)
{
	const char *text = header(mc, "Content-Length");
	uint64_t length = 0;
	struct err e = { 0 };
	bool framed = framing_good(mc);

	fill_request(h, x, mc, method);
	if (!framed)
		exchange_refuse(
			x, 400,
			"Content-Length, Transfer-Encoding or Host are given "
			"twice or contradict each other");
	else if (text &&
		 num_u64(text, 0, INT64_MAX, &length, "Content-Length", &e) < 0)
		exchange_refuse(x, 400, e.text);
	exchange_begin(x, h->app, text ? (int64_t)length : -1);
	/* Who waits for 100-continue, or would send very much, is told now. */
	if (x->refused && (!framed || length > EXCHANGE_DRAIN ||
			   (length > 0 && header(mc, "Expect"))))
		return send_reply(h, x, mc, true);
	if (x->plan.slow)
		set_deadline(h, mc, SLOW_MS, true);
	return MHD_YES;
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *mc, const char *url,
	   const char *method, const char *version, const char *bytes,
	   size_t *len, void **context)
{
	struct http_server *h = cls;
	struct exchange *x = *context;

	(void)url;
	(void)version;
	if (!x)
		return MHD_NO;
	if (!x->begun)
		return begin(h, x, mc, method);
	if (*len > 0) {
		bool go_on = exchange_take(x, h->spool_dir, bytes, *len);

		*len = 0;
		return go_on ? MHD_YES : MHD_NO;
	}
	set_deadline(h, mc, ANSWER_MS, false);
	exchange_finish(x, h->app);
	return send_reply(h, x, mc, h->app->stopping);
}

static struct MHD_Daemon *
start_daemon(struct http_server *h, int fd)
{
	bool local = h->section != NULL;
	unsigned flags = MHD_USE_ITC | MHD_USE_ERROR_LOG |
			 MHD_USE_POLL_INTERNAL_THREAD |
			 MHD_USE_THREAD_PER_CONNECTION;
	struct MHD_OptionItem limit[] = {
		{ MHD_OPTION_PER_IP_CONNECTION_LIMIT, PER_PEER_MAX, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

	return MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER,
		on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
		MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
		MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(local ? LOCAL_MAX : CONNECTIONS_MAX),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
		local ? none : limit, MHD_OPTION_END);
}

int
http_server_start(struct http_server **out, const struct http_opts *o,
		  struct err *e)
{
	AUTO(http_server) h = base_alloc(sizeof(*h));

	h->app = o->app;
	h->section = o->section;
	h->spool_dir = o->spool_dir;
	h->request_ms = o->request_s * 1000;
	h->load.bulk_max = BULK_MAX;
	pthread_mutex_init(&h->lock, NULL);
	h->daemon = start_daemon(h, o->fd);
	if (!h->daemon) {
		close(o->fd);
		return err_set(e, ERR_SYS, "libmicrohttpd does not start");
	}
	*out = STEAL(h);
	return 0;
}

#define LATE_TEXT "the request took longer than its deadline\n"

/* Nothing was sent for a request that is still arriving, so this is all of its
 * answer; the shutdown makes libmicrohttpd let go of it. */
static void
end_late(struct connection *c)
{
	char late[256];
	int len = snprintf(
		late, sizeof(late),
		"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\n"
		"Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
		strlen(LATE_TEXT), LATE_TEXT);

	if (c->reading)
		(void)!send(c->fd, late, (size_t)len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(c->fd, SHUT_RDWR);
	c->deadline_ms = INT64_MAX;
}

/* The file became shorter than what was promised: libmicrohttpd would ask the
 * kernel for the rest for ever, without a pause. */
static bool
file_cut(const struct connection *c)
{
	struct stat st;

	return c->file >= 0 && fstat(c->file, &st) == 0 &&
	       (uint64_t)st.st_size < c->file_end;
}

void
http_server_tick(struct http_server *h)
{
	int64_t now = clock_boot_ms();

	pthread_mutex_lock(&h->lock);
	for (struct connection *c = h->list; c; c = c->next)
		if (now > c->deadline_ms || file_cut(c))
			end_late(c);
	pthread_mutex_unlock(&h->lock);
}

void
http_server_quiesce(struct http_server *h)
{
	int fd = h->quiesced ? -1 : MHD_quiesce_daemon(h->daemon);

	h->quiesced = true;
	if (fd >= 0)
		close(fd); /* ours again; left open it would still queue */
}

unsigned
http_server_busy(struct http_server *h)
{
	return atomic_load(&h->busy);
}

void
http_server_free(struct http_server *h)
{
	if (!h)
		return;
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
