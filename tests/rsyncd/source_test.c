/* The source against a server that cuts, lies, stalls and hides behind 503, and
 * against a folder: every byte once and in order, or a refusal in time. */
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"
#include "rsyncd/source.h"
#include "tests/peer.h"
#include "tests/test.h"

#define FILE_LEN 100000

static char content[FILE_LEN];
static char content_tag[SOURCE_TAG + 1]; /* too long by one */

static void
fill(void)
{
	unsigned x = 1;
	size_t i;

	memset(content_tag, 'x', SOURCE_TAG);
	for (i = 0; i < FILE_LEN; i++) {
		x = x * 1103515245u + 12345u;
		content[i] = (char)(x >> 16);
	}
}

/* ---- the server ---- */

static void
say(int c, const char *text)
{
	if (write(c, text, strlen(text)) < 0)
		_exit(1);
}

/* As a HEAD is answered: 304 has no length. */
static bool
answer_tag(int c, const char *ask, int asked)
{
	if (strstr(ask, "/tag-304 ") || strstr(ask, "If-None-Match: \"new\""))
		return say(c, "HTTP/1.1 304 Same\r\n\r\n"), true;
	if (strstr(ask, "/tag-cut ") && asked < 3)
		return say(c, "HTTP/1.1 200 OK\r\nETag: \"new\"\r\n"
			      "Content-Length: 6\r\n\r\nhe"),
		       false;
	say(c, "HTTP/1.1 200 OK\r\nETag: ");
	say(c, strstr(ask, "/tag-long ")    ? content_tag
	       : strstr(ask, "/tag-blank ") ? "\"a b\""
					    : "\"new\"");
	return say(c, "\r\nContent-Length: 6\r\n\r\nhello\n"), true;
}

/* One answer; false: the connection is over. */
static bool
answer(int c, const char *ask, int *asked)
{
	size_t from = 0, to = FILE_LEN - 1, len;
	char head[256];
	const char *r = strstr(ask, "Range: bytes=");
	bool ranged = r && sscanf(r, "Range: bytes=%zu-%zu", &from, &to) == 2;

	++*asked;
	if (strstr(ask, "/gone "))
		return say(c, "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"),
		       true;
	if (strstr(ask, "/busy ") && *asked < 3)
		return say(c, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
		       true;
	if (strstr(ask, "/moved "))
		return say(c, "HTTP/1.1 301 Moved\r\nLocation: /plain\r\n"
			      "Content-Length: 0\r\n\r\n"),
		       true;
	if (strstr(ask, "/fresh ") && !strstr(ask, "Cache-Control: no-cache"))
		return say(c, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
		       true;
	if (strstr(ask, "/tag"))
		return answer_tag(c, ask, *asked);
	if (strstr(ask, "/norange "))
		ranged = false, from = 0, to = FILE_LEN - 1;
	if (strstr(ask, "/short ") && to > 49999)
		to = 49999;
	if (to >= FILE_LEN)
		to = FILE_LEN - 1;
	if (strstr(ask, "/lies "))
		from++;
	len = to - from + 1;
	snprintf(head, sizeof(head),
		 ranged ? "HTTP/1.1 206 Part\r\nContent-Length: %zu\r\n"
			  "Content-Range: bytes %zu-%zu/%d\r\n\r\n"
			: "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
		 len, from, to, FILE_LEN);
	say(c, head);
	if (strstr(ask, "/cut ") && len > 7000)
		return (void)!write(c, content + from, 7000), false;
	if (strstr(ask, "/stall ") && *asked < 2) {
		(void)!write(c, content + from, 10);
		sleep(5);
		return false;
	}
	for (ranged = true; len > 0;) {
		ssize_t n = write(c, content + from, len);

		if (n <= 0)
			return false;
		from += (size_t)n;
		len -= (size_t)n;
	}
	return true;
}

static void
serve(int fd)
{
	signal(SIGPIPE, SIG_IGN);
	for (int asked = 0;;) {
		int c = accept(fd, NULL, NULL);
		char ask[4096];
		ssize_t n;

		if (c < 0)
			_exit(0);
		while ((n = read(c, ask, sizeof(ask) - 1)) > 0) {
			ask[n] = '\0';
			if (strstr(ask, "/reset "))
				asked = 0;
			if (!answer(c, ask, &asked))
				break;
		}
		close(c);
	}
}

/* ---- rows ---- */

static const struct {
	const char *path;
	uint64_t at, len;
	enum source_fresh fresh;
	int want; /* 0, or the kind of failure */
} rows[] = {
	{ "plain", 0, FILE_LEN, SOURCE_ANY, 0 },
	{ "plain", 0, 1, SOURCE_ANY, 0 },
	{ "plain", 12345, 54321, SOURCE_ANY, 0 },
	{ "plain", FILE_LEN - 1, 1, SOURCE_ANY, 0 },
	{ "plain", FILE_LEN - 1, 2, SOURCE_ANY, ERR_INPUT },
	{ "short", 0, 50000, SOURCE_ANY, 0 },
	{ "short", 40000, 10001, SOURCE_ANY, ERR_INPUT },
	{ "cut", 0, FILE_LEN, SOURCE_ANY, 0 },
	{ "cut", 5, 20000, SOURCE_ANY, 0 },
	{ "norange", 0, FILE_LEN, SOURCE_ANY, 0 },
	{ "norange", 0, 5000, SOURCE_ANY, 0 },
	{ "norange", 1, 5000, SOURCE_ANY, ERR_PEER },
	{ "lies", 100, 200, SOURCE_ANY, ERR_PEER },
	{ "gone", 0, 10, SOURCE_ANY, ERR_INPUT },
	{ "moved", 0, 10, SOURCE_ANY, ERR_INPUT },
	{ "busy", 10, 20, SOURCE_ANY, 0 },
	{ "fresh", 10, 20, SOURCE_ANY, ERR_INPUT },
	{ "fresh", 10, 20, SOURCE_FRESH, 0 },
	{ "stall", 0, FILE_LEN, SOURCE_ANY, 0 },
};

struct got {
	struct buf b;
	size_t most; /* refuse what goes beyond */
};

static int
keep(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct got *g = ctx;

	if (g->most && g->b.len + len > g->most)
		return err_set(e, ERR_SYS, "full");
	buf_add(&g->b, bytes, len);
	return 0;
}

static void
check_row(const char *where, size_t i)
{
	struct source_opts o = {
		.where = where, .tries = 4, .pause_max_s = 1, .stall_s = 1
	};
	struct source_span span = { rows[i].path, rows[i].at, rows[i].len,
				    rows[i].fresh };
	AUTO_CLEAR(buf) reset = { 0 };
	struct source *s = NULL;
	struct got g = { 0 };
	struct err e = { 0 };
	int bad;

	CHECK(i, source_open(&s, &o, &e) == 0);
	source_small(s, "reset", FILE_LEN, SOURCE_ANY, &reset, &e);
	bad = source_range(s, &span, keep, &g, &e);
	CHECK_SHOW(i, (bad ? (int)e.kind : 0) == rows[i].want, "%s", e.text);
	CHECK(i, g.b.len <= rows[i].len &&
			 (g.b.len == 0 ||
			  memcmp(g.b.at, content + rows[i].at, g.b.len) == 0));
	CHECK(i, bad || g.b.len == rows[i].len);
	buf_clear(&g.b);
	source_close(s);
}

static int ticks;

static int
stop_soon(void *ctx)
{
	(void)ctx;
	return ++ticks > 1;
}

/* What both kinds of source do alike. */
static void
check_small(const char *where)
{
	struct source_opts o = { .where = where, .tries = 2 };
	struct source_span span = { "plain", 0, FILE_LEN, 0 };
	AUTO_CLEAR(buf) b = { 0 };
	struct got g = { .most = 5 };
	struct source *s = NULL;
	struct err e = { 0 };

	CHECK(0, source_open(&s, &o, &e) == 0);
	buf_str(&b, "before");
	CHECK(0, source_small(s, "gone", 10, true, &b, &e) == 0);
	CHECK(0, source_small(s, "plain", FILE_LEN - 1, true, &b, &e) == -1 &&
			 e.kind == ERR_INPUT);
	b.len = 6;
	CHECK(0, source_small(s, "plain", FILE_LEN, true, &b, &e) == 1 &&
			 b.len == FILE_LEN + 6 &&
			 memcmp(b.at + 6, content, FILE_LEN) == 0);
	e = (struct err){ 0 };
	CHECK(0, source_range(s, &span, keep, &g, &e) == -1 &&
			 e.kind == ERR_SYS && str_eq(e.text, "full"));
	CHECK(0, source_bytes(s) >= FILE_LEN);
	buf_clear(&g.b);
	source_close(s);
}

/* Nobody there: the tries are told, and a tick ends them. */
static void
check_nobody(void)
{
	struct source_opts o = { .where = "http://127.0.0.1:9",
				 .tick = stop_soon };
	struct source_span span = { "x", 0, 1, false };
	struct source *s = NULL;
	struct got g = { 0 };
	struct err e = { 0 };

	CHECK(0, source_open(&s, &o, &e) == 0);
	CHECK_SHOW(0,
		   source_range(s, &span, keep, &g, &e) == -1 &&
			   e.kind == ERR_REFUSED,
		   "%s", e.text);
	source_close(s);
	o = (struct source_opts){ .where = "http://127.0.0.1:9", .tries = 2 };
	CHECK(1, source_open(&s, &o, &e) == 0);
	CHECK_SHOW(1,
		   source_range(s, &span, keep, &g, &e) == -1 &&
			   e.kind == ERR_PEER,
		   "%s", e.text);
	source_close(s);
}

/* A tag that was not ours to send must never make "not modified" of what we do
 * not have. */
static void
check_tags(const char *where)
{
	static const struct {
		const char *path, *tag, *then;
		int want; /* -1: ERR_INPUT */
	} tags[] = {
		{ "tag", "", "\"new\"", 1 },
		{ "tag", "\"old\"", "\"new\"", 1 },
		{ "tag", "\"new\"", "\"new\"", SOURCE_SAME },
		{ "tag-long", "\"old\"", "", 1 },
		{ "tag-blank", "\"old\"", "", 1 },
		{ "tag-304", "", "", -1 },
		{ "tag-304", "\"old\"", "\"old\"", SOURCE_SAME },
		{ "tag-cut", "\"old\"", "\"new\"", 1 },
		{ "gone", "\"old\"", "", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(tags); i++) {
		struct source_opts o = { .where = where, .pause_max_s = 1 };
		AUTO_CLEAR(buf) b = { 0 };
		char tag[SOURCE_TAG] = "";
		struct source *s = NULL;
		struct err e = { 0 };
		int got;

		snprintf(tag, sizeof(tag), "%s", tags[i].tag);
		CHECK(i, source_open(&s, &o, &e) == 0);
		CHECK(i,
		      source_small(s, "reset", FILE_LEN, false, &b, &e) == 1);
		buf_reset(&b);
		got = source_head(s, tags[i].path, 100, tag, &b, &e);
		CHECK_SHOW(i, got == tags[i].want, "%d %s", got, e.text);
		CHECK_SHOW(i, str_eq(tag, tags[i].then), "%s", tag);
		CHECK(i, b.len == (got == 1 ? 6 : 0));
		source_close(s);
	}
}

static void
check_folder(void)
{
	char dir[] = "/tmp/source_test.XXXXXX", path[128];
	static const struct source_span spans[] = {
		{ "plain", 7, 99, 0 },
		{ "gone", 0, 9, 0 },
		{ "../etc/passwd", 0, 9, 0 },
		{ "link", 0, 9, 0 },
		{ "plain", FILE_LEN, 9, 0 }
	};
	struct source_opts o = { .where = dir };
	struct source *s = NULL;
	struct err e = { 0 };
	size_t i;

	CHECK(0, mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/plain", dir);
	CHECK(0, file_write(path, content, FILE_LEN, 0644, &e) == 0);
	snprintf(path, sizeof(path), "%s/link", dir);
	CHECK(0, symlink("plain", path) == 0);
	check_small(dir);
	CHECK(0, source_open(&s, &o, &e) == 0);
	for (i = 0; i < ARRAY_LEN(spans); i++) {
		struct got g = { 0 };

		CHECK(i, (source_range(s, &spans[i], keep, &g, &e) == 0) ==
				 (i == 0));
		CHECK(i, i > 0 ? g.b.len == 0
			       : memcmp(g.b.at, content + 7, 99) == 0);
		buf_clear(&g.b);
	}
	source_close(s);
	CHECK(0, dir_remove(dir, &e) == 0);
	CHECK(0, source_open(&s, &o, &e) == -1);
}

static int
take_slowly(void *ctx, const void *bytes, size_t len, struct err *e)
{
	const int *ms = ctx;

	(void)bytes;
	(void)len;
	(void)e;
	usleep((useconds_t)*ms * 1000);
	return 0;
}

/* Short spans tell nothing, nor does what a taker does with the bytes. */
static void
check_speed(void)
{
	static const struct {
		uint64_t len;
		int ms; /* for each piece; one at least */
	} takes[] = { { 1000, 1 }, { 200000, 50 }, { 200000, 1 } };
	char dir[] = "/tmp/source_test.XXXXXX";
	struct source_opts o = { .where = dir };
	AUTO_FREE char *zeros = base_alloc(200000), *path = NULL;
	struct source *s = NULL;
	struct err e = { 0 };
	uint64_t speed[ARRAY_LEN(takes)];
	size_t i;

	CHECK(0, mkdtemp(dir) != NULL);
	path = base_printf("%s/large", dir);
	CHECK(0, file_write(path, zeros, 200000, 0644, &e) == 0);
	CHECK(0, source_open(&s, &o, &e) == 0);
	for (i = 0; i < ARRAY_LEN(takes); i++) {
		struct source_span span = { "large", 0, takes[i].len, 0 };
		int ms = takes[i].ms;

		/* again where others had the processor meanwhile */
		for (int n = 0; n < 200; n++) {
			CHECK(i, source_range(s, &span, take_slowly, &ms, &e) ==
					 0);
			speed[i] = source_speed(s);
			if (i == 0 || speed[i] > 200000 * 20)
				break;
		}
	}
	CHECK(0, speed[0] == 0);
	CHECK_SHOW(1, speed[1] > 200000 * 20, "%llu",
		   (unsigned long long)speed[1]);
	CHECK(2, speed[2] > 200000 * 20);
	source_close(s);
	CHECK(0, dir_remove(dir, &e) == 0);
}

int
main(void)
{
	AUTO_FREE char *url = NULL;
	int port = 0, fd = peer_listen(&port);
	size_t i;
	pid_t pid;

	fill();
	pid = fork();
	if (pid == 0)
		serve(fd);
	close(fd);
	url = base_printf("http://127.0.0.1:%d/", port);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_row(url, i);
	check_small(url);
	check_tags(url);
	check_nobody();
	check_folder();
	check_speed();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return test_end();
}
