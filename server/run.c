/* A run reports: events and its log, authenticated by the run's token. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "server/handler.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "lib/num.h"

/* The run's id is in the path and no section need be said, so the site
 * is the one that knows the run and its token. An unknown run and a wrong
 * token get the same answer: nobody learns which runs exist. */
static struct site *
find_run(struct app *a, const struct request *r, const char *run,
	 char **log_path, struct reply *out)
{
	struct err e = { 0 };

	if (!token_valid(run) || !r->token || !token_valid(r->token)) {
		reply_error(
			out, 403,
			"a run is reported on with its id in the path and its "
			"token in the header Edeploy-Token");
		return NULL;
	}
	for (size_t i = 0; i < a->len; i++) {
		if (r->section &&
		    !str_eq(r->section, site_conf(a->site[i])->section))
			continue;
		if (site_log_path(a->site[i], run, r->token, log_path, &e) == 0)
			return a->site[i];
		if (e.kind != ERR_REFUSED)
			break;
	}
	reply_err(out, &e, 403);
	return NULL;
}

void
run_check(struct app *a, const struct request *r, const char *run,
	  struct reply *out)
{
	AUTO_FREE char *path = NULL;

	find_run(a, r, run, &path, out);
}

/* The list in {"events": [...]}, within its caps; borrowed from `doc`. */
static const struct value *
read_events(const struct value *doc, struct err *e)
{
	const struct value *list = value_get(doc, "events");

	if (!list || list->kind != VALUE_LIST) {
		err_set(e, ERR_INPUT, "the body must be {\"events\": [...]}");
		return NULL;
	}
	if (list->list.len > EVENTS_MAX) {
		err_set(e, ERR_INPUT, "more than %d events in one request",
			EVENTS_MAX);
		return NULL;
	}
	for (size_t i = 0; i < list->list.len; i++) {
		const struct value *ev = list->list.at[i];

		if (value_get_int(ev, "n", 0) < 1 ||
		    value_get_int(ev, "at", -1) < 0 ||
		    !value_get_str(ev, "kind")) {
			err_set(e, ERR_INPUT,
				"event %zu: n (from 1), at (ms) and kind are "
				"needed",
				i + 1);
			return NULL;
		}
	}
	return list;
}

void
run_events_post(struct app *a, const struct request *r, const char *run,
		struct reply *out)
{
	AUTO(value) doc = NULL;
	AUTO_FREE char *path = NULL;
	struct site *s = find_run(a, r, run, &path, out);
	const struct value *events;
	int64_t next = 0;
	struct err e = { 0 };

	if (!s)
		return;
	if (json_parse(&doc, r->body, r->body_len, &e) < 0 ||
	    !(events = read_events(doc, &e)) ||
	    site_events(s, run, r->token, events, &next, &e) < 0) {
		reply_err(out, &e, 409);
		return;
	}
	out->status = 200;
	reply_header(out, "Content-Type", "application/json");
	buf_printf(&out->body, "{\"next\": %lld}\n", (long long)next);
}

/* The bytes from `offset` on; those that the file has already are skipped.
 * The lock makes two requests of one run wait for each other. */
static void
log_append(const char *path, uint64_t offset, const struct request *r,
	   struct reply *out)
{
	AUTO_CLOSE int fd =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	struct err e = { 0 };
	struct stat st;
	uint64_t size, skip;

	if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0) {
		err_sys(&e, "%s", path);
		reply_err(out, &e, 500);
		return;
	}
	size = (uint64_t)st.st_size;
	if (offset > size) {
		reply_error(out, 409,
			    "offset %llu leaves a gap: the log has %llu bytes",
			    (unsigned long long)offset,
			    (unsigned long long)size);
		reply_header(out, "Edeploy-Log-Size", "%llu",
			     (unsigned long long)size);
		return;
	}
	skip = size - offset;
	if (skip < r->body_len) {
		if (fd_write_all(fd, r->body + skip, r->body_len - skip, &e) <
		    0) {
			/* what came stays: the agent goes on behind it */
			reply_err(out, &e, 500);
			return;
		}
		size = offset + r->body_len;
	}
	out->status = 204;
	reply_header(out, "Edeploy-Log-Size", "%llu", (unsigned long long)size);
}

void
run_log_put(struct app *a, const struct request *r, const char *run,
	    struct reply *out)
{
	AUTO_FREE char *path = NULL, *text = NULL;
	struct site *s = find_run(a, r, run, &path, out);
	struct err e = { 0 };
	uint64_t offset;

	if (!s)
		return;
	if (query_get(r->query, "offset", 20, &text, &e) < 0 ||
	    (!text && err_set(&e, ERR_INPUT, "query: offset=N is needed")) ||
	    num_u64(text, 0, UINT64_MAX, &offset, "offset", &e) < 0)
		reply_err(out, &e, 400);
	else if (offset > LOG_MAX_BYTES || r->body_len > LOG_MAX_BYTES - offset)
		reply_error(out, 413, "the log of a run ends at %llu bytes",
			    LOG_MAX_BYTES);
	else
		log_append(path, offset, r, out);
}
