/* The fence of libcurl: one exchange, whole or not at all. No redirects, no
 * proxy from the environment, no protocol but HTTP and HTTPS. */
#include <pthread.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/http.h"
#include "lib/http_curl.h"
#include "lib/text.h"

#define BODY_DEFAULT (16u * 1024 * 1024)

struct exchange {
	const struct http_ask *ask;
	struct http_answer *out;
	size_t max, sent;
	bool too_large;
	bool framed; /* the answer said how long it is */
	bool headers_end;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void
start_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

CURL *
http_curl_new(void)
{
	pthread_once(&curl_once, start_curl);
	return curl_easy_init();
}

void
http_curl_common(CURL *c, const char *url, long connect_ms, char *why)
{
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
}

static size_t
take_body(char *bytes, size_t one, size_t len, void *ctx)
{
	struct exchange *x = ctx;

	(void)one;
	if (len > x->max - x->out->body.len) {
		x->too_large = true;
		return 0;
	}
	buf_add(&x->out->body, bytes, len);
	return len;
}

/* libcurl takes an answer that ends inside its headers, or has no length, as
 * ended by the close: we could not tell it from one that was cut. */
static void
note_framing(struct exchange *x, const char *line, size_t len)
{
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		x->framed = x->headers_end = false;
	if ((len > 15 && strncasecmp(line, "Content-Length:", 15) == 0) ||
	    (len > 18 && strncasecmp(line, "Transfer-Encoding:", 18) == 0))
		x->framed = true;
	if (len == 2 && memcmp(line, "\r\n", 2) == 0)
		x->headers_end = true;
}

static size_t
take_header(char *bytes, size_t one, size_t len, void *ctx)
{
	struct exchange *x = ctx;
	size_t i, n;

	(void)one;
	note_framing(x, bytes, len);
	for (i = 0; i < 8 && x->ask->want[i]; i++) {
		n = strlen(x->ask->want[i]);
		if (len <= n || bytes[n] != ':' ||
		    strncasecmp(bytes, x->ask->want[i], n) != 0)
			continue;
		free(x->out->header[i]);
		x->out->header[i] = base_strndup(bytes + n + 1, len - n - 1);
		memmove(x->out->header[i], text_trim(x->out->header[i]),
			strlen(text_trim(x->out->header[i])) + 1);
	}
	return len;
}

static size_t
give_body(char *to, size_t one, size_t room, void *ctx)
{
	struct exchange *x = ctx;
	size_t left = x->ask->body_len - x->sent;

	room *= one;
	if (room > left)
		room = left;
	memcpy(to, (const char *)x->ask->body + x->sent, room);
	x->sent += room;
	return room;
}

static struct curl_slist *
headers_of(const struct http_ask *ask)
{
	/* no "Expect: 100-continue": it costs a second with old servers */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	size_t i;

	for (i = 0; ask->headers && ask->headers[i]; i++)
		list = curl_slist_append(list, ask->headers[i]);
	return list;
}

static void
set_body(CURL *c, struct exchange *x)
{
	if (str_eq(x->ask->method, "PUT")) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE,
				 (curl_off_t)x->ask->body_len);
	} else {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)x->ask->body_len);
	}
	curl_easy_setopt(c, CURLOPT_READFUNCTION, give_body);
	curl_easy_setopt(c, CURLOPT_READDATA, x);
}

static void
set_up(CURL *c, struct exchange *x, struct curl_slist *headers, char *why)
{
	const struct http_ask *a = x->ask;

	http_curl_common(c, a->url, a->connect_ms ? a->connect_ms : 10000, why);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS,
			 (long)(a->deadline_ms ? a->deadline_ms : 60000));
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	if (a->unix_socket)
		curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, a->unix_socket);
	if (str_eq(a->method, "HEAD"))
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	if (a->body || str_eq(a->method, "PUT") || str_eq(a->method, "POST"))
		set_body(c, x);
}

int
http_do(const struct http_ask *ask, struct http_answer *out, struct err *e)
{
	struct exchange x = { ask, out,
			      ask->max_body ? ask->max_body : BODY_DEFAULT, 0,
			      false };
	char why[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers;
	CURLcode code;
	long status = 0;
	CURL *c;

	*out = (struct http_answer){ 0 };
	c = http_curl_new();
	if (!c)
		return err_set(e, ERR_SYS, "libcurl does not start");
	headers = headers_of(ask);
	set_up(c, &x, headers, why);
	code = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	out->status = (int)status;
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	if (x.too_large)
		return err_set(e, ERR_PEER, "%s: answer larger than %zu bytes",
			       ask->url, x.max);
	if (code != CURLE_OK)
		return err_set(e, ERR_PEER, "%s: %s", ask->url,
			       *why ? why : curl_easy_strerror(code));
	if (!x.headers_end || (!x.framed && status != 204))
		return err_set(e, ERR_PEER,
			       "%s: the answer was cut, or says no length",
			       ask->url);
	return 0;
}

void
http_answer_clear(struct http_answer *a)
{
	size_t i;

	buf_clear(&a->body);
	for (i = 0; i < 8; i++)
		free(a->header[i]);
	*a = (struct http_answer){ 0 };
}
