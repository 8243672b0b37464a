/* An archive of the first eDeploy: fetched here, unpacked by a child, so that
 * reports go on while it writes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/http.h"
#include "lib/num.h"
#include "rsyncd/source.h"

#include "agent/tree_archive.h"

#define ARCHIVE_MAX (1LL << 50)

struct fetch {
	const struct tree_opts *o;
	pid_t child;
	int to, said; /* pipes: what it unpacks, why it failed */
	uint64_t done, all;
	int64_t began_ms, told_ms;
};

/* 0 and the archive's size. */
static int
find_size(const char *url, uint64_t *size, struct err *e)
{
	const struct http_ask ask = { .method = "HEAD",
				      .url = url,
				      .want = { "Content-Length" } };
	struct http_answer answer;
	int bad = http_do(&ask, &answer, e);

	if (bad == 0 && answer.status != 200)
		bad = err_set(e, ERR_PEER,
			      "%s: HTTP %d: neither a published tree nor an "
			      "archive is there; look at HSERV, HSERV_PORT, "
			      "HPATH and the role's version",
			      url, answer.status);
	else if (bad == 0 &&
		 num_u64(answer.header[0] ? answer.header[0] : "", 1,
			 ARCHIVE_MAX, size, "Content-Length", e) < 0)
		bad = err_add(e, "%s", url);
	http_answer_clear(&answer);
	return bad;
}

/* ---- the child ---- */

__attribute__((noreturn)) static void
be_child(const char *into, int from, int say)
{
	struct err e = { 0 };
	int bad = tree_unpack(from, into, &e);
	char kind = e.kind == ERR_INPUT ? 'i' : 's';

	if (bad < 0 && (write(say, &kind, 1) < 0 ||
			write(say, e.text, strlen(e.text)) < 0))
		_exit(2);
	_exit(bad < 0 ? 1 : 0);
}

static int
start_child(struct fetch *f, struct err *e)
{
	int bytes[2], words[2];

	if (pipe2(bytes, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	if (pipe2(words, O_CLOEXEC) < 0) {
		close(bytes[0]);
		close(bytes[1]);
		return err_sys(e, "pipe");
	}
	f->to = bytes[1];
	f->said = words[0];
	f->child = fork();
	if (f->child == 0) {
		close(bytes[1]);
		be_child(f->o->into, bytes[0], words[1]);
	}
	close(bytes[0]);
	close(words[1]);
	if (f->child > 0)
		return 0;
	close(f->to);
	close(f->said);
	return err_sys(e, "fork");
}

/* Wait for it: what it says goes before what went wrong here, which is then a
 * pipe without a reader. `bad`: so far. */
static int
end_child(struct fetch *f, int bad, struct err *e)
{
	char text[sizeof(e->text)];
	size_t len = 0;
	ssize_t n = 0;
	int status = 0;

	close(f->to);
	while (len < sizeof(text) - 1 &&
	       (n = read(f->said, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	close(f->said);
	while (waitpid(f->child, &status, 0) < 0 && errno == EINTR)
		;
	if (len > 1 && (bad == 0 || e->kind == ERR_SYS)) {
		text[len] = '\0';
		return err_set(e, *text == 'i' ? ERR_PEER : ERR_SYS, "%s: %s",
			       f->o->choice->other, text + 1);
	}
	if (bad == 0 && status != 0)
		return err_set(e, ERR_SYS,
			       "%s: the program that unpacks it was ended by "
			       "signal %d",
			       f->o->choice->other, WTERMSIG(status));
	return bad;
}

/* ---- the bytes ---- */

static void
tell(struct fetch *f)
{
	int64_t now = clock_boot_ms(), ms = now - f->began_ms;
	struct tree_progress p = {
		.percent = 100.0 * (double)f->done / (double)f->all,
		.bytes = (int64_t)f->done,
		.bytes_per_s = ms > 0 ? (int64_t)f->done * 1000 / ms : 0,
		.eta_s = -1,
	};

	if (now - f->told_ms < 500 && f->done < f->all)
		return;
	f->told_ms = now;
	if (p.bytes_per_s > 0)
		p.eta_s = (int64_t)(f->all - f->done) / p.bytes_per_s;
	f->o->progress(f->o->ctx, &p);
	f->o->tick(f->o->ctx);
}

static int
take(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct fetch *f = ctx;

	if (fd_write_all(f->to, bytes, len, e) < 0)
		return -1;
	f->done += len;
	tell(f);
	return 0;
}

static int
tick(void *ctx)
{
	struct fetch *f = ctx;

	f->o->tick(f->o->ctx);
	return 0;
}

static void
say(void *ctx, const char *line)
{
	struct fetch *f = ctx;

	f->o->say(f->o->ctx, line);
}

/* A source is a folder of files. */
static int
fetch_all(struct fetch *f, struct err *e)
{
	const char *url = f->o->choice->other;
	const char *slash = strrchr(url, '/');
	AUTO_FREE char *where = base_strndup(url, (size_t)(slash - url));
	const struct source_opts opts = { .where = where,
					  .tries = f->o->tries,
					  .pause_max_s = f->o->pause_max_s,
					  .tick = tick,
					  .say = say,
					  .ctx = f };
	const struct source_span span = { .path = slash + 1, .len = f->all };
	struct source *s = NULL;
	int bad;

	if (source_open(&s, &opts, e) < 0)
		return -1;
	f->began_ms = clock_boot_ms();
	bad = source_range(s, &span, take, f, e);
	source_close(s);
	return bad;
}

int
tree_archive(const struct tree_opts *o, struct err *e)
{
	struct fetch f = { .o = o, .child = -1 };

	if (find_size(o->choice->other, &f.all, e) < 0 ||
	    start_child(&f, e) < 0)
		return -1;
	return end_child(&f, fetch_all(&f, e), e);
}
