/* Published files by HTTP, or from a folder. Patience lives here: whoever asks
 * gets every byte once, however often the wire breaks, or an answer that says
 * that waiting is of no use. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/clock.h"
#include "lib/http_stream.h"
#include "rsyncd/pace.h"
#include "rsyncd/source.h"

#define TRIES 30
#define PAUSE_MAX_S 60
#define PAUSE_FIRST_MS 200
#define TICK_MS 500
#define FOLDER_PIECE (256 * 1024)
#define SPEED_BYTES_MIN (128 * 1024)

_Static_assert(SOURCE_TAG == HTTP_TAG, "tags go from one to the other");

struct source {
	struct source_opts o;
	char *where; /* without a "/" at its end */
	struct http_stream *http;
	int dirfd;   /* of a folder; -1: http */
	int file_fd; /* of the file that was read last */
	char *file;
	char *piece; /* FOLDER_PIECE */
	struct pace *pace;
	uint64_t bytes;
	uint64_t speed;    /* of the last span */
	uint64_t taken_us; /* what its taker used */
};

static bool
is_url(const char *where)
{
	return str_starts(where, "http://") || str_starts(where, "https://");
}

static int
open_folder(struct source *s, struct err *e)
{
	s->dirfd = open(s->where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0)
		return err_sys(e, "%s", s->where);
	s->piece = base_alloc(FOLDER_PIECE);
	return 0;
}

int
source_open(struct source **out, const struct source_opts *opts, struct err *e)
{
	struct source *s = base_alloc(sizeof(*s));
	size_t len = strlen(opts->where);

	while (len > 1 && opts->where[len - 1] == '/')
		len--;
	s->o = *opts;
	s->where = base_strndup(opts->where, len);
	s->o.where = s->where;
	s->o.tries = opts->tries ? opts->tries : TRIES;
	s->o.pause_max_s = opts->pause_max_s ? opts->pause_max_s : PAUSE_MAX_S;
	s->dirfd = s->file_fd = -1;
	s->pace = pace_new();
	if (is_url(s->where)) {
		const struct http_stream_opts h = { .ca = opts->ca,
						    .stall_s = opts->stall_s,
						    .tick = opts->tick,
						    .ctx = opts->ctx };

		s->http = http_stream_new(&h);
	} else if (strstr(s->where, "://")) {
		err_set(e, ERR_INPUT,
			"%s: neither http://HOST/PATH nor https://HOST/PATH "
			"nor a folder",
			s->where);
		source_close(s);
		return -1;
	} else if (open_folder(s, e) < 0) {
		source_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

void
source_close(struct source *s)
{
	if (!s)
		return;
	http_stream_free(s->http);
	if (s->dirfd >= 0)
		close(s->dirfd);
	if (s->file_fd >= 0)
		close(s->file_fd);
	free(s->file);
	free(s->piece);
	pace_free(s->pace);
	free(s->where);
	free(s);
}

uint64_t
source_bytes(const struct source *s)
{
	return s->bytes;
}

uint64_t
source_speed(const struct source *s)
{
	return s->speed;
}

unsigned
source_slow(const struct source *s)
{
	return pace_slow(s->pace);
}

/* The first bytes of all may come quicker than the rest: what shapes a wire
 * lets a burst pass. */
static void
note_speed(struct source *s, uint64_t bytes, uint64_t us)
{
	us = us > s->taken_us ? us - s->taken_us : 0;
	if (bytes >= SPEED_BYTES_MIN)
		s->speed = bytes * 1000000 / (us ? us : 1);
}

/* ---- taking ---- */

/* Where the bytes of one file go, and how far they are. */
struct taking {
	struct source *s;
	int (*take)(void *ctx, const void *bytes, size_t len, struct err *e);
	void *ctx;
	uint64_t got;
	bool refused; /* the taker wants no more */
};

static int
take_some(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct taking *t = ctx;
	uint64_t begun_us = pace_us(t->s->pace);
	int got;

	t->s->bytes += len;
	t->got += len;
	got = t->take(t->ctx, bytes, len, e);
	t->s->taken_us += pace_us(t->s->pace) - begun_us;
	t->refused = got < 0;
	return got;
}

/* ---- a folder ---- */

/* 0: there is none. */
static int
open_file(struct source *s, const char *path, struct err *e)
{
	if (s->file && str_eq(s->file, path))
		return 1;
	free(STEAL(s->file));
	if (s->file_fd >= 0)
		close(s->file_fd);
	s->file_fd = open_beneath(s->dirfd, path, O_RDONLY | O_NONBLOCK, 0);
	if (s->file_fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (s->file_fd < 0)
		return err_sys(e, "%s/%s", s->where, path);
	s->file = base_strdup(path);
	return 1;
}

static int
read_range(struct taking *t, const struct source_span *span, struct err *e)
{
	struct source *s = t->s;
	int64_t ticked_ms = clock_boot_ms();
	int there = open_file(s, span->path, e);

	if (there <= 0)
		return there < 0 ? -1
				 : err_set(e, ERR_INPUT, "%s/%s: not there",
					   s->where, span->path);
	while (t->got < span->len) {
		size_t want = span->len - t->got < FOLDER_PIECE
				      ? span->len - t->got
				      : FOLDER_PIECE;
		ssize_t n = pread(s->file_fd, s->piece, want,
				  (off_t)(span->at + t->got));

		if (n < 0)
			return err_sys(e, "%s/%s", s->where, span->path);
		if (n == 0)
			return err_set(e, ERR_INPUT, "%s/%s: ends too early",
				       s->where, span->path);
		if (take_some(t, s->piece, (size_t)n, e) < 0)
			return -1;
		if (!s->o.tick || clock_boot_ms() - ticked_ms < TICK_MS)
			continue;
		ticked_ms = clock_boot_ms();
		if (s->o.tick(s->o.ctx) != 0)
			return err_set(e, ERR_REFUSED, "stopped");
	}
	return 0;
}

static int
read_small(struct source *s, const char *path, size_t max, struct buf *out,
	   struct err *e)
{
	struct stat st;
	int there;
	ssize_t n;
	char *at;

	free(STEAL(s->file)); /* a HEAD may have been replaced */
	there = open_file(s, path, e);
	if (there <= 0)
		return there;
	if (fstat(s->file_fd, &st) < 0)
		return err_sys(e, "%s/%s", s->where, path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
		return err_set(e, ERR_INPUT,
			       "%s/%s: larger than %zu bytes, or no file",
			       s->where, path, max);
	at = buf_room(out, (size_t)st.st_size + 1);
	n = pread(s->file_fd, at, (size_t)st.st_size, 0);
	if (n < 0)
		return err_sys(e, "%s/%s", s->where, path);
	at[n] = '\0';
	out->len += (size_t)n;
	s->bytes += (size_t)n;
	return 1;
}

/* ---- http ---- */

/* Wait before the try after `failed` ones. */
static int
pause_before(struct source *s, int failed, const struct err *why, struct err *e)
{
	int64_t ms = PAUSE_FIRST_MS, until;
	char line[320];

	while (--failed > 0 && ms < 1000L * s->o.pause_max_s)
		ms *= 2;
	if (ms > 1000L * s->o.pause_max_s)
		ms = 1000L * s->o.pause_max_s;
	if (s->o.say) {
		snprintf(line, sizeof(line), "%s; again in %.1f s", why->text,
			 (double)ms / 1000);
		s->o.say(s->o.ctx, line);
	}
	until = clock_boot_ms() + ms;
	while ((ms = until - clock_boot_ms()) > 0) {
		if (s->o.tick && s->o.tick(s->o.ctx) != 0)
			return err_set(e, ERR_REFUSED, "stopped");
		usleep((useconds_t)(ms < TICK_MS ? ms : TICK_MS) * 1000);
	}
	return 0;
}

/* A status that the same question will not change. */
static int
answered(const char *url, int status, struct err *e)
{
	if (status == 404 || status == 410)
		return err_set(e, ERR_INPUT, "%s: not there", url);
	if (status == 416)
		return err_set(e, ERR_INPUT, "%s: ends too early", url);
	return err_set(e, ERR_INPUT, "%s: the server answers %d", url, status);
}

static bool
passes(int status)
{
	return status >= 500 || status == 408 || status == 425 || status == 429;
}

/* Ask until it is answered. `first` is where the span begins; `rewind` throws
 * away what came of a try. *status is 200, 206, or one that stays. */
static int
ask(struct taking *t, struct http_get *g, void (*rewind)(struct taking *t),
    int *status, struct err *e)
{
	const uint64_t at = g->at, len = g->len;
	int failed = 0;

	for (;;) {
		struct err why = { 0 };
		uint64_t before = t->got;
		int bad = http_stream_get(t->s->http, g, status, &why);

		if (bad == 0 && !passes(*status))
			return 0;
		if (bad == 0)
			err_set(&why, ERR_PEER, "%s: the server answers %d",
				g->url, *status);
		if (t->refused || why.kind != ERR_PEER) {
			*e = why;
			return -1;
		}
		failed = t->got > before && !rewind ? 1 : failed + 1;
		if (failed >= t->s->o.tries) {
			*e = why;
			return err_add(e, "given up after %d tries", failed);
		}
		if (rewind)
			rewind(t);
		if (len > 0) {
			g->at = at + t->got;
			g->len = len - t->got;
		}
		if (len > 0 && g->len == 0)
			return 0;
		if (pause_before(t->s, failed, &why, e) < 0)
			return -1;
	}
}

static char *
url_of(const struct source *s, const struct source_span *span)
{
	if (span->fresh < SOURCE_RENAMED)
		return base_printf("%s/%s", s->where, span->path);
	return base_printf("%s/%s?again=%lld", s->where, span->path,
			   (long long)clock_wall_ms());
}

static int
fetch_range(struct taking *t, const struct source_span *span, struct err *e)
{
	AUTO_FREE char *url = url_of(t->s, span);
	struct http_get g = { .url = url,
			      .at = span->at,
			      .len = span->len,
			      .fresh = span->fresh != SOURCE_ANY,
			      .take = take_some,
			      .ctx = t };
	int status = 0;

	if (ask(t, &g, NULL, &status, e) < 0)
		return -1;
	return t->got == span->len ? 0 : answered(url, status, e);
}

struct small {
	struct buf *out;
	size_t begin, max;
	const char *url;
};

static int
keep_small(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct small *m = ctx;

	if (len > m->max - (m->out->len - m->begin))
		return err_set(e, ERR_INPUT, "%s: larger than %zu bytes",
			       m->url, m->max);
	buf_add(m->out, bytes, len);
	return 0;
}

static void
drop_small(struct taking *t)
{
	struct small *m = t->ctx;

	m->out->len = m->begin;
}

static int
fetch_small(struct source *s, const char *path, size_t max, bool fresh,
	    char *tag, struct buf *out, struct err *e)
{
	AUTO_FREE char *url = base_printf("%s/%s", s->where, path);
	char fresh_tag[HTTP_TAG];
	struct small m = { out, out->len, max, url };
	struct taking t = { .s = s, .take = keep_small, .ctx = &m };
	struct http_get g = { .url = url,
			      .fresh = fresh,
			      .known = tag,
			      .tag = tag ? fresh_tag : NULL,
			      .take = take_some,
			      .ctx = &t };
	const bool asked = tag && *tag;
	int status = 0;

	if (ask(&t, &g, drop_small, &status, e) < 0)
		return -1;
	if (status == 304 && asked)
		return SOURCE_SAME;
	if (tag) /* not before: another try must ask for what is known */
		memcpy(tag, fresh_tag, SOURCE_TAG);
	if (status == 200)
		return 1;
	return status == 404 || status == 410 ? 0 : answered(url, status, e);
}

/* ---- the door ---- */

int
source_small(struct source *s, const char *path, size_t max, bool fresh,
	     struct buf *out, struct err *e)
{
	return s->http ? fetch_small(s, path, max, fresh, NULL, out, e)
		       : read_small(s, path, max, out, e);
}

int
source_head(struct source *s, const char *path, size_t max, char *tag,
	    struct buf *out, struct err *e)
{
	if (s->http)
		return fetch_small(s, path, max, true, tag, out, e);
	if (tag)
		*tag = '\0';
	return read_small(s, path, max, out, e);
}

bool
source_tag_is_safe(const char *tag)
{
	return http_tag_is_safe(tag);
}

int
source_range(struct source *s, const struct source_span *span,
	     int (*take)(void *ctx, const void *bytes, size_t len,
			 struct err *e),
	     void *ctx, struct err *e)
{
	struct taking t = { .s = s, .take = take, .ctx = ctx };

	uint64_t begun_us = pace_us(s->pace), before = s->bytes;
	int got;

	s->taken_us = 0;
	got = s->http ? fetch_range(&t, span, e) : read_range(&t, span, e);

	note_speed(s, s->bytes - before, pace_us(s->pace) - begun_us);
	return got;
}
