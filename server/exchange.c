/* The life of one request before there is a reply. A refused body is read on
 * for a while: closing on a client that still sends would reset the connection
 * and lose the answer that tells it why. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "server/exchange.h"
#include "lib/file.h"

struct exchange *
exchange_new(const char *target, struct exchange_load *load)
{
	struct exchange *x = base_alloc(sizeof(*x));

	x->target = base_strdup(target);
	x->spool = -1;
	x->reply = (struct reply)REPLY_NONE;
	x->load = load;
	return x;
}

void
exchange_refuse(struct exchange *x, int status, const char *text)
{
	if (x->refused)
		return;
	x->refused = true;
	reply_error(&x->reply, status, "%s", text);
	if (status == 503)
		reply_header(&x->reply, "Retry-After", "5");
}

void
exchange_begin(struct exchange *x, struct app *a, int64_t length)
{
	struct err e = { 0 };

	x->begun = true;
	if (target_split(x->target, &x->path, &x->query, &e) < 0) {
		exchange_refuse(x, 400, e.text);
		x->ask.path = "/";
		return;
	}
	x->ask.path = x->path;
	x->ask.query = x->query;
	x->ask.body = "";
	if (x->refused)
		return;
	if (!route_open(a, &x->ask, &x->plan, &x->reply)) {
		x->refused = true;
		return;
	}
	if (length > 0 && (uint64_t)length > x->plan.max_body) {
		AUTO_FREE char *text = base_printf(
			"the body is larger than %zu bytes", x->plan.max_body);

		exchange_refuse(x, 413, text);
	}
}

static int
open_spool(const char *dir, struct err *e)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0) { /* not every file system has O_TMPFILE */
		AUTO_FREE char *path = base_printf("%s/.body-XXXXXX", dir);

		fd = mkostemp(path, O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, "%s: cannot keep a body", dir);
		unlink(path);
	}
	return fd;
}

static int
keep(struct exchange *x, const char *spool_dir, const char *bytes, size_t len,
     struct err *e)
{
	if (!x->plan.spool) {
		buf_add(&x->body, bytes, len);
		return 0;
	}
	if (x->spool < 0 && (x->spool = open_spool(spool_dir, e)) < 0)
		return -1;
	return fd_write_all(x->spool, bytes, len, e);
}

bool
exchange_take(struct exchange *x, const char *spool_dir, const char *bytes,
	      size_t len)
{
	struct err e = { 0 };

	x->received += len;
	if (x->refused)
		return x->received <= x->plan.max_body + EXCHANGE_DRAIN;
	if (x->received > x->plan.max_body)
		exchange_refuse(x, 413, "the body is larger than its cap");
	else if (atomic_load(&x->load->held) + len > EXCHANGE_BUDGET)
		exchange_refuse(x, 503, "too many uploads at once; ask again");
	else if (keep(x, spool_dir, bytes, len, &e) < 0)
		exchange_refuse(x, 500, e.text);
	else {
		atomic_fetch_add(&x->load->held, len);
		x->kept += len;
	}
	return true;
}

/* A spooled body is seen through a mapping of its file: nobody else has the
 * file, so it cannot become shorter below us. */
static void
map_spool(struct exchange *x)
{
	void *at = mmap(NULL, x->kept, PROT_READ, MAP_PRIVATE, x->spool, 0);

	if (at == MAP_FAILED) {
		exchange_refuse(x, 500, "cannot map the body");
		return;
	}
	x->map = at;
	x->ask.body = at;
	x->ask.body_len = x->kept;
}

/* Whoever reads slowly keeps his thread for long: there are some for that, and
 * the others stay for those who need a decision. */
static void
take_place(struct exchange *x)
{
	struct exchange_load *l = x->load;

	x->bulk = true;
	if (atomic_fetch_add(&l->bulk, 1) < l->bulk_max)
		return;
	reply_clear(&x->reply);
	exchange_refuse(x, 503, "too many downloads at once; ask again");
}

void
exchange_finish(struct exchange *x, struct app *a)
{
	if (!x->refused && x->spool >= 0)
		map_spool(x);
	else if (!x->refused) {
		x->ask.body = buf_text(&x->body);
		x->ask.body_len = x->body.len;
	}
	if (!x->refused)
		route(a, &x->ask, &x->reply);
	if (x->reply.bulk)
		take_place(x);
}

void
exchange_free(struct exchange *x)
{
	if (!x)
		return;
	atomic_fetch_sub(&x->load->held, x->kept);
	if (x->bulk)
		atomic_fetch_sub(&x->load->bulk, 1);
	if (x->map)
		munmap(x->map, x->kept);
	if (x->spool >= 0)
		close(x->spool);
	buf_clear(&x->body);
	reply_clear(&x->reply);
	free(x->target);
	free(x->path);
	free(x->query);
	free(x->peer);
	free(x);
}
