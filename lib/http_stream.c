/* The second half of libcurl's fence: a handle that lives on, so that ranges
 * after ranges take no new connection.
 *
 * Whether the wire stalls is judged here, not by libcurl's low-speed limit: a
 * taker that waits for a slow disk would look like a slow server to it. */
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/clock.h"
#include "lib/http_curl.h"
#include "lib/http_stream.h"

#define TICK_MS 500

struct http_stream {
	CURL *curl;
	char *ca;
	long connect_ms;
	int64_t stall_ms;
	int (*tick)(void *ctx);
	void *ctx;
	int64_t ticked_ms;
};

/* One answer on its way. */
struct answer {
	struct http_stream *s;
	const struct http_get *get;
	struct err *e;
	uint64_t taken;
	int64_t heard_ms;
	bool judged, wanted; /* was the status looked at; is the body ours */
	bool framed;         /* it says how long it is */
	bool full;           /* all that was asked for is here */
	bool refused;        /* take said no */
	bool ticked_off, stalled;
	bool short_range;
	uint64_t range_at, range_end; /* Content-Range; end is past it */
	bool has_range;
	char tag[HTTP_TAG];
};

struct http_stream *
http_stream_new(const struct http_stream_opts *o)
{
	struct http_stream *s = base_alloc(sizeof(*s));

	s->curl = http_curl_new();
	s->ca = o->ca ? base_strdup(o->ca) : NULL;
	s->connect_ms = o->connect_ms ? o->connect_ms : 10000;
	s->stall_ms = 1000L * (o->stall_s ? o->stall_s : 30);
	s->tick = o->tick;
	s->ctx = o->ctx;
	return s;
}

void
http_stream_free(struct http_stream *s)
{
	if (!s)
		return;
	if (s->curl)
		curl_easy_cleanup(s->curl);
	free(s->ca);
	free(s);
}

/* "bytes 10-19/200": both numbers are the server's, and only compared. */
static void
read_range(struct answer *a, const char *text)
{
	uint64_t from, to;
	int end = 0;

	if (sscanf(text, " bytes %" SCNu64 "-%" SCNu64 "/%n", &from, &to,
		   &end) < 2 ||
	    end == 0 || to < from || to == UINT64_MAX)
		return;
	a->has_range = true;
	a->range_at = from;
	a->range_end = to + 1;
}

bool
http_tag_is_safe(const char *tag)
{
	for (; *tag; tag++)
		if (*tag <= ' ' || *tag >= 0x7f)
			return false;
	return true;
}

/* Of a line's value, with its end of line. */
static void
read_tag(struct answer *a, const char *value, size_t len)
{
	while (len > 0 && *value == ' ')
		value++, len--;
	while (len > 0 && strchr(" \r\n", value[len - 1]))
		len--;
	if (len >= sizeof(a->tag))
		return;
	memcpy(a->tag, value, len);
	a->tag[len] = '\0';
	if (strlen(a->tag) != len || !http_tag_is_safe(a->tag))
		*a->tag = '\0';
}

static size_t
take_header(char *bytes, size_t one, size_t len, void *ctx)
{
	struct answer *a = ctx;
	char line[128];

	(void)one;
	if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
		a->has_range = a->framed = false;
		*a->tag = '\0';
	}
	if ((len > 15 && strncasecmp(bytes, "Content-Length:", 15) == 0) ||
	    (len > 18 && strncasecmp(bytes, "Transfer-Encoding:", 18) == 0))
		a->framed = true;
	if (len > 5 && strncasecmp(bytes, "ETag:", 5) == 0)
		read_tag(a, bytes + 5, len - 5);
	if (len > 14 && len < sizeof(line) &&
	    strncasecmp(bytes, "Content-Range:", 14) == 0) {
		memcpy(line, bytes + 14, len - 14);
		line[len - 14] = '\0';
		read_range(a, line);
	}
	return len;
}

/* Is this answer's body what was asked for? -1: it cannot be used. */
static int
judge(struct answer *a)
{
	const struct http_get *g = a->get;
	long status = 0;

	a->judged = true;
	curl_easy_getinfo(a->s->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 && status != 206)
		return 0;
	a->wanted = true;
	if (status == 206) {
		if (!a->has_range || g->len == 0 || a->range_at != g->at)
			return err_set(a->e, ERR_PEER,
				       "%s: another range than was asked for",
				       g->url);
		a->short_range = a->range_end < g->at + g->len;
		a->wanted = !a->short_range;
	} else if (g->at > 0) {
		return err_set(a->e, ERR_PEER, "%s: the server knows no ranges",
			       g->url);
	}
	return 0;
}

static size_t
take_body(char *bytes, size_t one, size_t len, void *ctx)
{
	struct answer *a = ctx;
	const struct http_get *g = a->get;
	size_t mine = len;

	(void)one;
	if (!a->judged && judge(a) < 0) {
		a->refused = true;
		return 0;
	}
	if (!a->wanted)
		return a->short_range ? 0 : len;
	if (g->len > 0 && mine > g->len - a->taken)
		mine = g->len - a->taken;
	if (mine > 0 && g->take(g->ctx, bytes, mine, a->e) < 0) {
		a->refused = true;
		return 0;
	}
	a->taken += mine;
	a->heard_ms = clock_boot_ms();
	a->full = g->len > 0 && a->taken == g->len;
	return a->full && mine < len ? 0 : len; /* 0: the rest is not ours */
}

static int
look_up(void *ctx, curl_off_t all, curl_off_t got, curl_off_t up_all,
	curl_off_t up)
{
	struct answer *a = ctx;
	struct http_stream *s = a->s;
	int64_t now = clock_boot_ms();

	(void)all, (void)got, (void)up_all, (void)up;
	a->stalled = now - a->heard_ms > s->stall_ms;
	if (s->tick && now - s->ticked_ms >= TICK_MS) {
		s->ticked_ms = now;
		a->ticked_off = s->tick(s->ctx) != 0;
	}
	return a->stalled || a->ticked_off;
}

static void
set_up(struct answer *a, char *range, size_t size, char *why)
{
	CURL *c = a->s->curl;
	const struct http_get *g = a->get;

	http_curl_common(c, g->url, a->s->connect_ms, why);
	if (g->len > 0)
		snprintf(range, size, "%" PRIu64 "-%" PRIu64, g->at,
			 g->at + g->len - 1);
	curl_easy_setopt(c, CURLOPT_RANGE, g->len > 0 ? range : NULL);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256 * 1024L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	if (a->s->ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, a->s->ca);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, a);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, look_up);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, a);
}

/* Might the same question do better later? A certificate will not. */
static bool
passes(CURLcode code)
{
	return code != CURLE_PEER_FAILED_VERIFICATION &&
	       code != CURLE_SSL_CACERT_BADFILE &&
	       code != CURLE_UNSUPPORTED_PROTOCOL &&
	       code != CURLE_URL_MALFORMAT;
}

/* What became of it, once libcurl is through. */
static int
outcome(struct answer *a, CURLcode code, const char *why, int *status)
{
	const struct http_get *g = a->get;

	if (a->refused)
		return -1;
	if (a->short_range) {
		*status = 416;
		return 0;
	}
	if (a->full)
		return 0;
	if (a->ticked_off)
		return err_set(a->e, ERR_REFUSED, "%s: stopped", g->url);
	if (a->stalled)
		return err_set(a->e, ERR_PEER, "%s: nothing came for %d s",
			       g->url, (int)(a->s->stall_ms / 1000));
	if (code != CURLE_OK)
		return err_set(a->e, passes(code) ? ERR_PEER : ERR_REFUSED,
			       "%s: %s", g->url,
			       *why ? why : curl_easy_strerror(code));
	if (!a->framed && *status != 304) /* which has no body by itself */
		return err_set(a->e, ERR_PEER, "%s: the answer says no length",
			       g->url);
	if (!a->judged && judge(a) < 0) /* it had no body */
		return -1;
	if (a->wanted && g->len > 0)
		*status = 416; /* a 200, whole, and shorter than asked for */
	return 0;
}

int
http_stream_get(struct http_stream *s, const struct http_get *get, int *status,
		struct err *e)
{
	struct answer a = {
		.s = s, .get = get, .e = e, .heard_ms = clock_boot_ms()
	};
	char why[CURL_ERROR_SIZE] = "", range[48], known[HTTP_TAG + 32];
	struct curl_slist *headers = NULL;
	CURLcode code;
	long told = 0;

	if (!s->curl)
		return err_set(e, ERR_SYS, "libcurl does not start");
	headers = curl_slist_append(headers, "Accept:");
	if (get->fresh)
		headers = curl_slist_append(headers, "Cache-Control: no-cache");
	if (get->known && *get->known) {
		snprintf(known, sizeof(known), "If-None-Match: %s", get->known);
		headers = curl_slist_append(headers, known);
	}
	curl_easy_reset(s->curl); /* options; the connection is kept */
	set_up(&a, range, sizeof(range), why);
	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(s->curl);
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &told);
	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(headers);
	*status = (int)told;
	if (get->tag)
		memcpy(get->tag, a.tag, HTTP_TAG);
	return outcome(&a, code, why, status);
}
